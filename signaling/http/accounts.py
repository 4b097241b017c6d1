"""Accounts and their tokens."""

from __future__ import annotations

from signaling.auth.identity import Identity
from signaling.auth.passwords import Overloaded, Passwords
from signaling.auth.secrets import new_id
from signaling.clock import Clock
from signaling.http.operation import Call, operation
from signaling.models import AccountCreated, Credentials, NewAccount, TokenIssued
from signaling.problems import problem
from signaling.rate_limits import RateLimits
from signaling.store.interfaces import Accounts, NameTaken
from signaling.store.records import Account
from signaling.store.sql_accounts import name_key

__all__ = ["AccountRoutes"]


class AccountRoutes:
    def __init__(
        self, accounts: Accounts, identity: Identity, passwords: Passwords, limits: RateLimits, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._identity = identity
        self._passwords = passwords
        self._limits = limits
        self._clock = clock

    @operation(
        "POST",
        "/api/v1/accounts",
        "Sign up",
        tag="accounts",
        status=201,
        problems=("name-taken", "rate-limited", "overloaded"),
    )
    async def create_account(self, call: Call, body: NewAccount) -> AccountCreated:
        self._limits.sign_up(call.client)
        if await self._accounts.credentials(body.name) is not None:
            raise _taken(body.name)
        account = Account(new_id(), body.name)
        token, kept = self._identity.new_token(account.account_id)
        try:
            password_hash = await self._passwords.hash(body.password)
            await self._accounts.create(account, password_hash, self._clock.now(), kept)
        except NameTaken:
            raise _taken(body.name) from None
        except Overloaded:
            raise _overloaded() from None
        return AccountCreated(
            account_id=account.account_id, name=account.name, token=token, expires_at=kept.expires_at
        )

    @operation(
        "POST",
        "/api/v1/tokens",
        "Sign in",
        tag="accounts",
        problems=("wrong-credentials", "rate-limited", "overloaded"),
    )
    async def create_token(self, call: Call, body: Credentials) -> TokenIssued:
        self._limits.sign_in(call.client, name_key(body.name))
        found = await self._accounts.credentials(body.name)
        try:
            right = await self._passwords.verify(found[1] if found else None, body.password)
            if found is None or not right:
                self._limits.wrong_password(call.client, name_key(body.name))
                raise problem("wrong-credentials", "No account has this name and password.")
            account, password_hash = found
            if self._passwords.is_weak(password_hash):
                stronger = await self._passwords.hash(body.password)
                await self._accounts.rehash_password(account.account_id, stronger)
        except Overloaded:
            raise _overloaded() from None
        token, kept = self._identity.new_token(account.account_id)
        await self._accounts.add_token(kept)
        return TokenIssued(token=token, expires_at=kept.expires_at)

    @operation("DELETE", "/api/v1/tokens", "Sign out: the token that is sent ends at once", tag="accounts")
    async def end_token(self, call: Call, account: Account) -> None:
        assert call.bearer is not None  # it is what the account was found by
        await self._identity.end_token(call.bearer)


def _taken(name: str) -> Exception:
    return problem("name-taken", f"An account named {name!r} exists already.")


def _overloaded() -> Exception:
    return problem("overloaded", "Too many people sign in at once.", {"Retry-After": "2"})

"""Accounts and their tokens in a relational database."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from signaling.store.interfaces import NameTaken
from signaling.store.records import Account, NewToken
from signaling.store.tables import accounts, tokens

__all__ = ["SqlAccounts"]

BATCH = 900
"""Parameters of one query: some builds of SQLite take 999 and PostgreSQL 32,767; nobody else waits long."""


def name_key(name: str) -> str:
    """What two names are compared by: compatibility forms and case don't make a difference."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


class SqlAccounts:
    """``Accounts`` on SQLAlchemy."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def create(
        self, account: Account, password_hash: str, created_at: datetime, token: NewToken | None = None
    ) -> None:
        row = {
            "account_id": account.account_id,
            "name": account.name,
            "name_key": name_key(account.name),
            "password_hash": password_hash,
            "created_at": created_at,
        }
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(accounts).values(row))
                if token is not None:
                    await connection.execute(insert(tokens).values(asdict(token)))
        except IntegrityError:
            if await self.credentials(account.name) is None:
                raise
            raise NameTaken(account.name) from None

    async def get(self, account_id: str) -> Account | None:
        query = select(accounts.c.account_id, accounts.c.name).where(accounts.c.account_id == account_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return Account(row.account_id, row.name) if row else None

    async def credentials(self, name: str) -> tuple[Account, str] | None:
        query = select(accounts).where(accounts.c.name_key == name_key(name))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return (Account(row.account_id, row.name), row.password_hash) if row else None

    async def set_password(self, account_id: str, password_hash: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(_password(account_id, password_hash))
            await connection.execute(delete(tokens).where(tokens.c.account_id == account_id))

    async def rehash_password(self, account_id: str, password_hash: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(_password(account_id, password_hash))

    async def add_token(self, token: NewToken) -> None:
        stale = delete(tokens).where(
            tokens.c.account_id == token.account_id, tokens.c.expires_at <= token.created_at
        )
        async with self._engine.begin() as connection:
            await connection.execute(stale)
            await connection.execute(insert(tokens).values(asdict(token)))

    async def by_token(self, token_hash: str, now: datetime) -> Account | None:
        return (await self.by_tokens([token_hash], now)).get(token_hash)

    async def by_tokens(self, token_hashes: Collection[str], now: datetime) -> Mapping[str, Account]:
        found: dict[str, Account] = {}
        wanted = list(token_hashes)
        for start in range(0, len(wanted), BATCH):
            query = (
                select(tokens.c.token_hash, accounts.c.account_id, accounts.c.name)
                .join(accounts)
                .where(tokens.c.token_hash.in_(wanted[start : start + BATCH]), tokens.c.expires_at > now)
            )
            async with self._engine.connect() as connection:
                rows = await connection.execute(query)
                found |= {row.token_hash: Account(row.account_id, row.name) for row in rows}
        return found

    async def delete_token(self, token_hash: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(delete(tokens).where(tokens.c.token_hash == token_hash))


def _password(account_id: str, password_hash: str):  # type: ignore[no-untyped-def]
    return update(accounts).where(accounts.c.account_id == account_id).values(password_hash=password_hash)

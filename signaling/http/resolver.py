"""Turns requests into Calls and tokens into Accounts."""

from __future__ import annotations

from aiohttp import web

from sfu.bearer import bearer
from signaling.auth.identity import Identity
from signaling.http.operation import Call
from signaling.http.origin import Origins
from signaling.problems import unauthorized
from signaling.store.records import Account

__all__ = ["RequestResolver"]


class RequestResolver:
    def __init__(self, origins: Origins, identity: Identity) -> None:
        self._origins = origins
        self._identity = identity

    def call(self, request: web.Request) -> Call:
        return Call(
            request=request,
            base_url=self._origins.base_url(request),
            client=self._origins.client(request),
            bearer=bearer(request),
        )

    async def account(self, call: Call, *, required: bool) -> Account | None:
        account = await self._identity.account_of(call.bearer)
        if required and account is None:
            detail = "The token is wrong or has expired." if call.bearer else "This needs an account token."
            raise unauthorized(detail)
        return account

"""Liveness and readiness."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web

from signaling.models import Readiness

__all__ = ["HealthRoutes", "State"]

State = Literal["ready", "draining", "failed"]
Probe = Callable[[], Awaitable[tuple[State, list[str]]]]


class HealthRoutes:
    """``probe`` says how the node is and what of it is degraded."""

    def __init__(self, probe: Probe, roles: list[str]) -> None:
        self._probe = probe
        self._roles = roles

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)]

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"}, headers={"Cache-Control": "no-store"})

    async def _readyz(self, request: web.Request) -> web.Response:
        state, degraded = await self._probe()
        answer = Readiness(status=state, degraded=degraded, roles=self._roles)
        return web.Response(
            status=200 if state == "ready" else 503,
            body=answer.model_dump_json().encode(),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

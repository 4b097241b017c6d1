"""GET /metrics: Prometheus text."""

from __future__ import annotations

from aiohttp import web

from signaling.metrics import Metrics

__all__ = ["MetricsRoutes"]


class MetricsRoutes:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/metrics", self._render)]

    async def _render(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": self._metrics.content_type})

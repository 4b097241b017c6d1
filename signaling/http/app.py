"""Puts the HTTP interface together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from signaling.http.cors import Cors
from signaling.http.errors import problems_middleware
from signaling.http.headers import SecurityHeaders
from signaling.http.openapi import Description, openapi_document
from signaling.http.operation import Operation, Resolver, bound
from signaling.metrics import Metrics

__all__ = ["Mount", "build_app"]

LARGEST = 256 * 1024
"""Bytes of any body: a Chromium offer is 8 kB, one of 16 m-lines with all codecs 80 kB."""

OPENAPI = "/api/v1/openapi.json"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Mount:
    """Routes of another room, and what the OpenAPI document says of them.

    ``open``: any site's page may use them. A room that answers OPTIONS itself (WHIP does) keeps that."""

    routes: Sequence[web.RouteDef]
    descriptions: Sequence[Description] = field(default_factory=tuple)
    open: bool = False


def build_app(
    *,
    features: Iterable[object],
    mounts: Iterable[Mount],
    resolver: Resolver,
    metrics: Metrics,
    headers: SecurityHeaders,
    version: str,
    middlewares: Sequence[Middleware] = (),
) -> web.Application:
    """``features`` have methods marked with ``@operation``. The first route that matches wins.

    ``middlewares`` come before what makes refusals documents."""
    layers = [_counted(metrics), problems_middleware, *middlewares]
    app = web.Application(middlewares=layers, client_max_size=LARGEST)
    cors = Cors()
    operations = list(bound(*features))
    descriptions: list[Description] = [
        Description(
            "GET", OPENAPI, "This document", "node", {200: "OpenAPI 3.1"}, answer_type="application/json"
        )
    ]
    for each in operations:
        respond = _responder(each, resolver)
        app.router.add_route(each.method, each.path, respond)
        if each.method == "GET":
            # RFC 9110 section 9.1: what answers GET answers HEAD. The server leaves the body out.
            app.router.add_route("HEAD", each.path, respond)
        if each.public:
            cors.open(each.method, each.path)
    for mount in mounts:
        app.router.add_routes(mount.routes)
        descriptions += mount.descriptions
        if mount.open:
            for route in mount.routes:
                cors.open(route.method, route.path)
    document = web.json_response(openapi_document(operations, descriptions, version)).body
    assert isinstance(document, bytes)

    async def openapi(request: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    app.router.add_get(OPENAPI, openapi)
    cors.open("GET", OPENAPI)
    cors.add_preflights(app)
    app.on_response_prepare.append(cors.on_prepare)
    app.on_response_prepare.append(headers.on_prepare)
    return app


def _responder(each: Operation, resolver: Resolver) -> Handler:
    async def respond(request: web.Request) -> web.Response:
        return await each.respond(request, resolver)

    return respond


def _counted(metrics: Metrics) -> Middleware:
    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        resource = request.match_info.route.resource
        # The pattern, not the path: ids and keys don't belong into labels.
        route = resource.canonical if resource is not None else "none"
        method = request.method if request.method in METHODS else "other"
        metrics.requests.labels(method, route, response.status).inc()
        return response

    return count

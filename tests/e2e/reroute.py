"""Sends a page's media through a relay: the answer to its WHIP or WHEP POST is rewritten on its way."""

from __future__ import annotations

from playwright.async_api import Page, Route

from tests.udp_relay import UdpRelay

__all__ = ["reroute"]


async def reroute(page: Page, path: str, relay: UdpRelay) -> None:
    """From now on answers to POSTs to ``path`` (a glob) name the relay instead of the node; PATCHes, and with
    them ICE restarts, are left alone."""

    async def handle(route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()
            return
        response = await route.fetch()
        await route.fulfill(response=response, body=relay.through(await response.text()))

    await page.route(path, handle)

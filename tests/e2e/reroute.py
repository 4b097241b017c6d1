"""Changes the answers that a page's media is negotiated with on their way, and so where the media goes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from re import Pattern

from playwright.async_api import BrowserContext, Page, Route

__all__ = ["reroute"]


@asynccontextmanager
async def reroute(
    pages: Page | BrowserContext,
    path: str | Pattern[str],
    rewrite: Callable[[str], str],
    methods: Collection[str] = ("POST",),
) -> AsyncIterator[None]:
    """In this block answers to ``path`` (a glob, or a pattern) are what ``rewrite`` makes of them; those to
    other methods, by default PATCH and with it ICE restarts, are left alone."""

    async def handle(route: Route) -> None:
        if route.request.method not in methods:
            await route.continue_()
            return
        response = await route.fetch()
        await route.fulfill(response=response, body=rewrite(await response.text()))

    await pages.route(path, handle)
    yield
    # a page that still has something to say is closed over it
    await pages.unroute_all(behavior="ignoreErrors")

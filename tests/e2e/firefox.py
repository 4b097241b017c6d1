"""A stock Firefox, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/).

Only the few commands that the tests need. Firefox prints the address of its own BiDi server when started with
``--remote-debugging-port``; no driver program stands between.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

__all__ = ["EXECUTABLE", "Tab", "firefox"]

EXECUTABLE = "/usr/bin/firefox-esr"

PREFERENCES: dict[str, object] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    # Names under .local instead of addresses would need a resolver for them.
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    # What comes from the network of its own accord has no place in a test.
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}

READY_S = 30.0
CALL_S = 30.0
POLL_S = 0.2

ENTER_VALUE = """(element, value) => {
    const prototype = Object.getPrototypeOf(element);
    // React listens to the setter of the element itself: go past it, then say so.
    Object.getOwnPropertyDescriptor(prototype, "value").set.call(element, value);
    element.dispatchEvent(new Event(element.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
}"""


class BidiError(RuntimeError):
    """The browser refused a command or a script threw; the text is the browser's."""


class Session:
    """One BiDi connection; one command at a time is enough here."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._lock = asyncio.Lock()

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        async with self._lock, asyncio.timeout(CALL_S):
            number = next(self._ids)
            await self._socket.send_json({"id": number, "method": method, "params": params})
            while True:
                message = await self._socket.receive_json()
                if message.get("id") == number:
                    break
        if message["type"] == "error":
            raise BidiError(f"{method}: {message['error']}: {message['message']}")
        result: dict[str, Any] = message["result"]
        return result


class Tab:
    def __init__(self, session: Session, context: str) -> None:
        self._session = session
        self._context = context

    async def goto(self, url: str) -> None:
        """Firefox opens no camera for a page that is not in front, so this one is put there."""
        await self._session.call("browsingContext.activate", context=self._context)
        await self._session.call(
            "browsingContext.navigate", context=self._context, url=url, wait="interactive"
        )

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression, a promise's once it is settled; what JSON can carry."""
        result = await self._session.call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({expression})) ?? null))()",
            target={"context": self._context},
            awaitPromise=True,
        )
        if result["type"] == "exception":
            raise BidiError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"])

    async def until(self, expression: str, within_s: float = 20.0) -> Any:
        """The first value of ``expression`` that counts as true."""
        try:
            async with asyncio.timeout(within_s):
                while not (value := await self.evaluate(expression)):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            text = await self.evaluate("document.body.innerText")
            raise AssertionError(f"not within {within_s} s: {expression}\npage: {text}") from None
        return value

    async def click(self, test_id: str) -> None:
        await self.until(f"{_element(test_id)} !== null && !{_element(test_id)}.disabled")
        await self.evaluate(f"{_element(test_id)}.click()")

    async def enter(self, test_id: str, value: str) -> None:
        await self.until(f"{_element(test_id)} !== null")
        await self.evaluate(f"({ENTER_VALUE})({_element(test_id)}, {json.dumps(value)})")

    async def attribute(self, test_id: str, name: str, value: str, within_s: float = 20.0) -> None:
        """Waits until an attribute has a value."""
        await self.until(f"{_element(test_id)}?.getAttribute('{name}') === {json.dumps(value)}", within_s)


def _element(test_id: str) -> str:
    return f"document.querySelector('[data-testid={test_id}]')"


@asynccontextmanager
async def firefox(profile: Path) -> AsyncIterator[list[Tab]]:
    """Two tabs of one window in a new profile."""
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines) + "\n")
    process = await asyncio.create_subprocess_exec(
        EXECUTABLE,
        "--headless",
        "--no-remote",
        "--profile",
        str(profile),
        "--remote-debugging-port",
        "0",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        url = await _address(process.stderr)
        draining = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{url}/session") as socket:
            session = Session(socket)
            await session.call("session.new", capabilities={})
            tabs = []
            for _ in range(2):
                created = await session.call("browsingContext.create", type="window")
                tabs.append(Tab(session, created["context"]))
            yield tabs
            await session.call("browser.close")
        await asyncio.wait_for(draining, 15)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _address(stderr: asyncio.StreamReader) -> str:
    seen = b""
    async with asyncio.timeout(READY_S):
        while line := await stderr.readline():
            seen += line
            if match := re.search(rb"WebDriver BiDi listening on (ws://\S+)", line):
                return match[1].decode()
    raise AssertionError(f"Firefox did not start: {seen.decode()}")

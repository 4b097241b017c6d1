"""The gateway, asked by python-socketio's client as a page would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import socketio

from signaling.gateway.gateway import EVENT_BURST
from tests.unit.signaling.conftest import Api, ManualClock, until
from tests.unit.signaling.test_streams import go_live, go_off


class Page:
    """One client, and what it was told."""

    def __init__(self) -> None:
        self.client = socketio.AsyncClient(reconnection=False)
        self.events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.client.on("*", self._note)

    async def _note(self, event: str, data: Any) -> None:
        self.events.put_nowait((event, data))

    async def call(self, event: str, *data: object) -> Any:
        # A tuple is several arguments.
        return await self.client.call(event, data, timeout=5)

    async def next(self, event: str) -> Any:
        """The next event of this name."""
        async with asyncio.timeout(5):
            while True:
                name, data = await self.events.get()
                if name == event:
                    return data


Open = Callable[..., Any]


@pytest.fixture
async def open_page(api: Api) -> AsyncIterator[Open]:
    pages: list[Page] = []

    async def connect(auth: object = None) -> Page:
        page = Page()
        pages.append(page)
        await page.client.connect(api.node.url, auth=auth, transports=["websocket"])
        return page

    yield connect
    for page in pages:
        await page.client.disconnect()


async def test_a_guest_joins_and_is_told_what_happens(api: Api, open_page: Open) -> None:
    token = await api.sign_up()
    stream_id = (await api.make_stream(token))["stream_id"]
    path = f"/api/v1/streams/{stream_id}"
    page = await open_page()
    joined = await page.call("join", {"stream_id": stream_id})
    assert joined == {
        "ok": True,
        "stream": (await api.call("GET", path)).json,
        "playback": (await api.call("GET", path + "/playback")).json,
    }
    await go_live(api, stream_id)
    assert await page.next("stream") == (await api.call("GET", path)).json
    assert (await page.next("playback"))["reason"] == "full"
    api.node.live.report_audience(stream_id, webrtc=1)
    api.node.live.report_audience(stream_id, webrtc=2)
    assert await page.next("viewers") == {"total": 2, "webrtc": 2, "hls": 0}, "one batch, the last count"
    await api.call("PATCH", path, {"title": "Renamed"}, token)
    assert (await page.next("stream"))["title"] == "Renamed"
    await go_off(api, stream_id)
    assert (await page.next("stream"))["status"] == "ended"
    assert (await page.next("playback"))["mode"] == "offline"
    await api.call("DELETE", path, token=token)
    assert (await page.next("notice"))["type"] == "stream-deleted"
    assert page.events.empty()


async def test_who_left_is_told_nothing(api: Api, open_page: Open) -> None:
    token = await api.sign_up()
    first = (await api.make_stream(token))["stream_id"]
    second = (await api.make_stream(token))["stream_id"]
    page = await open_page()
    assert await page.call("leave") == {"ok": True}
    await page.call("join", {"stream_id": first})
    assert (await page.call("join", {"stream_id": second}))["stream"]["stream_id"] == second
    await api.call("PATCH", f"/api/v1/streams/{first}", {"title": "unheard"}, token)
    await api.call("PATCH", f"/api/v1/streams/{second}", {"title": "heard"}, token)
    assert (await page.next("stream"))["title"] == "heard"
    assert await page.call("leave") == {"ok": True}
    await api.call("PATCH", f"/api/v1/streams/{second}", {"title": "unheard"}, token)
    await page.call("leave")
    assert all(
        name == "playback" for name, _ in (page.events.get_nowait() for _ in range(page.events.qsize()))
    )


async def test_private_streams(api: Api, open_page: Open) -> None:
    owner, other = await api.sign_up("Ada"), await api.sign_up("Bob")
    stream_id = (await api.make_stream(owner, visibility="private"))["stream_id"]
    path = f"/api/v1/streams/{stream_id}"
    token = (await api.call("POST", path + "/playback-tokens", {}, owner)).json["token"]
    for auth, name in ((None, "unauthorized"), ({"token": other}, "private-stream")):
        page = await open_page(auth)
        answer = await page.call("join", {"stream_id": stream_id})
        assert (answer["ok"], answer["problem"]["type"]) == (False, f"/problems/{name}")
    for auth in ({"token": owner}, {"playback_token": token}, {"token": other, "playback_token": token}):
        page = await open_page(auth)
        assert (await page.call("join", {"stream_id": stream_id}))["ok"]


async def test_a_stream_that_becomes_private_dismisses_its_guests(api: Api, open_page: Open) -> None:
    owner = await api.sign_up()
    stream_id = (await api.make_stream(owner))["stream_id"]
    guest, host = await open_page(), await open_page({"token": owner})
    for page in (guest, host):
        await page.call("join", {"stream_id": stream_id})
    await api.call("PATCH", f"/api/v1/streams/{stream_id}", {"visibility": "private"}, owner)
    assert (await guest.next("notice"))["type"] == "private-stream"
    assert (await host.next("stream"))["visibility"] == "private"
    await api.call("PATCH", f"/api/v1/streams/{stream_id}", {"title": "secret"}, owner)
    assert (await host.next("stream"))["title"] == "secret"
    await guest.call("leave")
    assert guest.events.empty()


@pytest.mark.parametrize(
    "auth", [{"token": "x"}, {"playback_token": "x"}, {"token": 5}, {"tokens": "x"}, "x", ["x"]]
)
async def test_a_wrong_handshake_is_refused_with_a_problem(api: Api, open_page: Open, auth: object) -> None:
    page = Page()
    refusals: list[Any] = []
    page.client.on("connect_error", refusals.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await page.client.connect(api.node.url, auth=auth, transports=["websocket"])
    await until(lambda: bool(refusals))
    assert refusals[0]["data"]["status"] in (401, 422)


@pytest.mark.parametrize(
    "data",
    [
        (),
        (None,),
        ("x",),
        (5,),
        ([],),
        ({},),
        ({"stream_id": None},),
        ({"stream_id": ""},),
        ({"stream_id": "x" * 65},),
        ({"stream_id": ["x"]},),
        ({"stream_id": "x", "admin": True},),
        ({"stream_id": "x"}, {"stream_id": "x"}),
        ({"stream_id": b"bytes"}, b"x"),
    ],
)
async def test_payloads_that_make_no_sense(open_page: Open, data: tuple[object, ...]) -> None:
    page = await open_page()
    answer = await page.call("join", *data)
    assert answer["ok"] is False
    assert answer["problem"]["type"] == "/problems/invalid-request"
    assert (await page.call("join", {"stream_id": "none"}))["problem"]["type"] == "/problems/stream-not-found"


async def test_unknown_events_and_a_fault_inside(
    api: Api, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page()
    assert (await page.call("dance"))["problem"]["type"] == "/problems/unknown-event"
    assert (await page.call("message"))["problem"]["type"] == "/problems/unknown-event"

    async def broken(_: str) -> None:
        raise RuntimeError("the safe's combination")

    monkeypatch.setattr(api.node.streams, "get", broken)
    answer = await page.call("join", {"stream_id": "x"})
    assert answer["problem"]["type"] == "/problems/internal-error"
    assert "combination" not in str(answer)
    assert await page.call("leave") == {"ok": True}


async def test_a_client_that_sends_too_much_waits(open_page: Open, clock: ManualClock) -> None:
    page, other = await open_page(), await open_page()
    answers = [await page.call("leave") for _ in range(EVENT_BURST + 5)]
    assert [each["ok"] for each in answers] == [True] * EVENT_BURST + [False] * 5
    assert answers[-1]["problem"]["type"] == "/problems/rate-limited"
    assert (await other.call("leave"))["ok"]
    clock.advance(0.1)
    assert (await page.call("leave"))["ok"]


async def test_only_websockets_of_protocol_4(api: Api) -> None:
    for query in (
        "EIO=4&transport=polling",
        "EIO=3&transport=websocket",
        "",
        "EIO=4&transport=websocket&sid=x",
    ):
        assert (await api.call("GET", f"/socket.io/?{query}")).problem == "websocket-only"
    assert (await api.call("POST", "/socket.io/?EIO=4&transport=polling")).status == 405


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "4",
        "42",
        "42{",
        '42["join"',
        "9",
        "40,",
        "4" + "2" * 1000,
        '451-["x",{"_placeholder":true,"num":0}]',
        '42["leave",' + "[" * 100_000,
        '42["leave",' + '{"a":' * 40_000,
        "42" + "9" * 100_000 + '["leave"]',
        '42["leave",' + "9" * 100_000 + "]",
        "\x00",
    ],
)
async def test_frames_that_make_no_sense_harm_nobody(
    api: Api, open_page: Open, frame: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = api.node.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with api.session.ws_connect(url) as socket:
        await socket.receive()
        await socket.send_str("40")
        await socket.receive()
        await socket.send_str(frame)
        await socket.send_bytes(b"\xff\x00")
        await socket.send_str('421["leave"]')
        await socket.receive(timeout=5)
    page = await open_page()
    assert (await page.call("leave"))["ok"]
    assert caplog.records == []


async def test_no_compression_is_offered_or_taken(api: Api) -> None:
    url = api.node.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with api.session.ws_connect(url, compress=15) as socket:
        assert socket.compress == 0


async def test_who_does_not_read_is_cut_off(api: Api, open_page: Open) -> None:
    """Its queue would grow for as long as it stays."""
    token = await api.sign_up()
    stream_id = (await api.make_stream(token))["stream_id"]
    reading = await open_page()
    await reading.call("join", {"stream_id": stream_id})
    url = api.node.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with api.session.ws_connect(url, autoclose=False) as socket:
        await socket.send_str("40")
        await socket.send_str(f'421["join",{{"stream_id":"{stream_id}"}}]')
        await until(lambda: len(api.node.gateway.members(stream_id)) == 2)
        members = api.node.gateway.members(stream_id)
        # The kernel takes some megabytes before the queue grows.
        assert socket._reader is not None
        socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
        padding = {"text": "x" * 100_000}
        async with asyncio.timeout(30):
            while len(api.node.gateway.members(stream_id)) == 2:
                api.node.gateway.send(members, "notice", padding)  # type: ignore[arg-type]
                await asyncio.sleep(0.001)
    assert [each.sid for each in api.node.gateway.members(stream_id)] == [reading.client.get_sid()]


async def test_disconnecting_leaves(api: Api, open_page: Open) -> None:
    stream_id = (await api.make_stream(await api.sign_up()))["stream_id"]
    left: list[str] = []
    api.node.gateway.on_leave(lambda client, stream: left.append(stream))
    pages = [await open_page() for _ in range(3)]
    for page in pages:
        await page.call("join", {"stream_id": stream_id})
    for page in pages:
        await page.client.disconnect()
    await until(lambda: not api.node.gateway.members(stream_id))
    assert left == [stream_id] * 3


async def test_closing_the_node_says_goodbye(api: Api) -> None:
    url = api.node.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with api.session.ws_connect(url) as socket:
        await socket.receive()
        closing = asyncio.create_task(api.node.gateway.close())
        message = await socket.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == aiohttp.WSCloseCode.GOING_AWAY
        await closing

"""WHIP over HTTP (RFC 9725), the engine left out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sfu.config import SfuConfig
from sfu.events import StreamEnded, StreamLive, StreamNotice
from tests.unit.sfu.conftest import Node
from tests.unit.sfu.offers import offer

FRAGMENT = "application/trickle-ice-sdpfrag"
RESTART = "a=ice-ufrag:newufrag\r\na=ice-pwd:newpasswordnewpasswordnew\r\n"


async def test_created_with_location_etag_and_links(node: Node) -> None:
    response = await node.whip()
    assert response.status == 201
    assert response.headers["Content-Type"] == "application/sdp"
    assert response.headers["Location"].startswith("/whip/sessions/")
    assert response.headers["ETag"].startswith('"')
    assert response.headers["Accept-Patch"] == FRAGMENT
    assert response.headers.getall("Link") == [
        '<stun:stun.example>; rel="ice-server"',
        '<turn:turn.example>; rel="ice-server"; username="user"; credential="secret"; '
        'credential-type="password"',
    ]
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    answer = await response.text()
    (opened,) = node.engine.named("open_transport")
    assert f"a=ice-ufrag:{opened['local_ufrag']}\r\n" in answer
    assert f"a=ice-pwd:{opened['local_pwd']}\r\n" in answer
    assert opened["remote_ufrag"] == "Tqrk"
    assert [track["mid"] for track in node.engine.named("add_track")] == ["0", "1"]


async def test_key_in_the_path(node: Node) -> None:
    for path, status in (("/whip/the-key", 201), ("/whip/other", 401)):
        response = await node.client.post(
            path, data=offer("obs-publish"), headers={"Content-Type": "application/sdp"}
        )
        assert response.status == status


@pytest.mark.parametrize(
    ("headers", "body", "status", "problem"),
    [
        ({"Authorization": "Bearer wrong"}, None, 401, "unauthorized"),
        ({"Authorization": "Basic the-key"}, None, 401, "unauthorized"),
        ({"Content-Type": "text/plain"}, None, 415, "unsupported-media-type"),
        ({}, "v=0\r\nbroken", 400, "bad-sdp"),
        ({}, b"\xff\xfe", 400, "bad-sdp"),
        ({}, "", 400, "bad-sdp"),
        ({}, "v=0\r\n" + "a=x\r\n" * 20000, 413, "body-too-large"),
        ({}, offer("obs-publish").replace("H264", "H266"), 406, "no-common-codec"),
    ],
)
async def test_refusals(
    node: Node, headers: dict[str, str], body: str | bytes | None, status: int, problem: str
) -> None:
    base = {"Authorization": "Bearer the-key", "Content-Type": "application/sdp"}
    data = offer("obs-publish") if body is None else body
    response = await node.client.post("/whip", data=data, headers=base | headers)
    document = await response.json()
    assert (response.status, document["type"]) == (status, f"/problems/{problem}")
    assert document["status"] == status
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    if status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    if status == 406:
        assert (document["offered"], document["accepted"]) == (["H266"], ["H264", "VP8", "VP9", "AV1"])
    assert len(node.sfu.sessions) == 0
    assert node.sfu.router.get("show") is None


async def test_bad_slot(node: Node) -> None:
    assert (await node.whip(query="?slot=third")).status == 400


async def test_trickle_is_taken_with_the_etag(node: Node) -> None:
    response = await node.whip()
    body = "a=ice-ufrag:Tqrk\r\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n"
    headers = {"Content-Type": FRAGMENT}
    url = response.headers["Location"]
    # one of the two credentials alone is malformed
    bad = await node.client.patch(url, data=body, headers=headers | {"If-Match": response.headers["ETag"]})
    assert (bad.status, (await bad.json())["type"]) == (422, "/problems/bad-fragment")
    body = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n"
    for match, status in ((response.headers["ETag"], 204), ('"other"', 412), (None, 428)):
        patched = await node.client.patch(
            url, data=body, headers=headers | ({"If-Match": match} if match else {})
        )
        assert patched.status == status
    wrong = await node.client.patch(
        url, data=body, headers={"If-Match": "*", "Content-Type": "application/sdp"}
    )
    assert wrong.status == 415
    assert wrong.headers["Accept-Patch"] == FRAGMENT
    assert not node.engine.named("restart_ice")


async def test_ice_restart_gives_new_credentials_and_etag(node: Node) -> None:
    response = await node.whip()
    url, etag = response.headers["Location"], response.headers["ETag"]
    restarted = await node.client.patch(
        url, data=RESTART, headers={"Content-Type": FRAGMENT, "If-Match": "*"}
    )
    assert restarted.status == 200
    assert restarted.headers["Content-Type"] == FRAGMENT
    assert restarted.headers["ETag"] != etag
    (order,) = node.engine.named("restart_ice")
    assert (order["remote_ufrag"], order["remote_pwd"]) == ("newufrag", "newpasswordnewpasswordnew")
    assert await restarted.text() == (
        "a=ice-lite\r\n"
        "a=group:BUNDLE 0 1\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
        "a=mid:0\r\n"
        f"a=ice-ufrag:{order['local_ufrag']}\r\n"
        f"a=ice-pwd:{order['local_pwd']}\r\n"
        "a=candidate:1 1 udp 2130706431 192.0.2.7 7882 typ host\r\n"
        "a=candidate:2 1 tcp 1526726655 192.0.2.7 7882 typ host tcptype passive\r\n"
        "a=end-of-candidates\r\n"
    )
    old = await node.client.patch(url, data=RESTART, headers={"Content-Type": FRAGMENT, "If-Match": etag})
    assert old.status == 412


async def test_delete_and_what_is_told_afterwards(node: Node) -> None:
    response = await node.whip()
    url = response.headers["Location"]
    assert (await node.client.delete(url)).status == 200
    gone = await node.client.delete(url)
    assert (gone.status, (await gone.json())["reason"]) == (410, "stopped")
    assert (await node.client.delete("/whip/sessions/nobody")).status == 404
    assert node.engine.named("close_transport") == [{"transport": node.transports()[0]}]
    assert node.sfu.router.get("show") is None


@pytest.mark.parametrize("config", [SfuConfig(advertise_ip=("192.0.2.7",), grace_s=60.0)])
async def test_delete_after_the_dtls_goodbye_ends_the_broadcast(node: Node) -> None:
    # OBS 30.2 (libdatachannel) closes the connection first, then sends the DELETE
    url = (await node.go_live("obs-publish")).headers["Location"]
    await node.push("closed", node.transports()[0], "bye")
    assert not any(isinstance(event, StreamEnded) for event in node.events)
    assert (await node.client.delete(url)).status == 200
    assert StreamEnded("show", "stopped") in node.events
    assert node.sfu.router.get("show") is None
    gone = await node.client.delete(url)
    assert (gone.status, (await gone.json())["reason"]) == (410, "stopped")


@pytest.mark.parametrize("config", [SfuConfig(advertise_ip=("192.0.2.7",), grace_s=60.0)])
async def test_delete_amid_the_dtls_goodbye_ends_the_broadcast(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = (await node.go_live("obs-publish")).headers["Location"]
    (session,) = node.sfu.sessions
    asked, answered = asyncio.Event(), asyncio.Event()
    close = session.close

    async def note(reason: str) -> None:
        asked.set()
        await close(reason)

    monkeypatch.setattr(session, "close", note)
    monkeypatch.setattr(session.transport._dtls, "close", answered.wait)
    await node.push("closed", node.transports()[0], "bye")
    async with asyncio.TaskGroup() as tasks:
        deleted = tasks.create_task(node.client.delete(url))
        await asked.wait()
        answered.set()
    assert deleted.result().status == 200
    assert StreamEnded("show", "stopped") in node.events


@pytest.mark.parametrize("config", [SfuConfig(advertise_ip=("192.0.2.7",), grace_s=60.0)])
async def test_a_late_delete_leaves_the_one_who_came_back_alone(node: Node) -> None:
    url = (await node.go_live("obs-publish")).headers["Location"]
    await node.push("closed", node.transports()[0], "bye")
    await node.go_live("obs-publish")
    assert (await node.client.delete(url)).status == 200
    stream = node.sfu.router.get("show")
    assert stream is not None
    assert stream.live


async def test_options_reading_and_other_methods(node: Node) -> None:
    for path in ("/whip", "/whip/the-key"):
        answered = await node.client.options(path)
        assert answered.status == 200
        assert answered.headers["Accept-Post"] == "application/sdp"
        assert "POST" in answered.headers["Access-Control-Allow-Methods"]
        assert "If-Match" in answered.headers["Access-Control-Allow-Headers"]
        read = await node.client.get(path)
        assert (read.status, await read.read()) == (204, b"")
        refused = await node.client.put(path)
        assert (refused.status, refused.headers["Allow"]) == (405, "POST, GET, HEAD, OPTIONS")
    url = (await node.whip()).headers["Location"]
    assert (await node.client.get(url)).status == 204
    assert (await node.client.get("/whip/sessions/x")).status == 404
    refused = await node.client.put(url)
    assert (refused.status, refused.headers["Allow"]) == (405, "PATCH, DELETE, GET, HEAD, OPTIONS")


async def test_a_whep_session_is_none_of_whip(node: Node) -> None:
    await node.go_live()
    viewer = await node.whep()
    url = viewer.headers["Location"].replace("/whep/", "/whip/")
    assert (await node.client.delete(url)).status == 404


async def test_too_large_a_picture_is_refused_with_the_reason(node: Node) -> None:
    response = await node.go_live()
    video = next(track["id"] for track in node.engine.named("add_track") if track["kind"] == "video")
    await node.push("resolution", video, "", 2160, 3840)
    assert node.sfu.router.get("show") is not None
    await node.push("resolution", video, "", 7680, 4320)
    (notice,) = [event for event in node.events if isinstance(event, StreamNotice)]
    assert notice.type == "resolution-refused"
    assert "7680x4320" in notice.text
    assert (await node.client.delete(response.headers["Location"])).status == 410


async def test_delete_ends_the_stream_at_once(node: Node) -> None:
    response = await node.go_live()
    assert StreamLive("show") in node.events
    await node.client.delete(response.headers["Location"])
    assert node.events[-1] == StreamEnded("show", "stopped")


async def test_a_body_that_does_not_come_is_not_waited_for(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfu.resource.BODY_S", 0.05)
    never = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"v=0\r\n"
        await never.wait()

    headers = {"Authorization": "Bearer the-key", "Content-Type": "application/sdp"}
    async with asyncio.timeout(5):
        response = await node.client.post("/whip", data=slowly(), headers=headers)
    assert (response.status, (await response.json())["type"]) == (408, "/problems/request-timeout")

"""WHIP (RFC 9725) as encoders use it: by raw HTTP, media by aiortc."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from tests.interop.aiortc_peer import Publisher, Viewer
from tests.interop.contract.user import WITHIN_S, Answer, User, call, live

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
TRICKLE = (
    "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host\r\na=end-of-candidates\r\n"
)


async def offer(direction: str = "sendonly") -> str:
    """An offer of nobody who will ever connect."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in ("audio", "video"):
        peer.addTransceiver(kind, direction=direction)
    await peer.setLocalDescription(await peer.createOffer())
    sdp: str = peer.localDescription.sdp
    await peer.close()
    return sdp


def credentials(sdp: str) -> dict[str, str]:
    lines = dict(line[2:].split(":", 1) for line in sdp.splitlines() if line.startswith("a=ice-"))
    return {"ufrag": lines["ice-ufrag"], "pwd": lines["ice-pwd"]}


def check_created(answer: Answer) -> str:
    """Path of the session."""
    assert answer.status == 201, answer.text
    assert answer.headers["Content-Type"] == "application/sdp"
    assert answer.headers["ETag"].startswith('"')
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = {each.strip() for each in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert exposed >= {"Location", "ETag", "Link"}
    assert answer.text.startswith("v=0")
    return answer.headers["Location"]


async def test_a_session_from_post_to_delete(ada: User) -> None:
    key = (await ada.stream())["stream_key"]
    sdp = await offer()
    created = await call(ada.http, "POST", f"{ada.url}/whip", token=key, data=sdp, headers=SDP)
    session = ada.url + check_created(created)
    etag = created.headers["ETag"]

    async def patch(body: str, **headers: str) -> Answer:
        return await call(ada.http, "PATCH", session, data=body, headers=FRAGMENT | headers)

    trickle = TRICKLE.format(**credentials(sdp))
    assert (await patch(trickle, **{"If-Match": etag})).status == 204
    (await patch(trickle)).refused(428, "if-match-required")
    (await patch(trickle, **{"If-Match": '"other"'})).refused(412, "etag-mismatch")
    restart = TRICKLE.format(ufrag="abcd", pwd="x" * 24)
    restarted = await patch(restart, **{"If-Match": "*"})
    assert restarted.status == 200
    assert restarted.headers["Content-Type"] == FRAGMENT["Content-Type"]
    assert restarted.headers["ETag"] not in ("", etag)
    assert "a=ice-ufrag:" in restarted.text
    (await patch(trickle, **{"If-Match": etag})).refused(412, "etag-mismatch")
    wrong_type = await call(
        ada.http, "PATCH", session, data="{}", headers={"Content-Type": "application/json"}
    )
    wrong_type.refused(415)
    (await patch("nonsense", **{"If-Match": "*"})).refused(422, "bad-fragment")
    assert (await call(ada.http, "DELETE", session)).status == 200
    gone = await call(ada.http, "DELETE", session)
    gone.refused(gone.status)
    assert gone.status in (404, 410)
    (await call(ada.http, "DELETE", f"{ada.url}/whip/sessions/unknown")).refused(404, "session-not-found")


async def test_the_key_in_the_path(ada: User) -> None:
    key = (await ada.stream())["stream_key"]
    created = await call(ada.http, "POST", f"{ada.url}/whip/{key}", data=await offer(), headers=SDP)
    location = check_created(created)
    assert key not in location
    assert (await call(ada.http, "DELETE", ada.url + location)).status == 200


@pytest.mark.parametrize(
    "path",
    ["/whip", "/whip/key", "/whip/sessions/x", "/whep/x", "/whep/sessions/x", "/whep/sessions/x/encoding"],
)
async def test_options(http: aiohttp.ClientSession, node_url: str, path: str) -> None:
    method = {"/whip": "POST", "/whip/key": "POST", "/whep/x": "POST"}.get(path, "DELETE")
    if path.endswith("encoding"):
        method = "PUT"
    preflight = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": method}
    answer = await call(http, "OPTIONS", node_url + path, headers=preflight)
    assert answer.status in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert method in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert all(each in allowed for each in ("authorization", "content-type", "if-match"))
    if method == "POST":
        assert answer.headers["Accept-Post"] == "application/sdp"


async def test_refusals_of_whip(ada: User) -> None:
    key, url, sdp = (await ada.stream())["stream_key"], f"{ada.url}/whip", await offer()

    async def post(body: str | bytes, token: str | None = key, where: str = url) -> Answer:
        answer = await call(ada.http, "POST", where, token=token, data=body, headers=SDP)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        return answer

    (await post(sdp, None)).refused(401)
    (await post(sdp, "sk_wrong")).refused(401, "wrong-key")
    (await post(sdp, None, f"{url}/sk_wrong")).refused(401, "wrong-key")
    (await post(sdp, ada.token)).refused(401)
    for broken in (b"", b"v=0\r\n", b"\xff\xfe", b"hello", sdp.replace("a=ice-pwd", "a=ice-nopwd").encode()):
        (await post(broken)).refused(400, "bad-sdp")
    (await post("v=0\r\n" + "a=x\r\n" * 2_000_000)).refused(413, "body-too-large")
    (await post(sdp, where=f"{url}?slot=third")).refused(400)
    no_type = await call(ada.http, "POST", url, token=key, data=sdp, headers={"Content-Type": "text/plain"})
    no_type.refused(415)
    only_pcmu = (
        sdp.replace("opus/48000/2", "iLBC/8000").replace("PCMU/8000", "x/8000").replace("PCMA/8000", "y/8000")
    )
    for codec in ("VP8", "H264", "opus", "G722", "PCMU", "PCMA"):
        only_pcmu = only_pcmu.replace(f"{codec}/", "unheard-of/")
    refusal = (await post(only_pcmu)).refused(406, "no-common-codec")
    assert refusal["offered"] or refusal["accepted"]
    assert refusal["accepted"]


async def test_refusals_of_whep(ada: User) -> None:
    stream, sdp = await ada.stream(), await offer("recvonly")

    async def post(stream_id: str, body: str | bytes) -> Answer:
        return await call(ada.http, "POST", f"{ada.url}/whep/{stream_id}", data=body, headers=SDP)

    (await post("unknown", sdp)).refused(404, "stream-not-found")
    (await post(stream["stream_id"], sdp)).refused(409, "stream-not-live")
    (await post(stream["stream_id"], "v=0\r\n" + "a=x\r\n" * 2_000_000)).refused(413)
    async with live(ada, stream):
        (await post(stream["stream_id"], "hello")).refused(400, "bad-sdp")
        bare = sdp
        for codec in ("VP8", "H264"):
            bare = bare.replace(f"{codec}/", "unheard-of/")
        problem = (await post(stream["stream_id"], bare)).refused(406, "no-common-codec")
        assert problem["manifest_url"].endswith("/manifest.m3u8")
        assert problem["offered"]
        assert problem["accepted"]


async def test_a_viewer_and_its_encoding(ada: User) -> None:
    stream, viewer = await ada.stream(), Viewer()
    async with live(ada, stream):
        try:
            session = await viewer.start(ada, stream["stream_id"])
            assert await viewer.frames("video", 3)
            for rid in ("h", "m", "l", "auto"):
                assert (
                    await call(ada.http, "PUT", f"{session}/encoding", json={"rid": rid})
                ).status == 204, rid
            (await call(ada.http, "PUT", f"{session}/encoding", json={"rid": "x"})).refused(400)
            (await call(ada.http, "PUT", f"{session}/encoding", json=[])).refused(400)
            async with asyncio.timeout(WITHIN_S):
                while (await ada.see(stream["stream_id"]))["viewers"] != {"total": 1, "webrtc": 1, "hls": 0}:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert (await call(ada.http, "DELETE", session)).status == 200
        finally:
            await viewer.close()


class _SignedIn:
    """A user with another of their tokens."""

    def __init__(self, user: User, token: str) -> None:
        self.user, self.token = user, token

    async def post(self, path: str, sdp: str, key: str | None = None) -> tuple[str, str]:
        return await self.user.post(path, sdp, key or self.token)


async def test_who_signs_out_watches_their_private_stream_no_longer(ada: User) -> None:
    stream, leaves, stays = await ada.stream(visibility="private"), Viewer(), Viewer()
    credentials = {"name": ada.name, "password": "correct horse"}
    other = (await ada.api("POST", "/tokens", credentials)).json["token"]
    async with live(ada, stream):
        try:
            left = await leaves.start(_SignedIn(ada, other), stream["stream_id"])
            kept = await stays.start(_SignedIn(ada, ada.token), stream["stream_id"])
            assert await leaves.frames("video", 3)
            assert (await ada.api("DELETE", "/tokens", token=other)).status == 204
            async with asyncio.timeout(WITHIN_S):
                while (ended := await call(ada.http, "GET", left)).status == 204:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert ended.refused(410, "session-closed")["reason"] == "token-ended"
            assert await stays.frames("video", 3)
            assert (await call(ada.http, "GET", kept)).status == 204
        finally:
            await leaves.close()
            await stays.close()


async def test_the_same_key_takes_over_and_the_viewer_stays(ada: User) -> None:
    stream, viewer, second = await ada.stream(), Viewer(), Publisher()
    first = Publisher()
    try:
        old = await first.start(ada, stream["stream_key"])
        await ada.until(stream["stream_id"], "live")
        await viewer.start(ada, stream["stream_id"])
        await viewer.frames("video", 3)
        await second.start(ada, stream["stream_key"])
        async with asyncio.timeout(WITHIN_S):
            while (ended := await call(ada.http, "GET", old)).status == 204:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        ended.refused(410, "session-closed")
        await first.close()
        async with asyncio.timeout(WITHIN_S):
            await viewer.frames("video", 60)
        assert (await ada.see(stream["stream_id"]))["status"] == "live"
    finally:
        for peer in (first, second, viewer):
            await peer.close()


class Backup(Publisher):
    async def start(self, node: User, key: str) -> str:  # type: ignore[override]
        return await super().start(_InBackup(node), key)


class _InBackup:
    def __init__(self, user: User) -> None:
        self._user = user

    async def post(self, path: str, sdp: str, key: str | None = None) -> tuple[str, str]:
        return await self._user.post(f"{path}?slot=backup", sdp, key)


async def test_the_backup_steps_in(ada: User) -> None:
    stream, viewer, primary, backup = await ada.stream(), Viewer(), Publisher(), Backup()
    try:
        session = await primary.start(ada, stream["stream_key"])
        await ada.until(stream["stream_id"], "live")
        await backup.start(ada, stream["stream_key"])
        assert (await call(ada.http, "GET", session)).status == 204
        await viewer.start(ada, stream["stream_id"])
        await viewer.frames("video", 3)
        assert (await call(ada.http, "DELETE", session)).status == 200
        async with asyncio.timeout(WITHIN_S):
            await viewer.frames("video", 60)
        assert (await ada.see(stream["stream_id"]))["status"] == "live"
    finally:
        for peer in (primary, backup, viewer):
            await peer.close()


@pytest.mark.parametrize("end", ["delete", "key"])
async def test_deleting_the_stream_or_its_key_ends_sessions(ada: User, end: str) -> None:
    stream, viewer, publisher = await ada.stream(), Viewer(), Publisher()
    try:
        publishing = await publisher.start(ada, stream["stream_key"])
        await ada.until(stream["stream_id"], "live")
        watching = await viewer.start(ada, stream["stream_id"])
        if end == "delete":
            assert (await ada.api("DELETE", f"/streams/{stream['stream_id']}")).status == 204
            sessions = [publishing, watching]
        else:
            new = await ada.api("POST", f"/streams/{stream['stream_id']}/key")
            assert new.status == 200
            assert new.json["stream_key"] != stream["stream_key"]
            sessions = [publishing]
        for session in sessions:
            async with asyncio.timeout(WITHIN_S):
                while (ended := await call(ada.http, "GET", session)).status == 204:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            ended.refused(410, "session-closed")
        refused = await call(
            ada.http, "POST", f"{ada.url}/whip", token=stream["stream_key"], data=await offer(), headers=SDP
        )
        refused.refused(401)
    finally:
        await publisher.close()
        await viewer.close()

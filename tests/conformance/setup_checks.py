"""Setting a session up: RFC 9725 sections 4.1, 4.2 and 4.4, and the same of WHEP."""

from __future__ import annotations

from tests.conformance import sdp
from tests.conformance.check import Check, Failed, Skipped, requirement
from tests.conformance.endpoint import SDP, Created, Endpoint, Reply
from tests.conformance.peer import Peer

__all__ = ["CHECKS"]

CHECKS: list[Check] = []


def refused(reply: Reply, what: str) -> None:
    if not 400 <= reply.status < 500:
        raise Failed(f"{what} was answered {reply}")


def sections(created: Created) -> list[sdp.Section]:
    return [each for each in created.answer.sections if each.kind in ("audio", "video") and each.port]


@requirement(CHECKS, "MUST", "a POST of an offer is answered 201 Created", whip="4.2", whep="4.2")
async def post_answers_201(endpoint: Endpoint) -> None:
    await endpoint.open(Peer())


@requirement(CHECKS, "MUST", "the 201 has Content-Type application/sdp", whip="4.2", whep="4.2")
async def answer_is_sdp(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    kind = created.reply.headers.get("Content-Type", "")
    if kind.split(";")[0].strip().lower() != SDP:
        raise Failed(f"Content-Type: {kind}")


@requirement(CHECKS, "MUST", "the 201's Location points to the new session", whip="4.2", whep="4.2")
async def location_is_the_session(endpoint: Endpoint) -> None:
    first, second = await endpoint.open(Peer()), None
    if endpoint.protocol == "whep":
        second = await endpoint.open(Peer())
    if first.url == endpoint.url or (second and second.url == first.url):
        raise Failed(f"Location {first.url} is not of one session")
    reply = await endpoint.request("DELETE", first.url)
    if reply.status != 200:
        raise Failed(f"DELETE of the Location was answered {reply}")


@requirement(CHECKS, "MUST", "another Content-Type is rejected with 4xx", whip="4.2", whep="4.2")
async def wrong_content_type_is_rejected(endpoint: Endpoint) -> None:
    refused(await endpoint.post(endpoint.offer(Peer()), "text/plain"), "text/plain")
    headers: dict[str, str] = {}
    reply = await endpoint.request("POST", body=endpoint.offer(Peer()), headers=headers)
    refused(reply, "an offer without Content-Type")


@requirement(CHECKS, "MUST", "malformed SDP is rejected with 4xx", whip="4.2", whep="4.2")
async def malformed_offer_is_rejected(endpoint: Endpoint) -> None:
    whole = endpoint.offer(Peer())
    broken: dict[str, str | bytes] = {
        "an empty body": "",
        "a line of text": "hello\r\n",
        "an m-line without its port": whole.replace("m=audio 9", "m=audio"),
        "an offer without credentials": "\r\n".join(
            line for line in whole.split("\r\n") if not line.startswith("a=ice-")
        ),
        "bytes that are no text": b"\xff\xfe\x00v=0",
    }
    for what, body in broken.items():
        refused(await endpoint.post(body), what)


@requirement(
    CHECKS, "MUST", "the answer has the direction of one-way media in every m-line", whip="4.2", whep="4.2"
)
async def answer_direction(endpoint: Endpoint) -> None:
    for direction in (endpoint.direction, "sendrecv"):
        created = await endpoint.open(Peer(), direction=direction)
        await endpoint.end_sessions()
        for section in sections(created):
            if not section.has(endpoint.answered_direction):
                raise Failed(f"{section.kind}, offered {direction}, lacks a={endpoint.answered_direction}")


@requirement(CHECKS, "MUST", "GET is answered 2xx without content", whip="4.1", whep="4.1")
async def get_is_answered_without_content(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    for url in (endpoint.url, created.url):
        reply = await endpoint.request("GET", url)
        if not 200 <= reply.status < 300 or reply.body:
            raise Failed(f"GET {'endpoint' if url == endpoint.url else 'session'}: {reply}")


@requirement(CHECKS, "MUST", "OPTIONS is supported for CORS", whip="4.2", whep="4.3")
async def options_for_cors(endpoint: Endpoint) -> None:
    origin = {
        "Origin": "https://player.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    reply = await endpoint.request("OPTIONS", headers=origin, token=False)
    if not 200 <= reply.status < 300:
        raise Failed(f"the preflight was answered {reply}")
    if reply.headers.get("Access-Control-Allow-Origin") not in ("*", origin["Origin"]):
        raise Failed("Access-Control-Allow-Origin does not allow the origin")
    allowed = reply.headers.get("Access-Control-Allow-Headers", "").lower()
    if "*" not in allowed and not ("authorization" in allowed and "content-type" in allowed):
        raise Failed(f"Access-Control-Allow-Headers: {allowed}")
    posted = await endpoint.request(
        "POST",
        body=endpoint.offer(Peer()),
        headers={"Content-Type": SDP, "Origin": origin["Origin"]},
    )
    if posted.headers.get("Access-Control-Allow-Origin") not in ("*", origin["Origin"]):
        raise Failed("the 201 lacks Access-Control-Allow-Origin")
    exposed = posted.headers.get("Access-Control-Expose-Headers", "").lower()
    if "*" not in exposed and "location" not in exposed:
        raise Failed(f"Access-Control-Expose-Headers: {exposed!r} hides Location")


@requirement(CHECKS, "SHOULD", "OPTIONS tells Accept-Post: application/sdp", whip="4.2", whep="4.3")
async def options_tells_accept_post(endpoint: Endpoint) -> None:
    reply = await endpoint.request("OPTIONS", token=False)
    if SDP not in reply.headers.get("Accept-Post", ""):
        raise Failed(f"Accept-Post: {reply.headers.get('Accept-Post')}")


@requirement(CHECKS, "MUST", "all m-lines are one BUNDLE group", whip="4.4.1", whep="4.5.1")
async def answer_is_bundled(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    mids = [mid for section in sections(created) for mid in section.values("mid")]
    if created.answer.bundle != mids or len(mids) != 2:
        raise Failed(f"group {created.answer.bundle}, m-lines {mids}")


@requirement(CHECKS, "MUST", "rtcp-mux and rtcp-mux-only in every m-line", whip="4.4.1", whep="4.5.1")
async def answer_multiplexes_rtcp(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    for section in sections(created):
        for name in ("rtcp-mux", "rtcp-mux-only"):
            if not section.has(name):
                raise Failed(f"{section.kind} lacks a={name}")


@requirement(CHECKS, "MUST", "every m-line sent has an msid of one MediaStream", whep="4.5.2")
async def answer_is_one_media_stream(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    streams = {tuple(each.split()[0] for each in s.values("msid")[:1]) for s in sections(created)}
    if len(streams) != 1 or () in streams:
        raise Failed(f"streams of the m-lines: {streams}")


@requirement(CHECKS, "MUST", "two tracks of one kind are rejected, or both taken", whip="4.4.2")
async def second_track_is_no_partial_success(endpoint: Endpoint) -> None:
    reply = await endpoint.post(endpoint.offer(Peer(), kinds=("audio", "video", "video")))
    if reply.status == 201:
        ports = [section.port for section in sdp.parse_answer(reply.body).sections]
        if 0 in ports:
            raise Failed("201, with an m-line refused in the answer")
    else:
        refused(reply, "two video tracks")


@requirement(
    CHECKS, "SHOULD", "an m-line that can't be taken fails the POST, not only the m-line", whip="4.4.3"
)
async def no_partially_successful_answer(endpoint: Endpoint) -> None:
    reply = await endpoint.post(endpoint.offer(Peer(), video_codec="X-UNKNOWN"))
    refused(reply, "a video m-line with unknown codecs only")


@requirement(CHECKS, "SHOULD", "setup:active is taken, or refused with 4xx", whip="4.4.4")
async def setup_active(endpoint: Endpoint) -> None:
    reply = await endpoint.post(endpoint.offer(Peer("active")))
    if reply.status == 201:
        setup = sdp.parse_answer(reply.body).setup
        if setup != "passive":
            raise Failed(f"active was answered {setup}")
    else:
        refused(reply, "setup:active")


@requirement(
    CHECKS, "MUST", "ICE servers are Links with rel=ice-server and a STUN or TURN URI", whip="4.6", whep="4.7"
)
async def ice_servers_are_links(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    links = [each for each in created.reply.headers.getall("Link", []) if "ice-server" in each]
    if not links:
        raise Skipped("the server names no ICE servers")
    for link in links:
        target = link[1:].split(">")[0]
        if not link.startswith("<") or target.split(":")[0] not in ("stun", "stuns", "turn", "turns"):
            raise Failed(f"Link: {link}")
        if target.startswith("turn") and not ("username=" in link and "credential=" in link):
            raise Failed("a TURN server without credentials")


@requirement(CHECKS, "MUST", "a bearer token is required where the server wants one", whip="4.7.1")
async def bearer_token(endpoint: Endpoint) -> None:
    if endpoint.token is None:
        raise Skipped("no token was given")
    headers = {"Content-Type": SDP}
    reply = await endpoint.request("POST", body=endpoint.offer(Peer()), headers=headers, token=False)
    if reply.status != 401:
        raise Failed(f"without a token: {reply}")
    # RFC 9110 section 11.6.1
    if "bearer" not in reply.headers.get("WWW-Authenticate", "").lower():
        raise Failed("401 without WWW-Authenticate: Bearer")
    headers["Authorization"] = "Bearer not-the-token"
    reply = await endpoint.request("POST", body=endpoint.offer(Peer()), headers=headers, token=False)
    if reply.status not in (401, 403):
        raise Failed(f"with a wrong token: {reply}")


@requirement(CHECKS, "MUST", "extensions are Links with rel urn:ietf:params:...:ext", whip="4.9", whep="4.9")
async def extensions_are_links(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    prefix = f"urn:ietf:params:{endpoint.protocol}:ext"
    links = [each for each in created.reply.headers.getall("Link", []) if "ice-server" not in each]
    if not links:
        raise Skipped("the server announces no extensions")
    for link in links:
        if f'rel="{prefix}' not in link and f"rel={prefix}" not in link:
            raise Failed(f"Link: {link}")

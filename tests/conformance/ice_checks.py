"""PATCH, DELETE, ICE and DTLS, with a real peer: RFC 9725 section 4.3 and the end of 4.2; WHEP likewise."""

from __future__ import annotations

import asyncio

from tests.conformance import sdp
from tests.conformance.check import Check, Failed, Skipped, requirement
from tests.conformance.endpoint import FRAGMENT, Created, Endpoint, Reply, connected, until
from tests.conformance.peer import Peer
from tests.conformance.setup_checks import refused

__all__ = ["CHECKS", "SLOW"]

CHECKS: list[Check] = []
SLOW: list[Check] = []
"""Checks that wait out a timer of the protocol."""

CANDIDATE = "1 1 udp 2122260223 192.0.2.1 61764 typ host generation 0"
UNREACHABLE = (
    "2 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0",
    "3 1 udp 2122260222 0b2b3e9a-7f1c-4c3e-9a52-2f6a8f6e4b11.local 61765 typ host",
)
EXPIRES_S = 60.0
"""RFC 7675 section 5.1: consent ends 30 s after the last answer; twice that is an unhurried server."""


def etag(created: Created) -> str:
    tag = created.reply.headers.get("ETag")
    if tag is None:
        raise Skipped("no ETag: the server says that it can't restart ICE")
    return tag


def patched(reply: Reply) -> Reply:
    if reply.status in (405, 422, 501):
        raise Skipped(f"the server does not support it ({reply.status})")
    return reply


@requirement(CHECKS, "MUST", "the 201 has a strong ETag of the ICE session", whip="4.3.1", whep="4.4.1")
async def etag_is_strong(endpoint: Endpoint) -> None:
    tag = etag(await endpoint.open(Peer()))
    if not (tag.startswith('"') and tag.endswith('"') and len(tag) > 2):
        raise Failed(f"ETag: {tag} is not a quoted, strong entity-tag (RFC 9110 section 8.8.3)")


@requirement(CHECKS, "MUST", "trickled candidates are answered 204, no ETag", whip="4.3.2", whep="4.4.2")
async def trickle_is_answered_204(endpoint: Endpoint) -> None:
    peer = Peer()
    created = await endpoint.open(peer)
    body = sdp.fragment(peer.ufrag, peer.pwd, CANDIDATE)
    reply = patched(await endpoint.patch(created.url, body, etag(created)))
    if reply.status != 204 or reply.body:
        raise Failed(f"PATCH: {reply}")
    if "ETag" in reply.headers:
        raise Failed("the 204 has an ETag")


@requirement(CHECKS, "MUST", "a candidate it can't use is silently discarded", whip="4.3.2", whep="4.4.2")
async def unusable_candidates_are_discarded(endpoint: Endpoint) -> None:
    peer = Peer()
    created = await endpoint.open(peer)
    body = sdp.fragment(peer.ufrag, peer.pwd, *UNREACHABLE)
    reply = patched(await endpoint.patch(created.url, body, etag(created)))
    if reply.status != 204:
        raise Failed(f"PATCH with a TCP and an mDNS candidate: {reply}")


@requirement(CHECKS, "MUST", "PATCH without If-Match is answered 428", whip="4.3.1", whep="4.4.1")
async def missing_if_match_is_428(endpoint: Endpoint) -> None:
    peer = Peer()
    created = await endpoint.open(peer)
    etag(created)
    body = sdp.fragment(peer.ufrag, peer.pwd, CANDIDATE)
    reply = patched(await endpoint.patch(created.url, body, None))
    if reply.status != 428:
        raise Failed(f"PATCH without If-Match: {reply}")


@requirement(CHECKS, "MUST", "PATCH with another entity-tag is answered 412", whip="4.3.1", whep="4.4.1")
async def other_entity_tag_is_412(endpoint: Endpoint) -> None:
    peer = Peer()
    created = await endpoint.open(peer)
    etag(created)
    body = sdp.fragment(peer.ufrag, peer.pwd, CANDIDATE)
    reply = patched(await endpoint.patch(created.url, body, '"another"'))
    if reply.status != 412:
        raise Failed(f"PATCH with another entity-tag: {reply}")


@requirement(CHECKS, "MUST", "PATCH with another Content-Type is rejected", whip="4.3.1", whep="4.4.1")
async def patch_content_type(endpoint: Endpoint) -> None:
    peer = Peer()
    created = await endpoint.open(peer)
    body = sdp.fragment(peer.ufrag, peer.pwd, CANDIDATE)
    tag = created.reply.headers.get("ETag")
    refused(await endpoint.patch(created.url, body, tag, "application/json"), "a PATCH of JSON")


@requirement(CHECKS, "MUST", "a malformed SDP fragment is rejected", whip="4.3.1", whep="4.4.1")
async def malformed_fragment_is_rejected(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    tag = created.reply.headers.get("ETag")
    for body in ("hello", "a=candidate:nonsense\r\n", ""):
        reply = await endpoint.patch(created.url, body, tag)
        if reply.status == 501:
            raise Skipped("the server does not support PATCH (501)")
        refused(reply, f"the fragment {body!r}")


@requirement(
    CHECKS, "MUST", "an ICE restart is answered 200, new credentials and ETag", whip="4.3.3", whep="4.4.3"
)
async def ice_restart_is_answered_200(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    tag = etag(created)
    fresh = Peer()
    reply = patched(await endpoint.patch(created.url, sdp.fragment(fresh.ufrag, fresh.pwd, CANDIDATE), "*"))
    if reply.status != 200 or reply.headers.get("Content-Type", "").split(";")[0] != FRAGMENT:
        raise Failed(f"PATCH: {reply}, Content-Type {reply.headers.get('Content-Type')}")
    if reply.headers.get("ETag") in (None, tag):
        raise Failed(f"ETag {tag} became {reply.headers.get('ETag')}")
    answer = sdp.parse_answer(reply.body)
    if answer.ufrag == created.answer.ufrag or answer.pwd == created.answer.pwd:
        raise Failed("the credentials are the old ones")
    lite = "ice-lite" in created.answer.session
    if lite != ("ice-lite" in answer.session):
        raise Failed("ice-lite is in one of answer and fragment only")
    body = sdp.fragment(fresh.ufrag, fresh.pwd, CANDIDATE)
    stale = await endpoint.patch(created.url, body, tag)
    if stale.status != 412:
        raise Failed(f"the old entity-tag after the restart: {stale}")


@requirement(CHECKS, "MUST", "the answer names all candidates of the server", whip="4.3.2", whep="4.4.2")
async def answer_has_the_candidates(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    if not created.answer.candidates:
        raise Failed("no UDP candidate in the answer")


@requirement(CHECKS, "MUST", "ICE and DTLS come up, with the fingerprint told", whip="4.2", whep="4.2")
async def media_path_comes_up(endpoint: Endpoint) -> None:
    peer = Peer()
    async with connected(endpoint, peer) as created:
        told = (created.answer.fingerprint or "").split()
        if [each.upper() for each in told] != ["SHA-256", peer.fingerprint]:
            raise Failed(f"told {told}, shown sha-256 {peer.fingerprint}")


@requirement(CHECKS, "MUST", "a client that is DTLS client only is served", whip="4.4.4")
async def media_path_with_setup_active(endpoint: Endpoint) -> None:
    reply = await endpoint.post(endpoint.offer(Peer("active")))
    await endpoint.end_sessions()
    if reply.status != 201:
        refused(reply, "setup:active")
        raise Skipped(f"the server refuses setup:active ({reply.status})")
    async with connected(endpoint, Peer("active")):
        pass


@requirement(CHECKS, "MUST", "after an ICE restart the media path goes on", whip="4.3.3", whep="4.4.3")
async def media_path_after_ice_restart(endpoint: Endpoint) -> None:
    peer = Peer()
    async with connected(endpoint, peer) as created:
        etag(created)
        fresh = Peer()
        reply = patched(await endpoint.patch(created.url, sdp.fragment(fresh.ufrag, fresh.pwd), "*"))
        if reply.status != 200:
            raise Failed(f"PATCH: {reply}")
        before = peer.checks_answered
        peer.restart(fresh.ufrag, fresh.pwd, sdp.parse_answer(reply.body))
        if not await until(lambda: peer.nominated and peer.checks_answered > before, 5):
            raise Failed("no answer to checks with the new credentials within 5 s")


@requirement(CHECKS, "MUST", "a restart that can't be done keeps the session", whip="4.3.3", whep="4.4.3")
async def failed_restart_keeps_the_session(endpoint: Endpoint) -> None:
    peer = Peer()
    async with connected(endpoint, peer) as created:
        body = "a=ice-ufrag:x\r\na=ice-pwd:short\r\n"
        refused(await endpoint.patch(created.url, body, "*"), "credentials that are too short")
        before = peer.checks_answered
        if not await until(lambda: peer.checks_answered > before, 10):
            raise Failed("checks are not answered any more")


@requirement(CHECKS, "MUST", "DELETE is answered 200, and ends the session", whip="4.2", whep="4.3")
async def delete_ends_the_session(endpoint: Endpoint) -> None:
    peer = Peer()
    async with connected(endpoint, peer) as created:
        reply = await endpoint.request("DELETE", created.url)
        if reply.status != 200:
            raise Failed(f"DELETE: {reply}")
        # RFC 7675 section 5.2: a revoked consent is answered no more
        await asyncio.sleep(0.5)
        before, packets = peer.checks_answered, sum(peer.rtp.values())
        await asyncio.sleep(3.5)
        if peer.checks_answered > before:
            raise Failed("consent checks are still answered")
        if sum(peer.rtp.values()) > packets:
            raise Failed("media still comes")
        again = await endpoint.request("DELETE", created.url)
        refused(again, "a second DELETE")


@requirement(CHECKS, "MUST", "DELETE ignores the entity-tag", whip="4.3.1", whep="4.4.1")
async def delete_ignores_entity_tags(endpoint: Endpoint) -> None:
    created = await endpoint.open(Peer())
    reply = await endpoint.request("DELETE", created.url, headers={"If-Match": '"another"'})
    if reply.status != 200:
        raise Failed(f"DELETE with another entity-tag: {reply}")


@requirement(CHECKS, "MUST", "media comes over the path", whep="4.2")
async def media_comes(endpoint: Endpoint) -> None:
    peer = Peer()
    async with connected(endpoint, peer):
        if not await until(lambda: sum(peer.rtp.values()) > 50, 10):
            raise Failed(f"{sum(peer.rtp.values())} RTP packets within 10 s")
        assert peer.keys is not None
        assert peer.first_packet is not None
        # raises what is reported: packets that the agreed keys do not open
        peer.keys.receiver().unprotect(peer.first_packet)


@requirement(CHECKS, "MUST", "DTLS teardown by the client ends the session", whip="4.2", whep="4.2")
async def close_notify_ends_the_session(endpoint: Endpoint) -> None:
    """Whether or not its ICE agent still gives consent: an authenticated message that closes the connection
    revokes it immediately (RFC 7675 section 5.2)."""
    peer = Peer()
    async with connected(endpoint, peer) as created:
        await asyncio.sleep(1)
        peer.close_dtls()
        if not await _gone(endpoint, created, 10):
            raise Failed("the session is still there after 10 s")


@requirement(SLOW, "MUST", "a client that is lost is noticed by consent (RFC 7675)", whip="4.2", whep="4.2")
async def lost_client_is_noticed(endpoint: Endpoint) -> None:
    peer = Peer()
    async with connected(endpoint, peer) as created:
        await asyncio.sleep(1)
        peer.consenting = False
        if not await _gone(endpoint, created, EXPIRES_S):
            raise Failed(f"the session is still there after {EXPIRES_S:.0f} s")


async def _gone(endpoint: Endpoint, created: Created, within_s: float) -> bool:
    """Asked by a GET, which ends nothing."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                if (await endpoint.request("GET", created.url)).status in (404, 410):
                    return True
                await asyncio.sleep(0.5)
    except TimeoutError:
        return False

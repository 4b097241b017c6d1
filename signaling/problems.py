"""The catalogue of refusals: every ``/problems/NAME`` that the node can answer with.

Names are part of the interface and never change their meaning. ``sfu`` raises its own; they stand here as
well, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sfu.problem import Problem

__all__ = [
    "CATALOGUE",
    "ProblemKind",
    "insufficient_storage",
    "problem",
    "rate_limited",
    "sentence",
    "too_many_connections",
    "unauthorized",
]


@dataclass(frozen=True, slots=True)
class ProblemKind:
    name: str
    status: int
    title: str
    meaning: str
    """What happened and what to do about it: the text at ``GET /problems/NAME``."""


CATALOGUE: Mapping[str, ProblemKind] = {
    kind.name: kind
    for kind in (
        ProblemKind("bad-json", 400, "The body is not JSON", "Send one JSON object, in UTF-8."),
        ProblemKind("bad-request", 400, "Bad request", "The detail says what is wrong."),
        ProblemKind("bad-cursor", 400, "Not a cursor", "Use the next_cursor of the page before, as it is."),
        ProblemKind(
            "invalid-request",
            422,
            "Some fields are wrong",
            "Each member of `errors` has a JSON pointer to a field of the body, or the name of a query "
            "parameter, and what is wrong with it.",
        ),
        ProblemKind("body-too-large", 413, "Body too large", "`limit` is the most that is taken, in bytes."),
        ProblemKind(
            "request-timeout", 408, "The body took too long", "The rest of the body did not come in time."
        ),
        ProblemKind("not-found", 404, "Nothing here", "No resource has this path."),
        ProblemKind(
            "method-not-allowed", 405, "Method not allowed", "The header Allow lists what this path takes."
        ),
        ProblemKind(
            "unauthorized",
            401,
            "Unauthorized",
            "Send `Authorization: Bearer` with what this takes (account token, playback token or stream "
            "key), and one that has not expired.",
        ),
        ProblemKind(
            "wrong-credentials", 401, "Wrong name or password", "No account has this name and password."
        ),
        ProblemKind(
            "wrong-key",
            401,
            "Wrong stream key",
            "The key is not, or no longer, one of a stream. Its owner finds the current one in the studio.",
        ),
        ProblemKind("forbidden", 403, "Not yours", "Only the owner of the stream may do this."),
        ProblemKind(
            "private-stream",
            403,
            "A private stream",
            "Watch it with a playback token of this stream, or as its owner.",
        ),
        ProblemKind("stream-not-found", 404, "Stream not found", "No stream has this id."),
        ProblemKind("session-not-found", 404, "Session not found", "No WHIP or WHEP session has this URL."),
        ProblemKind("session-closed", 410, "Session closed", "`reason` says why it ended. POST a new offer."),
        ProblemKind(
            "stream-not-live",
            409,
            "Stream not live",
            "Nobody publishes to it now. Try again when it is live. Its HLS manifest answers 404 with this.",
        ),
        ProblemKind("stream-ended", 410, "Stream ended", "It is over and was not recorded."),
        ProblemKind(
            "recording-not-found", 404, "Recording not found", "None has this id, or it was too old to keep."
        ),
        ProblemKind(
            "too-far-ahead",
            400,
            "Too far ahead",
            "`_HLS_msn` is more than one beyond the next segment (RFC 8216bis section 6.2.5.2).",
        ),
        ProblemKind(
            "bad-delivery-directive",
            400,
            "Bad delivery directive",
            "`_HLS_msn` and `_HLS_part` are decimal numbers, the second only with the first.",
        ),
        ProblemKind(
            "range-not-satisfiable", 416, "Range not satisfiable", "The header Content-Range has the size."
        ),
        ProblemKind("overdue", 503, "Overdue", "The stream is late. Try again after Retry-After."),
        ProblemKind("edge-only", 403, "For the edge", "Viewers of private streams use `/hls/t/{token}`."),
        ProblemKind(
            "no-seat",
            503,
            "No seat",
            "Every WebRTC seat is taken, or the node is too busy for another. The stream plays over HLS at "
            "`manifest_url`.",
        ),
        ProblemKind("bad-sdp", 400, "Bad SDP", "The detail says what is wrong with the offer."),
        ProblemKind("bad-fragment", 422, "Bad SDP fragment", "PATCH takes an SDP fragment (RFC 8840)."),
        ProblemKind("bad-slot", 400, "Bad slot", "`?slot=` is `primary` or `backup`."),
        ProblemKind(
            "no-common-codec",
            406,
            "No common codec",
            "`offered` and `accepted` list the codecs of each side. A viewer may use `manifest_url` instead.",
        ),
        ProblemKind("unknown-encoding", 400, "Unknown encoding", "`encodings` lists those that there are."),
        ProblemKind("if-match-required", 428, "If-Match required", "Send the session's ETag, or `*`."),
        ProblemKind("etag-mismatch", 412, "ETag mismatch", "ICE was restarted since: use the newest ETag."),
        ProblemKind(
            "unsupported-media-type",
            415,
            "Unsupported media type",
            "Accept-Post and Accept-Patch say what is taken.",
        ),
        ProblemKind(
            "wrong-invite",
            401,
            "Wrong invite",
            "It is not, or no longer, one. Ask the stream's owner for another.",
        ),
        ProblemKind("invite-expired", 410, "The invite has expired", "Ask the stream's owner for another."),
        ProblemKind(
            "invite-used",
            409,
            "The invite was used",
            "Each lets one host on stage, once. Ask the stream's owner for another.",
        ),
        ProblemKind("invite-not-found", 404, "Invite not found", "The stream has no such invite."),
        ProblemKind(
            "stage-full", 409, "The stage is full", "`limit` hosts are on stage. Try again when one has left."
        ),
        ProblemKind("host-not-found", 404, "Host not found", "No host on this stage has this id."),
        ProblemKind("not-on-stage", 409, "Not on stage", "Send `stage:enter` first."),
        ProblemKind(
            "bad-layout", 422, "The layout can't be shown", "`code` and the detail say what to change."
        ),
        ProblemKind("not-an-image", 422, "Not an image", "Upload a PNG, JPEG or WebP file."),
        ProblemKind(
            "image-too-large", 422, "The image is too large", "`limit` is the most pixels that are taken."
        ),
        ProblemKind(
            "too-many-assets", 409, "Too many images", "The stream has `limit` images. Delete one first."
        ),
        ProblemKind("asset-not-found", 404, "Image not found", "The stream has no image of this id."),
        ProblemKind(
            "asset-in-use", 409, "The image is in use", "The layout shows it. Choose another one first."
        ),
        ProblemKind("name-taken", 409, "The name is taken", "Choose another name."),
        ProblemKind("rate-limited", 429, "Too many requests", "Try again after the seconds in Retry-After."),
        ProblemKind(
            "too-many-connections",
            429,
            "Too many connections",
            "The address has `limit` of them open: Socket.IO connections, or WHEP sessions that wait for "
            "their media path. Try again after the seconds in Retry-After.",
        ),
        ProblemKind(
            "insufficient-storage",
            507,
            "No room to store it",
            "The disk of the node's database is full: nothing was changed, and what is live goes on. Try "
            "again when the operator has made room; the node's log and `/readyz` tell them.",
        ),
        ProblemKind("overloaded", 503, "Too much to do", "The node is busy. Try again in a moment."),
        ProblemKind(
            "internal-error", 500, "Something broke", "The fault is the node's; its log tells the operator."
        ),
        ProblemKind("pages-not-built", 503, "The pages are not built", "Run `make run`, or build web/."),
        ProblemKind(
            "websocket-only", 400, "WebSocket only", "Socket.IO runs over WebSocket here, not polling."
        ),
        ProblemKind("unknown-event", 400, "Unknown event", "The server knows no event of this name."),
    )
}


def problem(name: str, detail: str, headers: Mapping[str, str] | None = None, **members: object) -> Problem:
    """The refusal ``name`` with what is particular about this occurrence."""
    kind = CATALOGUE[name]
    return Problem(kind.name, kind.status, kind.title, detail, headers=headers, **members)


def sentence(error: Exception) -> str:
    """An exception's message as a detail: pages show details as they are."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def rate_limited(wait_s: float) -> Problem:
    seconds = max(1, round(wait_s + 0.5))
    return problem("rate-limited", f"Try again in {seconds} s.", {"Retry-After": str(seconds)})


def too_many_connections(limit: int) -> Problem:
    detail = f"{limit} connections of this address are open."
    return problem("too-many-connections", detail, {"Retry-After": "5"}, limit=limit)


def insufficient_storage() -> Problem:
    detail = "The node's database is full, so nothing was changed. Try again when its operator has made room."
    return problem("insufficient-storage", detail, {"Retry-After": "60"})


def unauthorized(detail: str) -> Problem:
    # RFC 6750 section 3: a 401 says which scheme would do.
    return problem("unauthorized", detail, {"WWW-Authenticate": 'Bearer realm="spillway"'})

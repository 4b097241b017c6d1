"""The catalogue of refusals: every ``/problems/NAME`` that the node can answer with.

Names are part of the interface and never change their meaning. ``sfu`` raises its own; they stand here as
well, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sfu.problem import Problem

__all__ = ["CATALOGUE", "ProblemKind", "problem", "rate_limited", "unauthorized"]


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
        ProblemKind("bad-request", 400, "The request can't be understood", "The detail says what is wrong."),
        ProblemKind("bad-cursor", 400, "Not a cursor", "Use the next_cursor of the page before, as it is."),
        ProblemKind(
            "invalid-request",
            422,
            "Some fields are wrong",
            "Each member of `errors` has a JSON pointer to a field of the body, or the name of a query "
            "parameter, and what is wrong with it.",
        ),
        ProblemKind(
            "body-too-large", 413, "The body is too large", "`limit` is the most that is taken, in bytes."
        ),
        ProblemKind(
            "request-timeout", 408, "The body took too long", "The rest of the body did not come in time."
        ),
        ProblemKind("not-found", 404, "Nothing here", "No resource has this path."),
        ProblemKind(
            "method-not-allowed", 405, "Not that method", "The header Allow lists what this path takes."
        ),
        ProblemKind(
            "unauthorized",
            401,
            "Sign in first",
            "Send `Authorization: Bearer TOKEN` with an account token that has not expired.",
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
        ProblemKind("unknown-stream", 404, "No such stream", "No stream has this id."),
        ProblemKind("name-taken", 409, "The name is taken", "Choose another name."),
        ProblemKind("rate-limited", 429, "Too many requests", "Try again after the seconds in Retry-After."),
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


def rate_limited(wait_s: float) -> Problem:
    seconds = max(1, round(wait_s + 0.5))
    return problem("rate-limited", f"Try again in {seconds} s.", {"Retry-After": str(seconds)})


def unauthorized(detail: str) -> Problem:
    # RFC 6750 section 3: a 401 says which scheme would do.
    return problem("unauthorized", detail, {"WWW-Authenticate": 'Bearer realm="spillway"'})

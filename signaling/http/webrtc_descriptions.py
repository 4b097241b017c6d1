"""What the OpenAPI document says of WHIP and WHEP."""

from __future__ import annotations

from signaling.http.openapi import Description

__all__ = ["WHEP", "WHIP"]

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
CREATED = {
    "Location": "the session's URL",
    "ETag": "of the ICE session, for If-Match",
    "Link": "STUN and TURN servers, rel=ice-server",
    "Accept-Patch": FRAGMENT,
}
OFFER = ("bad-sdp", "body-too-large", "unsupported-media-type", "no-common-codec")
SESSION = ("session-not-found", "session-closed")


def _post(path: str, summary: str, tag: str, bearer: str | None, *problems: str) -> Description:
    return Description(
        "POST",
        path,
        summary,
        tag,
        {201: "The SDP answer"},
        (*OFFER, *problems),
        body_type=SDP,
        answer_type=SDP,
        bearer=bearer,
        headers=CREATED,
    )


def _session(path: str, tag: str) -> tuple[Description, Description]:
    return (
        Description(
            "PATCH",
            path,
            "Trickle candidates, or restart ICE",
            tag,
            {204: "Candidates taken", 200: "ICE restarted: our credentials"},
            (*SESSION, "if-match-required", "etag-mismatch", "bad-fragment", "unsupported-media-type"),
            body_type=FRAGMENT,
            answer_type=FRAGMENT,
            headers={"ETag": "of the new ICE session"},
        ),
        Description("DELETE", path, "End the session", tag, {200: "It has ended"}, SESSION),
    )


PUBLISH = (
    "wrong-key",
    "wrong-invite",
    "invite-expired",
    "invite-used",
    "stage-full",
    "insufficient-storage",
    "bad-slot",
    "rate-limited",
)
WHIP = (
    _post("/whip", "Publish (RFC 9725)", "whip", "stream_key", "unauthorized", *PUBLISH),
    _post("/whip/{stream_key}", "Publish, for encoders without headers", "whip", None, *PUBLISH),
    *_session("/whip/sessions/{session_id}", "whip"),
)
WHEP = (
    _post(
        "/whep/{stream_id}",
        "Watch (draft-ietf-wish-whep)",
        "whep",
        "playback_token",
        "stream-not-found",
        "stream-not-live",
        "no-seat",
        "too-many-connections",
        "unauthorized",
        "private-stream",
    ),
    *_session("/whep/sessions/{session_id}", "whep"),
    Description(
        "PUT",
        "/whep/sessions/{session_id}/encoding",
        "Choose the simulcast encoding",
        "whep",
        {204: "It is chosen"},
        (*SESSION, "unknown-encoding", "bad-request"),
        body_type="application/json",
    ),
)

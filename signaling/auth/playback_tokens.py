"""Signed playback tokens: the right to watch one private stream until some moment.

Nothing is stored. A token is ``pt_BODY.MAC``, both base64url without padding; the body is
``stream_id.expiry`` (Unix seconds), the MAC its HMAC-SHA256 (RFC 2104) under a secret of the installation.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from signaling.store.written_once import written_once

__all__ = ["PLAYBACK_TOKEN", "Pass", "PlaybackTokens", "load_secret"]

PLAYBACK_TOKEN = "pt_"
LONGEST = 256
SECRET_BYTES = 32
"""As long as the hash (RFC 2104 section 3)."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The right to watch one stream until some moment."""

    stream_id: str
    expires_at: datetime


class PlaybackTokens:
    """Makes and checks playback tokens."""

    def __init__(self, secret: bytes) -> None:
        # A key of its own for this use, whatever else the secret is for (RFC 5869's expand step, one block).
        self._key = hmac.digest(secret, b"spillway playback token 1\x01", hashlib.sha256)

    def issue(self, stream_id: str, expires_at: datetime) -> str:
        body = f"{stream_id}.{int(expires_at.timestamp())}".encode()
        return f"{PLAYBACK_TOKEN}{_encode(body)}.{_encode(self._mac(body))}"

    def read(self, token: str, now: datetime) -> Pass | None:
        """What the token allows; None if it is forged, damaged or over."""
        if not token.startswith(PLAYBACK_TOKEN) or len(token) > LONGEST:
            return None
        try:
            body, mac = (_decode(part) for part in token.removeprefix(PLAYBACK_TOKEN).split("."))
        except ValueError:
            return None
        if not hmac.compare_digest(mac, self._mac(body)):
            return None
        stream_id, _, expiry = body.decode().rpartition(".")
        expires_at = datetime.fromtimestamp(int(expiry), UTC)
        return Pass(stream_id, expires_at) if now < expires_at else None

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)


def load_secret(data_dir: Path) -> bytes:
    """The installation's secret, made at the first start. Raises OSError."""
    path = data_dir / "secret"
    text = written_once(path, lambda: secrets.token_hex(SECRET_BYTES))
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) < SECRET_BYTES:
        raise OSError(f"{path} holds no secret: remove it, and playback tokens that are out end")
    return secret


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    """Raises ValueError, also for a second spelling of the same bytes."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not base64url") from None
    if _encode(data) != text:
        raise ValueError("not canonical")
    return data

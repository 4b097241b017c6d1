"""The peer's goodbye, read after the SSL object is gone: encrypted DTLS 1.2 alerts (RFC 6347 section 4.1).

An authenticated alert that closes the connection ends consent at once; one that nobody can check does not
(RFC 7675 section 5.2). Some sixty bytes of keys tell them apart.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from OpenSSL import SSL

__all__ = ["ClosureReader"]

ALERT = 21
VERSION = b"\xfe\xfd"
HEADER = 13
"""Type, version, epoch, sequence number, length."""
CLOSE_NOTIFY = 0
FATAL = 2


@dataclass(frozen=True, slots=True)
class _Suite:
    hash: Literal["sha256", "sha384"]
    key_size: int
    iv_size: int
    cipher: type[AESGCM | ChaCha20Poly1305]


def _suite(name: str) -> _Suite | None:
    """By OpenSSL's name; None for one without an AEAD: RFC 5288, RFC 7905."""
    if name.endswith("AES128-GCM-SHA256"):
        return _Suite("sha256", 16, 4, AESGCM)
    if name.endswith("AES256-GCM-SHA384"):
        return _Suite("sha384", 32, 4, AESGCM)
    if name.endswith("CHACHA20-POLY1305"):
        return _Suite("sha256", 32, 12, ChaCha20Poly1305)
    return None


@dataclass(frozen=True, slots=True)
class ClosureReader:
    """Reads what one peer encrypts."""

    suite: _Suite
    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)

    @classmethod
    def of(cls, connection: SSL.Connection, *, server: bool) -> ClosureReader | None:
        """For the peer of a connection whose handshake is over; ``server``: that is us. None where its cipher
        suite is no AEAD or it isn't DTLS 1.2."""
        suite = _suite(connection.get_cipher_name() or "")
        master, ours, theirs = connection.master_key(), connection.server_random(), connection.client_random()
        if suite is None or connection.get_protocol_version_name() != "DTLSv1.2":
            return None
        if master is None or ours is None or theirs is None:
            return None
        # RFC 5246 section 6.3: both write keys, then both IVs, the client's first; an AEAD has no MAC keys
        size, iv_size = suite.key_size, suite.iv_size
        block = _expand(master, b"key expansion" + ours + theirs, 2 * (size + iv_size), suite.hash)
        at = 0 if server else 1
        ivs = block[2 * size :]
        return cls(suite, block[at * size : (at + 1) * size], ivs[at * iv_size : (at + 1) * iv_size])

    def closes(self, datagram: bytes) -> bool:
        """Whether a record of the datagram is the peer's close_notify or a fatal alert."""
        at = 0
        while at + HEADER <= len(datagram):
            end = at + HEADER + int.from_bytes(datagram[at + 11 : at + HEADER])
            if datagram[at] == ALERT and end <= len(datagram) and self._closes(datagram[at:end]):
                return True
            at = end
        return False

    def _closes(self, record: bytes) -> bool:
        sequence, sealed = record[3:11], record[HEADER:]
        if self.suite.cipher is AESGCM:
            # RFC 5288 section 3: half of the nonce is in the record
            nonce, sealed = self.iv + sealed[:8], sealed[8:]
        else:
            # RFC 7905 section 2
            padded = sequence.rjust(len(self.iv), b"\0")
            nonce = bytes(a ^ b for a, b in zip(self.iv, padded, strict=True))
        if record[1:3] != VERSION or len(sealed) != 2 + 16:
            return False
        # RFC 5246 section 6.2.3.3
        about = sequence + record[:3] + (2).to_bytes(2)
        try:
            level, description = self.suite.cipher(self.key).decrypt(nonce, sealed, about)
        except InvalidTag:
            return False
        return level == FATAL or description == CLOSE_NOTIFY


def _expand(secret: bytes, seed: bytes, size: int, digest: str) -> bytes:
    """P_hash of RFC 5246 section 5."""
    out, turn = b"", seed
    while len(out) < size:
        turn = hmac.digest(secret, turn, digest)
        out += hmac.digest(secret, turn + seed, digest)
    return out[:size]

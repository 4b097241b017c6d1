"""A small WebRTC peer: full ICE with one candidate pair (RFC 8445), DTLS-SRTP (RFC 5764), no media.

No sockets and no clock: bytes and a time go in, datagrams come out of ``take()``. Small enough that a
hundred of them are receivers for a benchmark, and obedient enough to do what a check asks of it.
"""

from __future__ import annotations

import datetime
import functools
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import aioice.stun as stun
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from pylibsrtp import Policy, Session

from tests.conformance.sdp import Answer

__all__ = ["Identity", "Peer", "SrtpKeys", "identity"]

Address = tuple[str, int]

PRIORITY = (110 << 24) + (65_535 << 8) + 255
"""Of a peer-reflexive candidate, as a check carries it (RFC 8445 section 7.1.1)."""
CHECK_S = 0.1
CONSENT_S = 2.65
"""As Chromium; RFC 7675 section 5.1 asks for 4 to 6 s at most."""
REPORT_S = 1.0
"""Of receiver reports: RFC 3550 section 6.2 asks every receiver for them, and servers take one that is
silent for lost."""
DTLS_S = 0.25
"""Retransmission: loopback and data centres answer in milliseconds."""
REPORTING_SSRC = 0x20_0000
PROFILES = {
    # name in OpenSSL: (key, salt, profile of libsrtp)
    b"SRTP_AEAD_AES_128_GCM": (16, 12, Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
    b"SRTP_AES128_CM_SHA1_80": (16, 14, Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """A self-signed P-256 certificate with its sha-256 fingerprint."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    fingerprint: str


@functools.cache
def identity() -> Identity:
    """One for the process: making it is not what is tested."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "conformance")])
    now = datetime.datetime.now(tz=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=7))
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key, _fingerprint(certificate))


def _fingerprint(certificate: x509.Certificate) -> str:
    return ":".join(f"{byte:02X}" for byte in certificate.fingerprint(hashes.SHA256()))


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Exported by RFC 5764 section 4.2, per direction key and salt."""

    profile: int
    send: bytes = field(repr=False)
    receive: bytes = field(repr=False)

    def sender(self) -> Session:
        return Session(self._policy(self.send, Policy.SSRC_ANY_OUTBOUND))

    def receiver(self) -> Session:
        return Session(self._policy(self.receive, Policy.SSRC_ANY_INBOUND))

    def _policy(self, key: bytes, direction: int) -> Policy:
        policy = Policy(key=key, ssrc_type=direction, srtp_profile=self.profile)
        policy.allow_repeat_tx = True
        policy.window_size = 1024
        return policy


class Peer:
    """Offers, then follows the answer: connectivity checks, handshake, consent."""

    def __init__(self, setup: str = "actpass") -> None:
        self.ufrag = secrets.token_hex(4)
        self.pwd = secrets.token_hex(16)
        self.setup = setup
        self.answer: Answer | None = None
        self.remote: Address | None = None
        self.nominated = False
        """The server answered our check with USE-CANDIDATE."""
        self.verified_by_server = False
        """The server checked us; an ICE-lite server need not."""
        self.keys: SrtpKeys | None = None
        self.fingerprint: str | None = None
        """Of the certificate that the server showed."""
        self.closed_by_server = False
        """close_notify came."""
        self.consenting = True
        """False: neither checks nor answers any more, as if it had lost its network."""
        self.checks_answered = 0
        self.rtp: dict[int, int] = {}
        """Packets received by SSRC, not decrypted."""
        self.frames = 0
        """Of these, those that end a frame of video (the RTP marker)."""
        self.rtcp = 0
        self.first_packet: bytes | None = None
        self._candidates: list[Address] = []
        self._out: list[tuple[bytes, Address]] = []
        self._pending: dict[bytes, bytes] = {}
        self._tie_breaker = secrets.randbits(64)
        self._ssl: SSL.Connection | None = None
        self._next_check = 0.0
        self._next_dtls = 0.0
        self._next_report = 0.0
        self._reports: Session | None = None

    def follow(self, answer: Answer) -> None:
        """Take the answer, and check all its IPv4 candidates (its IPv6 ones if it has no other)."""
        self.answer = answer
        v4 = [each for each in answer.candidates if ":" not in each[0]]
        self._candidates = v4 or answer.candidates

    def restart(self, ufrag: str, pwd: str, answer: Answer) -> None:
        """Go on with new credentials of ours and what the server's fragment says."""
        self.ufrag, self.pwd = ufrag, pwd
        self.answer = answer
        self.nominated = False
        self._pending.clear()
        self._next_check = 0.0

    def take(self) -> list[tuple[bytes, Address]]:
        """What is to be sent now."""
        out, self._out = self._out, []
        return out

    def handle_timeout(self, now: float) -> None:
        """Call it every 50 ms or so."""
        if self.answer is None or not self.consenting:
            return
        if now >= self._next_check:
            self._next_check = now + (CONSENT_S if self.nominated else CHECK_S)
            self._check()
        if self.nominated and self.keys is None and now >= self._next_dtls:
            self._next_dtls = now + DTLS_S
            if self._ssl is None:
                self._ssl = self._connection()
            else:
                self._ssl.DTLSv1_handle_timeout()
            self._shake_hands()
        if self.rtp and self.keys is not None and now >= self._next_report:
            self._next_report = now + REPORT_S
            self._report(self.keys)

    def handle_datagram(self, data: bytes, source: Address) -> None:
        """First byte decides (RFC 7983 section 7)."""
        if not data or not self.consenting:
            return
        if data[0] < 4:
            self._handle_stun(data, source)
        elif 19 < data[0] < 64:
            if self._ssl is None:
                self._ssl = self._connection()
            self._ssl.bio_write(data)
            self._shake_hands()
        elif 127 < data[0] < 192 and len(data) >= 12:
            # RFC 5761 section 4
            if 192 <= data[1] <= 223:
                self.rtcp += 1
            else:
                (ssrc,) = struct.unpack_from("!I", data, 8)
                self.rtp[ssrc] = self.rtp.get(ssrc, 0) + 1
                self.frames += data[1] >> 7
                self.first_packet = self.first_packet or data

    def send(self, data: bytes) -> None:
        assert self.remote is not None
        self._out.append((data, self.remote))

    def close_dtls(self) -> None:
        """Send close_notify (RFC 5246 section 7.2.1)."""
        if self._ssl is not None:
            self._ssl.shutdown()
            self._flush()

    def _check(self) -> None:
        assert self.answer is not None
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self.answer.ufrag}:{self.ufrag}"
        request.attributes["PRIORITY"] = PRIORITY
        request.attributes["ICE-CONTROLLING"] = self._tie_breaker
        request.attributes["USE-CANDIDATE"] = None
        key = self.answer.pwd.encode()
        request.add_message_integrity(key)
        self._pending[request.transaction_id] = key
        for address in [self.remote] if self.remote else self._candidates:
            self._out.append((bytes(request), address))

    def _report(self, keys: SrtpKeys) -> None:
        """An empty receiver report (RFC 3550 section 6.4.2) and a CNAME (section 6.5.1)."""
        if self._reports is None:
            self._reports = keys.sender()
        ssrc = REPORTING_SSRC.to_bytes(4)
        sdes = b"\x81\xca\x00\x03" + ssrc + b"\x01\x05light\x00"
        self.send(self._reports.protect_rtcp(b"\x80\xc9\x00\x01" + ssrc + sdes))

    def _handle_stun(self, data: bytes, source: Address) -> None:
        try:
            message = stun.parse_message(data)
        except ValueError:
            return
        if message.message_class == stun.Class.RESPONSE:
            key = self._pending.get(message.transaction_id)
            if key is not None and message.check_message_integrity(key):
                self.checks_answered += 1
                self.nominated = True
                self.remote = self.remote or source
        elif message.message_class == stun.Class.REQUEST:
            if not message.check_message_integrity(self.pwd.encode()):
                return
            self.verified_by_server = True
            response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id)
            response.attributes["XOR-MAPPED-ADDRESS"] = source
            response.add_message_integrity(self.pwd.encode())
            self._out.append((bytes(response), source))

    def _connection(self) -> SSL.Connection:
        mine = identity()
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(mine.certificate)
        context.use_privatekey(mine.key)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.set_tlsext_use_srtp(b":".join(PROFILES))
        connection = SSL.Connection(context, None)
        if self.answer is not None and self.answer.setup == "active":
            connection.set_accept_state()
        else:
            connection.set_connect_state()
        return connection

    def _shake_hands(self) -> None:
        assert self._ssl is not None
        try:
            if self.keys is None:
                self._ssl.do_handshake()
                self._export()
            else:
                self._ssl.recv(2048)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.closed_by_server = True
        self._flush()

    def _flush(self) -> None:
        assert self._ssl is not None
        while True:
            try:
                data = self._ssl.bio_read(1500)
            except SSL.WantReadError:
                return
            for record in _records(data):
                self.send(record)

    def _export(self) -> None:
        connection: Any = self._ssl
        certificate = connection.get_peer_certificate(as_cryptography=True)
        self.fingerprint = _fingerprint(certificate)
        key, salt, profile = PROFILES[connection.get_selected_srtp_profile()]
        material = connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        keys = [material[:key], material[key : 2 * key]]
        salts = [material[2 * key : 2 * key + salt], material[2 * key + salt :]]
        client, server = (k + s for k, s in zip(keys, salts, strict=True))
        is_client = self.answer is None or self.answer.setup != "active"
        self.keys = SrtpKeys(profile, client if is_client else server, server if is_client else client)


def _records(data: bytes) -> list[bytes]:
    """Whole DTLS records, as many to a datagram as came out at once: each with a 13-byte header."""
    if len(data) < 1400:
        return [data]
    records, start = [], 0
    while start + 13 <= len(data):
        end = start + 13 + int.from_bytes(data[start + 11 : start + 13])
        records.append(data[start:end])
        start = end
    return records

"""DTLS (RFC 6347, RFC 5764) through aiortc over the engine's sockets.

This file and sctp.py alone touch private parts of aiortc 1.16; tests/unit/sfu/test_dtls.py fails when they
move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, cast

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from aiortc.rtcicetransport import RTCIceTransport
from OpenSSL import SSL
from OpenSSL.crypto import X509

from sfu.dtls_closure import ClosureReader
from sfu.dtls_flight import DtlsLink, FlightLink
from sfu.sdp.offer import Fingerprint

if TYPE_CHECKING:
    from sfu._engine import Profile

__all__ = ["DtlsError", "DtlsIdentity", "DtlsRole", "DtlsTransport"]

DtlsRole = Literal["client", "server"]

PROFILES = [SRTP_AEAD_AES_128_GCM, SRTP_AEAD_AES_256_GCM, SRTP_AES128_CM_SHA1_80]
"""The order is the server's preference: AES-128-GCM costs less than half of the others per packet."""


class DtlsError(ConnectionError):
    """The handshake failed: wrong fingerprint, no common SRTP profile, or the peer gave up."""


class DtlsIdentity(RTCCertificate):
    """An ECDSA P-256 certificate and the one SSL context that all transports of a node share."""

    _shared: SSL.Context | None = None

    @classmethod
    def generate(cls) -> DtlsIdentity:
        return cls.generateCertificate()

    @property
    def fingerprint(self) -> Fingerprint:
        found = next(f for f in self.getFingerprints() if f.algorithm == "sha-256")
        return Fingerprint(found.algorithm, found.value)

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        if self._shared is None:
            self._shared = super()._create_ssl_context(srtp_profiles)
            # 116 KB per transport become 82
            self._shared.set_mode(SSL.MODE_RELEASE_BUFFERS)
        return self._shared


def _is_of(fingerprint: RTCDtlsFingerprint, certificate: X509) -> bool:
    digest = certificate.digest(fingerprint.algorithm.replace("-", ""))
    return fingerprint.value.upper() == digest.decode()


class DtlsTransport(RTCDtlsTransport):
    """One DTLS association whose SRTP keys go to ``on_keys(profile, receive, send)``, both master key
    then salt (RFC 5764 section 4.2)."""

    def __init__(
        self,
        link: DtlsLink,
        identity: DtlsIdentity,
        role: DtlsRole,
        on_keys: Callable[[Profile, bytes, bytes], None],
    ) -> None:
        self._flights = FlightLink(link)
        super().__init__(cast(RTCIceTransport, self._flights), [identity])
        self._srtp_profiles = PROFILES
        self._set_role(role)
        self._on_keys = on_keys
        self._closure: ClosureReader | None = None

    async def handshake(self, fingerprints: Sequence[Fingerprint]) -> None:
        """Run the handshake to its end; raises DtlsError."""
        await self.start(RTCDtlsParameters([RTCDtlsFingerprint(f.algorithm, f.value) for f in fingerprints]))
        self._flights.end()
        if self._state is not State.CONNECTED:
            raise DtlsError("DTLS handshake failed")

    @property
    def released(self) -> bool:
        return self._ssl is None and self._state is not State.NEW

    async def release(self) -> None:
        """Drop the SSL object (82 KB become 9): the peer has the keys and there is no data channel. What
        is left of it tells when the peer closes."""
        if self._ssl is not None:
            self._closure = ClosureReader.of(self._ssl, server=self._role == "server")
        self._ssl = None
        await self._end_pump()

    def closes(self, datagram: bytes) -> bool:
        """Whether the datagram ends the association, which is released."""
        return self._closure is not None and self._closure.closes(datagram)

    async def close(self) -> None:
        """Say close_notify where that is still possible, and end."""
        pump = self._task
        await self.stop()
        self._task = pump
        await self._end_pump()
        self._set_state(State.CLOSED)

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:
        """All fingerprints must be of the peer's certificate (RFC 8122 section 5). They are taken over its
        octets, which are not parsed: libdatachannel on OpenSSL (OBS on Linux) makes certificates of X.509
        version 2, which aiortc's parser refuses."""
        ssl = self._ssl
        assert ssl is not None
        certificate = ssl.get_peer_certificate()
        offered = remoteParameters.fingerprints
        if certificate is None or not offered or any(not _is_of(each, certificate) for each in offered):
            self._set_state(State.FAILED)

    async def _end_pump(self) -> None:
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            # aiortc's pump re-raises what ended it; it ends here
            await asyncio.gather(task, return_exceptions=True)

    def _setup_srtp(self) -> None:
        ssl = self._ssl
        assert ssl is not None
        selected = ssl.get_selected_srtp_profile()
        profile = next((p for p in self._srtp_profiles if p.openssl_profile == selected), None)
        if profile is None:
            self._set_state(State.FAILED)
            return
        material = ssl.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        client, server = profile.get_key_and_salt(material, 0), profile.get_key_and_salt(material, 1)
        receive, send = (client, server) if self._role == "server" else (server, client)
        self._on_keys(cast("Profile", profile.openssl_profile.decode()), receive, send)

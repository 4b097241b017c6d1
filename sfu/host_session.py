"""What the two transports of a host in a browser share: later offers on the same transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfu.sdp.negotiation import Agreement
from sfu.session import Session

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.participant import Participant

__all__ = ["HostSession"]


class HostSession(Session):
    """A Session that is renegotiated."""

    def __init__(self, sfu: Sfu, host: Participant, agreement: Agreement) -> None:
        super().__init__(sfu, host.stream, agreement)
        self.host = host
        self._extensions = frozenset(e.uri for media in agreement.media for e in media.extensions)

    @property
    def on_stage(self) -> bool:
        return True

    @property
    def participant_id(self) -> str | None:
        return self.host.participant_id

    def continues(self, agreement: Agreement) -> bool:
        """Whether the offer is a later one of this transport's peer: the same certificate."""
        return not self.transport.closed and agreement.offer.fingerprints == self.agreement.offer.fingerprints

    def renew(self, agreement: Agreement) -> None:
        """Take a later offer; new ICE credentials restart ICE (RFC 8839 section 4.4.1.1.1)."""
        if agreement.offer.ice != self.transport.remote:
            self.transport.restart_ice(agreement.offer.ice)
        self.agreement = agreement

    @property
    def known_extensions(self) -> frozenset[str]:
        return self._extensions

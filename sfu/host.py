"""A host in a browser: one transport to publish, one to receive the other hosts, both renegotiated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from sfu.host_publisher import HostPublisher
from sfu.host_session import HostSession
from sfu.host_subscriber import HostSubscriber, ReceivedTrack
from sfu.sdp.negotiation import Agreement, accept_host
from sfu.sdp.offer import SdpError, parse_offer
from sfu.track import TrackSource

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.participant import Participant

__all__ = ["StageHost"]

PUBLISHED_PER_KIND = 2
"""A camera and a screen, with their sound."""
RECEIVED_PER_KIND = 31
"""Both of fifteen others."""

S = TypeVar("S", bound=HostSession)


class StageHost:
    """A host who came through the gateway: the Participant and its two sessions."""

    def __init__(self, sfu: Sfu, participant: Participant) -> None:
        self._sfu = sfu
        self.participant = participant
        self._publisher: HostPublisher | None = None
        self._subscriber: HostSubscriber | None = None

    async def publish(self, sdp: str, sources: Mapping[str, TrackSource] | None = None) -> str:
        """The answer to an offer, the first or a later one. Raises SdpError or NoCommonCodec."""
        agreement = self._agree(sdp, PUBLISHED_PER_KIND, self._publisher, publishes=True)
        self._publisher = current = await self._settle(self._publisher, agreement, HostPublisher)
        try:
            current.apply(sources or {})
        except ValueError as error:
            await current.close("refused")
            raise SdpError(str(error)) from error
        return current.answer()

    async def unpublish(self) -> None:
        """Idempotent."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.close("stopped")

    async def subscribe(self, sdp: str) -> tuple[str, dict[str, ReceivedTrack]]:
        """The answer and what is on which mid. Raises SdpError or NoCommonCodec."""
        agreement = self._agree(sdp, RECEIVED_PER_KIND, self._subscriber, publishes=False)
        self._subscriber = current = await self._settle(self._subscriber, agreement, HostSubscriber)
        try:
            current.apply()
        except ValueError as error:
            await current.close("refused")
            raise SdpError(str(error)) from error
        return current.answer(), current.received()

    async def leave(self, reason: str = "stopped") -> None:
        """Close both transports and leave the stream. Idempotent."""
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            await subscriber.close(reason)
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.close(reason)
        await self.participant.close()

    async def _settle(self, current: S | None, agreement: Agreement, kind: type[S]) -> S:
        """The session that takes the offer: the current one, or another in its place."""
        if current is not None and current.continues(agreement):
            current.renew(agreement)
            return current
        if current is not None:
            await current.close("replaced")
        return kind(self._sfu, self.participant, agreement)

    def _agree(
        self, sdp: str, per_kind: int, current: HostPublisher | HostSubscriber | None, *, publishes: bool
    ) -> Agreement:
        offer = parse_offer(sdp)
        policy = self._sfu.config.codecs
        agreement = accept_host(offer, policy, per_kind, publishes=publishes)
        if current is not None and current.continues(agreement):
            known = current.known_extensions
            return accept_host(offer, policy, per_kind, publishes=publishes, extensions=known)
        return agreement

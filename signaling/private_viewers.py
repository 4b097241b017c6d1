"""Who watches private streams over WebRTC stays no longer than what they have shown."""

from __future__ import annotations

from sfu.problem import Problem
from sfu.viewer import Viewer
from signaling.auth.identity import Identity, Visitor

__all__ = ["PrivateViewers"]


class PrivateViewers:
    """WHEP sessions of private streams, each with the token that let it in."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._shown: dict[Viewer, str] = {}

    def add(self, viewer: Viewer, token: str) -> None:
        self._shown[viewer] = token

    async def judge(self) -> None:
        """Close the sessions whose token has ended; of whoever may watch without one, forget the token."""
        self._shown = {each: token for each, token in self._shown.items() if each.closed_because is None}
        # Many may have come by one link: each token is read once.
        opened = {token: self._identity.opens(token) for token in set(self._shown.values())}
        doubted = {
            each: token for each, token in self._shown.items() if opened[token] != each.stream.stream_id
        }
        accounts = await self._identity.accounts_of(set(doubted.values()))
        for viewer, token in doubted.items():
            # A stream's owner stays its owner: the account is who they were when they came.
            if token not in accounts:
                await self._dismiss(viewer)

    async def _dismiss(self, viewer: Viewer) -> None:
        try:
            await self._identity.watched(viewer.stream.stream_id, Visitor())
        except Problem:
            await viewer.close("token-ended")
        self._shown.pop(viewer, None)

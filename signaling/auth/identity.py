"""Who asks: an account, the holder of a playback token, or a guest; and what they may watch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from signaling.auth.playback_tokens import PLAYBACK_TOKEN, PlaybackTokens
from signaling.auth.secrets import ACCOUNT_TOKEN, hash_secret, new_secret
from signaling.clock import Clock
from signaling.problems import problem, unauthorized
from signaling.store.interfaces import Accounts, Streams
from signaling.store.records import Account, NewToken, StreamRecord

__all__ = ["Identity", "Visitor"]

TOKEN_DAYS = 30
LONGEST = 256


@dataclass(frozen=True, slots=True)
class Visitor:
    """What somebody has shown of themselves."""

    account: Account | None = None
    stream_id: str | None = None
    """The stream that their playback token opens."""
    until: datetime | None = None
    """When that ends."""

    def may_watch(self, stream: StreamRecord) -> bool:
        return stream.visibility != "private" or self.owns(stream) or self.stream_id == stream.stream_id

    def owns(self, stream: StreamRecord) -> bool:
        return self.account is not None and self.account.account_id == stream.broadcaster_id


class Identity:
    """Checks tokens and finds the streams that their holders may use."""

    def __init__(
        self, accounts: Accounts, streams: Streams, playback_tokens: PlaybackTokens, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._streams = streams
        self._playback_tokens = playback_tokens
        self._clock = clock

    def new_token(self, account_id: str) -> tuple[str, NewToken]:
        """A new account token, and what the store is to keep of it."""
        token = new_secret(ACCOUNT_TOKEN)
        now = self._clock.now()
        return token, NewToken(hash_secret(token), account_id, now, now + timedelta(days=TOKEN_DAYS))

    async def account_of(self, token: str | None) -> Account | None:
        if not token or len(token) > LONGEST or token.startswith(PLAYBACK_TOKEN):
            return None
        return await self._accounts.by_token(hash_secret(token), self._clock.now())

    async def accounts_of(self, tokens: Collection[str]) -> dict[str, Account]:
        """Whose each token is, without those that are wrong or have expired."""
        by_hash = {hash_secret(token): token for token in tokens}
        found = await self._accounts.by_tokens(by_hash, self._clock.now())
        return {by_hash[token_hash]: account for token_hash, account in found.items()}

    async def end_token(self, token: str) -> None:
        """From here on it is as good as none."""
        await self._accounts.delete_token(hash_secret(token))

    async def visitor(self, token: str | None, playback_token: str | None = None) -> Visitor:
        """Whoever shows these tokens; a wrong or expired one is as good as none."""
        for each in (playback_token, token):
            if each and (found := self._playback_tokens.read(each, self._clock.now())):
                return Visitor(await self.account_of(token), found.stream_id, found.expires_at)
        return Visitor(await self.account_of(token))

    def opens(self, token: str) -> str | None:
        """The stream that a playback token opens."""
        found = self._playback_tokens.read(token, self._clock.now())
        return None if found is None else found.stream_id

    async def stream(self, stream_id: str) -> StreamRecord:
        """Whoever asks. Raises Problem."""
        stream = await self._streams.get(stream_id)
        if stream is None:
            raise problem("stream-not-found", "No stream has this id.")
        return stream

    async def watched(self, stream_id: str, visitor: Visitor) -> StreamRecord:
        """The stream, if the visitor may watch it. Raises Problem."""
        stream = await self.stream(stream_id)
        if not visitor.may_watch(stream):
            if visitor == Visitor():
                raise unauthorized(
                    "This stream is private. Open it with a link (a playback token) of its owner, or sign in."
                )
            raise problem("private-stream", "This stream needs a playback token.")
        return stream

    async def owned(self, stream_id: str, account: Account) -> StreamRecord:
        """The stream, if it is theirs. Raises Problem."""
        stream = await self.stream(stream_id)
        if stream.broadcaster_id != account.account_id:
            raise problem("forbidden", "Only the owner of the stream may do this.")
        return stream

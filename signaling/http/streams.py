"""Streams: make, see, change, delete; their keys; the lists of them; how to watch them."""

from __future__ import annotations

from datetime import timedelta

from signaling.auth.identity import Identity
from signaling.auth.playback_tokens import PlaybackTokens
from signaling.auth.secrets import STREAM_KEY, hash_secret, new_id, new_secret
from signaling.auth.stream_keys import StreamKeys
from signaling.clock import Clock
from signaling.http.of_stream import OWNERS, STREAM, VISITORS
from signaling.http.operation import Call, operation
from signaling.http.passes import Passes
from signaling.links import Links, Listeners
from signaling.live import LiveStreams
from signaling.media import Media
from signaling.models import (
    DiscoverQuery,
    KeyRotated,
    NewPlaybackToken,
    NewStreamRequest,
    OwnStreamsQuery,
    Playback,
    PlaybackToken,
    StreamChange,
    StreamCreated,
    StreamPage,
    StreamView,
)
from signaling.problems import problem
from signaling.rate_limits import RateLimits
from signaling.store.interfaces import BadCursor, Page, Streams
from signaling.store.records import Account, NewStream
from signaling.views import Views

__all__ = ["StreamRoutes"]


class StreamRoutes:
    def __init__(
        self,
        *,
        streams: Streams,
        identity: Identity,
        keys: StreamKeys,
        playback_tokens: PlaybackTokens,
        live: LiveStreams,
        media: Media,
        views: Views,
        passes: Passes,
        listeners: Listeners,
        limits: RateLimits,
        clock: Clock,
    ) -> None:
        self._streams = streams
        self._identity = identity
        self._keys = keys
        self._playback_tokens = playback_tokens
        self._live = live
        self._media = media
        self._views = views
        self._passes = passes
        self._listeners = listeners
        self._limits = limits
        self._clock = clock

    @operation(
        "POST", "/api/v1/streams", "Make a stream", tag="streams", status=201, problems=("rate-limited",)
    )
    async def create_stream(self, call: Call, account: Account, body: NewStreamRequest) -> StreamCreated:
        self._limits.create(account.account_id)
        key = new_secret(STREAM_KEY)
        record = await self._streams.create(
            NewStream(
                stream_id=new_id(),
                broadcaster_id=account.account_id,
                key_hash=hash_secret(key),
                title=body.title,
                category=body.category,
                record=body.record,
                visibility=body.visibility,
                scheduled_at=body.scheduled_at,
                created_at=self._clock.now(),
            )
        )
        links = self._links(call)
        call.headers["Location"] = f"/api/v1/streams/{record.stream_id}"
        return StreamCreated(
            **self._views.stream(record, links).model_dump(),
            **self._views.ingest(key, links).model_dump(),
            whep_url=links.whep(record.stream_id),
            manifest_url=links.manifest(record.stream_id),
        )

    @operation(
        "GET",
        "/api/v1/streams/discover",
        "Live and public streams",
        tag="streams",
        public=True,
        problems=("bad-cursor",),
    )
    async def discover(self, call: Call, query: DiscoverQuery) -> StreamPage:
        try:
            page = await self._streams.discover(
                category=query.category, sort=query.sort, limit=query.limit, cursor=query.cursor
            )
        except BadCursor as error:
            raise problem("bad-cursor", f"{error}") from None
        return self._page(page, call)

    @operation("GET", "/api/v1/streams", "One's own streams", tag="streams", problems=("bad-cursor",))
    async def list_own_streams(self, call: Call, account: Account, query: OwnStreamsQuery) -> StreamPage:
        try:
            page = await self._streams.owned_by(account.account_id, limit=query.limit, cursor=query.cursor)
        except BadCursor as error:
            raise problem("bad-cursor", f"{error}") from None
        return self._page(page, call)

    @operation(
        "GET",
        STREAM,
        "See a stream",
        tag="streams",
        public=True,
        problems=VISITORS,
    )
    async def get_stream(self, call: Call, stream_id: str, account: Account | None) -> StreamView:
        record = await self._identity.watched(stream_id, await self._passes.visitor(call, account))
        return self._views.stream(record, self._links(call))

    @operation("PATCH", STREAM, "Change a stream", tag="streams", problems=OWNERS)
    async def change_stream(
        self, call: Call, stream_id: str, account: Account, body: StreamChange
    ) -> StreamView:
        before = await self._identity.owned(stream_id, account)
        record = await self._streams.change(stream_id, body.model_dump(exclude_unset=True))
        if record is None:
            raise problem("stream-not-found", "No stream has this id.")
        self._live.tell_changed(record)
        if record.visibility == "private" != before.visibility:
            await self._media.close_viewers(stream_id)
        return self._views.stream(record, self._links(call))

    @operation("DELETE", STREAM, "Delete a stream", tag="streams", problems=OWNERS)
    async def delete_stream(self, stream_id: str, account: Account) -> None:
        await self._identity.owned(stream_id, account)
        await self._streams.delete(stream_id)
        self._keys.forget(stream_id)
        self._live.tell_deleted(stream_id)
        await self._media.close_stream(stream_id)

    @operation(
        "POST",
        STREAM + "/key",
        "Replace the stream key; the old one and its sessions end at once",
        tag="streams",
        problems=(*OWNERS, "rate-limited"),
    )
    async def rotate_key(self, call: Call, stream_id: str, account: Account) -> KeyRotated:
        await self._identity.owned(stream_id, account)
        self._limits.create(account.account_id)
        key = new_secret(STREAM_KEY)
        if not await self._streams.set_key(stream_id, hash_secret(key)):
            raise problem("stream-not-found", "No stream has this id.")
        self._keys.forget(stream_id)
        await self._media.close_publishers(stream_id)
        return KeyRotated(stream_id=stream_id, **self._views.ingest(key, self._links(call)).model_dump())

    @operation(
        "GET",
        STREAM + "/playback",
        "How to watch right now",
        tag="playback",
        public=True,
        problems=VISITORS,
    )
    async def get_playback(self, call: Call, stream_id: str, account: Account | None) -> Playback:
        visitor = await self._passes.visitor(call, account)
        record = await self._identity.watched(stream_id, visitor)
        token = self._passes.token(record, visitor, call.bearer)
        return self._views.playback(record, self._links(call), token)

    @operation(
        "POST",
        STREAM + "/playback-tokens",
        "Let somebody watch a private stream",
        tag="playback",
        status=201,
        problems=(*OWNERS, "rate-limited"),
    )
    async def create_playback_token(
        self, call: Call, stream_id: str, account: Account, body: NewPlaybackToken
    ) -> PlaybackToken:
        await self._identity.owned(stream_id, account)
        self._limits.create(account.account_id)
        # Whole seconds: that is what the token holds.
        expires_at = self._clock.now().replace(microsecond=0) + timedelta(seconds=body.ttl_s)
        token = self._playback_tokens.issue(stream_id, expires_at)
        links = self._links(call)
        return PlaybackToken(
            token=token,
            expires_at=expires_at,
            watch_url=links.watch(stream_id, token),
            whep_url=links.whep(stream_id),
            manifest_url=links.manifest(stream_id, token),
        )

    def _links(self, call: Call) -> Links:
        return Links(call.base_url, self._listeners)

    def _page(self, page: Page, call: Call) -> StreamPage:
        links = self._links(call)
        return StreamPage(
            streams=[self._views.stream(each, links) for each in page.streams], next_cursor=page.next_cursor
        )

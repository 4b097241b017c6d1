"""What a store of accounts and one of streams must do, whatever database is behind it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from signaling.store.records import (
    Account,
    Asset,
    Audience,
    Direction,
    Door,
    Invite,
    KnownHost,
    NewStream,
    NewToken,
    StreamRecord,
)

__all__ = [
    "Accounts",
    "Assets",
    "BadCursor",
    "DirectionStore",
    "InviteExpired",
    "InviteUsed",
    "Invites",
    "NameTaken",
    "Page",
    "ReentryStore",
    "StoreFull",
    "StoreUnreachable",
    "Streams",
]


class NameTaken(ValueError):
    """An account of this name exists, upper and lower case taken as the same."""


class BadCursor(ValueError):
    """The cursor isn't one that this listing gave out."""


class InviteUsed(ValueError):
    """Somebody has entered with it."""


class InviteExpired(ValueError):
    """Nobody has entered with it in time."""


class StoreUnreachable(ConnectionError):
    """The database can't be opened. The text is for the operator and holds no credential."""


class StoreFull(OSError):
    """The database has no room for what was to be written, and nothing of it was. Reads go on."""


@dataclass(frozen=True, slots=True)
class Page:
    streams: list[StreamRecord]
    next_cursor: str | None


class Accounts(Protocol):
    async def create(
        self, account: Account, password_hash: str, created_at: datetime, token: NewToken | None = None
    ) -> None:
        """With its first token, where there is one. Raises NameTaken."""
        ...

    async def get(self, account_id: str) -> Account | None: ...

    async def credentials(self, name: str) -> tuple[Account, str] | None:
        """The account of this name and its password hash."""
        ...

    async def set_password(self, account_id: str, password_hash: str) -> None:
        """Replace the hash, and end every token of the account."""
        ...

    async def rehash_password(self, account_id: str, password_hash: str) -> None:
        """Replace the hash of the same password by a stronger one; tokens stay."""
        ...

    async def add_token(self, token: NewToken) -> None:
        """Also forgets tokens of the account that have expired."""
        ...

    async def by_token(self, token_hash: str, now: datetime) -> Account | None:
        """None for an unknown token and for one that has expired."""
        ...

    async def by_tokens(self, token_hashes: Collection[str], now: datetime) -> Mapping[str, Account]:
        """Of many at once, without those that are unknown or have expired."""
        ...

    async def delete_token(self, token_hash: str) -> None:
        """It is unknown from here on."""
        ...


class Streams(Protocol):
    async def create(self, stream: NewStream) -> StreamRecord: ...

    async def get(self, stream_id: str) -> StreamRecord | None: ...

    async def by_key(self, key_hash: str) -> str | None:
        """The id of the stream whose key hashes to this."""
        ...

    async def change(self, stream_id: str, values: Mapping[str, Any]) -> StreamRecord | None:
        """Change some of ``title``, ``category``, ``record``, ``visibility``, ``scheduled_at``.

        None if there is no such stream.

        A time to start at makes a ``created`` or ``ended`` stream ``scheduled``, taking it away makes a
        ``scheduled`` one ``created`` (``ended`` if it was live before)."""
        ...

    async def delete(self, stream_id: str) -> bool: ...

    async def set_key(self, stream_id: str, key_hash: str) -> bool:
        """From here on the old key is unknown. False if there is no such stream."""
        ...

    async def went_live(self, stream_id: str, node_id: str, now: datetime) -> StreamRecord | None:
        """``live`` since ``now``, carried by this node, with nobody watching yet."""
        ...

    async def went_off(self, stream_id: str, now: datetime) -> StreamRecord | None:
        """``ended`` at ``now``, if it was live."""
        ...

    async def end_all_of(self, node_id: str, now: datetime) -> int:
        """End what a node that died had left ``live``; returns how many."""
        ...

    async def set_audiences(self, audiences: Mapping[str, Audience]) -> None:
        """Write down how many watch which stream; unknown ids are skipped."""
        ...

    async def discover(
        self, *, category: str | None, sort: Literal["viewers", "recent"], limit: int, cursor: str | None
    ) -> Page:
        """Live and public streams, the most watched or the newest first. Raises BadCursor."""
        ...

    async def owned_by(self, account_id: str, *, limit: int, cursor: str | None) -> Page:
        """All streams of an account, the newest first. Raises BadCursor."""
        ...


class Assets(Protocol):
    async def add(self, asset: Asset, data: bytes, most: int) -> bool:
        """False, and nothing kept, where the stream has ``most`` of them."""
        ...

    async def of(self, stream_id: str) -> list[Asset]:
        """The newest first."""
        ...

    async def data(self, stream_id: str, asset_id: str) -> bytes | None: ...

    async def delete(self, stream_id: str, asset_id: str) -> bool: ...


class Invites(Protocol):
    async def create(self, invite_hash: str, invite: Invite, now: datetime) -> None:
        """Also forgets invites of the stream that have expired unused."""
        ...

    async def get(self, invite_hash: str) -> Invite | None: ...

    async def use(self, invite_hash: str, door: Door, now: datetime) -> Invite | None:
        """Take it, once; None if there is none. Raises InviteUsed or InviteExpired.

        An encoder reconnects with what it has: at the door ``whip`` it may be used again."""
        ...

    async def delete(self, invite_hash: str) -> bool: ...

    async def delete_of(self, stream_id: str, participant_id: str) -> None:
        """Whatever lets this participant in."""
        ...


class DirectionStore(Protocol):
    async def get(self, stream_id: str) -> Direction | None: ...

    async def set(self, stream_id: str, direction: Direction) -> None:
        """Nothing is kept of a stream that is not there (any more)."""
        ...


class ReentryStore(Protocol):
    async def set(
        self, reentry_hash: str, host: KnownHost, entered_at: datetime, older_than: datetime
    ) -> None:
        """In place of what this host came back with before; nothing is kept of a stream that is not there.

        Also forgets the stream's other hosts who entered at ``older_than`` or before."""
        ...

    async def get(self, reentry_hash: str, entered_after: datetime) -> KnownHost | None: ...

    async def delete(self, stream_id: str, participant_id: str) -> None: ...

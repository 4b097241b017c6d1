"""Invites in a relational database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from signaling.store.interfaces import InviteExpired, InviteUsed
from signaling.store.records import Door, Invite
from signaling.store.tables import invites

__all__ = ["SqlInvites"]


class SqlInvites:
    """``Invites`` on SQLAlchemy."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def create(self, invite_hash: str, invite: Invite, now: datetime) -> None:
        row = {
            "invite_hash": invite_hash,
            "stream_id": invite.stream_id,
            "participant_id": invite.participant_id,
            "name": invite.name,
            "created_at": now,
            "expires_at": invite.expires_at,
        }
        stale = delete(invites).where(
            invites.c.stream_id == invite.stream_id,
            invites.c.expires_at <= now,
            invites.c.used_from.is_(None),
        )
        async with self._engine.begin() as connection:
            await connection.execute(stale)
            await connection.execute(insert(invites).values(row))

    async def get(self, invite_hash: str) -> Invite | None:
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(select(invites).where(invites.c.invite_hash == invite_hash))
            ).one_or_none()
        return _record(row) if row else None

    async def use(self, invite_hash: str, door: Door, now: datetime) -> Invite | None:
        fresh = and_(invites.c.used_from.is_(None), invites.c.expires_at > now)
        again = and_(invites.c.used_from == "whip", literal(door) == "whip")
        # one statement: of two who come at once, one finds it used
        taking = (
            update(invites)
            .where(invites.c.invite_hash == invite_hash, or_(fresh, again))
            .values(used_from=door)
        )
        async with self._engine.begin() as connection:
            taken = (await connection.execute(taking)).rowcount
        invite = await self.get(invite_hash)
        if invite is None or taken:
            return invite
        if invite.used_from is not None:
            raise InviteUsed(invite.participant_id)
        raise InviteExpired(invite.participant_id)

    async def delete(self, invite_hash: str) -> bool:
        async with self._engine.begin() as connection:
            result = await connection.execute(delete(invites).where(invites.c.invite_hash == invite_hash))
        return bool(result.rowcount)

    async def delete_of(self, stream_id: str, participant_id: str) -> None:
        chosen = (invites.c.stream_id == stream_id, invites.c.participant_id == participant_id)
        async with self._engine.begin() as connection:
            await connection.execute(delete(invites).where(*chosen))


def _record(row: Row[Any]) -> Invite:
    return Invite(row.stream_id, row.participant_id, row.name, row.expires_at, row.used_from)

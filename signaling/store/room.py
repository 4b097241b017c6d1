"""Whether the database has room for what is written to it."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

from sqlalchemy import Connection, ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine

from signaling.store.interfaces import StoreFull

__all__ = ["Room"]

log = logging.getLogger("spillway.store")

DISK_FULL = "53100"
"""PostgreSQL's SQLSTATE, ``disk_full``."""
WROTE = "spillway_wrote"


class Room:
    """Watches an engine: what finds no room raises StoreFull, and the log says so once, when it changes.

    Reads go on. A transaction that finds no room is rolled back whole."""

    def __init__(self, database: AsyncEngine) -> None:
        self.full = False
        """What was written last found no room."""
        event.listen(database.sync_engine, "handle_error", self._failed)
        event.listen(database.sync_engine, "after_cursor_execute", self._executed)
        event.listen(database.sync_engine, "checkin", self._returned)

    def _failed(self, context: ExceptionContext) -> None:
        if not _is_full(context.original_exception):
            return
        if context.connection is not None:
            context.connection.info.pop(WROTE, None)
        if not self.full:
            self.full = True
            log.error("the database is full: make room; what is live goes on, its state is written then")
        raise StoreFull("the database is full")

    def _executed(
        self, connection: Connection, cursor: Any, text: str, parameters: object, context: Any, many: bool
    ) -> None:
        writes = context.isinsert or context.isupdate or context.isdelete
        if self.full and writes and cursor.rowcount > 0:
            connection.info[WROTE] = True

    def _returned(self, _: object, record: Any) -> None:
        # Not at the commit: on a disk, that is what finds no room.
        if record.info.pop(WROTE, False) and self.full:
            self.full = False
            log.warning("the database has room again")


def _is_full(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return getattr(error, "sqlstate", None) == DISK_FULL

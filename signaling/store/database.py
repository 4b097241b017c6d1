"""Opens the relational database and brings its tables up to date."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, event, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from signaling.store.interfaces import StoreUnreachable

__all__ = ["HEAD", "migrate", "open_database"]

HEAD = "0004"
"""The newest migration."""
CONNECT_S = 5.0
"""A database in the same building answers in milliseconds; an operator waits five seconds for the refusal."""
SQLITE_CONNECTIONS = 5
"""Each has a thread and 2 MB of cache, and they share one disk. None more for bursts: SQLite keeps the
descriptor of a connection that closes while others are open (https://sqlite.org/howtocorrupt.html)."""
BUSY_S = 5.0
"""How long one SQLite writer waits for another before it gives up."""


async def open_database(url: str | None, data_dir: Path, *, migrated: bool = True) -> AsyncEngine:
    """The engine for ``postgresql://...``, or for the SQLite file in ``data_dir``, its tables up to date.

    Raises StoreUnreachable."""
    failures: tuple[type[Exception], ...] = (SQLAlchemyError, OSError, TimeoutError)
    if url is None:
        path = _probe_sqlite(data_dir)
        name = f"sqlite+aiosqlite:///{path}"
        # Parameters hold names and hashes: they don't belong in an exception's text.
        engine = create_async_engine(
            name,
            hide_parameters=True,
            pool_size=SQLITE_CONNECTIONS,
            max_overflow=0,
            connect_args={"timeout": BUSY_S, "factory": _RolledBack},
        )
        event.listen(engine.sync_engine, "connect", _tune_sqlite)
        where = "the SQLite file in data_dir"
    else:
        target = make_url(url).set(drivername="postgresql+asyncpg")
        try:
            engine = create_async_engine(
                target, hide_parameters=True, pool_pre_ping=True, connect_args={"timeout": CONNECT_S}
            )
            # What it raises while it connects, SQLAlchemy doesn't translate.
            from asyncpg.exceptions import InterfaceError, PostgresError

            failures += (PostgresError, InterfaceError)
        except ModuleNotFoundError:
            raise StoreUnreachable("PostgreSQL needs the package spillway[cluster]") from None
        where = f"PostgreSQL at {target.host or 'localhost'}:{target.port or 5432}"
    try:
        async with asyncio.timeout(6 * CONNECT_S), engine.begin() as connection:
            if migrated:
                await connection.run_sync(migrate)
    except failures as error:
        await engine.dispose()
        reason = str(getattr(error, "orig", None) or error or "no answer").splitlines()[0]
        raise StoreUnreachable(f"can't open {where}: {reason}") from None
    return engine


def migrate(connection: Connection) -> None:
    """Run every migration that this database hasn't seen. Raises StoreUnreachable for a newer one's."""
    if inspect(connection).has_table("alembic_version"):
        at = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if at is not None and at > HEAD:
            raise StoreUnreachable(
                f"a newer version of Spillway wrote it (schema {at}): run that, or choose another"
            )
        # Alembic takes a second to import: not for a database that is up to date.
        if at == HEAD:
            return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "signaling.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _probe_sqlite(data_dir: Path) -> Path:
    """A file that can't be opened is told here: aiosqlite leaves a thread behind when it finds out."""
    path = data_dir.absolute() / "spillway.db"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version")
    except (OSError, sqlite3.Error) as error:
        raise StoreUnreachable(f"can't open the SQLite file {path}: {error}") from None
    return path


class _RolledBack(sqlite3.Connection):
    """Ends its transaction when it is closed. SQLite itself does so only when the last cursor is gone
    (https://sqlite.org/c3ref/close.html): that of a cancelled task may stay, and the lock with it."""

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()
        super().close()


def _tune_sqlite(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

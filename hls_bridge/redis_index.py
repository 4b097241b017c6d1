"""The index of recordings in Redis, so that any origin can serve what another has recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from hls_bridge.segment_index import IndexUnreachable, Record

__all__ = ["RedisIndex"]

PREFIX = "spillway:recordings"
TIMEOUT_S = 5.0


class RedisIndex:
    """A hash for each session: the number of a record to its JSON, so that writing one again after a lost
    answer changes nothing. ``{PREFIX}`` is the set of sessions. What ``durable`` is worth is Redis' own
    configuration (``appendfsync``)."""

    shared = True

    def __init__(self, client: Any) -> None:
        """``client``: ``redis.Redis``; it is safe to use from several threads."""
        self._client = client
        self._lengths: dict[str, int] = {}

    @classmethod
    def connect(cls, url: str) -> RedisIndex:
        """Blocks until Redis has answered. Raises IndexUnreachable, ValueError for a URL that is none."""
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ModuleNotFoundError:
            raise IndexUnreachable("Redis needs the package spillway[cluster]") from None
        client = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            # Once, over a new connection; the rest is tried again by whoever asked.
            retry=Retry(NoBackoff(), 1),
        )
        index = cls(client)
        with _reaching():
            client.ping()
        return index

    def append(self, session: str, record: Record, *, durable: bool = True) -> None:
        with _reaching():
            number = self._lengths.get(session)
            if number is None:
                number = int(self._client.hlen(_key(session)))
            pipe = self._client.pipeline(transaction=True)
            pipe.sadd(PREFIX, session)
            pipe.hset(_key(session), str(number), json.dumps(dict(record), separators=(",", ":")))
            pipe.execute()
        self._lengths[session] = number + 1
        if record.get("type") == "end":
            self._lengths.pop(session)

    def load(self, session: str, start: int = 0) -> list[Record]:
        with _reaching():
            if start:
                end = int(self._client.hlen(_key(session)))
                names = [str(number) for number in range(start, end)]
                lines = self._client.hmget(_key(session), names) if names else []
            else:
                found = self._client.hgetall(_key(session))
                lines = [found[name] for name in sorted(found, key=int)]
        return [json.loads(line) for line in lines if line is not None]

    def sessions(self) -> Iterable[str]:
        with _reaching():
            return sorted(name.decode() for name in self._client.smembers(PREFIX))

    def delete(self, session: str) -> None:
        with _reaching():
            pipe = self._client.pipeline(transaction=True)
            pipe.srem(PREFIX, session)
            pipe.delete(_key(session))
            pipe.execute()
        self._lengths.pop(session, None)


def _key(session: str) -> str:
    return f"{PREFIX}:{session}"


@contextmanager
def _reaching() -> Iterator[None]:
    import redis

    try:
        yield
    except redis.RedisError as error:
        raise IndexUnreachable(f"Redis can't be reached: {error}") from error

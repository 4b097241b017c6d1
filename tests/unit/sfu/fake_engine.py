"""FakeEngine: takes the orders of the engine's face and notes them; tests give the events."""

from __future__ import annotations

import itertools
import os
from typing import Any


class FakeEngine:
    """No sockets and no threads. ``orders`` holds (name, arguments) of every call that changes
    something; ``push()`` makes an event readable as the engine would."""

    port = 7882
    workers = 1
    gso = True

    def __init__(self) -> None:
        self.orders: list[tuple[str, dict[str, Any]]] = []
        self.track_statistics: dict[int, dict[str, int]] = {}
        self.tap_items: dict[int, list[Any]] = {}
        self.closed = False
        self._ids = itertools.count(1)
        self._events: list[Any] = []
        self._fd = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._fd

    def push(self, *event: Any) -> None:
        self._events.append(event)
        os.eventfd_write(self._fd, 1)

    def poll_events(self, limit: int = 1024) -> list[Any]:
        events, self._events = self._events[:limit], self._events[limit:]
        if not self._events:
            os.eventfd_read(self._fd)
        return events

    def named(self, name: str) -> list[dict[str, Any]]:
        return [arguments for order, arguments in self.orders if order == name]

    def now_us(self) -> int:
        return 0

    def open_transport(self, **arguments: Any) -> int:
        return self._made("open_transport", arguments)

    def add_track(self, transport: int, **arguments: Any) -> int:
        return self._made("add_track", {"transport": transport, **arguments})

    def add_subscription(self, transport: int, **arguments: Any) -> int:
        return self._made("add_subscription", {"transport": transport, **arguments})

    def open_injector(self, **arguments: Any) -> int:
        return self._made("open_injector", arguments)

    def open_alias(self, kind: str) -> int:
        return self._made("open_alias", {"kind": kind})

    def open_tap(self, source: int, *, encoding: str = "auto", queue_packets: int = 4096) -> int:
        return self._made("open_tap", {"source": source, "encoding": encoding})

    def read_tap(self, tap: int) -> tuple[list[Any], int]:
        return self.tap_items.pop(tap, []), 0

    def track_stats(self, track: int) -> dict[str, int] | None:
        return self.track_statistics.get(track)

    def transport_stats(self, transport: int) -> dict[str, int] | None:
        return None

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self._fd)

    def __getattr__(self, name: str) -> Any:
        known = {
            "restart_ice": ("transport",),
            "send_dtls": ("transport", "data"),
            "set_keys": ("transport", "profile", "receive", "send"),
            "close_transport": ("transport",),
            "remove_track": ("track",),
            "inject": ("track", "rid", "packets"),
            "inject_report": ("track", "rid", "ntp", "rtp_time"),
            "request_keyframe": ("source",),
            "point_alias": ("alias", "target", "picture"),
            "remove_alias": ("alias",),
            "remove_subscription": ("transport", "subscription"),
            "set_source": ("transport", "subscription", "source"),
            "set_encoding": ("transport", "subscription", "encoding"),
            "set_tap_encoding": ("tap", "encoding"),
            "close_tap": ("tap",),
        }
        if name not in known:
            raise AttributeError(name)

        def order(*positional: Any, **arguments: Any) -> None:
            self.orders.append((name, {**dict(zip(known[name], positional, strict=False)), **arguments}))

        return order

    def _made(self, name: str, arguments: dict[str, Any]) -> int:
        identity = next(self._ids)
        self.orders.append((name, {"id": identity, **arguments}))
        return identity

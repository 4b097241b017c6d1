"""Prometheus metrics: what the node did and how it is, read from its counters at the scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

__all__ = ["MediaCounters", "Metrics"]

LAG_S = 1.0
"""Between two looks at the loop's lag: what holds the loop up for longer is seen for certain."""


@dataclass(frozen=True, slots=True)
class MediaCounters:
    """Totals since the start and gauges of now, of everything the node's engine carries."""

    totals: Mapping[str, int] = field(default_factory=dict)
    gauges: Mapping[str, int] = field(default_factory=dict)
    lateness_us: int = 0
    """Standing lateness of the latest engine worker: what it read last had waited at least this long."""
    forward_us: int = 0
    """Microseconds between a packet's arrival and its last send, summed up, and of how many packets."""
    forward_count: int = 0


TOTALS = {
    "joins": "WebRTC sessions that connected",
    "packets_received": "RTP packets received",
    "packets_sent": "RTP packets sent",
    "bytes_received": "bytes received",
    "bytes_sent": "bytes sent",
    "packets_lost": "packets that publishers sent and we did not get",
    "packets_lost_downstream": "packets that subscribers reported lost",
    "nack_sent": "packets asked for again at publishers",
    "nack_received": "packets that subscribers asked for again",
    "rtx_sent": "packets sent again to subscribers",
    "pli_sent": "keyframes asked for at publishers",
    "pli_received": "keyframes that subscribers asked for",
    "packets_shed": "packets withheld from viewers because of load",
}
GAUGES = {
    "seats": "WebRTC viewers",
    "publishers": "WebRTC publishers",
    "streams_live": "streams that this node carries",
    "transports": "WebRTC transports",
    "subscriptions": "tracks that are sent to somebody",
    "seats_refused": "1 while new viewers are refused because of load",
    "viewers_stepped_down": "viewers with a lower encoding than they want because of load",
    "viewers_paused": "viewers whose video pauses because of load",
}


class _MediaCollector(Collector):
    def __init__(self, read: Callable[[], MediaCounters]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        counters = self._read()
        for name, meaning in TOTALS.items():
            yield CounterMetricFamily(f"spillway_{name}", meaning, value=counters.totals.get(name, 0))
        for name, meaning in GAUGES.items():
            yield GaugeMetricFamily(f"spillway_{name}", meaning, value=counters.gauges.get(name, 0))
        yield GaugeMetricFamily(
            "spillway_engine_lateness_seconds",
            "how long what the latest engine worker reads has waited, at least",
            value=counters.lateness_us / 1e6,
        )
        yield SummaryMetricFamily(
            "spillway_forward_latency_seconds",
            "latency that forwarding added to a packet",
            count_value=counters.forward_count,
            sum_value=counters.forward_us / 1e6,
        )


class Metrics:
    """One registry per node, so that several nodes fit into one test."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, read: Callable[[], MediaCounters]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_MediaCollector(read))
        self.requests = Counter(
            "spillway_http_requests", "HTTP requests", ["method", "route", "status"], registry=self.registry
        )
        self.gateway_events = Counter(
            "spillway_gateway_events",
            "Socket.IO events from clients",
            ["event", "ok"],
            registry=self.registry,
        )
        self.tasks = Gauge("spillway_tasks", "asyncio tasks of the node", registry=self.registry)
        self.loop_lag = Histogram(
            "spillway_event_loop_lag_seconds",
            "how late the event loop is",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
            registry=self.registry,
        )

    def render(self) -> bytes:
        """Called in the event loop, whose tasks it counts."""
        self.tasks.set(len(asyncio.all_tasks()))
        return generate_latest(self.registry)

    async def run(self, monotonic_s: Callable[[], float]) -> None:
        """Measure the loop's lag until cancelled."""
        while True:
            before = monotonic_s()
            await asyncio.sleep(LAG_S)
            self.loop_lag.observe(max(0.0, monotonic_s() - before - LAG_S))

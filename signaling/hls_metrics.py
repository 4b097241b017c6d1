"""Prometheus metrics of HLS: who watches, what is recorded, what waits."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from hls_bridge.origin import Origin, clocks
from hls_bridge.recorder import Recorder

__all__ = ["HlsCollector"]


class HlsCollector(Collector):
    """Read at the scrape."""

    def __init__(self, origin: Origin, recorder: Recorder) -> None:
        self._origin = origin
        self._recorder = recorder

    def collect(self) -> Iterable[Metric]:
        viewers = GaugeMetricFamily("spillway_hls_viewers", "HLS viewers", labels=["counted"])
        for counted, number in zip(("exact", "estimate"), self._origin.viewers(clocks()[0]), strict=True):
            viewers.add_metric([counted], number)
        yield viewers
        yield CounterMetricFamily(
            "spillway_hls_reloads", "live media playlists answered", value=self._origin.reloads
        )
        recorder = self._recorder
        yield GaugeMetricFamily(
            "spillway_recording_paused",
            "1 while the disk takes no recording",
            value=recorder.paused is not None,
        )
        waiting = GaugeMetricFamily(
            "spillway_recording_writes_waiting", "writes of recordings that are not done", labels=["where"]
        )
        for where, number in recorder.waiting.items():
            waiting.add_metric([where], number)
        yield waiting
        yield CounterMetricFamily(
            "spillway_recording_segments_lost",
            "segments given up while the disk was full",
            value=recorder.segments_lost,
        )
        yield SummaryMetricFamily(
            "spillway_segment_read_seconds",
            "reads of recorded segments from spool or segment store",
            count_value=recorder.reads,
            sum_value=recorder.read_sum_us / 1e6,
        )

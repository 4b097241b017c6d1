"""Prometheus metrics of the mixers: where their pictures' time goes."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from mixer.controller import Mixers

__all__ = ["MixerCollector"]


class MixerCollector(Collector):
    """Read at the scrape; the mixers report once a second."""

    def __init__(self, mixers: Mixers) -> None:
        self._mixers = mixers

    def collect(self) -> Iterable[Metric]:
        stages = SummaryMetricFamily(
            "spillway_mixer_stage_seconds", "time of a picture in a stage of the mixer", labels=["stage"]
        )
        for stage, spent in self._mixers.spent.items():
            stages.add_metric([stage], count_value=spent.pictures, sum_value=spent.us / 1e6)
        yield stages
        delay = GaugeMetricFamily(
            "spillway_mixer_delay_seconds",
            "delay of the host who is waited for longest, and what its sound and picture need",
            labels=["of"],
        )
        for name, us in self._mixers.delay._asdict().items():
            delay.add_metric([name.removesuffix("_us")], us / 1e6)
        yield delay
        yield CounterMetricFamily(
            "spillway_mixer_skipped_pictures",
            "pictures of programs left out because the machine was too slow",
            value=self._mixers.skipped,
        )

"""The benchmark of latency over HLS, 20 s of it: what must hold on any machine."""

from __future__ import annotations

from tests.bench.hls_latency import measure

SECONDS = 20.0


async def test_the_page_plays_on_near_the_live_edge() -> None:
    figures = await measure("demo", SECONDS)
    assert figures["height"] == 720, "the best rung"
    assert figures["crc_ok"] > 0.9
    assert figures["frames"] > 10 * SECONDS
    assert figures["stalled_ms"] < 100 * SECONDS, "it plays on"
    assert 300 < figures["latency_ms"]["p50"] < 3000, "parts, not segments: those would be six seconds"

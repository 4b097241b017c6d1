"""What viewers get of OBS's stream: Chromium over WHEP, aiortc over WHEP, and the HLS playlist."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from tests.bench.pattern_pages import latencies, pattern_page, percentiles, progress
from tests.playlist_watch import PlaylistWatch

__all__ = ["keyframes_asked_for", "metrics", "watch"]

LISTEN = (Path(__file__).parents[2] / "e2e" / "js" / "listen.js").read_text()
TONE_HZ, SILENT_HZ = 440, 3000
SETTLE_S = 5.0
STATS = """async () => Object.fromEntries([...(await viewers.at(-1).pc.getStats()).values()]
  .filter((each) => each.type === "inbound-rtp").map((each) => [each.kind, each]))"""
KEPT = {
    "video": ("framesDecoded", "keyFramesDecoded", "framesDropped", "packetsReceived", "packetsLost",
              "nackCount", "pliCount", "freezeCount", "totalFreezesDuration", "frameWidth", "frameHeight"),
    "audio": ("packetsReceived", "packetsLost", "concealedSamples", "totalSamplesReceived"),
}  # fmt: skip
PLI_EVERY_S = 1.0
PLI_COUNT = 10


async def watch(node_url: str, stream: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Chromium watches for so long, while the playlist is followed."""
    async with pattern_page(node_url) as page, aiohttp.ClientSession(node_url, raise_for_status=True) as http:
        playlist = PlaylistWatch(http, f"/api/v1/streams/{stream['stream_id']}")
        joined = await page.evaluate("url => watchPattern(url, 'decoded')", stream["whep_url"])
        playlist.start()
        try:
            await asyncio.sleep(SETTLE_S)
            since_ms = await page.evaluate("Date.now()")
            progress(f"watching for {seconds:g} s")
            await asyncio.sleep(seconds)
            good, bad = await latencies(page, since_ms)
            stats = await page.evaluate(STATS)
            await page.evaluate("window.__spillway = { pc: viewers.at(-1).pc }")
            async with http.get(playlist.picture.uri) as answer:
                durations = re.findall(
                    r"#EXT-X-DISCONTINUITY$|(?<=#EXTINF:)[\d.]+", await answer.text(), re.MULTILINE
                )
            heard = await page.evaluate(LISTEN, {"frequencies": [TONE_HZ, SILENT_HZ]})
        finally:
            await playlist.close()
        hls = playlist.figures()
    return {
        "first_frame_ms": round(joined["first_frame_ms"]),
        "latency_ms": percentiles(good, 50, 95) if good else None,
        "frames_read": len(good),
        "crc_wrong": bad,
        "tone_db": round(heard[str(TONE_HZ)]),
        "silence_db": round(heard[str(SILENT_HZ)]),
        "hls": hls | {"last_segments": ["new epoch" if d.startswith("#") else float(d) for d in durations]},
    } | {kind: {name: stats[kind].get(name) for name in names} for kind, names in KEPT.items()}


async def keyframes_asked_for(node_url: str, stream: dict[str, Any]) -> dict[str, Any]:
    """aiortc decodes and asks for a keyframe each second; the times between those that come."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver("audio", direction="recvonly")
    video = pc.addTransceiver("video", direction="recvonly")
    before = await metrics(node_url)
    try:
        await pc.setLocalDescription(await pc.createOffer())
        headers = {"Content-Type": "application/sdp"}
        async with (
            aiohttp.ClientSession(raise_for_status=True) as http,
            http.post(stream["whep_url"], data=pc.localDescription.sdp, headers=headers) as answer,
        ):
            await pc.setRemoteDescription(RTCSessionDescription(await answer.text(), "answer"))
        counted = {"video": 0, "audio": 0}
        keyframes: list[float] = []

        async def read(kind: str, track: Any) -> None:
            while True:
                try:
                    frame = await track.recv()
                except MediaStreamError:
                    return
                counted[kind] += 1
                if kind == "video" and frame.key_frame:
                    keyframes.append(frame.time)

        async with asyncio.TaskGroup() as tasks:
            for each in pc.getTransceivers():
                tasks.create_task(read(each.kind, each.receiver.track))
            await asyncio.sleep(SETTLE_S)
            for _ in range(PLI_COUNT):
                for source in video.receiver.getSynchronizationSources():
                    await video.receiver._send_rtcp_pli(source.source)
                await asyncio.sleep(PLI_EVERY_S)
            # before the viewer leaves: what nobody has read of its counters goes with it
            after = await metrics(node_url)
            await pc.close()
    finally:
        await pc.close()
    return {
        "pictures_decoded": counted["video"],
        "sound_frames_decoded": counted["audio"],
        "pli_from_viewers": after["pli_received"] - before["pli_received"],
        "pli_to_obs": after["pli_sent"] - before["pli_sent"],
        "keyframes_s_apart": [round(b - a, 2) for a, b in pairwise(keyframes)],
    }


async def metrics(node_url: str) -> dict[str, int]:
    """The node's counters, without their prefix and suffix."""
    async with (
        aiohttp.ClientSession(raise_for_status=True) as http,
        http.get(f"{node_url}/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    found = {}
    for line in lines:
        name, _, value = line.partition(" ")
        if name.startswith("spillway_") and name.endswith("_total") and "{" not in name:
            found[name.removeprefix("spillway_").removesuffix("_total")] = round(float(value))
    return found

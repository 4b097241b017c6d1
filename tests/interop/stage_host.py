"""aiortc as a host on stage: publishes a tone and a colour, receives the others."""

from __future__ import annotations

import asyncio
import fractions

import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack

from sfu.host import StageHost
from sfu.host_subscriber import ReceivedTrack
from tests.udp_relay import UdpRelay

__all__ = ["Colour", "Host", "loudest_tone"]

RATE = 48_000
BLOCK = 960
# With aiortc's default ("balanced") the second of two m-lines of one kind in a first offer stays on a
# transport that is closed, and what comes for it is taken for the first's.
ONE_TRANSPORT = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)


class Tone(AudioStreamTrack):
    """A sine of ``frequency`` Hz at -12 dBFS, 20 ms a frame."""

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self._frequency = frequency
        self._at = 0
        self._start: float | None = None

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        if self._start is None:
            self._start = loop.time()
        await asyncio.sleep(max(0.0, self._start + self._at / RATE - loop.time()))
        t = (self._at + np.arange(BLOCK)) / RATE
        samples = (0.25 * 32767 * np.sin(2 * np.pi * self._frequency * t)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.pts, frame.sample_rate, frame.time_base = self._at, RATE, fractions.Fraction(1, RATE)
        self._at += BLOCK
        return frame


class Colour(VideoStreamTrack):
    """A picture of one colour."""

    def __init__(self, yuv: tuple[int, int, int]) -> None:
        super().__init__()
        planes = [np.full(640 * 360, yuv[0]), np.full(320 * 180, yuv[1]), np.full(320 * 180, yuv[2])]
        self._picture = np.concatenate(planes).astype(np.uint8).reshape(540, 640)

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(self._picture, format="yuv420p")
        frame.pts, frame.time_base = pts, fractions.Fraction(time_base)
        return frame


class Host:
    """One host with its two peer connections. ``heard`` and ``seen`` follow what comes, by mid."""

    def __init__(
        self,
        host: StageHost,
        frequency: float,
        yuv: tuple[int, int, int] = (80, 128, 128),
        codec: str | None = None,
    ) -> None:
        """``codec``: the only one of pictures that it sends; None: the node chooses."""
        self.host = host
        self.out = RTCPeerConnection(ONE_TRANSPORT)
        self.back = RTCPeerConnection(ONE_TRANSPORT)
        self.out.addTrack(Tone(frequency))
        self.out.addTrack(Colour(yuv))
        if codec is not None:
            wanted = (f"video/{codec}".lower(), "video/rtx")
            codecs = RTCRtpSender.getCapabilities("video").codecs
            self.out.getTransceivers()[1].setCodecPreferences(
                [each for each in codecs if each.mimeType.lower() in wanted]
            )
        self.received: dict[str, ReceivedTrack] = {}
        self.tracks: dict[str, MediaStreamTrack] = {}
        self.heard: dict[str, list[np.ndarray]] = {}
        self.seen: dict[str, av.VideoFrame] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._read: set[MediaStreamTrack] = set()
        self._screen: RTCRtpSender | None = None

    async def publish(self, relay: UdpRelay | None = None) -> None:
        """Offer all that ``out`` sends; media goes through the relay."""
        await self.out.setLocalDescription(await self.out.createOffer())
        answer = await self.host.publish(self.out.localDescription.sdp)
        if relay is not None:
            answer = relay.through(answer)
        await self.out.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def share(self, screen: VideoStreamTrack) -> None:
        """A second picture, beside the camera."""
        self._screen = self.out.addTrack(screen)
        await self.publish()

    async def unshare(self) -> None:
        [transceiver] = [each for each in self.out.getTransceivers() if each.sender is self._screen]
        transceiver.direction = "inactive"
        await self.publish()

    async def subscribe(self, audio: int, video: int) -> None:
        """Offer at least so many m-lines of each kind."""
        for kind, wanted in (("audio", audio), ("video", video)):
            have = sum(each.kind == kind for each in self.back.getTransceivers())
            for _ in range(wanted - have):
                self.back.addTransceiver(kind, direction="recvonly")
        await self.back.setLocalDescription(await self.back.createOffer())
        answer, self.received = await self.host.subscribe(self.back.localDescription.sdp)
        await self.back.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        for transceiver in self.back.getTransceivers():
            if transceiver.mid in self.received and transceiver.receiver.track not in self._read:
                self._read.add(transceiver.receiver.track)
                self._tasks.append(
                    asyncio.create_task(self._collect(transceiver.mid, transceiver.receiver.track))
                )

    async def _collect(self, mid: str, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.AudioFrame):
                    self.heard.setdefault(mid, []).append(frame.to_ndarray().ravel()[::2])
                else:
                    self.seen[mid] = frame
        except MediaStreamError:
            return

    def tones(self) -> dict[str, float]:
        """The loudest tone of each participant whose sound comes, in Hz, 0 where there is silence."""
        return {
            self.received[mid].participant_id: loudest_tone(np.concatenate(blocks[-25:]))
            for mid, blocks in self.heard.items()
            if mid in self.received and len(blocks) >= 25
        }

    async def close(self) -> None:
        await self.out.close()
        await self.back.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def loudest_tone(samples: np.ndarray) -> float:
    """Its frequency in Hz; 0 below -50 dBFS."""
    values = samples.astype(float) / 32768
    if np.sqrt(np.mean(values**2)) < 10 ** (-50 / 20):
        return 0.0
    spectrum = np.abs(np.fft.rfft(values * np.hanning(len(values))))
    return float(np.argmax(spectrum) * RATE / len(values))

"""aiortc as WHIP publisher and WHEP viewer."""

from __future__ import annotations

import fractions
from typing import Protocol

import av
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

__all__ = ["Front", "Picture", "Publisher", "Viewer"]


class Front(Protocol):
    """A node's HTTP interface."""

    async def post(self, path: str, sdp: str, key: str | None = None) -> tuple[str, str]:
        """Returns the answer and the session's URL."""
        ...


class Picture(VideoStreamTrack):
    """A grey picture whose brightness rises with the frame number."""

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        level = pts // 3000 % 200 + 20
        frame = av.VideoFrame.from_ndarray(np.full((360 * 3 // 2, 640), level, np.uint8), format="yuv420p")
        frame.pts, frame.time_base = pts, fractions.Fraction(time_base)
        return frame


class Publisher:
    """Publishes a picture and silence with ``codec``."""

    url: str
    """The session's, once it has started."""

    def __init__(self, codec: str = "VP8") -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._codec = codec

    async def start(self, node: Front, key: str) -> str:
        self.pc.addTrack(AudioStreamTrack())
        self.pc.addTrack(Picture())
        for transceiver in self.pc.getTransceivers():
            transceiver.direction = "sendonly"
            if transceiver.kind == "video":
                codecs = RTCRtpSender.getCapabilities("video").codecs
                transceiver.setCodecPreferences(
                    [c for c in codecs if c.mimeType.lower() in (f"video/{self._codec}".lower(), "video/rtx")]
                )
        await self.pc.setLocalDescription(await self.pc.createOffer())
        answer, self.url = await node.post("/whip", self.pc.localDescription.sdp, key)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return self.url

    async def close(self) -> None:
        await self.pc.close()


class Viewer:
    """Receives both tracks."""

    def __init__(self, codec: str | None = None) -> None:
        """``codec``: the only one of pictures that it takes; None: all that aiortc knows."""
        self._codec = codec
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.tracks: dict[str, MediaStreamTrack] = {}
        self.pc.on("track", lambda track: self.tracks.__setitem__(track.kind, track))

    async def start(self, node: Front, stream_id: str) -> str:
        self.pc.addTransceiver("audio", direction="recvonly")
        video = self.pc.addTransceiver("video", direction="recvonly")
        if self._codec is not None:
            wanted = (f"video/{self._codec}".lower(), "video/rtx")
            codecs = RTCRtpReceiver.getCapabilities("video").codecs
            video.setCodecPreferences([each for each in codecs if each.mimeType.lower() in wanted])
        await self.pc.setLocalDescription(await self.pc.createOffer())
        answer, url = await node.post(f"/whep/{stream_id}", self.pc.localDescription.sdp)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return url

    async def frames(self, kind: str, count: int) -> list[av.VideoFrame | av.AudioFrame]:
        return [await self.tracks[kind].recv() for _ in range(count)]

    async def close(self) -> None:
        await self.pc.close()

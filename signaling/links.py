"""The URLs that a Stream is published to and watched at."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Links", "Listeners"]


@dataclass(frozen=True, slots=True)
class Listeners:
    """What this node answers on. None and False: it doesn't run, and its URLs are null."""

    webrtc: bool = False
    hls: bool = False
    rtmp_port: int | None = None
    srt_port: int | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """URLs under one base (``http://host:port``): the node's public URL, or how the request came."""

    base: str
    listeners: Listeners

    def watch(self, stream_id: str, token: str | None = None) -> str:
        # Behind the #: the token stays in the browser, out of every server's log.
        return f"{self.base}/watch/{stream_id}" + (f"#playback_token={token}" if token else "")

    def whip(self) -> str | None:
        return f"{self.base}/whip" if self.listeners.webrtc else None

    def whep(self, stream_id: str) -> str | None:
        return f"{self.base}/whep/{stream_id}" if self.listeners.webrtc else None

    def manifest(self, stream_id: str, token: str | None = None) -> str | None:
        if not self.listeners.hls:
            return None
        # Players ask for playlists and segments without headers: the token is a segment of the path.
        path = f"{stream_id}/t/{token}" if token else stream_id
        return f"{self.base}/api/v1/streams/{path}/manifest.m3u8"

    def rtmp(self, stream_key: str, *, backup: bool = False) -> str | None:
        if self.listeners.rtmp_port is None:
            return None
        port = "" if self.listeners.rtmp_port == 1935 else f":{self.listeners.rtmp_port}"
        return f"rtmp://{self._host}{port}/live/{stream_key}" + ("?slot=backup" if backup else "")

    def srt(self, stream_key: str) -> str | None:
        if self.listeners.srt_port is None:
            return None
        return f"srt://{self._host}:{self.listeners.srt_port}?streamid=publish:{stream_key}"

    @property
    def _host(self) -> str:
        host = urlsplit(self.base).hostname or "127.0.0.1"
        return f"[{host}]" if ":" in host else host

"""The URLs that a Stream is published to and watched at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
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

    def studio(self, stream_id: str, invite: str) -> str:
        return f"{self.base}/studio/{stream_id}?invite={invite}"

    def whip_as_guest(self, invite: str) -> str | None:
        """For encoders without headers."""
        return f"{self.base}/whip/{invite}" if self.listeners.webrtc else None

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

    def dvr(self, stream_id: str, token: str | None = None) -> str | None:
        manifest = self.manifest(stream_id, token)
        return None if manifest is None else manifest.removesuffix("manifest.m3u8") + "dvr.m3u8"

    def thumbnail(self, stream_id: str) -> str:
        return f"{self.base}/api/v1/streams/{stream_id}/thumbnail.jpg"

    def absolute(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The entry with its paths on this host, in members whose names end in ``url``, made URLs."""
        return {name: self._absolute(name, value) for name, value in entry.items()}

    def _absolute(self, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self.absolute(each) for each in value]
        return f"{self.base}{value}" if name.endswith("url") and value is not None else value

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

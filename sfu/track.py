"""A Track at run time: what the engine tells of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfu.media import Codec, Encoding, Kind, TrackInfo

if TYPE_CHECKING:
    from sfu._engine import CodecSpec

__all__ = ["EncodingState", "Track", "TrackSource", "codec_from_spec", "codec_to_spec"]

TrackSource = Literal["camera", "microphone", "screen", "screen-audio", "mixer", "ingest"]
Change = Literal["flowing", "idle", "resolution", "keyframe-needed", "closed"]


@dataclass(slots=True)
class EncodingState:
    """One encoding as it is now."""

    flowing: bool = False
    width: int = 0
    height: int = 0
    """0 until a keyframe has told."""


class Track:
    """One audio or video source of a participant. ``on_change(track, change, rid)`` tells of news."""

    def __init__(
        self,
        track_id: int,
        kind: Kind,
        participant_id: str,
        rids: Sequence[str],
        source: TrackSource,
        on_change: Callable[[Track, Change, str], None],
    ) -> None:
        self.track_id = track_id
        self.kind = kind
        self.participant_id = participant_id
        self.source = source
        self.codec: Codec | None = None
        """None until media flows: an offer may name several."""
        self.encodings = {rid: EncodingState() for rid in rids or ("",)}
        self.closed = False
        self._on_change = on_change

    @property
    def flowing(self) -> bool:
        return not self.closed and any(encoding.flowing for encoding in self.encodings.values())

    def info(self) -> TrackInfo | None:
        """None until the codec is known."""
        if self.codec is None:
            return None
        encodings = tuple(Encoding(rid) for rid in self.encodings)
        return TrackInfo(self.track_id, self.kind, self.codec, encodings, self.participant_id, self.source)

    def handle_flowing(self, rid: str, codec: CodecSpec) -> None:
        self.encodings.setdefault(rid, EncodingState()).flowing = True
        self.codec = codec_from_spec(codec)
        self._on_change(self, "flowing", rid)

    def handle_idle(self, rid: str) -> None:
        if (encoding := self.encodings.get(rid)) is not None:
            encoding.flowing = False
        self._on_change(self, "idle", rid)

    def handle_resolution(self, rid: str, width: int, height: int) -> None:
        encoding = self.encodings.setdefault(rid, EncodingState())
        encoding.width, encoding.height = width, height
        self._on_change(self, "resolution", rid)

    def handle_keyframe_needed(self, rid: str) -> None:
        self._on_change(self, "keyframe-needed", rid)

    def handle_closed(self) -> None:
        if not self.closed:
            self.closed = True
            self._on_change(self, "closed", "")


def codec_from_spec(spec: CodecSpec) -> Codec:
    pairs = (item.partition("=") for item in spec.get("fmtp", "").split(";") if item.strip())
    fmtp = {key.strip().lower(): value.strip() for key, _, value in pairs}
    return Codec(spec["name"], spec["clock_rate"], spec.get("channels", 1), fmtp)


def codec_to_spec(codec: Codec, payload_type: int, rtx_payload_type: int | None = None) -> CodecSpec:
    video = codec.kind == "video"
    return {
        "payload_type": payload_type,
        "rtx_payload_type": rtx_payload_type,
        "name": codec.name,
        "clock_rate": codec.clock_rate,
        "channels": codec.channels,
        "fmtp": ";".join(f"{key}={value}" if value else key for key, value in codec.fmtp.items()),
        "nack": rtx_payload_type is not None,
        "pli": video,
        "fir": False,
    }

"""Media playlists as text (RFC 8216bis), joined from blocks that are made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hls_bridge.program_clock import date_time

__all__ = [
    "HOLD_BACK_S",
    "SKIP_UNTIL_S",
    "TARGET_DURATION_S",
    "Header",
    "ListedPart",
    "ListedSegment",
    "Report",
    "render_delta",
    "render_full",
    "render_vod",
]

TARGET_DURATION_S = 2
SKIP_UNTIL_S = 6 * TARGET_DURATION_S
"""CAN-SKIP-UNTIL, the least that RFC 8216bis 4.4.3.8 allows."""
HOLD_BACK_S = 3 * TARGET_DURATION_S
SEGMENTS_WITH_PARTS = 2
LISTED_LONGER_US = 2
"""A part is listed this much longer than it is, and so is PART-TARGET, so that no sum of listed durations
falls behind the media, neither by our rounding (1 us) nor by a player's (dates as doubles: 0.12 us a part).
Shaka Player 5.2 compares the two with a threshold that lies exactly on an error of its own, resets its
buffer where the sum is behind, and then drops every picture up to the next keyframe."""


@dataclass(frozen=True, slots=True)
class ListedPart:
    """One EXT-X-PART."""

    uri: str
    duration_us: int
    independent: bool

    @property
    def line(self) -> str:
        independent = ",INDEPENDENT=YES" if self.independent else ""
        duration = _seconds(self.duration_us + LISTED_LONGER_US)
        return f'#EXT-X-PART:DURATION={duration},URI="{self.uri}"{independent}\n'


@dataclass(slots=True)
class ListedSegment:
    """A segment, open or closed; its text is made when it closes."""

    msn: int
    uri: str
    map_uri: str
    epoch: int
    wall_us: int
    discontinuity: bool
    discontinuities: int
    """EXT-X-DISCONTINUITY tags of all segments so far, this one's among them."""
    parts: list[ListedPart] = field(default_factory=list)
    closed: bool = False
    gap: bool = False
    duration_us: int = 0
    _short: str = ""
    _long: str = ""

    @property
    def discontinuity_sequence(self) -> int:
        """Of a playlist that begins with it (RFC 8216bis 4.4.3.3)."""
        return self.discontinuities - self.discontinuity

    def head(self) -> str:
        """Tags in front of the parts."""
        discontinuity = "#EXT-X-DISCONTINUITY\n" if self.discontinuity else ""
        return f"{discontinuity}#EXT-X-PROGRAM-DATE-TIME:{date_time(self.wall_us)}\n"

    def close(self) -> None:
        """No part will be added any more."""
        self.closed = True
        self.duration_us = self.duration_us or sum(part.duration_us for part in self.parts)
        gap = "#EXT-X-GAP\n" if self.gap else ""
        inf = f"{gap}#EXTINF:{_seconds(self.duration_us)},\n{self.uri}\n"
        self._short = self.head() + inf
        self._long = self.head() + "".join(part.line for part in self.parts) + inf

    def text(self, *, parts: bool) -> str:
        """The block; open segments always show their parts."""
        if not self.closed:
            return self.head() + "".join(part.line for part in self.parts) if self.parts else ""
        return self._long if parts else self._short


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the segments."""

    part_target_us: int | None
    """None: no parts in this playlist (DVR, replay)."""
    media_sequence: int
    discontinuity_sequence: int

    def lines(self) -> str:
        skip = f"CAN-SKIP-UNTIL={SKIP_UNTIL_S}.0"
        if self.part_target_us is None:
            control = f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,{skip},HOLD-BACK={HOLD_BACK_S}.0\n"
        else:
            target_us = self.part_target_us + LISTED_LONGER_US
            # Three part targets (RFC 8216bis 4.4.3.8), rounded up to a millisecond.
            hold_back = (3 * target_us + 999) // 1000 / 1000
            control = (
                f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,{skip},"
                f"PART-HOLD-BACK={hold_back:.3f},HOLD-BACK={HOLD_BACK_S}.0\n"
                f"#EXT-X-PART-INF:PART-TARGET={_seconds(target_us)}\n"
            )
        return (
            f"#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{TARGET_DURATION_S}\n{control}"
            f"#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MEDIA-SEQUENCE:{self.media_sequence}\n"
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.discontinuity_sequence}\n"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """One EXT-X-RENDITION-REPORT: how far another rendition is."""

    uri: str
    last_msn: int
    last_part: int

    @property
    def line(self) -> str:
        return (
            f'#EXT-X-RENDITION-REPORT:URI="{self.uri}",LAST-MSN={self.last_msn},LAST-PART={self.last_part}\n'
        )


def render_full(
    header: Header,
    segments: Sequence[ListedSegment],
    *,
    hint_uri: str | None = None,
    reports: Sequence[Report] = (),
    ended: bool = False,
) -> str:
    """The whole playlist; parts are shown for the last two closed segments and the open one."""
    return header.lines() + _body(header, segments, "", hint_uri, reports, ended)


def render_delta(
    header: Header,
    segments: Sequence[ListedSegment],
    *,
    hint_uri: str | None = None,
    reports: Sequence[Report] = (),
    ended: bool = False,
) -> str | None:
    """The playlist without the segments beyond CAN-SKIP-UNTIL; None where there
    are none (section 6.2.5.1)."""
    length_us, kept = 0, len(segments)
    while kept > 0 and length_us < SKIP_UNTIL_S * 1_000_000:
        kept -= 1
        length_us += segments[kept].duration_us or sum(p.duration_us for p in segments[kept].parts)
    if kept <= 0:
        return None
    skip = f"#EXT-X-SKIP:SKIPPED-SEGMENTS={kept}\n"
    shown = segments[kept:]
    map_uri = segments[kept - 1].map_uri
    return header.lines() + skip + _body(header, shown, map_uri, hint_uri, reports, ended)


def render_vod(segments: Sequence[ListedSegment]) -> str:
    """A replay: everything there is, and ENDLIST."""
    longest_us = max((segment.duration_us for segment in segments), default=0)
    target = max(TARGET_DURATION_S, (longest_us + 500_000) // 1_000_000)
    sequence = segments[0].msn if segments else 0
    head = (
        f"#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        f"#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n"
    )
    return head + _body(Header(None, sequence, 0), segments, "", None, (), True)


def _body(
    header: Header,
    segments: Sequence[ListedSegment],
    map_uri: str,
    hint_uri: str | None,
    reports: Sequence[Report],
    ended: bool,
) -> str:
    out: list[str] = []
    closed = sum(1 for segment in segments if segment.closed)
    parts_from = closed - SEGMENTS_WITH_PARTS if header.part_target_us is not None else len(segments)
    for index, segment in enumerate(segments):
        text = segment.text(parts=index >= parts_from)
        if not text:
            continue
        if segment.map_uri != map_uri:
            map_uri = segment.map_uri
            text = _with_map(text, map_uri)
        out.append(text)
    if ended:
        out.append("#EXT-X-ENDLIST\n")
    else:
        if hint_uri is not None:
            out.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{hint_uri}"\n')
        out += [report.line for report in reports]
    return "".join(out)


def _with_map(text: str, uri: str) -> str:
    line = f'#EXT-X-MAP:URI="{uri}"\n'
    discontinuity = "#EXT-X-DISCONTINUITY\n"
    if text.startswith(discontinuity):
        return discontinuity + line + text[len(discontinuity) :]
    return line + text


def _seconds(us: int) -> str:
    return f"{us // 1_000_000}.{us % 1_000_000:06d}"

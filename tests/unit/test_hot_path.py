from __future__ import annotations

import re

import pytest

from hls_bridge import hot_path
from hls_bridge.hot_path import Answer, HotPath, hot_request
from hls_bridge.origin import Origin
from hls_bridge.part import EpochStart, Part, PartGroup, TrackSpec

V = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"init-v", 1280, 720, 30)
HEAD = b"GET /hls/s/b/720p30.m3u8%b HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %b\r\n\r\n"


async def test_a_playlist_that_stays_keeps_one_answer_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made once for all players of a second, with its Date; the stream's next part may not come for hours."""
    origin = Origin()
    broadcast = origin.begin("s", "b", record=False)
    origin.handle_event("s", EpochStart((V,), 0))
    origin.handle_event("s", PartGroup((Part("720p30", 0, 0, 0, 333_333, True, False, b"part"),)))
    requests = [
        hot_request(HEAD % (query, encoding)) for query in (b"", b"?x=1") for encoding in (b"gzip", b"")
    ]
    rendered = broadcast.live.tracks["720p30"].full
    assert rendered is not None
    dates = set()
    for second in range(100):
        monkeypatch.setattr(hot_path, "clocks", lambda now=second: (now * 1_000_000, now * 1_000_000))
        if second == 0:
            hot = HotPath(origin)
        hot.handle_second()
        for request in requests:
            assert request is not None
            answers = [hot.answer(request, None) for _ in range(2)]
            assert isinstance(answers[0], Answer)
            assert answers[0] is answers[1], "made once a second"
            dates.update(re.findall(rb"Date: [^\r]+ 00:0[0-9]:[0-9]{2} GMT", answers[0].pieces[0]))
    assert len(dates) == 100
    assert len(rendered.answers) == 2

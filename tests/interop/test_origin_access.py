"""Who may see what of the origin: one stream's token opens nothing of another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from hls_bridge.origin import Origin
from tests.interop.test_origin import Site, fill
from tests.interop.test_recorder import recorder_at


@pytest.mark.parametrize(
    "path",
    ["720p30/1.m4s", "720p30/init-0.mp4", "dvr/best.m3u8", "dvr/720p30/1.m4s"],
)
async def test_a_private_recording_is_not_to_be_had_through_a_public_stream(
    tmp_path: Path, path: str
) -> None:
    async def authorize(stream_id: str, token: str | None) -> bool:
        return stream_id != "secret" or token == "good"

    recorder = recorder_at(tmp_path)
    recorder.start(0)
    site = Site(Origin(archive=recorder, authorize=authorize))
    await site.start()
    try:
        fill(site, "secret")
        site.origin.end("secret")
        assert recorder.flush()
        site.origin.forget("secret")
        assert (await site.get(f"/hls/t/good/secret/b1/{path}"))[0] == 200
        assert (await site.get(f"/hls/secret/b1/{path}"))[0] == 403
        assert (await site.get(f"/hls/anything-public/b1/{path}"))[0] == 404
    finally:
        await site.close()
        recorder.close()

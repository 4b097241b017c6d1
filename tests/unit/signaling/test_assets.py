"""Uploaded images: what is taken, what is kept of it, and what layouts may name."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from signaling.http import assets
from signaling.images import MAX_BYTES
from signaling.node import Node, open_node
from tests.unit.signaling.conftest import Api, ManualClock, node_settings


@pytest.fixture
async def node(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Node]:
    settings = node_settings(tmp_path, roles=["api", "engine"], rtc_port=0)
    async with open_node(settings, clock) as running:
        yield running


class Room:
    """A stream and its owner."""

    def __init__(self, api: Api, token: str, stream_id: str) -> None:
        self.api, self.token = api, token
        self.path = f"/api/v1/streams/{stream_id}"

    async def call(self, method: str, path: str, **options: Any) -> Any:
        return await self.api.call(method, self.path + path, token=self.token, **options)

    async def upload(self, data: bytes) -> Any:
        return await self.call("POST", "/assets", data=data)


@pytest.fixture
async def room(api: Api) -> Room:
    token = await api.sign_up("Ada")
    return Room(api, token, (await api.make_stream(token))["stream_id"])


def image(size: tuple[int, int], mode: str = "RGB", form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, (200, 30, 30, 128)[: len(mode)]).save(out, form, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claims(width: int, height: int, form: str) -> bytes:
    """A file whose header says that it is so large."""
    if form == "PNG":
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size + b"VP8 " + bytes(20)
    return b"RIFF" + struct.pack("<I", len(body)) + body


async def test_what_is_kept_is_scaled_down_and_only_the_picture(room: Room) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera with a name"  # turned by 90 degrees
    answer = await room.upload(image((3000, 1500), form="JPEG", exif=exif))
    assert answer.status == 201, answer.json
    asset = answer.json
    assert (asset["width"], asset["height"]) == (960, 1920)
    assert answer.headers["Location"] == f"{room.path}/assets/{asset['asset_id']}"
    kept = await room.call("GET", f"/assets/{asset['asset_id']}")
    assert kept.headers["Content-Type"] == "image/webp"
    assert len(kept.content) == asset["size"]
    assert b"camera" not in kept.content
    with Image.open(io.BytesIO(kept.content)) as picture:
        assert picture.size == (960, 1920)
        assert picture.convert("RGB").getpixel((5, 5)) == pytest.approx((200, 30, 30), abs=6)


async def test_the_list_and_transparency(room: Room, clock: ManualClock) -> None:
    first = (await room.upload(image((40, 20), "RGBA"))).json
    clock.advance(1)
    second = (await room.upload(image((20, 40), form="WEBP"))).json
    assert (await room.call("GET", "/assets")).json == {"assets": [second, first]}
    kept = await room.call("GET", f"/assets/{first['asset_id']}")
    with Image.open(io.BytesIO(kept.content)) as picture:
        assert picture.getpixel((3, 3))[3] == pytest.approx(128, abs=2)  # type: ignore[index]
    assert (await room.call("DELETE", f"/assets/{first['asset_id']}")).status == 204
    assert (await room.call("GET", f"/assets/{first['asset_id']}")).problem == "asset-not-found"
    assert (await room.call("DELETE", f"/assets/{first['asset_id']}")).problem == "asset-not-found"


@pytest.mark.parametrize("data", [b"", b"<svg/>", image((9, 9), form="GIF"), image((90, 90))[:80]])
async def test_what_is_no_image(room: Room, data: bytes) -> None:
    answer = await room.upload(data)
    assert (answer.status, answer.problem) == (422, "not-an-image")


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
async def test_too_many_pixels_are_refused_by_the_header(room: Room, form: str) -> None:
    answer = await room.upload(claims(16_000, 16_000, form))
    assert (answer.status, answer.problem, answer.json["limit"]) == (422, "image-too-large", 16_000_000)
    assert "at most 16 megapixels" in answer.json["detail"]


async def test_too_many_bytes(room: Room) -> None:
    answer = await room.upload(bytes(MAX_BYTES + 1))
    assert (answer.status, answer.problem, answer.json["limit"]) == (413, "body-too-large", MAX_BYTES)


async def test_too_many_images(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MOST", 1)
    assert (await room.upload(image((8, 8)))).status == 201
    answer = await room.upload(image((8, 8)))
    assert (answer.status, answer.problem, answer.json["limit"]) == (409, "too-many-assets", 1)


async def test_others_see_and_change_nothing(room: Room) -> None:
    asset = (await room.upload(image((8, 8)))).json
    room.token = await room.api.sign_up("Eve")
    for method, path in (("GET", ""), ("POST", ""), ("GET", f"/{asset['asset_id']}"), ("DELETE", "/x")):
        assert (await room.call(method, f"/assets{path}")).problem == "forbidden", (method, path)


async def test_a_layout_names_images_that_there_are(room: Room) -> None:
    asset_id = (await room.upload(image((8, 8)))).json["asset_id"]
    for name in ("background", "logo"):
        unknown = await room.call("PUT", "/layout", body={"layout": "grid", name: "gone"})
        assert (unknown.status, unknown.json["code"]) == (422, "layout-asset")
        taken = await room.call("PUT", "/layout", body={"layout": "grid", name: asset_id})
        assert taken.json == {"layout": "grid", name: asset_id} | dict.fromkeys(
            taken.json.keys() - {"layout", name}
        )
        refused = await room.call("DELETE", f"/assets/{asset_id}")
        assert (refused.status, refused.problem) == (409, "asset-in-use")
    await room.call("PUT", "/layout", body={"layout": "grid", "background": "#123456"})
    assert (await room.call("DELETE", f"/assets/{asset_id}")).status == 204


async def test_images_go_with_their_stream(room: Room, node: Node) -> None:
    asset_id = (await room.upload(image((8, 8)))).json["asset_id"]
    stream_id = room.path.rsplit("/", 1)[1]
    assert await node.assets.data(stream_id, asset_id) is not None
    assert (await room.call("DELETE", "")).status == 204
    assert await node.assets.data(stream_id, asset_id) is None

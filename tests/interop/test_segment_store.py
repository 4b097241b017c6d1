from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hls_bridge.segment_store import DirectoryStore, S3Store, SegmentStore, StoreError
from tests.s3proxy import s3_server


@pytest.fixture(scope="module")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SegmentStore:
    if request.param == "directory":
        return DirectoryStore(tmp_path)
    store = connect(request.getfixturevalue("s3_url"))
    with contextlib.suppress(store._client.exceptions.BucketAlreadyOwnedByYou):
        store._client.create_bucket(Bucket="segments")
    for session in ("s1", "s2"):
        store.delete_session(session)
    return store


def connect(url: str) -> S3Store:
    return S3Store.connect(
        url, "segments", aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1"
    )


def test_put_and_get(store: SegmentStore) -> None:
    data = bytes(range(256)) * 5000
    store.put("s1/720p30/17.m4s", data)
    assert store.get("s1/720p30/17.m4s") == data
    store.put("s1/720p30/17.m4s", b"again")
    assert store.get("s1/720p30/17.m4s") == b"again"
    assert store.get("s1/720p30/18.m4s") is None
    assert store.get("s1/720p30/17.m4s/x") is None


def test_sessions_are_apart(store: SegmentStore) -> None:
    for key in ("s1/a/1.m4s", "s1/b/init-0.mp4", "s2/a/1.m4s"):
        store.put(key, b"x")
    assert list(store.keys("s1")) == ["s1/a/1.m4s", "s1/b/init-0.mp4"]
    store.delete_session("s1")
    assert list(store.keys("s1")) == []
    assert store.get("s1/a/1.m4s") is None
    assert list(store.keys("s2")) == ["s2/a/1.m4s"]
    store.delete_session("s1")


def test_more_keys_than_one_page(store: SegmentStore) -> None:
    for index in range(1005 if isinstance(store, DirectoryStore) else 12):
        store.put(f"s2/a/{index}.m4s", b"")
    count = len(list(store.keys("s2")))
    assert count in (1005, 12)
    store.delete_session("s2")
    assert list(store.keys("s2")) == []


@pytest.mark.parametrize("key", ["", "x", "/etc/passwd", "s1/../s2/x", "s1//x", "s1/x\n", "s1/\0"])
def test_bad_keys_are_refused(store: SegmentStore, key: str) -> None:
    with pytest.raises(ValueError, match="bad segment key"):
        store.put(key, b"x")
    with pytest.raises(ValueError, match="bad segment key"):
        store.get(key)


def test_trouble_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for store in (DirectoryStore(tmp_path / "file"), connect("http://127.0.0.1:9")):
        with pytest.raises(StoreError):
            store.put("s1/a/1.m4s", b"x")

"""Where recorded segments lie: one interface, a directory or S3 behind it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

__all__ = ["DirectoryStore", "S3Store", "SegmentStore", "StoreError"]

_KEY = re.compile(r"[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-.]+)+")


class StoreError(OSError):
    """The store can't be reached, or is full. Try again later."""


class SegmentStore(Protocol):
    """Blocking; call from a thread. Keys are paths like ``{session}/720p30/17.m4s``."""

    def put(self, key: str, data: bytes) -> None:
        """Store all of it or nothing, over what was there. Raises StoreError, ValueError for a bad key."""
        ...

    def take(self, key: str, path: Path) -> None:
        """Store a file and remove it. Raises as `put` does, FileNotFoundError if there is none."""
        ...

    def get(self, key: str) -> bytes | None:
        """None if there is no such key. Raises StoreError."""
        ...

    def delete_session(self, session: str) -> None:
        """Delete all keys that begin with ``{session}/``. Raises StoreError."""
        ...

    def keys(self, session: str) -> Iterable[str]:
        """All keys of a session. Raises StoreError."""
        ...


def check_key(key: str) -> None:
    if not _KEY.fullmatch(key) or ".." in key:
        raise ValueError(f"bad segment key {key!r}")


class DirectoryStore:
    """Files below ``root``; each appears whole, by rename."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        path = self._root / key
        partial = path.with_name(f".{path.name}.{threading.get_ident()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(data)
            os.replace(partial, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise StoreError(error.errno, f"can't store {key}: {error.strerror}") from error

    def take(self, key: str, path: Path) -> None:
        """By renaming it where both lie on one disk: nothing is written twice."""
        check_key(key)
        target = self._root / key
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise StoreError(error.errno, f"can't store {key}: {error.strerror}") from error
            self.put(key, path.read_bytes())
            path.unlink()

    def get(self, key: str) -> bytes | None:
        check_key(key)
        try:
            return (self._root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(error.errno, f"can't read {key}: {error.strerror}") from error

    def delete_session(self, session: str) -> None:
        check_key(f"{session}/x")
        try:
            shutil.rmtree(self._root / session)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(error.errno, f"can't delete {session}: {error.strerror}") from error

    def keys(self, session: str) -> Iterable[str]:
        check_key(f"{session}/x")
        base = self._root / session
        return sorted(
            str(path.relative_to(self._root))
            for path in base.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        )


class S3Store:
    """A bucket, through boto3; the client is safe to use from several threads."""

    def __init__(self, client: Any, bucket: str) -> None:
        """``client``: ``boto3.client("s3", ...)`` with ``max_pool_connections`` for the threads in use."""
        self._client = client
        self._bucket = bucket

    @classmethod
    def connect(cls, url: str, bucket: str, **credentials: str) -> S3Store:
        """A store at an S3-compatible endpoint; credentials come from the environment if not given."""
        import boto3
        from botocore.config import Config

        config = Config(
            max_pool_connections=32,
            connect_timeout=3,
            read_timeout=10,
            # What fails is tried again by whoever asked.
            retries={"total_max_attempts": 2},
            s3={"addressing_style": "path"},
            # Older S3-compatible servers don't know the trailing checksums that newer clients send.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return cls(boto3.client("s3", endpoint_url=url, config=config, **credentials), bucket)

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        self._call("put_object", Key=key, Body=data)

    def take(self, key: str, path: Path) -> None:
        self.put(key, path.read_bytes())
        path.unlink(missing_ok=True)

    def get(self, key: str) -> bytes | None:
        check_key(key)
        answer = self._call("get_object", Key=key)
        if answer is None:
            return None
        from botocore.exceptions import BotoCoreError

        try:
            data: bytes = answer["Body"].read()
        except (BotoCoreError, OSError) as error:
            raise StoreError(f"S3 broke off: {error}") from error
        return data

    def delete_session(self, session: str) -> None:
        keys = list(self.keys(session))
        for at in range(0, len(keys), 1000):
            batch = keys[at : at + 1000]
            objects = [{"Key": key} for key in batch]
            try:
                self._call("delete_objects", Delete={"Objects": objects, "Quiet": True})
            except StoreError as error:
                # Some compatible servers know neither the call nor its checksum header.
                if "NotImplemented" not in str(error) and "MissingContentMD5" not in str(error):
                    raise
                for key in batch:
                    self._call("delete_object", Key=key)

    def keys(self, session: str) -> Iterable[str]:
        check_key(f"{session}/x")
        out: list[str] = []
        token: dict[str, str] = {}
        while True:
            answer = self._call("list_objects_v2", Prefix=f"{session}/", **token)
            if answer is None:
                return out
            found = (item["Key"] for item in answer.get("Contents", ()))
            out += [key for key in found if not key.endswith("/")]
            if not answer.get("IsTruncated"):
                return sorted(out)
            token = {"ContinuationToken": answer["NextContinuationToken"]}

    def _call(self, name: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, name)(Bucket=self._bucket, **arguments)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code in ("NoSuchKey", "404"):
                return None
            raise StoreError(f"S3 refused {name}: {code}") from error
        except BotoCoreError as error:
            raise StoreError(f"S3 can't be reached: {error}") from error

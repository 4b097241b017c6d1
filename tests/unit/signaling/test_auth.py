from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from signaling.auth.passwords import WAITING, Overloaded, Passwords
from signaling.auth.playback_tokens import PlaybackTokens, load_secret
from signaling.auth.secrets import hash_secret, new_id, new_secret
from signaling.auth.stream_keys import CACHED, KEPT_S, StreamKeys
from tests.unit.signaling.conftest import ManualClock


class Keys:
    """The one call of Streams that keys need, and how often it was made."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.asked = 0
        self.hold: asyncio.Event | None = None

    async def by_key(self, key_hash: str) -> str | None:
        self.asked += 1
        found = self.known.get(key_hash)
        if self.hold:
            await self.hold.wait()
        return found


async def test_a_key_is_looked_up_once_in_five_minutes(clock: ManualClock) -> None:
    store = Keys()
    keys = StreamKeys(store, clock)  # type: ignore[arg-type]
    store.known[hash_secret("k")] = "s1"
    assert await keys.stream_of("k") == "s1"
    clock.advance(KEPT_S - 1)
    assert await keys.stream_of("k") == "s1"
    assert store.asked == 1
    clock.advance(1)
    assert await keys.stream_of("k") == "s1"
    assert store.asked == 2


async def test_a_rotation_ends_the_old_key_at_once(clock: ManualClock) -> None:
    store = Keys()
    keys = StreamKeys(store, clock)  # type: ignore[arg-type]
    store.known[hash_secret("old")] = "s1"
    assert await keys.stream_of("old") == "s1"
    store.known = {hash_secret("new"): "s1"}
    keys.forget("s1")
    assert await keys.stream_of("old") is None
    assert await keys.stream_of("new") == "s1"


async def test_a_rotation_during_a_look_up_is_not_missed(clock: ManualClock) -> None:
    store = Keys()
    keys = StreamKeys(store, clock)  # type: ignore[arg-type]
    store.known[hash_secret("old")] = "s1"
    store.hold = asyncio.Event()
    asking = asyncio.create_task(keys.stream_of("old"))
    await asyncio.sleep(0)
    store.known = {}
    keys.forget("s1")
    store.hold.set()
    assert await asking is None


async def test_wrong_keys_are_not_kept_and_the_cache_is_bounded(clock: ManualClock) -> None:
    store = Keys()
    keys = StreamKeys(store, clock)  # type: ignore[arg-type]
    assert await keys.stream_of("") is None
    assert await keys.stream_of("k" * 5000) is None
    assert store.asked == 0
    assert await keys.stream_of("later") is None
    store.known[hash_secret("later")] = "s0"
    assert await keys.stream_of("later") == "s0"
    for number in range(CACHED):
        store.known[hash_secret(f"k{number}")] = "s"
        await keys.stream_of(f"k{number}")
    asked = store.asked
    await keys.stream_of("later")
    assert store.asked == asked + 1, "the oldest made room"


def test_a_playback_token_opens_its_stream_until_it_ends(clock: ManualClock) -> None:
    tokens = PlaybackTokens(b"secret")
    token = tokens.issue("s1", clock.now() + timedelta(seconds=60))
    found = tokens.read(token, clock.now())
    assert found is not None
    assert found.stream_id == "s1"
    assert tokens.read(token, clock.now() + timedelta(seconds=60)) is None
    assert PlaybackTokens(b"other").read(token, clock.now()) is None


def test_a_changed_playback_token_opens_nothing(clock: ManualClock) -> None:
    tokens = PlaybackTokens(b"secret")
    token = tokens.issue("s1", clock.now() + timedelta(seconds=60))
    for at in range(len(token)):
        for letter in "A_.é \x00":
            changed = token[:at] + letter + token[at + 1 :]
            assert changed == token or tokens.read(changed, clock.now()) is None
        assert tokens.read(token[:at], clock.now()) is None
    assert tokens.read(token + "=", clock.now()) is None


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    secret = load_secret(tmp_path / "data")
    assert len(secret) == 32
    assert load_secret(tmp_path / "data") == secret
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600
    (tmp_path / "data" / "secret").write_text("xyz")
    with pytest.raises(OSError, match="holds no secret"):
        load_secret(tmp_path / "data")


async def test_passwords() -> None:
    passwords = Passwords()
    kept = await passwords.hash("correct horse")
    assert kept.startswith("$argon2id$")
    assert await passwords.verify(kept, "correct horse")
    assert not await passwords.verify(kept, "wrong horse")
    assert not await passwords.verify(None, "nobody's password"), "an unknown account has no password"
    assert not await passwords.verify("damaged", "correct horse")
    assert not passwords.is_weak(kept)
    passwords.close()


async def test_a_flood_of_passwords_is_turned_away() -> None:
    passwords = Passwords()
    results = await asyncio.gather(*(passwords.hash("x") for _ in range(WAITING + 3)), return_exceptions=True)
    assert sum(isinstance(each, Overloaded) for each in results) == 3
    passwords.close()


def test_ids_and_secrets_are_random_and_of_one_form() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(each) == 16 and each.isalnum() for each in ids)
    assert len(new_secret("sk_")) == 35

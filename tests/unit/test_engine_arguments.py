"""Malformed arguments are ValueErrors that name what is wrong and never show a secret."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sfu._engine import CodecSpec, Engine, Profile

VP8: CodecSpec = {"payload_type": 96, "name": "VP8", "clock_rate": 90000}
ICE: dict[str, Any] = {
    "local_ufrag": "abcd",
    "local_pwd": "a" * 22,
    "remote_ufrag": "efgh",
    "remote_pwd": "b" * 22,
}
TRANSPORT: dict[str, Any] = ICE | {"extensions": {}, "transport_cc": True, "remb": False, "cname": "c"}
SUBSCRIPTION: dict[str, Any] = {
    "kind": "video",
    "mid": "0",
    "source": 1,
    "codecs": [VP8],
    "ssrc": 1,
    "rtx_ssrc": 2,
}
GCM: Profile = "SRTP_AEAD_AES_128_GCM"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(bind=["127.0.0.1"], workers=2)
    yield engine
    engine.close()


WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "bind": (lambda e: Engine(bind=["localhost"]), "not an IP address"),
    "no bind": (lambda e: Engine(bind=[]), "bind is empty"),
    "port": (lambda e: Engine(bind=["127.0.0.1"], port=65536), "port is out of range: 65536"),
    "workers": (lambda e: Engine(bind=["127.0.0.1"], workers=-1), "workers is out of range"),
    "limit": (lambda e: Engine(bind=["127.0.0.1"], limits={"consent": 1}), "limits has no .*consent_ms"),
    "limit value": (lambda e: Engine(bind=["127.0.0.1"], limits={"connect_ms": -1}), "connect_ms"),
    "ufrag": (lambda e: e.open_transport(**TRANSPORT | {"local_ufrag": "abc"}), "local_ufrag must have"),
    "pwd": (lambda e: e.restart_ice(1, **ICE | {"remote_pwd": "short"}), "remote_pwd must have"),
    "dial": (lambda e: e.open_transport(**TRANSPORT, dial=("127.0.0.1", 70000)), "port is out of range"),
    "extension": (lambda e: e.open_transport(**TRANSPORT | {"extensions": {"mid": 256}}), "0 to 255"),
    "profile": (lambda e: e.set_keys(1, "SRTP_NULL", b"", b""), "unknown SRTP profile"),
    "keys": (lambda e: e.set_keys(1, GCM, b"k" * 28, b"k" * 27), "send must be 28 bytes"),
    "kind": (lambda e: e.open_alias("text"), "kind must be"),
    "no codecs": (lambda e: e.add_track(1, kind="video", mid="0", codecs=[]), "codecs is empty"),
    "payload type": (
        lambda e: e.open_injector(kind="video", codec=VP8 | {"payload_type": 128}),
        "must be 0 to 127, not 128",
    ),
    "codec name": (
        lambda e: e.open_injector(kind="video", codec={"payload_type": 96, "clock_rate": 90000}),
        'codec lacks "name"',
    ),
    "clock rate": (lambda e: e.open_injector(kind="video", codec=VP8 | {"clock_rate": 0}), "positive"),
    "ssrc": (lambda e: e.add_subscription(1, **SUBSCRIPTION | {"ssrc": 1 << 32}), "ssrc is out of range"),
    "sequence": (lambda e: e.inject(1, "", [(65536, 0, False, b"", None)]), "sequence is out of range"),
    "audio level": (lambda e: e.inject(1, "", [(0, 0, False, b"", 256)]), "audio_level is out of range"),
    "queue": (lambda e: e.open_tap(1, queue_packets=0), "at least 1"),
}


@pytest.mark.parametrize("what", WRONG)
def test_malformed_arguments_are_value_errors(engine: Engine, what: str) -> None:
    call, text = WRONG[what]
    with pytest.raises(ValueError, match=text):
        call(engine)


def test_secrets_are_not_in_errors(engine: Engine) -> None:
    for wrong in ({"local_pwd": "secret"}, {"remote_pwd": "secret"}):
        with pytest.raises(ValueError, match="22 to 256") as refused:
            engine.open_transport(**TRANSPORT | wrong)
        assert "secret" not in str(refused.value)
    with pytest.raises(ValueError, match="28 bytes") as refused:
        engine.set_keys(1, GCM, b"secret", b"secret")
    assert "secret" not in str(refused.value)


def test_unknown_ids_are_ignored(engine: Engine) -> None:
    engine.send_dtls(999, b"\x16")
    engine.set_keys(999, GCM, b"k" * 28, b"k" * 28)
    engine.close_transport(999)
    engine.remove_track(999)
    engine.point_alias(999, None)
    engine.remove_alias(999)
    engine.set_source(999, 999, 999)
    engine.close_tap(999)
    engine.request_keyframe(999)
    assert engine.read_tap(999) == ([], 0)
    assert engine.transport_stats(999) is None
    assert engine.track_stats(999) is None
    assert engine.subscription_stats(999) is None


def test_a_tap_of_a_source_that_is_gone_ends() -> None:
    engine = Engine(bind=["127.0.0.1"])
    try:
        alias = engine.open_alias("video")
        engine.remove_alias(alias)
        tap = engine.open_tap(alias)
        assert ("tap-readable", tap) in engine.poll_events()
        assert engine.read_tap(tap) == ([("ended",)], 0)
    finally:
        engine.close()


def test_ids_are_unique_over_all_kinds(engine: Engine) -> None:
    transport = engine.open_transport(**TRANSPORT)
    ids = [
        transport,
        engine.add_track(transport, kind="video", mid="0", codecs=[VP8]),
        engine.add_subscription(transport, **SUBSCRIPTION),
        engine.open_alias("audio"),
        engine.open_injector(kind="video", codec=VP8),
        engine.open_tap(1),
    ]
    assert len(set(ids)) == len(ids)
    stats = engine.transport_stats(transport)
    assert stats is not None
    assert stats["packets_received"] == 0


def test_a_taken_port_is_an_os_error_that_names_it(engine: Engine) -> None:
    with pytest.raises(OSError, match=f"127.0.0.1:{engine.port}") as taken:
        Engine(bind=["127.0.0.1"], port=engine.port)
    assert taken.value.errno in (errno.EADDRINUSE, None)


def test_closing_twice_is_fine_and_orders_after_it_are_ignored() -> None:
    engine = Engine(bind=["127.0.0.1"], workers=2)
    assert engine.workers == 2
    assert [stats["packets_sent"] for stats in engine.worker_stats()] == [0, 0]
    before = engine.now_us()
    assert engine.now_us() >= before
    engine.close()
    engine.close()
    engine.send_dtls(1, b"\x16")
    assert engine.poll_events() == []

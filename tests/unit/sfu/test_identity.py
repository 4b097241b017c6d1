"""The DTLS identity is renewed for new sessions; those that are open keep theirs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from sfu.config import SfuConfig
from sfu.host import StageHost
from sfu.identity import RENEWED, NodeIdentity
from sfu.node import Sfu
from tests.unit.sfu.fake_engine import FakeEngine
from tests.unit.sfu.offers import offer


class WallClock:
    def __init__(self) -> None:
        self.at = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


def fingerprints(sdp: str) -> set[str]:
    return set(re.findall(r"a=fingerprint:sha-256 (\S+)", sdp))


@pytest.mark.parametrize("step", [RENEWED, -RENEWED], ids=["a day later", "the clock was set back"])
def test_another_after_a_day(step: timedelta) -> None:
    clock = WallClock()
    identity = NodeIdentity(clock)
    first = identity.current()
    clock.at += step - step / 1000
    assert identity.current() is first
    clock.at += step / 1000
    second = identity.current()
    assert second.fingerprint != first.fingerprint
    assert identity.current() is second


def test_a_certificate_outlives_its_turn_by_far() -> None:
    identity = NodeIdentity(WallClock()).current()
    made_at = datetime.now(UTC)
    assert made_at + timedelta(days=29) < identity.expires < made_at + timedelta(days=31)


async def test_a_host_who_stays_for_days_is_told_the_certificate_it_knows() -> None:
    clock = WallClock()
    async with Sfu(SfuConfig(host=("127.0.0.1",)), engine=FakeEngine(), now=clock) as sfu:  # type: ignore[arg-type]
        stream = sfu.router.open("show")
        early = StageHost(sfu, stream.join("host", participant_id="early"))
        late = StageHost(sfu, stream.join("host", participant_id="late"))
        first = fingerprints(await early.publish(offer("chromium-publish")))
        clock.at += RENEWED
        again = fingerprints(await early.publish(offer("chromium-publish")))
        other = fingerprints(await late.publish(offer("chromium-publish")))
        assert len(first) == len(other) == 1
        assert again == first
        assert other != first

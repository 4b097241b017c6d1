"""Who may watch, asked for every reload: memory knows it for a while, and for the right ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sfu.problem import Problem
from signaling.admission import KEPT_S, Admission
from signaling.store.records import StreamRecord
from tests.unit.signaling.conftest import Api, ManualClock


@pytest.fixture
def admission(api: Api, clock: ManualClock) -> Admission:
    admission = Admission(api.node.streams, api.node.identity, clock)
    api.node.live.listen(admission)
    return admission


async def test_what_is_known_of_a_public_stream(api: Api, clock: ManualClock, admission: Admission) -> None:
    owner = await api.sign_up()
    stream_id = (await api.make_stream(owner))["stream_id"]
    assert not admission.known(stream_id, None), "nobody has asked yet"
    assert await admission(stream_id, None)
    assert admission.known(stream_id, None)
    clock.advance(KEPT_S)
    assert not admission.known(stream_id, None)
    assert await admission(stream_id, None)
    await api.call("PATCH", f"/api/v1/streams/{stream_id}", {"visibility": "private"}, owner)
    assert not admission.known(stream_id, None), "private at once"
    with pytest.raises(Problem):
        await admission("nothing", None)
    assert not admission.known("nothing", None)


async def test_what_is_known_of_a_private_stream(api: Api, clock: ManualClock, admission: Admission) -> None:
    owner = await api.sign_up()
    mine, other = [(await api.make_stream(owner, visibility="private"))["stream_id"] for _ in range(2)]
    tokens = api.node.playback_tokens
    good, wrong = [tokens.issue(each, clock.now() + timedelta(seconds=5)) for each in (mine, other)]
    assert not admission.known(mine, good)
    assert await admission(mine, good)
    assert admission.known(mine, good)
    for token in (None, "", wrong, good + "x", "pt_", "pt_\xff.\xff", owner):
        assert not admission.known(mine, token), token
    clock.advance(5)
    assert not admission.known(mine, good), "over"


async def test_what_changes_while_the_store_answers_is_not_kept_as_it_was(
    api: Api, admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await api.sign_up()
    stream_id = (await api.make_stream(owner))["stream_id"]
    path, get = f"/api/v1/streams/{stream_id}", api.node.streams.get

    async def get_late(wanted: str) -> StreamRecord | None:
        found = await get(wanted)
        monkeypatch.setattr(api.node.streams, "get", get)
        assert (await api.call("PATCH", path, {"visibility": "private"}, owner)).status == 200
        return found

    monkeypatch.setattr(api.node.streams, "get", get_late)
    assert not await admission(stream_id, None)
    assert not admission.known(stream_id, None)

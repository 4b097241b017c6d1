"""What the engine tells of its load decides about seats, and is said once."""

from __future__ import annotations

import logging

import pytest

from sfu.load import Load
from sfu.seats import NoSeat, Seats
from tests.unit.sfu.conftest import Node


def test_seats_are_refused_while_one_worker_refuses() -> None:
    seats = Seats(10, None)
    load = Load(seats)
    load.handle(0, "layers", 40_000)
    assert (load.stage, seats.free("show")) == ("layers", 10)
    load.handle(0, "seats", 50_000)
    load.handle(1, "thin", 90_000)
    assert (load.stage, seats.free("show")) == ("thin", 0)
    with pytest.raises(NoSeat):
        seats.take("show")
    load.handle(0, "clear", 0)
    assert seats.refusing
    load.handle(1, "layers", 0)
    assert (load.stage, seats.free("show")) == ("layers", 10)


def test_the_log_has_a_line_per_stage_and_one_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    load = Load(Seats(10, None))
    with caplog.at_level(logging.WARNING):
        for stage in ("seats", "thin", "seats", "thin", "seats", "layers", "clear", "clear"):
            load.handle(2, stage, 45_000)
    assert [record.message for record in caplog.records] == [
        "engine worker 2 is overloaded, 45 ms late: new viewers are sent to HLS",
        "engine worker 2 is overloaded, 45 ms late: video of some viewers pauses in turns",
        "engine worker 2 keeps up again: nothing is shed any more",
    ]


async def test_an_overloaded_node_sends_newcomers_to_hls(node: Node) -> None:
    await node.go_live()
    await node.push("load", 0, "seats", 60_000)
    refused = await node.whep()
    document = await refused.json()
    assert (refused.status, document["type"]) == (503, "/problems/no-seat")
    assert document["manifest_url"] == "https://cdn.example/show.m3u8"
    assert "too busy" in document["detail"]
    assert refused.headers["Retry-After"]
    await node.push("load", 0, "clear", 0)
    assert (await node.whep()).status == 201

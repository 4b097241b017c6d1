"""How the engine's workers keep up, as they tell it; seats follow."""

from __future__ import annotations

import logging
from typing import Literal, get_args

from sfu.seats import Seats

__all__ = ["Load", "Stage"]

log = logging.getLogger(__name__)

Stage = Literal["clear", "layers", "seats", "thin"]
"""What a worker sheds, each stage includes those before it: nothing, the better encodings of those who have
lower ones, new seats, the video of some in turns."""

STAGES: tuple[Stage, ...] = get_args(Stage)
MEANINGS = {
    "layers": "viewers receive lower encodings",
    "seats": "new viewers are sent to HLS",
    "thin": "video of some viewers pauses in turns",
}


class Load:
    """The stage of every worker. A new viewer may come to any of them: one refuses for all."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self._stages: dict[int, Stage] = {}
        self._worst: dict[int, int] = {}
        """The last stage told of, per worker, since it was clear."""

    @property
    def stage(self) -> Stage:
        """The furthest of all workers."""
        return max(self._stages.values(), key=STAGES.index, default="clear")

    def handle(self, worker: int, stage: Stage, lateness_us: int) -> None:
        """A worker sheds more or less than before. The log has a line the first time that it takes a stage,
        and one when all is well again."""
        self._stages[worker] = stage
        self._seats.refusing = STAGES.index(self.stage) >= STAGES.index("seats")
        rank = STAGES.index(stage)
        if stage == "clear":
            if self._worst.pop(worker, 0):
                log.warning("engine worker %d keeps up again: nothing is shed any more", worker)
        elif rank > self._worst.get(worker, 0):
            self._worst[worker] = rank
            log.warning(
                "engine worker %d is overloaded, %d ms late: %s", worker, lateness_us // 1000, MEANINGS[stage]
            )

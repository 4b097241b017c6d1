"""The mixer as a node's worker: ``mixer.process:mix``, its messages over the control channel."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from mixer.messages import Event, Message, MixerConfig
from mixer.wire import event_to_document, message_from_document
from mixer.worker import main, monotonic_us
from sfu.media import Participant, ParticipantClosed

__all__ = ["mix"]

log = logging.getLogger(__name__)

NICER = -3
"""Added to the process's niceness: sound that is late because another program had its turn raises the delay.
The engine's threads, which carry packets for everyone, come before it (-5, udp/src/priority.rs)."""


class WorkerParticipant(Participant, Protocol):
    """sfu.relay's participant: with arguments and messages."""

    arguments: dict[str, Any]

    def now_us(self) -> int: ...

    def send(self, message: Mapping[str, Any]) -> None: ...

    def messages(self) -> AsyncIterator[dict[str, Any]]: ...


async def mix(participant: WorkerParticipant) -> None:
    """``arguments`` are the fields of MixerConfig."""
    config = MixerConfig(**participant.arguments)
    # Threads inherit it (setpriority(2)): before the first is started.
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + NICER)

    # both are CLOCK_MONOTONIC, but the engine counts from its start, and only the loop's thread may ask it
    offset_us = participant.now_us() - monotonic_us()

    def clock() -> int:
        return monotonic_us() + offset_us

    def tell(event: Event) -> None:
        participant.send(event_to_document(event))

    try:
        await main(participant, config, _read(participant), clock=clock, tell=tell)
    except ParticipantClosed:
        log.info("the node has ended the relay")


async def _read(participant: WorkerParticipant) -> AsyncIterator[Message]:
    async for document in participant.messages():
        try:
            yield message_from_document(document)
        except ValueError as error:
            log.warning("a message is refused: %s", error)

"""Functions that relay tests run in worker processes."""

from __future__ import annotations

import asyncio
import os
import signal

from sfu.media import Codec, ParticipantClosed, RtpPacket, SenderReport, Source
from sfu.relay.participant import RelayParticipant

NTP_UNIX = 2208988800


async def counting(participant: RelayParticipant) -> None:
    """Taps what it is told and reports every batch."""
    async for message in participant.messages():
        source = Source(message["track_id"], message["kind"])
        try:
            tap = await participant.tap(source)
        except LookupError as error:
            participant.send({"refused": str(error)})
            continue
        participant.send({"tapped": source.track_id})
        async for batch in tap:
            participant.send(
                {
                    "codec": batch.codec.name,
                    "packets": len(batch.packets),
                    "bytes": sum(len(packet.payload) for packet in batch.packets),
                    "first": batch.packets[0].payload[:4].hex(),
                    "report": batch.report is not None,
                }
            )
        participant.send({"ended": source.track_id})


async def watching(participant: RelayParticipant) -> None:
    """Taps a program's two sources as the bridge does, and reports the last byte of each batch."""

    async def follow(source: Source) -> None:
        async for batch in await participant.tap(source):
            participant.send({source.kind: batch.packets[-1].payload[-1]})

    async for message in participant.messages():
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(Source(message["audio"], "audio")))
            group.create_task(follow(Source(message["video"], "video")))


async def publishing(participant: RelayParticipant) -> None:
    """Publishes a VP8 track of one keyframe after the other and tells of keyframe requests."""
    injector = await participant.publish("video", Codec("VP8", 90000))
    participant.send({"track_id": injector.track_id})

    async def requests() -> None:
        while True:
            participant.send({"keyframe": await injector.keyframe_requests()})

    asking = asyncio.create_task(requests())
    # RFC 7741 section 4.3: descriptor S=1; then a keyframe header of 640x360
    keyframe = bytes.fromhex("105006009d012a80026801") + bytes(200)
    try:
        for number in range(100_000):
            if number % 30 == 0:
                injector.report(SenderReport(NTP_UNIX << 32 | (number << 32) // 30, number * 3000))
            injector.send([RtpPacket(number % 65536, number * 3000, True, keyframe)])
            await asyncio.sleep(1 / 30)
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def dying(participant: RelayParticipant) -> None:
    """Says its pid and kills itself when told."""
    participant.send({"pid": os.getpid()})
    async for message in participant.messages():
        if message.get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        if message.get("fail"):
            raise RuntimeError("told to fail")
        if message.get("finish"):
            return
        participant.send({"echo": message})


async def interrupted(participant: RelayParticipant) -> None:
    """Says its pid, and finds its source lost when it is told to stop."""
    participant.send({"pid": os.getpid()})
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ParticipantClosed("the relay was lost") from None


async def out_of_step(participant: RelayParticipant) -> None:
    """Asks for a Track without saying which m-line it is."""
    participant._channel.send({"type": "publish", "id": 1, "kind": "video"})
    await asyncio.Event().wait()

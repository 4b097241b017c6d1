"""Two hosts, the mixer's process, and a viewer who sees one program all the time."""

from __future__ import annotations

import os
import signal

from sfu.events import StreamLive
from tests.interop.mixed_show import near, open_show
from tests.interop.node_app import eventually


async def test_one_two_one_hosts_and_a_mixer_that_dies() -> None:
    async with open_show() as show:
        ada, bob = show.enter("ada", 400, 60), show.enter("bob", 700, 200)
        mixers, stage = show.mixers, show.stream.stage
        await ada.publish()
        await eventually(lambda: StreamLive("show") in show.node.events)
        watching = await show.watch()
        await eventually(lambda: near(watching.halves(), 60, 60))
        assert mixers.pid("show") is None

        await bob.publish()
        await eventually(lambda: stage.mixed, 40)
        await eventually(lambda: near(watching.halves(), 60, 200))
        await eventually(lambda: watching.hears(400) and watching.hears(700))

        # it dies: somebody's own tracks at once, then a new one
        died = mixers.pid("show")
        assert died is not None
        os.kill(died, signal.SIGKILL)
        await eventually(lambda: not stage.mixed)
        shown = show.stream.program.track("video")
        assert shown is not None
        assert shown.participant_id in ("ada", "bob")
        await eventually(lambda: stage.mixed, 40)
        assert mixers.pid("show") != died
        await eventually(lambda: near(watching.halves(), 60, 200))

        # the owner mutes a picture: its place stays, the picture goes
        stage.control("bob", video_muted=True)
        await eventually(lambda: watching.halves()[1] < 150)
        stage.control("bob", audio_muted=True)
        await eventually(lambda: watching.hears(400) and not watching.hears(700))
        stage.control("bob", audio_muted=False)
        stage.control("bob", video_muted=False)
        await eventually(lambda: near(watching.halves(), 60, 200))

        await bob.host.leave()
        assert show.stream.program.track("video") is ada.host.participant.track_of("video")
        await eventually(lambda: near(watching.halves(), 60, 60))
        assert show.stream.viewers == 1
        assert show.problems == []
        assert watching.backwards == 0

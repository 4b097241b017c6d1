"""What else a stage of two shows: a screen beside a camera, and a viewer without the mixer's codec."""

from __future__ import annotations

from mixer.layout import Host, LayoutSpec, Subject, arrange
from signaling.stage_tiles import stage_tiles
from tests.interop.mixed_show import Watching, near, open_show
from tests.interop.node_app import eventually
from tests.interop.stage_host import Colour

ADA, BOB, SCREEN = 60, 200, 130
"""Luma."""


def tiles(watching: Watching, spec: LayoutSpec, speaker: str | None, *, screen: bool) -> dict[Subject, float]:
    """Brightness in the middle of each tile that the layout has; without a screen the speaker leads."""
    if watching.luma is None:
        return {}
    height, width = watching.luma.shape
    hosts = [Host("ada", "ada", screen), Host("bob", "bob")]
    found = {}
    for tile in arrange(hosts, spec, (width, height), speaker).tiles:
        x, y = tile.rect.x + tile.rect.w * 0.4, tile.rect.y + tile.rect.h * 0.4
        part = watching.luma[int(y) : int(y + tile.rect.h * 0.2), int(x) : int(x + tile.rect.w * 0.2)]
        found[tile.subject] = float(part.mean())
    return found


def show_all(found: dict[Subject, float], wanted: dict[Subject, int]) -> bool:
    return found.keys() == wanted.keys() and all(abs(found[each] - wanted[each]) < 12 for each in wanted)


async def test_a_screen_beside_the_camera() -> None:
    cameras = {Subject("ada", "camera"): ADA, Subject("bob", "camera"): BOB}
    spec = LayoutSpec("spotlight")
    async with open_show() as show:
        ada, bob = show.enter("ada", 400, ADA), show.enter("bob", 700, BOB)
        stage = show.stream.stage
        stage.set_layout({"layout": "spotlight"})
        await ada.publish()
        await bob.publish()
        await eventually(lambda: show.stream.live)
        watching = await show.watch()
        await eventually(lambda: stage.mixed, 40)

        await bob.subscribe(1, 1)
        await eventually(lambda: len(bob.seen) == 1)
        await ada.share(Colour((SCREEN, 128, 128)))
        await bob.subscribe(1, 2)
        sources = {mid: each.source for mid, each in bob.received.items() if each.kind == "video"}
        assert sorted(sources.values()) == ["camera", "screen"]
        seen = {"camera": ADA, "screen": SCREEN}

        def others_see_both() -> bool:
            pictures = {sources[mid]: frame for mid, frame in bob.seen.items() if mid in sources}
            return pictures.keys() == seen.keys() and all(
                abs(frame.to_ndarray(format="gray").mean() - seen[source]) < 12
                for source, frame in pictures.items()
            )

        await eventually(others_see_both)
        # the screen stands in front, both cameras beside it
        with_screen = cameras | {Subject("ada", "screen"): SCREEN}
        await eventually(lambda: show_all(tiles(watching, spec, stage.speaker, screen=True), with_screen))

        # what the owner hides is gone from the picture, the screen's tile with it
        stage.control("ada", video_muted=True)
        bob_alone = Subject("bob", "camera")
        await eventually(
            lambda: (
                abs(tiles(watching, spec, stage.speaker, screen=False).get(bob_alone, 0) - BOB) < 12
                and {each.participant_id for each in stage_tiles(stage, spec)} == {"ada", "bob"}
            )
        )
        assert len(stage_tiles(stage, spec)) == 2
        stage.control("ada", video_muted=False)
        await eventually(lambda: show_all(tiles(watching, spec, stage.speaker, screen=True), with_screen))

        await ada.unshare()
        await eventually(lambda: show_all(tiles(watching, spec, stage.speaker, screen=False), cameras))
        assert watching.backwards == 0


async def test_a_viewer_without_the_mixers_codec_sees_the_speaker() -> None:
    """The hosts send VP8, the mixer H.264: Firefox without its plugin."""
    async with open_show() as show:
        ada, bob = show.enter("ada", 400, ADA, "VP8"), show.enter("bob", 700, BOB, "VP8")
        await ada.publish()
        await eventually(lambda: show.stream.live)
        early, with_all = await show.watch("VP8"), await show.watch()
        await eventually(lambda: near(early.halves(), ADA, ADA))
        await bob.publish()
        await eventually(lambda: near(with_all.halves(), ADA, BOB), 40)
        # one who was there before the mixer, and one who comes while it runs
        late = await show.watch("VP8")

        def sees(watching: Watching, name: str) -> bool:
            luma = {"ada": ADA, "bob": BOB}[name]
            return near(watching.halves(), luma, luma)

        lead = show.stream.stage.lead
        assert lead is not None
        await eventually(lambda: sees(early, lead.participant_id) and sees(late, lead.participant_id))
        # the other one speaks now
        other = "bob" if lead.participant_id == "ada" else "ada"
        show.stream.stage.control(lead.participant_id, audio_muted=True)
        await eventually(lambda: sees(early, other) and sees(late, other))
        assert near(with_all.halves(), ADA, BOB)
        assert early.backwards == 0

"""A stage as the API shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixer.layout import parse_layout
from sfu.participant import Participant
from sfu.stage import Stage
from signaling.models import HostAudio, HostTrack, HostVideo, Layout, StageParticipant, StageView
from signaling.stage_tiles import stage_tiles

__all__ = ["host_view", "stage_view"]


def stage_view(stage: Stage | None, layout: Mapping[str, Any]) -> StageView:
    """``stage``: None where nobody is."""
    shown = Layout.model_validate(layout)
    if stage is None:
        return StageView(participants=[], layout=shown, tiles=[])
    hosts = [host_view(stage, each) for each in stage.hosts]
    return StageView(participants=hosts, layout=shown, tiles=stage_tiles(stage, parse_layout(layout)))


def host_view(stage: Stage, host: Participant) -> StageParticipant:
    controls = stage.controls(host.participant_id)
    return StageParticipant(
        participant_id=host.participant_id,
        name=host.name,
        role="owner" if host.owner else "co-host",
        audio=HostAudio(muted=controls.audio_muted, gain_db=controls.gain_db),
        video=HostVideo(muted=controls.video_muted),
        tracks=[
            HostTrack(track_id=str(t.track_id), kind=t.kind, source=t.source, flowing=t.flowing)
            for t in host.tracks.values()
        ],
        speaking=host.participant_id in stage.speaking,
    )

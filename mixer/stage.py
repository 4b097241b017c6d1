"""Who is on stage and how it looks at a moment. No tasks, no sockets; times are arguments."""

from __future__ import annotations

from threading import Lock

from mixer.assets import Assets
from mixer.composite import Picture, Scene
from mixer.decode import DeviceDecoding
from mixer.layout import Animator, Host, LayoutSpec, Subject, arrange, check_layout
from mixer.messages import SetHost
from mixer.staging import stage_scene
from mixer.sync import Delay, HostSync
from mixer.timing import Timing
from mixer.video import VideoInput

__all__ = ["HostState", "Stage"]


class HostState:
    """One host: the shared clock of camera and microphone, and another for a shared screen.

    A screen is a source of its own: its sound and picture belong together, but it must not make the
    camera wait.
    """

    def __init__(self, about: SetHost, device: DeviceDecoding | None = None) -> None:
        self.about = about
        self._device = device
        self.sync = HostSync()
        self.screen_sync = HostSync()
        self.videos: dict[Subject, VideoInput] = {}

    def video(self, subject: Subject) -> VideoInput:
        if subject not in self.videos:
            sync = self.sync if subject.source == "camera" else self.screen_sync
            self.videos[subject] = VideoInput(sync, self._device)
        return self.videos[subject]

    def drop_video(self, subject: Subject) -> None:
        video = self.videos.pop(subject, None)
        if video is not None:
            video.close()


class Stage:
    """The hosts in order of arrival, the layout, and the animation between layouts.

    Changed by the event loop's thread, drawn by the compositor's.
    """

    def __init__(self, width: int, height: int, device: DeviceDecoding | None = None) -> None:
        """``device`` decodes pictures, if there is one; else the CPU does."""
        self._device = device
        self.assets = Assets()
        self._lock = Lock()
        self._size = (width, height)
        self._hosts: dict[str, HostState] = {}
        self._spec = LayoutSpec()
        self._speaker: str | None = None
        self._drawn: dict[Subject, Picture | None] = {}
        self._names: dict[str, str] = {}
        self._animator = Animator(arrange([], self._spec, self._size))
        self.timing = Timing()

    @property
    def hosts(self) -> dict[str, HostState]:
        return self._hosts

    def set_host(self, about: SetHost, now_us: int) -> HostState:
        with self._lock:
            state = self._hosts.get(about.participant_id)
            if state is None:
                state = self._hosts[about.participant_id] = HostState(about, self._device)
            state.about = about
        self._arrange(now_us)
        return state

    def remove_host(self, participant_id: str, now_us: int) -> None:
        with self._lock:
            self._hosts.pop(participant_id, None)
        self._arrange(now_us)

    def set_layout(self, spec: LayoutSpec, now_us: int) -> None:
        """Raises LayoutError if it makes no sense for those on stage; the old layout stays then."""
        check_layout(spec, self._as_hosts())
        self._spec = spec
        self._arrange(now_us)

    def set_speaker(self, participant_id: str | None, now_us: int) -> None:
        self._speaker = participant_id
        self._arrange(now_us)

    def rectangles(self) -> dict[Subject, tuple[int, int]]:
        """Width and height in pixels that each subject has, or will have after the transition."""
        with self._lock:
            tiles = self._animator.target.tiles
        return {tile.subject: (round(tile.rect.w), round(tile.rect.h)) for tile in tiles}

    def delay(self) -> Delay:
        """Of the host who is waited for longest."""
        with self._lock:
            hosts = list(self._hosts.values())
        return max((host.sync.delay for host in hosts), default=Delay())

    def scene(self, now_us: int) -> Scene:
        """What is to be drawn for the moment ``now_us``."""
        with self._lock:
            arrangement = self._animator.at(now_us)
            hosts = dict(self._hosts)
        pictures = {tile.subject: self._drawn.get(tile.subject) for tile in arrangement.tiles}
        for participant_id, host in hosts.items():
            self._names[participant_id] = host.about.name
            for subject, video in list(host.videos.items()):
                # Asked also when muted, so that its queue moves on.
                shown = video.at(now_us)
                if shown.waited_us is not None:
                    self.timing.add("input", shown.waited_us)
                muted = host.about.video_muted and subject.source == "camera"
                pictures[subject] = None if muted else shown.picture
        # Who has left is drawn as last seen until the transition has taken the tile away.
        there = {subject.participant_id for subject in pictures} | set(hosts)
        self._drawn = pictures
        self._names = {key: name for key, name in self._names.items() if key in there}
        return stage_scene(arrangement, pictures, self._names, self.assets)

    def _as_hosts(self) -> list[Host]:
        with self._lock:
            return [
                Host(key, host.about.name, host.about.screen is not None) for key, host in self._hosts.items()
            ]

    def _arrange(self, now_us: int) -> None:
        arrangement = arrange(self._as_hosts(), self._spec, self._size, self._speaker)
        with self._lock:
            self._animator.set(arrangement, now_us)

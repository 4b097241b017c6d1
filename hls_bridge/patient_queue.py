"""Jobs that are done in order by a thread of their own, and tried again until they work."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

__all__ = ["RETRY_S", "PatientQueue"]

log = logging.getLogger(__name__)

RETRY_S = 2.0
"""A disk that gets space again, or a store that comes back, is noticed within a segment's length."""


@dataclass(slots=True, eq=False)
class _Job:
    run: Callable[[], None]
    tag: Hashable


class PatientQueue:
    """``put`` never blocks. A job may raise OSError: then all wait until it works, which is told once.

    With more than one thread jobs overtake each other.
    """

    def __init__(
        self, name: str, *, failing: str, working: str, threads: int = 1, retry_s: float = RETRY_S
    ) -> None:
        """``failing`` and ``working``: what the log says when jobs begin to fail, and work again."""
        self._failing = failing
        self._working = working
        self._retry_s = retry_s
        self._jobs: deque[_Job] = deque()
        self._running = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(threads)]
        self.trouble: str | None = None
        """Why jobs fail at present; None: they don't."""

    @property
    def waiting(self) -> int:
        """Jobs that are not done."""
        return len(self._jobs) + self._running

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, run: Callable[[], None], tag: Hashable = None) -> None:
        with self._changed:
            self._jobs.append(_Job(run, tag))
            self._changed.notify()

    def tags(self) -> list[Hashable]:
        """Of jobs that nobody has begun, oldest first."""
        with self._changed:
            return [job.tag for job in self._jobs if job.tag is not None]

    def drop(self, tag: Hashable) -> bool:
        """Forget a job that nobody has begun; whether there was one."""
        with self._changed:
            for job in self._jobs:
                if job.tag == tag:
                    self._jobs.remove(job)
                    return True
        return False

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is done; False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.waiting, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Do what is left, unless it fails anyway, and join."""
        with self._changed:
            self._changed.wait_for(lambda: not self.waiting or self.trouble is not None, timeout_s)
            self._stopping.set()
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_s / len(self._threads))

    def _work(self) -> None:
        while (job := self._next()) is not None:
            while not self._done(job):
                if self._stopping.wait(self._retry_s):
                    return

    def _next(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._stopping.is_set())
            if self._stopping.is_set():
                return None
            self._running += 1
            return self._jobs.popleft()

    def _done(self, job: _Job) -> bool:
        try:
            job.run()
        except OSError as error:
            with self._changed:
                first, self.trouble = self.trouble is None, str(error)
                self._changed.notify_all()
            if first:
                log.warning("%s: %s; trying again every %g s", self._failing, error, self._retry_s)
            return False
        with self._changed:
            again, self.trouble = self.trouble is not None, None
            self._running -= 1
            self._changed.notify_all()
        if again:
            log.warning("%s", self._working)
        return True

"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def same_priority() -> Iterator[None]:
    """No test leaves its thread real-time: all that is begun later would inherit it."""
    before = os.sched_getscheduler(0)
    yield
    assert os.sched_getscheduler(0) == before, "a library changed this thread's scheduling policy"

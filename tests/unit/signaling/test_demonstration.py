"""The demo's account and stream, when the file that notes them is none."""

from __future__ import annotations

import asyncio
import json

import pytest

from signaling import demonstration
from signaling.errors import StartError
from signaling.node import Node


@pytest.fixture(autouse=True)
def nobody_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstration, "PUBLISHER", "signaling.version")


async def test_a_note_that_was_cut_short_is_made_anew(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    note = node.settings.data_dir / "demo.json"
    for wrong in ("", '{"acc', "[]", '{"account_id": 1}'):
        note.write_text(wrong)
        async with demonstration.demonstration(node, asyncio.Event()):
            pass
        assert "Sign in: demo" in capsys.readouterr().out
        assert await node.accounts.get(json.loads(note.read_text())["account_id"]) is not None


async def test_a_note_that_can_not_be_kept_is_told(node: Node) -> None:
    (node.settings.data_dir / "demo.json").mkdir()
    with pytest.raises(StartError, match=r"^data_dir: .* can't be kept: .*demo\.json"):
        async with demonstration.demonstration(node, asyncio.Event()):
            pass

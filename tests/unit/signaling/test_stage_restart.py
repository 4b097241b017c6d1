"""A node that is started anew in the middle of a show: its hosts come back to the stage that they left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from signaling.node import open_node
from signaling.store.interfaces import StoreFull
from signaling.store.sql_directions import SqlDirections
from signaling.store.sql_reentries import SqlReentries
from tests.unit.signaling.conftest import Api, ManualClock, node_settings
from tests.unit.signaling.test_assets import image
from tests.unit.signaling.test_gateway import Page
from tests.unit.signaling.test_stage import Show

Start = Callable[[], Any]


class Run:
    """One life of a node, and the pages that are open meanwhile."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._pages: list[Page] = []

    async def page(self, show: Show, *, owner: bool = False) -> Page:
        page = Page()
        self._pages.append(page)
        auth = {"token": show.token} if owner else None
        await page.client.connect(self.api.node.url, auth=auth, transports=["websocket"])
        if owner:
            assert (await page.call("join", {"stream_id": show.stream_id}))["ok"]
        return page

    async def close(self) -> None:
        for page in self._pages:
            await page.client.disconnect()


@pytest.fixture
def start(tmp_path: Path, clock: ManualClock) -> Start:
    @asynccontextmanager
    async def running() -> AsyncIterator[Run]:
        settings = node_settings(tmp_path, roles=["api", "gateway", "engine"], rtc_port=0)
        async with open_node(settings, clock) as node, aiohttp.ClientSession() as http:
            run = Run(Api(node, http))
            yield run
            await run.close()

    return running


async def begin(run: Run) -> tuple[Show, Any, Any, str]:
    """A show with its owner and a guest: what both were given, and the guest's invite."""
    token = await run.api.sign_up("Ada")
    show = Show(run.api, token, (await run.api.make_stream(token))["stream_id"])
    owner, guest = await run.page(show, owner=True), await run.page(show)
    invite = await show.invite(name="Bob")
    entered = [await owner.call("stage:enter", {}), await guest.call("stage:enter", {"invite": invite})]
    assert all(each["ok"] for each in entered), entered
    return show, *entered, invite


async def again(run: Run, show: Show, entered: Any, *, owner: bool = False) -> Any:
    page = await run.page(show, owner=owner)
    return await page.call("stage:enter", {"invite": entered["reentry"]})


def host(stage: Any, entered: Any) -> Any:
    [found] = [p for p in stage["participants"] if p["participant_id"] == entered["participant_id"]]
    return found


async def test_what_the_owner_decided_is_in_force_again(start: Start) -> None:
    async with start() as run:
        show, ada, bob, _ = await begin(run)
        logo = (
            await show.api.call("POST", f"{show.path}/assets", data=image((64, 64)), token=show.token)
        ).json
        layout = {
            "layout": "custom",
            "pinned": bob["participant_id"],
            "tiles": [{"participant_id": bob["participant_id"], "x": 0, "y": 0, "w": 1, "h": 0.5}],
            "background": "#102030",
            "logo": logo["asset_id"],
            "lower_third": {"text": "The evening show"},
        }
        assert (await show.call("PUT", "/layout", layout)).status == 200
        decided = {"muted": True, "gain_db": -6, "video": {"muted": True}}
        before = (await show.call("PATCH", f"/stage/{bob['participant_id']}", decided)).json
        asked = (await show.call("GET", "/stage")).json["layout"]
        assert asked["layout"] == "custom"
    async with start() as run:
        show.api = run.api
        assert (await show.call("GET", "/stage")).json == {"participants": [], "layout": asked, "tiles": []}
        refused = await show.call("DELETE", f"/assets/{logo['asset_id']}")
        assert refused.problem == "asset-in-use"
        assert (await again(run, show, ada, owner=True))["participant_id"] == "owner"
        back = await again(run, show, bob)
        assert back["participant_id"] == bob["participant_id"]
        stage = (await show.call("GET", "/stage")).json
        assert stage["layout"] == asked
        for name in ("name", "role", "audio", "video"):
            assert host(stage, bob)[name] == before[name]
        assert host(stage, ada)["audio"] == {"muted": False, "gain_db": 0.0}
        # and can be taken back
        freed = {"muted": False, "gain_db": 0, "video": {"muted": False}}
        assert (await show.call("PATCH", f"/stage/{bob['participant_id']}", freed)).status == 200
        assert host((await show.call("GET", "/stage")).json, bob)["audio"]["muted"] is False
    async with start() as run:
        show.api = run.api
        assert (await again(run, show, bob))["ok"]
        assert host((await show.call("GET", "/stage")).json, bob)["video"] == {"muted": False}


async def test_a_stage_that_everybody_left_is_as_it_was(start: Start) -> None:
    async with start() as run:
        show, ada, bob, _ = await begin(run)
        assert (await show.call("PATCH", f"/stage/{bob['participant_id']}", {"muted": True})).status == 200
        for entered in (ada, bob):
            page = await run.page(show, owner=entered is ada)
            assert (await page.call("stage:enter", {"invite": entered["reentry"]}))["ok"]
            assert (await page.call("stage:leave"))["ok"]
        assert await show.hosts() == []
        assert (await again(run, show, bob))["ok"]
        assert host((await show.call("GET", "/stage")).json, bob)["audio"]["muted"]


async def test_an_encoder_is_muted_as_before(start: Start) -> None:
    async with start() as run:
        show, _, _, _ = await begin(run)
        invite = await show.invite(name="Cy's OBS")
        assert (await show.whip(invite)).status == 201
        [cy] = [p for p in (await show.call("GET", "/stage")).json["participants"] if p["name"] == "Cy's OBS"]
        assert (await show.call("PATCH", f"/stage/{cy['participant_id']}", {"muted": True})).status == 200
    async with start() as run:
        show.api = run.api
        assert (await show.whip(invite)).status == 201
        [cy] = (await show.call("GET", "/stage")).json["participants"]
        assert cy["audio"]["muted"]


async def test_who_was_sent_away_does_not_come_back(start: Start, clock: ManualClock) -> None:
    async with start() as run:
        show, _, bob, invite = await begin(run)
        cy_invite = await show.invite(name="Cy")
        cy = await (await run.page(show)).call("stage:enter", {"invite": cy_invite})
        assert (await show.call("DELETE", f"/stage/{bob['participant_id']}")).status == 204
        dee_invite, page = await show.invite(name="Dee"), await run.page(show)
        dee = await page.call("stage:enter", {"invite": dee_invite})
        assert (await page.call("stage:leave"))["ok"]
        # with nobody on stage who entered with it
        assert (await show.call("DELETE", f"/invites/{dee_invite}")).status == 204
        assert (await again(run, show, dee))["problem"]["type"] == "/problems/wrong-invite"
    async with start() as run:
        show.api = run.api
        for gone in (bob, dee):
            assert (await again(run, show, gone))["problem"]["type"] == "/problems/wrong-invite"
        for used in (invite, dee_invite):
            page = await run.page(show)
            assert not (await page.call("stage:enter", {"invite": used}))["ok"]
        assert (await again(run, show, cy))["ok"]
        clock.advance(8 * 86_400)
    async with start() as run:
        show.api = run.api
        assert (await again(run, show, cy))["problem"]["type"] == "/problems/wrong-invite", "a week later"


async def test_the_owners_older_page_does_not_share_what_the_newer_one_has(start: Start) -> None:
    async with start() as run:
        show, ada, _, _ = await begin(run)
        newer = await (await run.page(show, owner=True)).call("stage:enter", {})
        assert newer["participant_id"] == "owner"
        refused = await again(run, show, ada, owner=True)
        assert refused["problem"]["type"] == "/problems/wrong-invite"
        assert (await again(run, show, newer, owner=True))["ok"]
    async with start() as run:
        show.api = run.api
        assert not (await again(run, show, ada, owner=True))["ok"]
        assert (await again(run, show, newer, owner=True))["ok"]


async def test_a_full_database_keeps_nobody_from_the_show(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise StoreFull("the database is full")

    for store in (SqlDirections, SqlReentries):
        monkeypatch.setattr(store, "set", full)
    async with start() as run:
        show, ada, bob, _ = await begin(run)
        assert (await show.call("PUT", "/layout", {"layout": "spotlight"})).status == 200
        assert (await show.call("PATCH", f"/stage/{bob['participant_id']}", {"muted": True})).status == 200
        assert (await again(run, show, ada, owner=True))["ok"]
        assert (await again(run, show, bob))["ok"]
        stage = (await show.call("GET", "/stage")).json
        assert (stage["layout"]["layout"], host(stage, bob)["audio"]["muted"]) == ("spotlight", True)

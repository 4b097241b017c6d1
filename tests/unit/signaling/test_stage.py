"""Invites, entering, and what the owner decides: over HTTP and Socket.IO, without media."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signaling.node import Node, open_node
from tests.unit.sfu.offers import offer
from tests.unit.signaling.conftest import Api, ManualClock, node_settings
from tests.unit.signaling.test_gateway import Open, open_page

__all__ = ["open_page"]


@pytest.fixture
async def node(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Node]:
    """With the engine: a stage is where media is."""
    settings = node_settings(tmp_path, roles=["api", "gateway", "engine"], rtc_port=0, hosts_per_stage=3)
    async with open_node(settings, clock) as running:
        yield running


class Show:
    """A stream and its owner."""

    def __init__(self, api: Api, token: str, stream_id: str) -> None:
        self.api, self.token, self.stream_id = api, token, stream_id
        self.path = f"/api/v1/streams/{stream_id}"

    async def call(self, method: str, path: str, body: object = None) -> Any:
        return await self.api.call(method, self.path + path, body, self.token)

    async def invite(self, **values: object) -> str:
        answer = await self.call("POST", "/invites", values)
        assert answer.status == 201, answer.json
        invite: str = answer.json["invite"]
        return invite

    async def whip(self, key: str) -> Any:
        return await self.api.call(
            "POST",
            f"/whip/{key}",
            data=offer("chromium-publish"),
            headers={"Content-Type": "application/sdp"},
        )

    async def hosts(self) -> list[str]:
        return [each["name"] for each in (await self.call("GET", "/stage")).json["participants"]]


@pytest.fixture
async def show(api: Api) -> Show:
    token = await api.sign_up("Ada")
    return Show(api, token, (await api.make_stream(token))["stream_id"])


async def test_an_invite_tells_where_to_go(show: Show) -> None:
    answer = await show.call("POST", "/invites", {"name": "Bob", "ttl_s": 60})
    url = show.api.node.url
    invite = answer.json["invite"]
    assert answer.json == {
        "invite": invite,
        "expires_at": "2030-01-01T12:01:00Z",
        "studio_url": f"{url}/studio/{show.stream_id}?invite={invite}",
        "whip_url": f"{url}/whip/{invite}",
    }


async def test_an_invite_lets_one_page_in_once(show: Show, open_page: Open) -> None:
    invite = await show.invite()
    page = await open_page()
    entered = await page.call("stage:enter", {"invite": invite, "name": "Bob"})
    assert entered["ok"], entered
    assert [each["name"] for each in entered["stage"]["participants"]] == ["Bob"]
    other = await open_page()
    refused = await other.call("stage:enter", {"invite": invite, "name": "Eve"})
    assert refused["problem"]["type"] == "/problems/invite-used"
    assert (await show.whip(invite)).problem == "invite-used"
    # the same page comes back with what it was given
    again = await other.call("stage:enter", {"invite": entered["reentry"]})
    assert again["participant_id"] == entered["participant_id"]
    assert await show.hosts() == ["Bob"]


async def test_an_invite_can_be_looked_at_before_it_is_used(
    show: Show, open_page: Open, clock: ManualClock
) -> None:
    page = await open_page()
    invite, late = await show.invite(name="Bob"), await show.invite(ttl_s=10)
    seen = await page.call("stage:look", {"invite": invite})
    record = (await show.call("GET", "")).json
    assert seen == {
        "ok": True,
        "stream_id": show.stream_id,
        "title": record["title"],
        "broadcaster_name": "Ada",
        "name": "Bob",
    }
    assert (await page.call("stage:look", {"invite": late}))["name"] is None
    clock.advance(11)
    entered = await page.call("stage:enter", {"invite": invite})
    assert entered["ok"], "it was used by looking at it"
    assert (await page.call("stage:look", {"invite": entered["reentry"]}))["name"] == "Bob"
    for wrong, kind in ((invite, "invite-used"), (late, "invite-expired"), ("si_no", "wrong-invite")):
        refused = await page.call("stage:look", {"invite": wrong})
        assert refused["problem"]["type"] == f"/problems/{kind}"
    assert await show.hosts() == ["Bob"]


async def test_wrong_and_expired_invites(show: Show, open_page: Open, clock: ManualClock) -> None:
    page = await open_page()
    for invite in ("si_wrong", "", "x" * 128):
        refused = await page.call("stage:enter", {"invite": invite})
        assert refused["problem"]["type"] == "/problems/wrong-invite", invite
    late = await show.invite(ttl_s=10)
    clock.advance(11)
    refused = await page.call("stage:enter", {"invite": late})
    assert refused["problem"]["type"] == "/problems/invite-expired"
    answer = await show.whip(late)
    assert (answer.status, answer.problem) == (410, "invite-expired")
    assert (await show.whip("si_wrong")).status == 401
    refused = await page.call("stage:enter", {})
    assert refused["problem"]["type"] == "/problems/not-on-stage"


async def test_a_revoked_invite_ends_with_who_used_it(show: Show, open_page: Open) -> None:
    invite = await show.invite()
    page = await open_page()
    entered = await page.call("stage:enter", {"invite": invite, "name": "Bob"})
    assert (await show.call("DELETE", f"/invites/{invite}")).status == 204
    assert (await page.next("notice"))["type"] == "stage-revoked"
    assert await show.hosts() == []
    refused = await page.call("stage:enter", {"invite": entered["reentry"]})
    assert refused["problem"]["type"] == "/problems/wrong-invite"
    assert (await show.call("DELETE", f"/invites/{invite}")).problem == "invite-not-found"


async def test_with_the_stream_its_stage_ends(show: Show, open_page: Open) -> None:
    invite, page = await show.invite(), await open_page()
    entered = await page.call("stage:enter", {"invite": invite, "name": "Bob"})
    assert (await show.call("DELETE", "")).status == 204
    assert (await page.next("notice"))["type"] == "stream-deleted"
    for secret in (entered["reentry"], invite):
        for event in ("stage:look", "stage:enter"):
            refused = await page.call(event, {"invite": secret})
            assert refused["problem"]["type"] == "/problems/wrong-invite", (event, secret[:3])


async def test_one_host_too_many_keeps_the_invite(show: Show, open_page: Open) -> None:
    pages = [await open_page() for _ in range(3)]
    invites = [await show.invite(name=name) for name in ("Bob", "Cy", "Dee")]
    for page, invite in zip(pages[:2], invites, strict=False):
        assert (await page.call("stage:enter", {"invite": invite}))["ok"]
    refused = await pages[2].call("stage:enter", {"invite": invites[2]})
    assert refused["problem"]["type"] == "/problems/stage-full"
    assert refused["problem"]["limit"] == 3
    assert (await show.whip(invites[2])).problem == "stage-full"
    await pages[0].call("stage:leave")
    assert (await pages[2].call("stage:enter", {"invite": invites[2]}))["ok"]
    assert await show.hosts() == ["Cy", "Dee"]


async def test_obs_is_a_host_and_may_reconnect(show: Show) -> None:
    invite = await show.invite(name="Bob's OBS")
    for _ in range(2):
        assert (await show.whip(invite)).status == 201
    stage = (await show.call("GET", "/stage")).json
    assert [(each["name"], each["role"]) for each in stage["participants"]] == [("Bob's OBS", "co-host")]
    assert {each["source"] for each in stage["participants"][0]["tracks"]} == {"camera", "microphone"}


async def test_the_owner_directs(show: Show, open_page: Open) -> None:
    owner = await open_page({"token": show.token})
    await owner.call("join", {"stream_id": show.stream_id})
    assert (await owner.call("stage:enter", {}))["participant_id"] == "owner"
    guest = await open_page()
    bob = (await guest.call("stage:enter", {"invite": await show.invite(), "name": "Bob"}))["participant_id"]
    changed = await show.call("PATCH", f"/stage/{bob}", {"muted": True, "gain_db": -6})
    assert changed.json["audio"] == {"muted": True, "gain_db": -6.0}
    assert (await show.call("PATCH", "/stage/nobody", {"muted": True})).problem == "host-not-found"
    layout = {"layout": "spotlight", "pinned": bob, "lower_third": {"text": "Hello"}}
    assert (await show.call("PUT", "/layout", layout)).status == 200
    while (seen := await guest.next("stage"))["layout"] != layout:
        pass
    assert [each["name"] for each in seen["participants"]] == ["Ada", "Bob"]
    for wrong, code in (
        ({"layout": "spotlight", "pinned": "nobody"}, "layout-pinned"),
        (
            {"layout": "custom", "tiles": [{"participant_id": "nobody", "x": 0, "y": 0, "w": 1, "h": 1}]},
            "layout-names-nobody",
        ),
        ({"layout": "custom"}, "layout-names-nobody"),
    ):
        answer = await show.call("PUT", "/layout", wrong)
        assert (answer.problem, answer.json["code"]) == ("bad-layout", code)
        assert answer.json["detail"][0].isupper()
        assert answer.json["detail"].endswith(".")
    assert layout.items() <= (await show.call("GET", "/stage")).json["layout"].items()
    assert (await show.call("PUT", "/layout", {"layout": "circle"})).problem == "invalid-request"
    assert (await show.call("DELETE", f"/stage/{bob}")).status == 204
    assert (await guest.next("notice"))["type"] == "stage-removed"
    assert (await guest.call("publish", {"sdp": "v=0"}))["problem"]["type"] == "/problems/not-on-stage"
    assert await show.hosts() == ["Ada"]


async def test_a_host_who_sends_garbage_stays_on_stage(show: Show, open_page: Open) -> None:
    page = await open_page()
    await page.call("stage:enter", {"invite": await show.invite(), "name": "Bob"})
    for event in ("publish", "subscribe"):
        refused = await page.call(event, {"sdp": "garbage"})
        assert refused["problem"]["type"] == "/problems/bad-sdp"
    published = await page.call("publish", {"sdp": offer("chromium-publish")})
    assert published["sdp"].startswith("v=0")
    assert (await page.call("unpublish"))["ok"]
    assert await show.hosts() == ["Bob"]


async def test_others_may_not_direct(show: Show) -> None:
    eve = await show.api.sign_up("Eve")
    for method, path, body in (
        ("POST", "/invites", {}),
        ("DELETE", "/invites/si_x", None),
        ("PUT", "/layout", {"layout": "grid"}),
        ("PATCH", "/stage/owner", {"muted": True}),
        ("DELETE", "/stage/owner", None),
    ):
        assert (await show.api.call(method, show.path + path, body, eve)).problem == "forbidden"
        assert (await show.api.call(method, show.path + path, body)).problem == "unauthorized"

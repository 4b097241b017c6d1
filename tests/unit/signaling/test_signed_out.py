"""A sign-in that ends (by its holder, a new password, the account's end, its time) ends what it allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from tests.unit.signaling.conftest import Api, ManualClock
from tests.unit.signaling.test_gateway import Open, Page, open_page
from tests.unit.signaling.test_judgement import Private, node, private

__all__ = ["node", "open_page", "private"]

End = Callable[[Api, str, ManualClock], Awaitable[None]]


async def signs_out(api: Api, token: str, clock: ManualClock) -> None:
    assert (await api.call("DELETE", "/api/v1/tokens", token=token)).status == 204


async def new_password(api: Api, token: str, clock: ManualClock) -> None:
    await api.node.accounts.set_password(await account_id(api, token), "hash")


async def account_ends(api: Api, token: str, clock: ManualClock) -> None:
    """As an operator, or another node, does it in the database."""
    ended = text("DELETE FROM accounts WHERE account_id = :id")
    async with api.node.database.begin() as connection:
        await connection.execute(ended, {"id": await account_id(api, token)})


async def time_passes(api: Api, token: str, clock: ManualClock) -> None:
    clock.advance(30 * 86_400)


async def account_id(api: Api, token: str) -> str:
    account = await api.node.identity.account_of(token)
    assert account is not None
    return account.account_id


ends = pytest.mark.parametrize("end", [signs_out, new_password, account_ends, time_passes])


async def test_a_token_that_was_signed_out_is_none(api: Api) -> None:
    first = await api.sign_up("Ada")
    credentials = {"name": "Ada", "password": "correct horse"}
    second = (await api.call("POST", "/api/v1/tokens", credentials)).json["token"]
    assert (await api.call("DELETE", "/api/v1/tokens", token=first)).status == 204
    for method in ("GET", "DELETE"):
        path = "/api/v1/tokens" if method == "DELETE" else "/api/v1/streams?owner=me"
        assert (await api.call(method, path, token=first)).problem == "unauthorized"
    assert (await api.call("GET", "/api/v1/streams?owner=me", token=second)).status == 200


@ends
async def test_a_viewer_goes_on_as_a_guest(
    api: Api, private: Private, open_page: Open, clock: ManualClock, end: End
) -> None:
    public = (await api.make_stream(private.owner))["stream_id"]
    path, month = f"{private.path}/playback-tokens", {"ttl_s": 31 * 86_400}
    ticket = (await api.call("POST", path, month, private.owner)).json["token"]
    bob = await api.sign_up("Bob")
    page, friend = await open_page({"token": bob}), await open_page({"token": bob, "playback_token": ticket})
    assert (await page.call("join", {"stream_id": public}))["ok"]
    assert (await friend.call("join", {"stream_id": private.stream_id}))["ok"]
    await end(api, bob, clock)
    for each in (page, friend):
        assert (await each.next("notice"))["type"] == "signed-out"
    [member] = api.node.gateway.members(public)
    assert member.visitor.account is None
    assert private.members() == 1, "the playback token has not ended"
    assert (await page.call("join", {"stream_id": public}))["ok"]


@ends
async def test_an_owner_directs_no_longer(
    api: Api, private: Private, open_page: Open, clock: ManualClock, end: End
) -> None:
    invite = (await api.call("POST", f"{private.path}/invites", {}, private.owner)).json["invite"]
    owner, guest = await open_page({"token": private.owner}), await open_page()
    assert (await owner.call("join", {"stream_id": private.stream_id}))["ok"]
    entered = await owner.call("stage:enter", {})
    assert (await guest.call("stage:enter", {"invite": invite, "name": "Bob"}))["ok"]
    await end(api, private.owner, clock)
    told = [(await owner.next("notice"))["type"] for _ in range(2)]
    assert told == ["stage-signed-out", "signed-out"]
    await hosts(guest, "Bob")
    assert (await owner.call("publish", {"sdp": "v=0"}))["problem"]["type"] == "/problems/not-on-stage"
    for page in (owner, await open_page()):
        again = await page.call("stage:enter", {"invite": entered["reentry"]})
        assert again["problem"]["type"] == "/problems/wrong-invite"


async def test_what_lets_an_owner_come_back_lets_nobody_else_in(private: Private, open_page: Open) -> None:
    owner, eve = await open_page({"token": private.owner}), await open_page()
    await owner.call("join", {"stream_id": private.stream_id})
    reentry = (await owner.call("stage:enter", {}))["reentry"]
    assert (await eve.call("stage:enter", {"invite": reentry}))["problem"]["type"] == "/problems/unauthorized"
    again = await open_page({"token": private.owner})
    assert (await again.call("stage:enter", {"invite": reentry}))["participant_id"] == "owner"


async def hosts(page: Page, *names: str) -> None:
    """Wait until the stage has these."""
    while [each["name"] for each in (await page.next("stage"))["participants"]] != list(names):
        pass

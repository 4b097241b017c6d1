from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from signaling.node import open_node
from signaling.store.sql_accounts import name_key
from tests.unit.signaling.conftest import Answer, Api, ManualClock, node_settings


async def test_signing_up_gives_a_token_that_works(api: Api) -> None:
    answer = await api.call("POST", "/api/v1/accounts", {"name": " Ada ", "password": "correct horse"})
    assert answer.status == 201
    assert set(answer.json) == {"account_id", "name", "token", "expires_at"}
    assert answer.json["name"] == "Ada"
    assert answer.headers["Cache-Control"] == "no-store"
    mine = await api.call("GET", "/api/v1/streams?owner=me", token=answer.json["token"])
    assert mine.json == {"streams": [], "next_cursor": None}


async def test_a_name_is_taken_in_any_case(api: Api) -> None:
    await api.sign_up("Ada")
    answer = await api.call("POST", "/api/v1/accounts", {"name": "ADA", "password": "correct horse"})
    assert (answer.status, answer.problem) == (409, "name-taken")


async def test_signing_in(api: Api, clock: ManualClock) -> None:
    await api.sign_up("Ada")
    answer = await api.call("POST", "/api/v1/tokens", {"name": "ada", "password": "correct horse"})
    assert answer.status == 200
    assert set(answer.json) == {"token", "expires_at"}
    assert answer.json["expires_at"] == (clock.now() + timedelta(days=30)).isoformat().replace("+00:00", "Z")
    for name, password in (("ada", "wrong horse"), ("bob", "correct horse"), ("ada", ""), ("", "")):
        answer = await api.call("POST", "/api/v1/tokens", {"name": name, "password": password})
        assert (answer.status, answer.problem) == (401, "wrong-credentials")


async def test_a_token_ends(api: Api, clock: ManualClock) -> None:
    token = await api.sign_up()
    assert (await api.call("GET", "/api/v1/streams?owner=me", token=token)).status == 200
    clock.advance(30 * 86400)
    answer = await api.call("GET", "/api/v1/streams?owner=me", token=token)
    assert (answer.status, answer.problem) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", [None, "x", "sat_" + "0" * 32, "x" * 5000, "pt_x.y"])
async def test_without_a_right_token_nothing_is_made(api: Api, token: str | None) -> None:
    answer = await api.call("POST", "/api/v1/streams", {"title": "a", "category": "b"}, token)
    assert (answer.status, answer.problem) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "Ada", "password": "short"}, "/password"),
        ({"name": "Ada", "password": "x" * 257}, "/password"),
        ({"name": "", "password": "correct horse"}, "/name"),
        ({"name": "  ", "password": "correct horse"}, "/name"),
        ({"name": "x" * 65, "password": "correct horse"}, "/name"),
        ({"name": "a\nb", "password": "correct horse"}, "/name"),
        ({"name": "\ud800", "password": "correct horse"}, "/name"),
        ({"name": 5, "password": "correct horse"}, "/name"),
        ({"name": "Ada"}, "/password"),
        ({"name": "Ada", "password": "correct horse", "admin/~": True}, "/admin~1~0"),
        ([], ""),
        ("Ada", ""),
        (None, ""),
    ],
)
async def test_a_wrong_field_is_pointed_at(api: Api, body: object, pointer: str) -> None:
    import json

    answer = await api.call("POST", "/api/v1/accounts", data=json.dumps(body))
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert pointer in [each["pointer"] for each in answer.json["errors"]]
    assert "correct horse" not in answer.content.decode()


async def sign_in(api: Api, address: str, password: str, name: str = "Ada") -> Answer:
    body = {"name": name, "password": password}
    return await api.call("POST", "/api/v1/tokens", body, headers={"X-Forwarded-For": address})


@pytest.fixture
async def proxied(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Api]:
    """A node that believes which address a request comes from."""
    settings = node_settings(tmp_path, trusted_proxies=["127.0.0.1"])
    async with open_node(settings, clock) as node, aiohttp.ClientSession() as session:
        yield Api(node, session)


async def test_guessing_a_password_gets_slow(proxied: Api, clock: ManualClock) -> None:
    await proxied.sign_up("Ada")
    mallory, ada = "192.0.2.66", "192.0.2.1"
    statuses = [(await sign_in(proxied, mallory, "wrong horse")).status for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    answer = await sign_in(proxied, mallory, "correct horse", "ADA")
    assert (answer.status, answer.problem) == (429, "rate-limited")
    wait_s = int(answer.headers["Retry-After"])
    assert f"{wait_s} s" in answer.json["detail"]
    # the owner of the name is not locked out
    assert (await sign_in(proxied, ada, "correct horse")).status == 200
    clock.advance(wait_s)
    assert (await sign_in(proxied, mallory, "correct horse")).status == 200


async def test_guessing_from_many_addresses_gets_slow_too(proxied: Api, clock: ManualClock) -> None:
    await proxied.sign_up("Ada")
    limits = proxied.node.limits
    for number in range(100):
        limits.wrong_password(f"192.0.2.{number}", name_key("Ada"))
    answer = await sign_in(proxied, "198.51.100.1", "correct horse")
    assert (answer.status, answer.problem) == (429, "rate-limited")
    clock.advance(int(answer.headers["Retry-After"]))
    assert (await sign_in(proxied, "198.51.100.1", "correct horse")).status == 200


async def test_signing_up_is_limited_per_address(api: Api, clock: ManualClock) -> None:
    bad = {"name": "Ada", "password": "correct horse"}
    await api.sign_up("Ada")
    statuses = [(await api.call("POST", "/api/v1/accounts", bad)).status for _ in range(61)]
    assert statuses == [409] * 59 + [429] * 2
    clock.advance(11)
    assert (await api.call("POST", "/api/v1/accounts", bad)).status == 409

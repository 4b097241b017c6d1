"""The catalogue of problems: nothing is missing, nothing is idle, each can happen."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from hls_bridge.responses import TITLES
from signaling.auth.passwords import Overloaded
from signaling.node import open_node
from signaling.problems import CATALOGUE
from tests.unit.rules.tree import modules
from tests.unit.sfu.offers import offer
from tests.unit.signaling.conftest import Api, ManualClock, node_settings


def raised(*folders: str) -> Iterator[tuple[str, list[object]]]:
    """Path and constant arguments of every Problem(...) and problem(...)."""
    for path, _, tree in modules(*folders):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if (
                node.func.id in ("Problem", "problem")
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                yield path, [each.value for each in node.args if isinstance(each, ast.Constant)]


def test_what_sfu_raises_is_in_the_catalogue_as_it_is() -> None:
    found = list(raised("sfu"))
    assert found
    for path, (name, status, title, *_) in found:
        kind = CATALOGUE.get(str(name))
        assert kind is not None, f"{path}: {name}"
        assert (kind.status, kind.title) == (status, title), f"{path}: {name}"


def test_nothing_in_the_catalogue_is_idle() -> None:
    names = {str(arguments[0]) for _, arguments in raised("sfu", "signaling")}
    assert names | {name for _, _, name in answered_by_the_bridge()} == set(CATALOGUE)


def answered_by_the_bridge() -> Iterator[tuple[str, int, str]]:
    """Path, status and name of every ``problem(status, name, ...)`` of the HLS routes."""
    for path, _, tree in modules("hls_bridge"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "problem":
                status, name, *_ = node.args
                if isinstance(status, ast.Constant) and isinstance(name, ast.Constant):
                    yield path, int(status.value), str(name.value)


def test_what_the_bridge_answers_is_in_the_catalogue() -> None:
    found = list(answered_by_the_bridge())
    assert found
    for path, status, name in found:
        assert CATALOGUE[name].status == status, f"{path}: {name}"


def test_the_bridge_gives_the_same_titles() -> None:
    assert {name: CATALOGUE[name].title for name in TITLES} == TITLES
    assert {name for _, _, name in answered_by_the_bridge()} <= set(TITLES)


def test_every_problem_is_met_in_a_test() -> None:
    tests = "".join(path.read_text() for path in Path("tests").rglob("test_*.py"))
    assert [name for name in CATALOGUE if not re.search(rf"[\"/]{name}(?![\w-])", tests)] == []


async def test_overloaded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> str:
        raise Overloaded

    monkeypatch.setattr(api.node.passwords, "hash", full)
    monkeypatch.setattr(api.node.passwords, "verify", full)
    body = {"name": "Ada", "password": "correct horse"}
    for path in ("/api/v1/accounts", "/api/v1/tokens"):
        answer = await api.call("POST", path, body)
        assert (answer.status, answer.problem) == (503, "overloaded")
        assert answer.headers["Retry-After"] == "2"


async def test_trying_keys_gets_slow(tmp_path: Path, clock: ManualClock) -> None:
    settings = node_settings(tmp_path, roles=["all"], rtc_port=0, advertise_ip=["127.0.0.1"])
    async with open_node(settings, clock) as node, aiohttp.ClientSession() as session:
        api = Api(node, session)
        sdp = {"data": "v=0", "headers": {"Content-Type": "application/sdp"}}
        names = [(await api.call("POST", f"/whip/guess{number}", **sdp)).problem for number in range(31)]  # type: ignore[arg-type]
        assert names == ["wrong-key"] * 30 + ["rate-limited"]
        clock.advance(1)
        key = (await api.make_stream(await api.sign_up()))["stream_key"]
        for _ in range(40):
            assert (await api.call("POST", f"/whip/{key}", **sdp)).problem == "bad-sdp"  # type: ignore[arg-type]
        document = (await api.call("GET", "/api/v1/openapi.json")).json
        described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
        routed = {
            (route.method, route.resource.canonical)
            for route in node.app.router.routes()
            if route.method not in ("HEAD", "OPTIONS", "*") and route.resource is not None
        }
        protocols = {(method, path) for method, path in routed if path.startswith(("/whip", "/whep"))}
        assert protocols <= described
        assert len(protocols) == 8


async def test_what_whip_refuses_comes_as_problems(tmp_path: Path, clock: ManualClock) -> None:
    settings = node_settings(tmp_path, roles=["all"], rtc_port=0, advertise_ip=["127.0.0.1"])
    async with open_node(settings, clock) as node, aiohttp.ClientSession() as session:
        api = Api(node, session)
        key = (await api.make_stream(await api.sign_up()))["stream_key"]
        sdp, fragment = (
            {"Content-Type": "application/sdp"},
            {"Content-Type": "application/trickle-ice-sdpfrag"},
        )
        publish = offer("chromium-publish")
        no_codec = publish.replace("opus/48000/2", "speex/8000").replace("red/48000/2", "speex/8000")
        for path, headers, body, status, name in (
            (f"/whip/{key}", {}, publish, 415, "unsupported-media-type"),
            ("/whip", sdp, publish, 401, "unauthorized"),
            (f"/whip/{key}?slot=third", sdp, publish, 400, "bad-slot"),
            (f"/whip/{key}", sdp, "v=0", 400, "bad-sdp"),
            (f"/whip/{key}", sdp, no_codec, 406, "no-common-codec"),
            ("/whep/nothing", sdp, offer("chromium-watch"), 404, "stream-not-found"),
        ):
            answer = await api.call("POST", path, data=body, headers=headers)
            assert (answer.status, answer.problem) == (status, name)
        made = await api.call("POST", f"/whip/{key}", data=publish, headers=sdp)
        assert made.status == 201
        url = made.headers["Location"]
        for headers, body, status, name in (
            (fragment, "", 428, "if-match-required"),
            (fragment | {"If-Match": '"old"'}, "", 412, "etag-mismatch"),
            (fragment | {"If-Match": "*"}, "a=ice-ufrag:x", 422, "bad-fragment"),
            (sdp | {"If-Match": "*"}, "", 415, "unsupported-media-type"),
        ):
            answer = await api.call("PATCH", url, data=body, headers=headers)
            assert (answer.status, answer.problem) == (status, name)
        assert (await api.call("DELETE", url)).status == 200
        assert (await api.call("DELETE", url)).problem == "session-closed"
        assert (await api.call("DELETE", "/whip/sessions/none")).problem == "session-not-found"

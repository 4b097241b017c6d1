"""Accounts and tokens, and the form of every refusal."""

from __future__ import annotations

import aiohttp
import pytest

from tests.interop.contract.user import User, at, call


async def test_an_account_and_its_tokens(http: aiohttp.ClientSession, node_url: str, ada: User) -> None:
    credentials = {"name": ada.name, "password": "correct horse"}
    signed_in = await call(http, "POST", f"{node_url}/api/v1/tokens", json=credentials)
    assert signed_in.status == 200
    assert signed_in.json.keys() >= {"token", "expires_at"}
    at(signed_in.json["expires_at"])
    assert (await ada.api("GET", "/streams?owner=me", token=signed_in.json["token"])).status == 200
    (await call(http, "POST", f"{node_url}/api/v1/accounts", json=credentials)).refused(409, "name-taken")
    wrong = {"name": ada.name, "password": "wrong horse"}
    (await call(http, "POST", f"{node_url}/api/v1/tokens", json=wrong)).refused(401)
    nobody = {"name": "nobody here", "password": "wrong horse"}
    (await call(http, "POST", f"{node_url}/api/v1/tokens", json=nobody)).refused(401)


@pytest.mark.parametrize("path", ["/accounts", "/tokens", "/streams"])
@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b"", {400, 422}),
        (b"{", {400}),
        (b"[]", {400, 422}),
        (b"null", {400, 422}),
        (b'"a"', {400, 422}),
        (b'{"name": 1}', {400, 422}),
        (b'{"name": "\xff"}', {400}),
        (b'{"title": "a\\u0000", "category": "c"}', {400, 422}),
        (b'{"title": "\\ud800", "category": "c"}', {400, 422}),
        (b"[" * 30_000, {400}),
        (b'{"title": ' + b"9" * 10_000 + b"}", {400, 422}),
        (b" " * 10_000_000, {413}),
    ],
    ids=range(12),
)
async def test_bad_bodies(ada: User, path: str, body: bytes, statuses: set[int]) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await ada.api("POST", path, data=body, headers=headers)
    assert answer.status in statuses, answer.text
    answer.refused(answer.status)


async def test_a_token_that_is_none(ada: User) -> None:
    for token in ("", "x", "\u00e9" * 10, "x" * 4000):
        for method, path in (("POST", "/streams"), ("GET", "/streams?owner=me")):
            answer = await ada.api(method, path, {"title": "a", "category": "b"}, token=token)
            answer.refused(401)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "path", ["/nope", "/api/v1/nope", "/api/v1/streams/a/b/c", "/whip/sessions/x/y/z", "/hls/x"]
)
async def test_unknown_paths(http: aiohttp.ClientSession, node_url: str, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await call(http, method, node_url + path)
        answer.refused(405 if answer.status == 405 else 404)


@pytest.mark.parametrize("method", ["PUT", "TRACE", "BREW", "PROPFIND"])
async def test_methods_that_a_path_does_not_take(
    http: aiohttp.ClientSession, node_url: str, method: str
) -> None:
    for path in ("/api/v1/streams/discover", "/whip", "/whep/x", "/", "/healthz"):
        answer = await call(http, method, node_url + path)
        answer.refused(400 if method == "BREW" else 405)

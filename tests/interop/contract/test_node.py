"""Pages, health, metrics, the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest

from tests.interop.contract.user import User, call

METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
OPERATIONS = """GET /healthz
GET /readyz
GET /metrics
GET /api/v1/openapi.json
POST /api/v1/accounts
POST /api/v1/tokens
POST /api/v1/streams
GET /api/v1/streams/{stream_id}
PATCH /api/v1/streams/{stream_id}
DELETE /api/v1/streams/{stream_id}
POST /api/v1/streams/{stream_id}/key
GET /api/v1/streams/discover
GET /api/v1/streams/{stream_id}/playback
GET /api/v1/streams/{stream_id}/manifest.m3u8
GET /api/v1/streams/{stream_id}/dvr.m3u8
GET /api/v1/streams/{stream_id}/recordings
GET /api/v1/recordings/{recording_id}/manifest.m3u8
GET /api/v1/recordings/{recording_id}/video.mp4
POST /api/v1/streams/{stream_id}/playback-tokens
POST /api/v1/streams/{stream_id}/invites
DELETE /api/v1/streams/{stream_id}/invites/{invite}
PUT /api/v1/streams/{stream_id}/layout
GET /api/v1/streams/{stream_id}/stage
PATCH /api/v1/streams/{stream_id}/stage/{participant_id}
DELETE /api/v1/streams/{stream_id}/stage/{participant_id}
POST /whip
POST /whip/{stream_key}
POST /whep/{stream_id}""".splitlines()


@pytest.fixture
async def document(http: aiohttp.ClientSession, node_url: str) -> dict[str, Any]:
    answer = await call(http, "GET", f"{node_url}/api/v1/openapi.json")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    found: dict[str, Any] = answer.json
    return found


@pytest.mark.parametrize("path", ["/", "/watch/x", "/studio/x", "/dashboard"])
async def test_pages(http: aiohttp.ClientSession, node_url: str, path: str) -> None:
    answer = await call(http, "GET", node_url + path)
    if answer.status == 503:
        answer.refused(503, "pages-not-built")
        return
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', answer.text):
        assert (await call(http, "GET", node_url + asset)).status == 200, asset


async def test_health_and_metrics(http: aiohttp.ClientSession, node_url: str) -> None:
    assert (await call(http, "GET", f"{node_url}/healthz")).status == 200
    ready = await call(http, "GET", f"{node_url}/readyz")
    assert ready.status == 200
    assert isinstance(ready.json["degraded"], list)
    metrics = await call(http, "GET", f"{node_url}/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain")
    names = re.findall(r"^# TYPE (\S+) (counter|gauge|histogram|summary)$", metrics.text, re.MULTILINE)
    assert len(names) == len(set(names)) > 5


def test_operations_are_described(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    described = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
        if method in METHODS
    }
    assert [each for each in OPERATIONS if each not in described] == []


def test_the_document_is_whole(document: dict[str, Any]) -> None:
    """OpenAPI 3.1 sections 4.8.2 to 4.8.12: what tools stumble over."""
    assert document["info"].keys() >= {"title", "version"}
    names = set()
    for path, item in document["paths"].items():
        assert path.startswith("/")
        assert item.keys() <= METHODS | {"parameters", "summary", "description", "servers"}
        for method, operation in item.items():
            if method not in METHODS:
                continue
            where = f"{method} {path}"
            assert operation["responses"], where
            for status, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5](\d\d|XX)|default", status), where
                assert "$ref" in response or response["description"], where
            parameters = [*operation.get("parameters", ()), *item.get("parameters", ())]
            in_path = {each["name"] for each in parameters if each["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path)), where
            assert all(each["required"] is True for each in parameters if each["in"] == "path"), where
            assert all("schema" in each or "content" in each for each in parameters), where
            name = operation.get("operationId")
            assert name is None or name not in names, where
            names.add(name)
    for reference in references(document):
        at: Any = document
        assert reference.startswith("#/")
        for part in reference[2:].split("/"):
            at = at[part.replace("~1", "/").replace("~0", "~")]
    schemes = document.get("components", {}).get("securitySchemes", {})
    assert any(each["type"] == "http" and each["scheme"] == "bearer" for each in schemes.values())


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for member in value.values() for each in references(member)]
    if isinstance(value, list):
        return [each for member in value for each in references(member)]
    return []


async def test_every_type_of_problem_has_a_page(ada: User) -> None:
    refused = (await ada.api("GET", "/streams/unknown")).refused(404)
    page = await call(ada.http, "GET", ada.url + refused["type"])
    assert page.status == 200

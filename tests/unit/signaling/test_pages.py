"""The web app's pages and files, and the page of each problem."""

from __future__ import annotations

from pathlib import Path

import pytest

from signaling.http.pages import Pages
from signaling.node import Node
from signaling.problems import CATALOGUE
from tests.unit.signaling.conftest import Api

PAGE_PATHS = ["/", "/watch/abc", "/studio", "/studio/abc", "/dashboard"]


@pytest.fixture
def built(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Spillway</title>")
    (folder / "assets" / "index-4f2a.js").write_text("1")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / ".secret").write_text("x")
    monkeypatch.setattr(node.pages, "_folder", folder)
    monkeypatch.setattr(node.pages, "_index", folder / "index.html")
    return folder


async def test_pages(api: Api, built: Path) -> None:
    for path in PAGE_PATHS:
        answer = await api.call("GET", path)
        assert answer.status == 200
        assert b"<title>Spillway" in answer.content
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "object-src 'none'" in policy
        assert "camera=(self)" in answer.headers["Permissions-Policy"]
    asset = await api.call("GET", "/assets/index-4f2a.js")
    assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert asset.headers["Content-Type"].partition(";")[0] in ("text/javascript", "application/javascript")
    assert (await api.call("GET", "/favicon.svg")).headers["Cache-Control"] == "no-cache"
    for path in ("/.secret", "/assets/..%2findex.html", "/assets/%2e%2e/.secret", "/assets/.secret"):
        assert (await api.call("GET", path)).status == 404


async def test_where_there_is_nothing_the_app_says_so_to_people(api: Api, built: Path) -> None:
    person = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with api.session.get(api.node.url + "/nowhere", headers=person) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")
        assert await answer.text() == (built / "index.html").read_text()
        assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    for method, path in (("GET", "/api/v1/nothing"), ("POST", "/nowhere"), ("GET", "/assets/nothing.js")):
        assert (await api.call(method, path, headers=person)).problem == "not-found"
    assert (await api.call("GET", "/nowhere")).problem == "not-found"


async def test_pages_that_are_not_built_say_so(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.node.pages, "_index", tmp_path / "none.html")
    assert (await api.call("GET", "/")).problem == "pages-not-built"
    async with api.session.get(api.node.url, headers={"Accept": "text/html"}) as answer:
        assert answer.status == 503
        assert "not built" in await answer.text()
    assert "pages: not built" in (await api.call("GET", "/readyz")).json["degraded"]
    assert not Pages(tmp_path).built


async def test_every_problem_has_a_page(api: Api) -> None:
    for kind in CATALOGUE.values():
        answer = await api.call("GET", f"/problems/{kind.name}")
        assert answer.status == 200
        assert kind.title in answer.content.decode()
    assert (await api.call("GET", "/problems/none")).status == 404

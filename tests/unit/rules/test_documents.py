"""Links in the documents resolve; lock files name versions and hashes, not where to fetch from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.rules.tree import ROOT

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+\s+(.*?)\s*#*$", re.MULTILINE)

ADDRESS = re.compile(r"[a-z+]+://[^\s\"',)]+")
# How Cargo.lock says "crates.io": cargo can't leave it out, and replaces it by what is configured.
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"

LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-node.lock",
    "web/package-lock.json",
    "sfu/engine/Cargo.lock",
)


def documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, made as GitHub makes them."""
    titles = [re.sub(r"[`*]", "", title) for title in HEADING.findall(FENCE.sub("", text))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(document: Path, text: str) -> list[str]:
    found = []
    for pair in LINK.findall(FENCE.sub("", text)):
        target = pair[0] or pair[1]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or not path.is_relative_to(ROOT):
            found.append(f"{document.name}: {target}")
            continue
        there = text if path == document else path.read_text() if path.suffix == ".md" else None
        if anchor and there is not None and anchor not in anchors(there):
            found.append(f"{document.name}: {target}")
    return found


def addresses(text: str) -> list[str]:
    return [found for found in ADDRESS.findall(text) if found != CRATES_IO]


def package_lock_addresses(text: str) -> list[str]:
    """Addresses that npm would fetch from; "funding" and the like are links for people."""
    return re.findall(r'"resolved":\s*"([a-z+]+://[^"]+)"', text)


def test_links_resolve() -> None:
    assert len(documents()) >= 3
    assert [hit for document in documents() for hit in broken_links(document, document.read_text())] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_files_hold_no_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert (package_lock_addresses if lock.endswith(".json") else addresses)(text) == []


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock.startswith("requirements")])
def test_every_requirement_is_hashed(lock: str) -> None:
    blocks = re.split(r"\n(?=\S)", (ROOT / lock).read_text())
    unhashed = [block.splitlines()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block]
    assert unhashed == []
    assert any("--hash" in block for block in blocks)


@pytest.mark.parametrize(
    "link", ["[a](missing.md)", "![a](docs/missing.png)", "[a](README.md#no-such-part)", "[a](#nowhere)"]
)
def test_the_rule_on_links_can_fail(link: str) -> None:
    assert len(broken_links(ROOT / "CONTRIBUTING.md", link)) == 1


def test_the_rule_on_links_lets_good_ones_pass() -> None:
    text = "# A part: `one`\n[a](README.md) [b](https://example.org/x) [c](#a-part-one)\n"
    text += "```\n[d](none.md)\n```\n"
    assert broken_links(ROOT / "CONTRIBUTING.md", text) == []


def test_the_rule_on_lock_files_can_fail() -> None:
    assert addresses("--index-url https://packages.example/simple\n") == ["https://packages.example/simple"]
    assert addresses(f'source = "{CRATES_IO}"') == []
    assert package_lock_addresses('"resolved": "https://npm.example/a.tgz", "url": "https://a.example"') == [
        "https://npm.example/a.tgz"
    ]

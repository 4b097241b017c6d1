"""Networks as they are: IPv6, and a node with several addresses behind the one that it tells."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import sdp
from tests.conformance.check import report
from tests.conformance.peer import identity
from tests.conformance.suite import Target, run_suite
from tests.interop.namespaces import WHY_NOT, inside, ip, namespace, run_in
from tests.interop.serve_process import spillway

MEDIA = "*/*media-*"
"""Checks of the conformance suite that need a whole media path."""


def make_stream(url: str) -> Any:
    def call(path: str, body: object, token: str | None = None) -> Any:
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    token = call("/api/v1/accounts", {"name": "Ada", "password": "correct horse"})["token"]
    return call("/api/v1/streams", {"title": "Show", "category": "test", "record": False}, token)


async def reach_media(client: str, url: str, stream: Any) -> None:
    """The conformance suite in namespace ``client`` publishes to the node at ``url`` and watches."""
    suite = await asyncio.create_subprocess_exec(
        *inside(client),
        *(sys.executable, "-m", "tests.conformance", "--only", MEDIA),
        *("--whip", f"{url}/whip", "--whip-token", stream["stream_key"]),
        *("--whep", f"{url}/whep/{stream['stream_id']}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(120):
        output, _ = await suite.communicate()
    text = output.decode()
    assert suite.returncode == 0, text
    assert "PASS  whep/media-comes" in text
    assert " 0 failed" in text


async def test_ipv6_only(tmp_path: Path) -> None:
    async with spillway(tmp_path, host="::1") as node:
        assert node.url.startswith("http://[::1]:")
        stream = await asyncio.to_thread(make_stream, node.url)
        target = Target(f"{node.url}/whip", stream["stream_key"], f"{node.url}/whep/{stream['stream_id']}")
        results = await run_suite(target, only=MEDIA)
    names = {each.check.name for each in results if each.outcome == "PASS"}
    assert {"whip/media-path-comes-up", "whep/media-comes"} <= names, report(results)
    assert all(each.outcome == "PASS" for each in results), report(results)


@pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")
async def test_an_interface_that_appears_later(tmp_path: Path) -> None:
    """A node that began with loopback only; then a cable is plugged in, and a peer behind it publishes and
    watches."""
    tag = f"{os.getpid():x}"[-6:]
    with namespace(f"late{tag}") as server, namespace(f"far{tag}") as client:
        async with spillway(tmp_path, host="0.0.0.0", prefix=inside(server)) as node:
            stream = await asyncio.to_thread(run_in, server, lambda: make_stream(node.url))
            whip = f"{node.url}/whip/{stream['stream_key']}"
            offer = sdp.offer("ufrag", "p" * 22, identity().fingerprint, direction="sendonly")

            def told() -> set[str]:
                """Addresses of the candidates in an answer."""
                request = urllib.request.Request(whip, offer.encode(), {"Content-Type": "application/sdp"})
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return {host for host, _ in sdp.parse_answer(answer.read().decode()).candidates}

            assert await asyncio.to_thread(run_in, server, told) == {"127.0.0.1"}
            ends = f"n{tag}", f"p{tag}"
            ip("link", "add", ends[0], "netns", server, "type", "veth", "peer", ends[1], "netns", client)
            for place, end, host in ((server, ends[0], 2), (client, ends[1], 1)):
                ip("-n", place, "addr", "add", f"10.78.0.{host}/24", "dev", end)
                ip("-n", place, "link", "set", end, "up")
            async with asyncio.timeout(20):
                both = {"10.78.0.2", "127.0.0.1"}
                while await asyncio.to_thread(run_in, server, told) != both:  # noqa: ASYNC110  # no event tells
                    await asyncio.sleep(0.2)
            await reach_media(client, f"http://10.78.0.2:{node.url.rsplit(':', 1)[1]}", stream)


@pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")
async def test_several_interfaces_and_an_advertised_address(tmp_path: Path) -> None:
    """The node has a private address on each of two cables and a public one on neither, as behind a
    router that forwards it; publisher and viewer know the public one only. Answers must come from it."""
    tag = f"{os.getpid():x}"[-6:]
    with namespace(f"node{tag}") as server, namespace(f"peer{tag}") as client:
        for number in (1, 2):
            ends = f"n{number}{tag}", f"p{number}{tag}"
            ip("link", "add", ends[0], "netns", server, "type", "veth", "peer", ends[1], "netns", client)
            for place, end, host in ((server, ends[0], 2), (client, ends[1], 1)):
                ip("-n", place, "addr", "add", f"10.77.{number}.{host}/24", "dev", end)
                ip("-n", place, "link", "set", end, "up")
        ip("-n", server, "addr", "add", "203.0.113.7/32", "dev", "lo")
        # the second cable carries what goes to the public address, the first what goes back by default
        ip("-n", client, "route", "add", "203.0.113.7/32", "via", "10.77.2.2")
        flags = ("--advertise-ip", "203.0.113.7")
        async with spillway(tmp_path, *flags, host="0.0.0.0", prefix=inside(server)) as node:
            port = node.url.rsplit(":", 1)[1]
            stream = await asyncio.to_thread(run_in, server, lambda: make_stream(node.url))
            await reach_media(client, f"http://10.77.1.2:{port}", stream)

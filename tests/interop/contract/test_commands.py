"""The commands as somebody at a shell meets them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tomllib
from pathlib import Path

import aiohttp
import pytest

from tests.interop.contract.test_whip import offer
from tests.interop.contract.user import WITHIN_S, call, live, sign_up
from tests.interop.serve_process import Process, run_to_end, spillway

SETTINGS = (
    "host http_port rtc_port rtmp_port srt_port advertise_ip public_url tls_cert tls_key data_dir roles "
    "seats_per_stream seats_per_node hosts_per_stage popular_viewers retention_days rate_limits ice_servers "
    "log_format database_url redis_url cassandra_hosts dynamodb_url s3_url s3_bucket"
)


def descendants(pid: int) -> set[int]:
    """Process ids below ``pid``, by /proc."""
    children: dict[int, set[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, set()).add(int(folder.name))
    found, left = set(), {pid}
    while left:
        left = set().union(*(children.get(each, set()) for each in left))
        found |= left
    return found


async def test_every_setting_has_a_flag() -> None:
    code, output, _ = await run_to_end("serve", "--help")
    assert code == 0
    for name in SETTINGS.split():
        assert f"--{name.replace('_', '-')}" in output, name
    assert "--config" in output


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--colour", "red"], "colour"),
        (["--http-port", "x"], "http_port"),
        (["--http-port", "-1"], "http_port"),
        (["--advertise-ip", "here"], "advertise_ip"),
        (["--roles", "cook"], "roles"),
        (["--rate-limits", "perhaps"], "rate_limits"),
        (["--log-format", "xml"], "log_format"),
        (["--seats-per-stream", "-5"], "seats_per_stream"),
        (["--public-url", "here"], "public_url"),
        (["--config", "/nowhere.toml"], "config"),
        (["--s3-url", "http://127.0.0.1:1", "--s3-bucket", "b"], "s3_url"),
        (["--redis-url", "redis://127.0.0.1:1"], "redis_url"),
        (["--cassandra-hosts", "127.0.0.1:1"], "cassandra_hosts"),
        (["--dynamodb-url", "http://127.0.0.1:1"], "dynamodb_url"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_can_not_start_ends_with_one_line(tmp_path: Path, argv: list[str], named: str) -> None:
    base = ["--host", "127.0.0.1", "--http-port", "0", "--rtc-port", "0", "--data-dir", str(tmp_path)]
    code, output, errors = await run_to_end("serve", *base, *argv)
    assert (code, output) == (2, "")
    assert len(errors.splitlines()) == 1, errors
    assert named in errors


async def test_unknown_keys_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "spillway.toml"
    for text in ("colour = 'red'\n", "[serve]\nhttp_port = 1\n"):
        config.write_text(text)
        code, _, errors = await run_to_end("serve", "--config", str(config))
        [key] = tomllib.loads(text)
        assert (code, len(errors.splitlines())) == (2, 1)
        assert key in errors


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SPILLWAY_COLOUR": "red"}, "SPILLWAY_COLOUR"),
        ({"SPILLWAY_HTTP_PORT": "x"}, "http_port"),
        ({"SPILLWAY_CONFIG": "/nowhere.toml"}, "config"),
    ],
)
async def test_a_wrong_environment_is_refused_by_name(
    tmp_path: Path, variables: dict[str, str], named: str
) -> None:
    base = ["--host", "127.0.0.1", "--rtc-port", "0", "--data-dir", str(tmp_path)]
    code, output, errors = await run_to_end("serve", *base, settings=variables)
    assert (code, output, len(errors.splitlines())) == (2, "", 1), errors
    assert named in errors


async def test_a_taken_port(tmp_path: Path) -> None:
    async with spillway(tmp_path / "one") as node, aiohttp.ClientSession() as http:
        user = await sign_up(http, node.url)
        stream = await user.stream()
        answer, session = await user.post("/whip", await offer(), stream["stream_key"])
        assert (await call(http, "DELETE", session)).status == 200
        [udp] = set(re.findall(r"a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 (\d+)", answer))
        tcp = node.url.rpartition(":")[2]
        base = ["--host", "127.0.0.1", "--data-dir", str(tmp_path / "two")]
        for http_port, rtc_port, refusal in (
            (tcp, "0", f"http_port: port {tcp} on 127.0.0.1 is taken"),
            ("0", udp, f"rtc_port: port {udp} on 127.0.0.1 is taken"),
        ):
            ports = ["--http-port", http_port, "--rtc-port", rtc_port]
            code, output, errors = await run_to_end("serve", *base, *ports)
            assert (code, output, len(errors.splitlines())) == (2, "", 1), errors
            assert refusal in errors
        async with live(user, stream):
            pass


async def test_the_demo_ends_with_all_its_processes(tmp_path: Path) -> None:
    async with spillway(tmp_path, command="demo") as node, aiohttp.ClientSession() as http:
        pid = node.child.pid
        async with asyncio.timeout(WITHIN_S):
            while not (await call(http, "GET", f"{node.url}/api/v1/streams/discover")).json["streams"]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            # publisher and bridge
            while len(children := descendants(pid)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        loop = asyncio.get_running_loop()
        before = loop.time()
        assert await node.stop(signal.SIGTERM) == 0
        assert loop.time() - before < 10
        assert [each for each in children if alive(each)] == []
        assert "Traceback" not in node.errors
        _check_demo_lines(node)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def _check_demo_lines(node: Process) -> None:
    text = "\n".join(node.lines)
    assert re.search(rf"{node.url}/watch/\w+", text)
    assert re.search(r"Sign in: \S+ / \S+", text)


async def test_rate_limits_are_on_by_default(tmp_path: Path) -> None:
    async with spillway(tmp_path) as node, aiohttp.ClientSession() as http:
        body = {"name": "nobody", "password": "wrong horse"}
        for _ in range(200):
            answer = await call(http, "POST", f"{node.url}/api/v1/tokens", json=body)
            if answer.status == 429:
                break
            answer.refused(401)
        answer.refused(429, "rate-limited")
        assert int(answer.headers["Retry-After"]) > 0
        assert (await call(http, "GET", f"{node.url}/healthz")).status == 200

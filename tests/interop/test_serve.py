"""The command as a process: its ready line, its exit codes, its end."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from tests.interop.serve_process import run_to_end, spillway

CONTROL = ("--roles", "api,gateway")


async def test_ready_line_readiness_and_a_clean_end(tmp_path: Path) -> None:
    async with spillway(tmp_path, *CONTROL) as node, aiohttp.ClientSession() as session:
        assert node.ready_line == f"Spillway is ready: {node.url}"
        async with session.get(node.url + "/readyz") as answer:
            assert answer.status == 200
        assert await node.stop() == 0
    assert node.lines == []
    assert "Traceback" not in node.errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_with_clients_connected(tmp_path: Path, number: signal.Signals) -> None:
    async with spillway(tmp_path, *CONTROL) as node, aiohttp.ClientSession() as session:
        socket_url = node.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
        async with session.ws_connect(socket_url) as client:
            await client.receive()
            # Half a request: its other half never comes.
            host, port = node.url.removeprefix("http://").split(":")
            _, half = await asyncio.open_connection(host, int(port))
            half.write(b"POST /api/v1/accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
            await half.drain()
            loop = asyncio.get_running_loop()
            before = loop.time()
            assert await node.stop(number) == 0
            assert loop.time() - before < 10
            half.close()
    assert "Traceback" not in node.errors


async def test_a_signal_that_is_passed_on_as_well_counts_once(tmp_path: Path) -> None:
    async with spillway(tmp_path, *CONTROL) as node:
        for _ in range(3):
            node.child.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.02)
        assert await node.child.wait() == 0


async def test_bound_to_all_it_says_where_to_open_it(tmp_path: Path) -> None:
    async with spillway(tmp_path, *CONTROL, "--host", "0.0.0.0") as node:
        assert node.url.startswith("http://127.0.0.1:")


async def test_json_logs(tmp_path: Path) -> None:
    async with spillway(tmp_path, *CONTROL, "--log-format", "json", "--access-log", "on") as node:
        async with aiohttp.ClientSession() as session, session.get(node.url + "/healthz?secret=1"):
            pass
        await node.stop()
    entries = [json.loads(line) for line in node.errors.splitlines()]
    lines = [each["message"] for each in entries if each["logger"] == "spillway.access"]
    assert lines[0].startswith("GET /healthz 200 ")
    assert "secret" not in node.errors


async def test_data_outlives_a_restart_and_a_kill(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with spillway(tmp_path, *CONTROL) as node:
            account = {"name": "Ada", "password": "correct horse"}
            async with session.post(node.url + "/api/v1/accounts", json=account) as answer:
                token = (await answer.json())["token"]
            node.child.kill()
            await node.child.wait()
        async with spillway(tmp_path, *CONTROL) as node:
            headers = {"Authorization": f"Bearer {token}"}
            async with session.get(node.url + "/api/v1/streams?owner=me", headers=headers) as answer:
                assert answer.status == 200


async def refused(*argv: str) -> str:
    """The one line that such a start ends with."""
    code, output, errors = await run_to_end(*argv)
    assert (code, output) == (2, "")
    assert len(errors.splitlines()) == 1
    assert errors.startswith("spillway: ")
    return errors


async def test_what_can_not_start_says_so_in_one_line(tmp_path: Path) -> None:
    data = ("--data-dir", str(tmp_path / "data"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = await refused("serve", *data, *CONTROL, "--host", "127.0.0.1", "--http-port", port)
        assert f"http_port: port {port} on 127.0.0.1 is taken" in line
    assert "--http-prot: unknown" in await refused("serve", "--http-prot", "1")
    assert "http_port" in await refused("serve", "--http-port", "70000")
    config = tmp_path / "spillway.toml"
    config.write_text("colour = 'red'\n")
    assert "colour: unknown setting" in await refused("serve", "--config", str(config))
    (tmp_path / "file").write_text("")
    assert "data_dir" in await refused("serve", *CONTROL, "--data-dir", str(tmp_path / "file"))
    no_pair = ("--tls-cert", str(tmp_path / "none.pem"), "--tls-key", str(tmp_path / "none.pem"))
    assert "tls_cert" in await refused("serve", *data, *CONTROL, *no_pair)
    assert "roles" in await refused("demo", *data, *CONTROL)
    assert "host" in await refused("serve", *data, *CONTROL, "--host", "nowhere.invalid")
    url = "redis://127.0.0.1:1"
    assert "redis_url" in await refused("serve", *data, *CONTROL, "--redis-url", url)


async def test_an_unreachable_database_says_so_in_one_line(tmp_path: Path) -> None:
    url = "postgresql://spillway:hunter2@127.0.0.1:1/spillway"
    line = await refused(
        "serve", *CONTROL, "--http-port", "0", "--data-dir", str(tmp_path), "--database-url", url
    )
    assert "database_url: can't open PostgreSQL at 127.0.0.1:1" in line
    assert "hunter2" not in line


async def test_two_nodes_do_not_share_a_data_directory(tmp_path: Path) -> None:
    async with spillway(tmp_path, *CONTROL):
        line = await refused("serve", *CONTROL, "--http-port", "0", "--data-dir", str(tmp_path))
        assert "data_dir: another node uses" in line


async def test_doctor_says_what_to_fix(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        argv = (
            "doctor",
            *CONTROL,
            "--host",
            "127.0.0.1",
            "--http-port",
            str(port),
            "--data-dir",
            str(tmp_path),
        )
        code, output, _ = await run_to_end(*argv, "--rtc-port", "0")
    assert code == 1
    assert f"FIX   http_port: TCP {port} on 127.0.0.1: Address already in use" in output
    assert f"ss -lpn | grep :{port}" in output
    code, output, _ = await run_to_end("doctor", *CONTROL, "--http-port", "0", "--rtc-port", "0")
    assert code == 0
    assert "FIX" not in output


async def test_wrong_usage() -> None:
    for argv in ((), ("fly",), ("serve", "extra"), ("bench", "none"), ("serve", "--http", "1")):
        code, output, errors = await run_to_end(*argv)
        assert (code, output) == (2, "")
        assert "Traceback" not in errors
    code, output, _ = await run_to_end("version")
    assert code == 0
    assert output.startswith("spillway ")

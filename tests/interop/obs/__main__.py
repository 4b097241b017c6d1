"""``python -m tests.interop.obs --root DIR [--seconds 60] [--loss 0.02] [--steps ...]``: a real OBS.

``DIR`` is the root of a file system that holds OBS Studio 30 or newer with its WHIP output, and Xvfb
(README.md beside this file says how one can be made); ``/`` is this machine's own. Needs root for another.
Prints one JSON object: what OBS did at each step, and figures of what viewers got.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.pattern_pages import create_stream, progress
from tests.interop.obs.front import Front, front
from tests.interop.obs.profile import write_configuration
from tests.interop.obs.studio import Studio, studio
from tests.interop.obs.viewing import keyframes_asked_for, metrics, watch
from tests.interop.serve_process import Process, spillway
from tests.interop.turn_server import installed, turn_server
from tests.udp_relay import udp_relay

STUN = "stun:127.0.0.1:9"
"""Nothing listens there: what OBS makes of such a Link header is seen in its log."""
STEPS = ["watch", "restart", "loss", "key"]
BACK_S = 60.0
POLL_S = 0.02
OUTPUT = "[obs-webrtc]"


class Check:
    def __init__(self, root: Path, seconds: float, loss: float, steps: list[str]) -> None:
        self._root = root
        self._chosen = steps
        self._seconds = seconds
        self._loss = loss
        self._stack = AsyncExitStack()
        self._data_dir = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        ports = (_free_port(socket.SOCK_STREAM), _free_port(socket.SOCK_DGRAM))
        self._flags = ["--http-port", str(ports[0]), "--rtc-port", str(ports[1])]
        self._node: Process
        self._serving = AsyncExitStack()
        self._stream: dict[str, Any]
        self.figures: dict[str, Any] = {}

    async def run(self) -> None:
        async with self._stack:
            servers: list[object] = [STUN]
            turn = None
            if installed():
                turn = await self._stack.enter_async_context(turn_server(self._data_dir))
                access = {"username": turn.username, "credential": turn.credential}
                servers.append({"urls": [turn.url], **access})
            self._flags += ["--ice-servers", json.dumps(servers)]
            self._stack.push_async_callback(self._stop_serving)
            await self._serve()
            self._stream = await create_stream(self._node.url)
            passing = await self._stack.enter_async_context(front(self._node.url))
            home = Path(tempfile.mkdtemp(prefix="obs-", dir=self._root / "tmp"))
            self._stack.callback(shutil.rmtree, home, ignore_errors=True)
            seen = Path("/") / home.relative_to(self._root)
            write_configuration(home, seen, f"{passing.url}/whip", self._stream["stream_key"])
            obs = await self._stack.enter_async_context(studio(self._root, home))
            try:
                await self._steps(obs, passing)
            finally:
                self.figures["turn_allocations"] = None if turn is None else turn.allocations()
                self.figures["log"] = [line for line in obs.log if OUTPUT in line or "Reconnecting" in line]
                self.figures["exchanges"] = [
                    (each.method, each.status, len(each.links)) for each in passing.exchanges
                ]

    async def _steps(self, obs: Studio, passing: Front) -> None:
        self.figures["live_ms"] = await self._until_live(obs, 0)
        self.figures["offer"] = passing.exchanges[0].body
        if "watch" in self._chosen:
            self.figures["watched"] = await watch(self._node.url, self._stream, self._seconds)
            self.figures["keyframe_requests"] = await keyframes_asked_for(self._node.url, self._stream)
            self.figures["output"] = _last_report(obs)
        if "restart" in self._chosen:
            for name in ("SIGTERM", "SIGKILL"):
                progress(f"the node gets {name} and is started again")
                self.figures[f"after_{name.lower()}"] = await self._restart(obs, signal.Signals[name])
        self.figures["ended_ms"] = await self._stop(obs)
        if "loss" in self._chosen:
            self.figures["lossy"] = await self._lossy(obs, passing)
        if "key" in self._chosen:
            self.figures["wrong_key"] = await self._wrong_key(obs)

    async def _lossy(self, obs: Studio, passing: Front) -> dict[str, Any]:
        async with udp_relay(self._loss) as relay:
            passing.relay = relay
            since = _now_ms()
            obs.command("start")
            await self._until_live(obs, since)
            before = await metrics(self._node.url)
            watched = await watch(self._node.url, self._stream, self._seconds / 2)
            after = await metrics(self._node.url)
            counted = {each: after[each] - before[each] for each in ("packets_lost", "nack_sent", "pli_sent")}
            counted |= {"datagrams_lost": relay.lost, "datagrams_forwarded": relay.forwarded}
            await self._stop(obs)
        return watched | counted

    async def _restart(self, obs: Studio, number: signal.Signals) -> dict[str, Any]:
        """Times since the node was told to end."""
        since = _now_ms()
        self._node.child.send_signal(number)
        await self._node.child.wait()
        await self._stop_serving()
        await self._serve()
        result: dict[str, Any] = {"node_back_ms": _now_ms() - since}
        try:
            async with asyncio.timeout(BACK_S):
                while True:
                    told = [each for each in obs.events() if each["at_ms"] >= since]
                    if stopped := next((each for each in told if each.get("signal") == "stop"), None):
                        result["obs_gave_up_ms"] = stopped["at_ms"] - since
                        result["code"] = stopped["code"]
                        break
                    back = next((e for e in told if e.get("signal") == "reconnect_success"), None)
                    if back is not None and await self._status() == "live":
                        result["live_again_ms"] = _now_ms() - since
                        return result
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            result["timed_out"] = True
        since = _now_ms()
        obs.command("start")
        result["live_by_hand_ms"] = await self._until_live(obs, since)
        return result

    async def _stop(self, obs: Studio) -> int:
        since = _now_ms()
        obs.command("stop")
        taken = await obs.told(10, since, command="stop")
        await self._until_status(lambda status: status != "live")
        return _now_ms() - int(taken["at_ms"])

    async def _wrong_key(self, obs: Studio) -> dict[str, Any]:
        """The owner has replaced the key that OBS has."""
        async with aiohttp.ClientSession(self._node.url, raise_for_status=True) as http:
            account = {"name": "bench", "password": "correct horse battery"}
            async with http.post("/api/v1/tokens", json=account) as answer:
                token = (await answer.json())["token"]
            path = f"/api/v1/streams/{self._stream['stream_id']}/key"
            async with http.post(path, headers={"Authorization": f"Bearer {token}"}):
                pass
        since, line = _now_ms(), len(obs.log)
        obs.command("start")
        stopped = await obs.told(20, since, signal="stop")
        return {"code": stopped["code"], "log": await obs.logged("Connect failed", 5, line)}

    async def _until_live(self, obs: Studio, since_ms: int) -> int:
        """Milliseconds from the start in OBS to the node's "live"."""
        started = await obs.told(40, since_ms, event="starting")
        await self._until_status(lambda status: status == "live")
        return _now_ms() - int(started["at_ms"])

    async def _until_status(self, wanted: Callable[[str], bool]) -> None:
        async with asyncio.timeout(20):
            while True:
                if wanted(await self._status()):
                    return
                await asyncio.sleep(POLL_S)

    async def _status(self) -> str:
        path = f"{self._node.url}/api/v1/streams/{self._stream['stream_id']}"
        async with aiohttp.ClientSession() as http, http.get(path) as answer:
            return str((await answer.json())["status"])

    async def _serve(self) -> None:
        self._node = await self._serving.enter_async_context(spillway(self._data_dir, *self._flags))

    async def _stop_serving(self) -> None:
        try:
            await self._serving.aclose()
        finally:
            self._serving = AsyncExitStack()


def _last_report(obs: Studio) -> dict[str, Any]:
    return next(each for each in reversed(obs.events()) if "frames" in each)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description="A real OBS publishes over WHIP.")
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--loss", type=float, default=0.02, help="of datagrams each way, 0..1")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    options = parser.parse_args()
    check = Check(options.root, options.seconds, options.loss, options.steps)
    try:
        asyncio.run(check.run())
    finally:
        json.dump(check.figures | {"load": round(os.getloadavg()[0], 1)}, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()

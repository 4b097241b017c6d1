"""``spillway demo``: a node, an account "demo" and a stream "Demo" that a process of its own publishes.

A second run on the same data directory finds both again. Passwords and keys are stored as hashes only, so it
replaces them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from signaling.auth.secrets import STREAM_KEY, hash_secret, new_id, new_secret
from signaling.errors import StartError
from signaling.links import Links, Listeners
from signaling.node import Node
from signaling.store.interfaces import NameTaken
from signaling.store.records import Account, NewStream

__all__ = ["demonstration"]

log = logging.getLogger("spillway.demo")

PUBLISHER = "signaling.demo.publisher"
RESTART_S = 1.0
STOP_S = 3.0


@dataclass(frozen=True, slots=True)
class SignIn:
    account: Account
    password: str


@contextlib.asynccontextmanager
async def demonstration(node: Node, stop: asyncio.Event) -> AsyncIterator[None]:
    """A ``Companion`` of the node. Raises StartError."""
    try:
        sign_in = await _sign_in(node)
        stream_id, key = await _stream(node, sign_in.account)
    except OSError as error:  # a full database too
        raise StartError(f"data_dir: the demo's account and stream can't be kept: {error}") from None
    links = Links(node.url, Listeners(webrtc=True))
    print(f"Watch:   {links.watch(stream_id)}")
    print(f"Sign in: {sign_in.account.name} / {sign_in.password}", flush=True)
    async with asyncio.TaskGroup() as group:
        publishing = group.create_task(_publish(links.whip() or "", key))
        try:
            yield
        finally:
            publishing.cancel()


async def _sign_in(node: Node) -> SignIn:
    password = new_secret("")[:16]
    password_hash = await node.passwords.hash(password)
    note = node.settings.data_dir / "demo.json"
    ours = _noted(note)
    account = await node.accounts.get(ours) if ours else None
    if account is not None:
        await node.accounts.set_password(account.account_id, password_hash)
        return SignIn(account, password)
    # Somebody may have signed up as "demo" before: then it is theirs.
    for name in ("demo", f"demo-{new_id()[:6]}"):
        account = Account(new_id(), name)
        with contextlib.suppress(NameTaken):
            await node.accounts.create(account, password_hash, node.clock.now())
            note.write_text(json.dumps({"account_id": account.account_id}))
            return SignIn(account, password)
    raise StartError("data_dir: no name is free for the demo's account")


def _noted(note: Path) -> str | None:
    """The account that an earlier run made. Raises OSError."""
    try:
        written = json.loads(note.read_text())
    except (FileNotFoundError, ValueError):  # none, or one that a full disk cut short
        return None
    ours = written.get("account_id") if isinstance(written, dict) else None
    return ours if isinstance(ours, str) else None


async def _stream(node: Node, account: Account) -> tuple[str, str]:
    """The demo's stream and a fresh key for it."""
    key = new_secret(STREAM_KEY)
    page = await node.streams.owned_by(account.account_id, limit=100, cursor=None)
    for stream in page.streams:
        if stream.title == "Demo" and stream.category == "demo":
            await node.streams.set_key(stream.stream_id, hash_secret(key))
            node.keys.forget(stream.stream_id)
            return stream.stream_id, key
    made = await node.streams.create(
        NewStream(
            stream_id=new_id(),
            broadcaster_id=account.account_id,
            key_hash=hash_secret(key),
            title="Demo",
            category="demo",
            record=False,
            visibility="public",
            scheduled_at=None,
            created_at=node.clock.now(),
        )
    )
    return made.stream_id, key


async def _publish(whip_url: str, key: str) -> None:
    """Keep the publisher running until cancelled.

    It reads the key from a pipe: out of ``ps``, and when the node is killed, the pipe's end ends it too."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPILLWAY_")}
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            PUBLISHER,
            "--whip-url",
            whip_url,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            # Ctrl-C goes to the whole foreground group: the node ends the publisher itself.
            start_new_session=True,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(f"{key}\n".encode())
            code = await process.wait()
            log.warning("the demo's publisher ended with code %d and starts again", code)
            await asyncio.sleep(RESTART_S)
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

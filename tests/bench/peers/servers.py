"""The servers that are compared: how each is started, published to and watched."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Server", "livekit", "mediamtx", "spillway"]

READY_S = 90.0
SDP = {"Content-Type": "application/sdp"}


class Server(Protocol):
    name: str
    version: str
    pid: int

    def publish(self, offer: str) -> str:
        """The answer."""
        ...

    def watch(self, offer: str, number: int) -> str:
        """The answer to viewer ``number``."""
        ...


def post(url: str, body: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"POST {url}: {error.code} {error.read().decode(errors='replace')}") from error


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(argv: list[str], url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child, ready when something answers at ``url``; it ends with the context."""
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + READY_S
            while not _answers(url):
                if child.poll() is not None or time.monotonic() > deadline:
                    output.seek(0)
                    raise RuntimeError(f"{argv[0]} does not get ready: {output.read().decode()[-2000:]}")
                time.sleep(0.1)
            yield child
        finally:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(15)
            child.kill()
            child.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@dataclass
class _Spillway:
    name: str
    version: str
    pid: int
    url: str
    key: str
    stream_id: str

    def publish(self, offer: str) -> str:
        return post(f"{self.url}/whip", offer, SDP | {"Authorization": f"Bearer {self.key}"})

    def watch(self, offer: str, number: int) -> str:
        return post(f"{self.url}/whep/{self.stream_id}", offer, SDP)


@contextmanager
def spillway(gso: bool = True) -> Iterator[Server]:
    """This checkout: packets, negotiation and the control plane; no HLS and no mixer."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as data:
        argv = [
            sys.executable,
            "-m",
            "signaling.cli",
            "serve",
            "--host",
            "127.0.0.1",
            "--http-port",
            str(port),
        ]
        argv += ["--rtc-port", "0", "--data-dir", data, "--roles", "api,engine", "--rate-limits", "off"]
        with process(argv, f"{url}/readyz") as child:
            version = subprocess.run(
                [sys.executable, "-m", "signaling.cli", "version"], capture_output=True, text=True, check=True
            ).stdout.split()[-1]
            body = json.dumps({"name": "bench", "password": "a long password"})
            json_type = {"Content-Type": "application/json"}
            token = json.loads(post(f"{url}/api/v1/accounts", body, json_type))["token"]
            body = json.dumps({"title": "bench", "category": "bench", "record": False})
            made = json.loads(
                post(f"{url}/api/v1/streams", body, json_type | {"Authorization": f"Bearer {token}"})
            )
            yield _Spillway("Spillway", version, child.pid, url, made["stream_key"], made["stream_id"])


@dataclass
class _MediaMtx:
    name: str
    version: str
    pid: int
    url: str

    def publish(self, offer: str) -> str:
        return post(f"{self.url}/bench/whip", offer, SDP)

    def watch(self, offer: str, number: int) -> str:
        return post(f"{self.url}/bench/whep", offer, SDP)


@contextmanager
def mediamtx(binary: Path) -> Iterator[Server]:
    """With WebRTC as its only protocol."""
    port, udp = free_port(), free_port(socket.SOCK_DGRAM)
    config = f"""
logLevel: warn
rtsp: no
rtmp: no
hls: no
srt: no
webrtcAddress: 127.0.0.1:{port}
webrtcLocalUDPAddress: 127.0.0.1:{udp}
webrtcIPsFromInterfaces: no
webrtcAdditionalHosts: [127.0.0.1]
paths:
  bench:
"""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(config)
        file.flush()
        with process([str(binary), file.name], f"http://127.0.0.1:{port}/bench") as child:
            version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.strip()
            yield _MediaMtx("MediaMTX", version, child.pid, f"http://127.0.0.1:{port}")


@dataclass
class _LiveKit:
    name: str
    version: str
    pid: int
    url: str
    key: str
    secret: str

    def publish(self, offer: str) -> str:
        return post(f"{self.url}/whip/v1", offer, self._headers("publisher"))

    def watch(self, offer: str, number: int) -> str:
        # its WHIP endpoint also subscribes, to tracks named beforehand; it names a WHIP video track so
        wanted = {"subscribedParticipantTrackNames": {"publisher": ["synthesized-camera"]}}
        headers = self._headers(f"viewer-{number}") | {"X-LiveKit-ClientInfo": json.dumps(wanted)}
        return post(f"{self.url}/whip/v1", offer, headers)

    def _headers(self, identity: str) -> dict[str, str]:
        now = int(time.time())
        video = {"room": "bench", "roomJoin": True, "canPublish": True, "canSubscribe": True}
        claims = {"iss": self.key, "sub": identity, "nbf": now - 60, "exp": now + 3600, "video": video}
        parts = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
            for part in ({"alg": "HS256", "typ": "JWT"}, claims)
        ]
        signature = hmac.digest(self.secret.encode(), b".".join(parts), hashlib.sha256)
        parts.append(base64.urlsafe_b64encode(signature).rstrip(b"="))
        return SDP | {"Authorization": f"Bearer {b'.'.join(parts).decode()}"}


@contextmanager
def livekit(binary: Path) -> Iterator[Server]:
    """One node, one UDP port per core as its documentation advises, loopback candidates."""
    port, tcp, udp = free_port(), free_port(), free_port(socket.SOCK_DGRAM)
    key, secret = "bench", "a-secret-of-at-least-32-characters"
    config = {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "rtc": {
            "tcp_port": tcp,
            "udp_port": udp,
            "node_ip": "127.0.0.1",
            "use_external_ip": False,
            "enable_loopback_candidate": True,
        },
        "keys": {key: secret},
        "logging": {"level": "error"},
    }
    url = f"http://127.0.0.1:{port}"
    with process([str(binary), "--config-body", json.dumps(config)], url) as child:
        output = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout
        version = re.search(r"\d+\.\d+\.\d+", output)
        yield _LiveKit("LiveKit", version.group() if version else "?", child.pid, url, key, secret)

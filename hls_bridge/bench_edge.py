"""The edge as it is shipped, for `spillway bench origin` and its tests: Varnish, and nginx in front of it, on
free ports of 127.0.0.1."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hls_bridge.bench_origin_load import PART_BYTES

__all__ = ["installed", "nginx", "static_nginx", "varnish"]

DEPLOY = Path(__file__).parent.parent / "docs" / "deploy"
PLAYLIST_BYTES = 900
"""A delta update of the bench's stream, gzipped or not."""
STATIC = """
worker_processes auto;
error_log stderr warn;
pid nginx.pid;
events { worker_connections 16384; }
http {
    access_log off;
    server {
        listen 127.0.0.1:443 ssl http2;
        ssl_certificate tls.crt;
        ssl_certificate_key tls.key;
        root .;
        location ~ m3u8$ { try_files /list =404; }
        location /hls/s/b/720p30/ { try_files /720p30 =404; }
        location /hls/s/b/sound/ { try_files /sound =404; }
    }
}
"""


def installed(program: str) -> bool:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None


@contextlib.contextmanager
def varnish(origin_port: int) -> Iterator[tuple[int, int]]:
    """(port, process id)."""
    port = _free_port()
    with _folder() as folder:
        vcl = folder / "edge.vcl"
        text = (DEPLOY / "varnish.vcl").read_text()
        vcl.write_text(_replaced(text, {'.port = "8080";': f'.port = "{origin_port}";'}))
        command = [str(DEPLOY / "varnish.sh"), "-F", "-f", str(vcl), "-a", f"127.0.0.1:{port}"]
        command += ["-j", "none", "-n", f"{folder}/work", "-s", "malloc,256m"]
        with _running(command, folder, port) as pid:
            yield port, pid


@contextlib.contextmanager
def nginx(
    origin_port: int, edge_port: int, edge_key: str = "bench", access_log: Path | None = None
) -> Iterator[tuple[int, int]]:
    """(TLS port, process id)."""
    text = (DEPLOY / "nginx.conf").read_text()
    port = _free_port()
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "127.0.0.1:6081": f"127.0.0.1:{edge_port}",
        "127.0.0.1:8080": f"127.0.0.1:{origin_port}",
    }
    environment = {"SPILLWAY_EDGE_KEY": edge_key, "SPILLWAY_EDGE_ACCESS_LOG": str(access_log or "")}
    with _nginx(_replaced(text, changes), port, environment) as pid:
        yield port, pid


@contextlib.contextmanager
def static_nginx() -> Iterator[tuple[int, int]]:
    """The floor: files of the same sizes over the same TLS."""
    port = _free_port()
    text = _replaced(STATIC, {"127.0.0.1:443": f"127.0.0.1:{port}"})
    with _nginx(text, port, {"SPILLWAY_EDGE_KEY": "none"}, static=True) as pid:
        yield port, pid


@contextlib.contextmanager
def _nginx(text: str, port: int, environment: Mapping[str, str], *, static: bool = False) -> Iterator[int]:
    with _folder() as folder:
        written, tls = folder / "nginx", folder / "tls"
        for each in (written, tls):
            each.mkdir()
        _write_certificate(tls)
        if static:
            for name, size in {**PART_BYTES, "list": PLAYLIST_BYTES}.items():
                (written / name).write_bytes(os.urandom(size))
        (folder / "nginx.conf").write_text(text)
        user = ["user root;"] if os.geteuid() == 0 else []
        command = [str(DEPLOY / "nginx.sh"), str(folder / "nginx.conf"), str(written), str(tls), *user]
        with _running(command, folder, port, environment) as pid:
            yield pid


@contextlib.contextmanager
def _running(
    command: list[str], folder: Path, port: int, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(environment or {})})
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None:
                    raise RuntimeError((folder / "log").read_text())
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        if old not in text:
            raise RuntimeError(f"the shipped configuration has no {old!r}")
        text = text.replace(old, new)
    return text


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
    certificate = builder.not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    (folder / "tls.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "tls.key").write_bytes(key.private_bytes(*pem))

"""Runs Debian's Varnish and nginx with the shipped configuration, on free ports of 127.0.0.1."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DEPLOY = Path(__file__).parent.parent / "docs" / "deploy"


def binary(name: str, package: str) -> str:
    """The path of a program; says what to install if it is missing."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert path, f"{name} is missing: apt-get install {package}"
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@contextmanager
def running(
    command: list[str], port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with open(log, "ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=log.parent, env=os.environ | dict(environment or {})
        )
        try:
            wait_for(port, process, log)
            yield process
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def varnish(directory: Path, origin_port: int) -> Iterator[tuple[int, int]]:
    """(port, process id)."""
    port = free_port()
    vcl = directory / "varnish.vcl"
    text = (DEPLOY / "varnish.vcl").read_text()
    assert '.port = "8080";' in text
    vcl.write_text(text.replace('.port = "8080";', f'.port = "{origin_port}";'))
    directory.chmod(0o755)
    binary("varnishd", "varnish")
    command = [str(DEPLOY / "varnish.sh"), "-F", "-f", str(vcl), "-a", f"127.0.0.1:{port}", "-j", "none"]
    command += ["-n", str(directory / "varnish"), "-s", "malloc,128m", "-p", "vsl_space=8m"]
    with running(command, port, directory / "varnish.log") as process:
        yield port, process.pid


@contextmanager
def nginx(directory: Path, origin_port: int, edge_port: int, edge_key: str) -> Iterator[int]:
    """The TLS port."""
    port = free_port()
    text = (DEPLOY / "nginx.conf").read_text()
    for old, new in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "127.0.0.1:6081": f"127.0.0.1:{edge_port}",
        "127.0.0.1:8080": f"127.0.0.1:{origin_port}",
        "worker_processes auto": "worker_processes 1",
        "worker_connections 16384": "worker_connections 512",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    written, tls = directory / "nginx", directory / "tls"
    for each in (written, tls):
        each.mkdir()
    configuration = directory / "nginx.conf"
    configuration.write_text(text)
    write_certificate(tls)
    binary("nginx", "nginx")
    user = ["user root;"] if os.geteuid() == 0 else []
    command = [str(DEPLOY / "nginx.sh"), str(configuration), str(written), str(tls), *user]
    with running(command, port, directory / "nginx.log", {"SPILLWAY_EDGE_KEY": edge_key}):
        yield port


def write_certificate(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
    certificate = builder.not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    (directory / "tls.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )

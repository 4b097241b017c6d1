"""``python -m signaling.demo.publisher --whip-url URL``: publishes the demo until told to stop.

The stream key comes from the environment (``SPILLWAY_STREAM_KEY``) or as the first line of standard
input, never from the command line, where every user of the machine could read it. A key from standard
input also ties the process to its parent: when standard input closes, it ends.
"""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import av
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from signaling.demo.session import Credentials, publish

__all__ = ["KEY_VARIABLE", "main"]

KEY_VARIABLE = "SPILLWAY_STREAM_KEY"

FIRST_RETRY_S = 0.25
LAST_RETRY_S = 2.0
"""A node that restarts is back in a second or two; asking every 2 s costs it nothing."""
SETTLED_S = 5.0
"""A session that lived this long was a good one: the next retry starts from the first delay again."""
CLOSE_S = 3.0
"""How long the DELETE of a session may take at the end before the process leaves without it."""

log = logging.getLogger("spillway.demo")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the publisher; the exit status is 0 when told to stop, 1 for a refused key, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="spillway-demo-publisher", description="Publish a generated program over WHIP.")
    parser.add_argument("--whip-url", required=True, help="where to publish, e.g. http://127.0.0.1:8080/whip")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="demo: %(message)s", stream=sys.stderr)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    stream_key = os.environ.pop(KEY_VARIABLE, "")
    if not stream_key:
        stream_key = sys.stdin.readline().strip()
        # A daemon: it blocks in read() until the parent goes.
        threading.Thread(target=_watch_stdin, args=(stop,), daemon=True).start()
    if not stream_key:
        parser.error(f"no stream key: set {KEY_VARIABLE} or write it to standard input")

    with tempfile.TemporaryDirectory(prefix="spillway-demo-") as folder:
        cert_file, key_file = _make_certificate(Path(folder))
        credentials = Credentials(stream_key, cert_file, key_file)
        refused = threading.Event()
        # FFmpeg blocks in system calls where no Python signal handler runs: it gets a thread of its own.
        worker = threading.Thread(target=_run, args=(options.whip_url, credentials, stop, refused), daemon=True)
        worker.start()
        stop.wait()
        worker.join(CLOSE_S)
    return 1 if refused.is_set() else 0


def _run(whip_url: str, credentials: Credentials, stop: threading.Event, refused: threading.Event) -> None:
    """Publishes again and again, with a growing pause in between, until ``stop`` is set."""
    delay = FIRST_RETRY_S
    try:
        while not stop.is_set():
            try:
                lived_s = publish(whip_url, credentials, stop)
            except (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError):
                log.error("the node refuses the key of this stream")
                refused.set()
                return
            except av.error.FFmpegError as error:
                lived_s = 0.0
                reason = error.strerror
            else:
                reason = "connection lost"
            if lived_s >= SETTLED_S:
                delay = FIRST_RETRY_S
            if not stop.is_set():
                log.warning("%s; trying again in %.2f s", reason, delay)
            stop.wait(delay)
            delay = min(2 * delay, LAST_RETRY_S)
    finally:
        # Whatever ends this thread ends the process: nobody else publishes.
        stop.set()


def _watch_stdin(stop: threading.Event) -> None:
    # The descriptor, not sys.stdin: interpreter shutdown must not wait for a lock that this thread holds.
    while os.read(0, 4096):
        pass
    stop.set()


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    """A throw-away P-256 certificate for DTLS (RFC 8827, section 6.5) as two PEM files."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "spillway demo")])
    now = datetime.datetime.fromtimestamp(time.time(), datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .sign(private, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


if __name__ == "__main__":
    raise SystemExit(main())

"""``python -m signaling.demo.publisher --whip-url URL``: publishes the demo until told to stop.

The stream key comes from the environment (``SPILLWAY_STREAM_KEY``) or as the first line of standard
input, never from the command line, where every user of the machine could read it. A key from standard
input also ties the process to its parent: when standard input closes, it ends. With a key from the
environment, ``--until-stdin-closes`` does the same.
"""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["KEY_VARIABLE", "main"]

KEY_VARIABLE = "SPILLWAY_STREAM_KEY"

FIRST_RETRY_S = 0.25
LAST_RETRY_S = 2.0
"""A node that restarts is back in a second or two; asking every 2 s costs it nothing."""
SETTLED_S = 5.0
"""A session that lived this long was a good one: the next retry starts from the first delay again."""
STALL_S = 6.0
"""Without a frame for this long a session hangs: longer than its handshake may take (4 s)."""
CLOSE_S = 3.0
"""How long the DELETE at the end of a session may take."""

# The exit status of signaling.demo.session; importing it would load FFmpeg into this process as well.
REFUSED, NOT_CONNECTED = 3, 4

log = logging.getLogger("spillway.demo")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the publisher; the exit status is 0 when told to stop, 1 for a refused key, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m signaling.demo.publisher", description="Publish a generated program over WHIP."
    )
    parser.add_argument("--whip-url", required=True, help="where to publish: http://127.0.0.1:8080/whip")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="demo: %(message)s", stream=sys.stderr)

    stream_key = os.environ.pop(KEY_VARIABLE, "")
    watch_stdin = not stream_key
    if not stream_key:
        stream_key = sys.stdin.readline().strip()
    if not stream_key:
        parser.error(f"no stream key: set {KEY_VARIABLE} or write it to standard input")

    with Stop(watch_stdin) as stop, tempfile.TemporaryDirectory(prefix="spillway-demo-") as folder:
        _make_certificate(Path(folder))
        delay = FIRST_RETRY_S
        while not stop.requested:
            began = time.monotonic()
            ending = _run_session(options.whip_url, stream_key, folder, stop)
            if ending == REFUSED:
                log.error("the node does not accept the key of this stream")
                return 1
            if stop.requested:
                break
            if time.monotonic() - began >= SETTLED_S:
                delay = FIRST_RETRY_S
            trouble = "no connection" if ending == NOT_CONNECTED else "connection lost"
            log.warning("%s; trying again in %.2f s", trouble, delay)
            stop.wait(delay)
            delay = min(2 * delay, LAST_RETRY_S)
    return 0


class Stop:
    """The wish to stop: SIGTERM, SIGINT, or the end of standard input if that is watched."""

    def __init__(self, watch_stdin: bool) -> None:
        self.requested = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self._wake_read, selectors.EVENT_READ)
        if watch_stdin:
            self.selector.register(0, selectors.EVENT_READ)

    def __enter__(self) -> Stop:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self.selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def wait(self, timeout_s: float, also: int | None = None) -> bool:
        """Waits for the wish, for ``also`` (a descriptor) to be readable, or for the time to pass.

        True if ``also`` is readable.
        """
        if also is not None:
            self.selector.register(also, selectors.EVENT_READ)
        try:
            ready = {key.fd for key, _ in self.selector.select(timeout_s)}
        finally:
            if also is not None:
                self.selector.unregister(also)
        # What is written to standard input after the key means nothing; only its end does.
        if self._wake_read in ready or (0 in ready and not os.read(0, 4096)):
            self.requested = True
        return also in ready


def _run_session(whip_url: str, stream_key: str, folder: str, stop: Stop) -> int:
    """Runs one session to its end, or ends it: on request politely, by force when it hangs."""
    session = subprocess.Popen(
        [sys.executable, "-m", "signaling.demo.session", "--whip-url", whip_url, "--folder", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert session.stdin is not None
    assert session.stdout is not None
    with session, session.stdin, session.stdout:
        try:
            session.stdin.write(f"{stream_key}\n".encode())
            session.stdin.flush()
            frames = session.stdout.fileno()
            alive_at = time.monotonic()
            while not stop.requested and time.monotonic() - alive_at < STALL_S:
                if stop.wait(1.0, frames):
                    if not os.read(frames, 4096):
                        break
                    alive_at = time.monotonic()
            session.stdin.close()
            return session.wait(CLOSE_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            session.kill()
            return session.wait()


def _make_certificate(folder: Path) -> None:
    """A throw-away P-256 certificate for DTLS (RFC 8827, section 6.5) as ``cert.pem`` and ``key.pem``."""
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


if __name__ == "__main__":
    raise SystemExit(main())

"""The HTTP socket of a node."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import ssl
from pathlib import Path

from signaling.errors import StartError

__all__ = ["BACKLOG", "listen", "local_url", "port_refused", "tls_context"]

BACKLOG = 1024


def listen(host: str, port: int, setting: str = "http_port") -> socket.socket:
    """A listening TCP socket. Raises StartError, naming the setting."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise StartError(f"host: {host}: {error.strerror}") from None
    try:
        return socket.create_server(
            address[:2],
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        raise port_refused(setting, host, port, error) from None


def port_refused(setting: str, host: str, port: int, error: OSError) -> StartError:
    """Why a port can't be bound, in one line that names the setting."""
    number = error.errno or _os_error(error)
    if number == errno.EADDRNOTAVAIL:
        return StartError(f"host: this machine has no address {host}")
    flag = f"--{setting.replace('_', '-')}"
    reason = {
        errno.EADDRINUSE: f"is taken; choose another with {flag}, or 0 for a free one",
        errno.EACCES: f"needs more rights; choose one above 1023 with {flag}",
    }.get(number, f"can't be bound: {error.strerror or error}")
    return StartError(f"{setting}: port {port} on {host} {reason}")


def _os_error(error: OSError) -> int:
    """The number that Rust's errors have in their text, 0 where there is none."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found is not None else 0


def local_url(listener: socket.socket, *, secure: bool) -> str:
    """A URL that can be opened on this machine."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1"
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Raises StartError, naming the setting that is at fault."""
    for setting, path, kind in (("tls_cert", certificate, "CERTIFICATE"), ("tls_key", key, "PRIVATE KEY")):
        try:
            found = f"{kind}-----" in path.read_text("ascii", "replace")
        except OSError as error:
            raise StartError(f"{setting}: can't read {path}: {error.strerror}") from None
        if not found:
            raise StartError(f"{setting}: {path} has no {kind.lower()} in PEM format")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An empty password: an encrypted key is refused, not asked about at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise StartError(f"tls_key: {key} is not the key of {certificate}") from None
        text = f"{certificate} and {key} can't be loaded: damaged, or the key is encrypted"
        raise StartError(f"tls_cert: {text}") from None
    return context

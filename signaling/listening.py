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
    reason = {
        errno.EADDRINUSE: "is taken; choose another, or 0 for a free one",
        errno.EACCES: "needs more rights; choose one above 1023",
        errno.EADDRNOTAVAIL: "can't be had: this machine has no such address",
    }.get(error.errno or _os_error(error), f"can't be bound: {error.strerror or error}")
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
    """Raises StartError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        raise StartError(f"tls_cert: {certificate} and {key} are no pair: {error.reason or error}") from None
    except OSError as error:
        raise StartError(f"tls_cert: can't read {certificate} and {key}: {error.strerror}") from None
    return context

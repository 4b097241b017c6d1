"""Ports and certificates."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from datetime import UTC

from cryptography import x509

from signaling.clock import SystemClock
from signaling.doctor.finding import Finding
from signaling.errors import StartError
from signaling.listening import tls_context
from signaling.settings import Settings

__all__ = ["check"]


def check(settings: Settings) -> list[Finding]:
    return [*_ports(settings), *_tls(settings)]


def _ports(settings: Settings) -> Iterator[Finding]:
    ports = [
        ("http_port", settings.http_port, socket.SOCK_STREAM),
        ("rtc_port", settings.rtc_port, socket.SOCK_DGRAM),
        # ICE-TCP (RFC 6544), for viewers whose network lets no UDP out
        ("rtc_port", settings.rtc_port, socket.SOCK_STREAM),
    ]
    for name, port, kind in ports:
        protocol = "TCP" if kind is socket.SOCK_STREAM else "UDP"
        try:
            with _bind(settings.host, port, kind):
                pass
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                remedy = "set it to an address of this machine, or to 0.0.0.0 for all"
                yield Finding("fix", "host", f"{settings.host}: {error.strerror}", remedy)
                return
            remedy = f"end what uses it (ss -lpn | grep :{port}), or set {name}"
            yield Finding("fix", name, f"{protocol} {port} on {settings.host}: {error.strerror}", remedy)
        else:
            yield Finding("ok", name, f"{protocol} {port or 'any free one'} is free")


def _bind(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=kind)[0]
    bound = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        if kind is socket.SOCK_STREAM:
            bound.listen()
    except OSError:
        bound.close()
        raise
    return bound


def _tls(settings: Settings) -> Iterator[Finding]:
    if settings.tls_cert is None or settings.tls_key is None:
        if (settings.public_url or "").startswith("https://"):
            yield Finding("ok", "TLS", f"ends before the node, at {settings.public_url}")
        else:
            detail = "none: browsers give camera and microphone to https pages and to localhost only"
            yield Finding(
                "warn", "TLS", detail, "set tls_cert and tls_key, or public_url of a proxy with TLS"
            )
        return
    try:
        tls_context(settings.tls_cert, settings.tls_key)
        certificate = x509.load_pem_x509_certificate(settings.tls_cert.read_bytes())
    except (StartError, ValueError) as error:
        yield Finding("fix", "TLS", str(error), "give the PEM files of one certificate and its key")
        return
    ends = certificate.not_valid_after_utc.astimezone(UTC)
    days = (ends - SystemClock().now()).days
    if days < 0:
        yield Finding("fix", "TLS", f"the certificate ended on {ends:%Y-%m-%d}", "renew it")
    elif days < 14:
        yield Finding("warn", "TLS", f"the certificate ends in {days} days", "renew it")
    else:
        yield Finding("ok", "TLS", f"the certificate is good for {days} days")

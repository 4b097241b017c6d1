"""Ports, certificates, and whether the addresses that peers are told lead back here."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

from cryptography import x509

from signaling.clock import SystemClock
from signaling.doctor.finding import Finding
from signaling.errors import StartError
from signaling.listening import tls_context
from signaling.settings import Settings

__all__ = ["check"]

ECHO_S = 1.0


def check(settings: Settings) -> list[Finding]:
    return [*_ports(settings), *_addresses(settings), *_tls(settings)]


def _ports(settings: Settings) -> Iterator[Finding]:
    ports = [
        ("http_port", settings.http_port, socket.SOCK_STREAM),
        ("rtc_port", settings.rtc_port, socket.SOCK_DGRAM),
    ]
    for name, port, kind in ports:
        protocol = "TCP" if kind is socket.SOCK_STREAM else "UDP"
        try:
            with _bind(settings.host, port, kind):
                pass
        except OSError as error:
            remedy = f"end what uses it (ss -lpn | grep :{port}), or set {name}"
            yield Finding("fix", name, f"{protocol} {port} on {settings.host}: {error.strerror}", remedy)
        else:
            yield Finding("ok", name, f"{protocol} {port or 'any free one'} is free")


def _addresses(settings: Settings) -> Iterator[Finding]:
    if not settings.runs("engine"):
        return
    if not settings.advertise_ip:
        if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
            yield Finding(
                "warn",
                "advertise_ip",
                "not set, and this is a container: peers would be told addresses of its own network",
                "set advertise_ip to the host's address, and publish rtc_port as UDP",
            )
        else:
            yield Finding(
                "ok", "advertise_ip", "all addresses of this machine; behind NAT set the public one"
            )
    for address in settings.advertise_ip:
        yield _address(settings, address)


def _address(settings: Settings, address: str) -> Finding:
    """Send ourselves a datagram by way of the advertised address."""
    name = f"advertise_ip {address}"
    ours = _is_ours(address)
    try:
        with _bind(settings.host, settings.rtc_port, socket.SOCK_DGRAM) as receiver:
            arrived = _echo(receiver, address)
    except OSError:
        return Finding("warn", name, "not tested: rtc_port is taken")
    if arrived:
        return Finding("ok", name, "leads here")
    if ours:
        detail = "an address of this machine, but a datagram to it doesn't arrive"
        remedy = f"let UDP {settings.rtc_port} through the firewall, and check that `host` includes it"
        return Finding("fix", name, detail, remedy)
    return Finding(
        "warn",
        name,
        "none of this machine, and a datagram to it doesn't come back",
        f"forward UDP {settings.rtc_port} to this machine; routers may not loop back: test from outside",
    )


def _echo(receiver: socket.socket, address: str) -> bool:
    token = secrets.token_bytes(16)
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    receiver.settimeout(ECHO_S)
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.sendto(token, (address, receiver.getsockname()[1]))
        return receiver.recv(64) == token
    except OSError:
        return False


def _is_ours(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


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

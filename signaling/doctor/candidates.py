"""Whether the candidates that peers are told lead to this node: what most often keeps media away."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from sfu.addresses import candidate_addresses
from signaling.doctor.finding import Finding
from signaling.doctor.probe import Probe
from signaling.settings import Settings

__all__ = ["check"]

PRIVATE = [
    ip_network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
]
"""RFC 1918, 6598 and 4193: nobody routes these through the internet."""


def check(settings: Settings, probe: Probe) -> list[Finding]:
    """None for a node without the engine."""
    if not settings.runs("engine"):
        return []
    named = _named(settings, probe)
    return [*_reach(settings, probe, named), *(_address(settings, probe, each) for each in named)]


def _named(settings: Settings, probe: Probe) -> list[str]:
    """The candidates: as the engine names them, from this probe's addresses."""
    if settings.advertise_ip:
        return list(dict.fromkeys(settings.advertise_ip))
    bind = probe.resolve(settings.host)
    if any(ip_address(each).is_unspecified for each in bind):
        versions = {4, 6} if settings.host == "::" else {ip_address(each).version for each in bind}
        return [each for each in probe.addresses() if ip_address(each).version in versions]
    return candidate_addresses(bind, ())


def _reach(settings: Settings, probe: Probe, named: list[str]) -> Iterator[Finding]:
    """What the candidates have in common."""
    if not named:
        yield Finding("fix", "candidates", "none", "set host to an address of this machine, or advertise_ip")
        return
    outside = [each for each in named if not ip_address(each).is_loopback]
    if not outside:
        # a node for this machine alone is meant so; one that was told a public URL is not
        level: Literal["fix", "warn"] = "fix" if settings.public_url else "warn"
        detail = f"only {', '.join(named)}: nobody but this machine can watch"
        yield Finding(level, "candidates", detail, "set host to 0.0.0.0, or advertise_ip to a real address")
        return
    if not settings.advertise_ip and probe.in_container():
        yield Finding(
            "warn",
            "advertise_ip",
            "not set, and this is a container: peers would be told addresses of its own network",
            "set advertise_ip to the host's address, and publish rtc_port as UDP",
        )
        return
    public = _public(settings, probe)
    if settings.advertise_ip and public and not set(public) & set(named):
        detail = f"public_url leads to {', '.join(public)}, which is none of {', '.join(named)}"
        remedy = "add it to advertise_ip, unless only HTTP goes through there"
        yield Finding("warn", "advertise_ip", detail, remedy)
        return
    if not settings.advertise_ip:
        yield Finding("ok", "advertise_ip", "all addresses of this machine; behind NAT set the public one")
    if all(any(ip_address(each) in network for network in PRIVATE) for each in outside):
        detail = f"{', '.join(outside)}: only this network reaches these"
        remedy = "for viewers on the internet set advertise_ip to the public address and forward rtc_port"
        yield Finding("warn", "candidates", detail, remedy)


def _public(settings: Settings, probe: Probe) -> list[str]:
    host = urlsplit(settings.public_url).hostname if settings.public_url else None
    return probe.resolve(host) if host else []


def _address(settings: Settings, probe: Probe, address: str) -> Finding:
    """Send ourselves a datagram by way of the candidate."""
    name = f"candidate {address}"
    port = settings.rtc_port
    if settings.advertise_ip and address in probe.bridges():
        detail = "the address of a container bridge: nobody outside this machine can reach it"
        return Finding(
            "fix", name, detail, "set advertise_ip to an address of a network card, or the public one"
        )
    ours = address in probe.addresses()
    echo = probe.echo(settings.host, port, address)
    if echo == "arrived":
        return Finding("ok", name, "leads here")
    if echo == "port taken":
        return Finding("warn", name, "not tested: rtc_port is taken")
    if ours:
        detail = "an address of this machine, but a datagram to it doesn't arrive"
        remedy = f"let UDP {port} through the firewall, and check that `host` includes it"
        return Finding("fix", name, detail, remedy)
    if address in _public(settings, probe):
        detail = "public_url's address; a datagram to it doesn't come back here"
        remedy = f"forward UDP {port} to this machine; routers may not loop back: test from outside"
        return Finding("warn", name, detail, remedy)
    detail = "none of this machine and not public_url's, and a datagram to it doesn't come back"
    remedy = f"mend advertise_ip, or forward UDP {port} from there to this machine and test from outside"
    return Finding("warn", name, detail, remedy)

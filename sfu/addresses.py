"""Addresses under which this machine is reached."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import ifaddr

__all__ = ["candidate_addresses", "follows_machine", "local_addresses"]


def local_addresses() -> list[str]:
    """Every IPv4 and IPv6 address of this machine, loopback last. Link-local IPv6 addresses need a
    scope that SDP can't carry (RFC 8839 section 5.1) and are left out."""
    found: list[IPv4Address | IPv6Address] = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            address = ip_address(entry.ip if isinstance(entry.ip, str) else entry.ip[0])
            if not (address.version == 6 and address.is_link_local):
                found.append(address)
    return [str(address) for address in sorted(set(found), key=_preference)]


def candidate_addresses(bind: Sequence[str], advertise: Sequence[str]) -> list[str]:
    """What to name in answers for sockets bound to ``bind``: ``advertise`` where it is given."""
    if advertise:
        return list(dict.fromkeys(advertise))
    bound = [ip_address(address) for address in bind]
    every = [ip_address(each) for each in local_addresses()] if follows_machine(bind, advertise) else []
    reached: list[IPv4Address | IPv6Address] = []
    for address in bound:
        if address.is_unspecified:
            reached += [a for a in every if a.version == address.version]
        else:
            reached.append(address)
    return [str(address) for address in sorted(dict.fromkeys(reached), key=_preference)]


def follows_machine(bind: Sequence[str], advertise: Sequence[str]) -> bool:
    """Whether what ``candidate_addresses`` names changes with the machine's interfaces."""
    return not advertise and any(ip_address(address).is_unspecified for address in bind)


def _preference(address: IPv4Address | IPv6Address) -> tuple[bool, bool, int, int]:
    return (address.is_loopback, address.is_link_local, address.version, int(address))

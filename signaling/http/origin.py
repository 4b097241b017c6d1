"""Where a request came from and under which name it reached us, reverse proxies taken into account."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from aiohttp import web

__all__ = ["Origins", "base_url_of", "client_of"]

HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")


class Origins:
    """``X-Forwarded-For``, ``-Proto`` and ``-Host`` count only when a trusted proxy wrote them."""

    def __init__(self, public_url: str | None, trusted: Sequence[str]) -> None:
        self._public_url = public_url
        self._trusted = [ipaddress.ip_network(each) for each in trusted]

    def base_url(self, request: web.Request) -> str:
        """``scheme://host[:port]`` without a slash at the end."""
        if self._public_url is not None:
            return self._public_url
        forwarded = request.headers if self._is_trusted(request.remote) else {}
        secure = request.secure
        sockname = request.transport.get_extra_info("sockname") if request.transport else None
        return base_url_of(forwarded, request.headers.get("Host", ""), sockname, secure=secure)

    def client(self, request: web.Request) -> str:
        """The client's address; of IPv6 its /64, which one household or one phone has for itself."""
        remote = request.remote
        if self._is_trusted(remote):
            # The proxies append: from the right, the first that isn't ours is the client.
            hops = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
            for hop in reversed([each.strip() for each in hops if each.strip()]):
                remote = hop
                if not self._is_trusted(hop):
                    break
        return client_of(remote)

    def _is_trusted(self, address: str | None) -> bool:
        if not self._trusted or not address:
            return False
        try:
            return any(ipaddress.ip_address(address) in network for network in self._trusted)
        except ValueError:
            return False


def base_url_of(
    forwarded: Mapping[str, str], host: str, sockname: tuple[object, ...] | None, *, secure: bool
) -> str:
    scheme = forwarded.get("X-Forwarded-Proto", "").lower()
    if scheme not in ("http", "https"):
        scheme = "https" if secure else "http"
    host = forwarded.get("X-Forwarded-Host", host)
    if not HOST.fullmatch(host):
        # HTTP/1.0, or nonsense that must not come back in a URL of ours.
        address, port = (sockname or ("127.0.0.1", 80))[:2]
        host = f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"
    return f"{scheme}://{host}"


def client_of(remote: str | None) -> str:
    try:
        address = ipaddress.ip_address(remote or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)

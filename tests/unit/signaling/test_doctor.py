"""What ``spillway doctor`` finds, on machines made for it."""

from __future__ import annotations

import resource
import socket
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from signaling.doctor import candidates, machine, network
from signaling.doctor.finding import Finding
from signaling.doctor.probe import Echo, SystemProbe
from signaling.settings import Settings


@dataclass
class Machine:
    """A healthy server with a public address; tests break it."""

    own: list[str] = field(default_factory=lambda: ["198.51.100.7", "172.17.0.1", "127.0.0.1"])
    container: bool = False
    names: dict[str, list[str]] = field(default_factory=lambda: {"live.example": ["198.51.100.7"]})
    echoes: dict[str, Echo] = field(default_factory=dict)
    buffers: int = 8 << 20
    files: tuple[int, int] = (65_536, 65_536)
    rises: bool = True
    urgent: bool = True
    synchronised: bool | None = True

    def addresses(self) -> list[str]:
        return self.own

    def bridges(self) -> list[str]:
        return [each for each in self.own if each.startswith("172.17.")]

    def in_container(self) -> bool:
        return self.container

    def resolve(self, host: str) -> list[str]:
        return self.names.get(host, [host] if host[0].isdigit() or ":" in host else [])

    def echo(self, host: str, port: int, address: str) -> Echo:
        return self.echoes.get(address, "arrived" if address in self.own else "lost")

    def socket_limit(self, name: Literal["rmem_max", "wmem_max"]) -> int:
        return self.buffers

    def open_files(self) -> tuple[int, int]:
        return self.files

    def may_rise(self) -> bool:
        return self.rises

    def may_be_urgent(self) -> bool:
        return self.urgent

    def clock_synchronised(self) -> bool | None:
        return self.synchronised


def wrong(findings: list[Finding]) -> dict[str, tuple[str, str]]:
    """Level and remedy of what is not as it should be."""
    return {each.what: (each.level, each.remedy) for each in findings if each.level != "ok"}


def look(probe: Machine, **settings: Any) -> dict[str, tuple[str, str]]:
    return wrong(candidates.check(Settings(**settings), probe))


def test_a_healthy_server() -> None:
    assert look(Machine()) == {}
    assert look(Machine(), advertise_ip=["198.51.100.7"], public_url="https://live.example") == {}
    assert look(Machine(), roles=["api"], advertise_ip=["203.0.113.1"]) == {}


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({"host": "127.0.0.1"}, "warn"),
        ({"host": "::1"}, "warn"),
        ({"advertise_ip": ["127.0.0.1"]}, "warn"),
        ({"host": "127.0.0.1", "public_url": "https://live.example"}, "fix"),
    ],
)
def test_only_loopback(settings: dict[str, Any], level: str) -> None:
    found = look(Machine(own=["198.51.100.7", "127.0.0.1", "::1"]), **settings)
    assert found["candidates"][0] == level
    assert "advertise_ip" in found["candidates"][1]


def test_an_address_that_is_neither_ours_nor_public_urls() -> None:
    found = look(Machine(), advertise_ip=["203.0.113.1"], public_url="https://live.example")
    assert found["advertise_ip"][0] == "warn"
    assert "mend advertise_ip" in found["candidate 203.0.113.1"][1]
    # behind NAT the public URL's address is no address of the machine, and may not loop back
    nat = Machine(own=["192.168.1.5", "127.0.0.1"])
    found = look(nat, advertise_ip=["198.51.100.7"], public_url="https://live.example")
    assert list(found) == ["candidate 198.51.100.7"]
    assert "forward UDP 7882" in found["candidate 198.51.100.7"][1]


def test_a_container_bridge() -> None:
    found = look(Machine(), advertise_ip=["172.17.0.1"])
    assert found["candidate 172.17.0.1"][0] == "fix"
    assert "advertise_ip" in found["candidate 172.17.0.1"][1]


def test_inside_a_container() -> None:
    inside = Machine(own=["172.17.0.2", "127.0.0.1"], container=True)
    assert "the host's address" in look(inside)["advertise_ip"][1]
    assert "advertise_ip" not in look(inside, advertise_ip=["198.51.100.7"])


def test_a_private_network() -> None:
    found = look(Machine(own=["192.168.1.5", "127.0.0.1"]))
    assert "public address" in found["candidates"][1]


def test_udp_is_blocked() -> None:
    blocked = Machine(echoes={"198.51.100.7": "lost"})
    level, remedy = look(blocked)["candidate 198.51.100.7"]
    assert level == "fix"
    assert "firewall" in remedy
    assert "7882" in remedy


def test_a_taken_port_is_said_and_not_guessed_about() -> None:
    found = candidates.check(Settings(), Machine(echoes={"198.51.100.7": "port taken"}))
    assert any(each.detail == "not tested: rtc_port is taken" for each in found)


@pytest.mark.parametrize(
    ("probe", "what", "remedy"),
    [
        (Machine(buffers=212_992), "net.core.rmem_max", "sysctl -w net.core.rmem_max="),
        (Machine(buffers=212_992), "net.core.wmem_max", "sysctl -w net.core.wmem_max="),
        (Machine(files=(1024, 524_288)), "open files", "ulimit -n"),
        (Machine(rises=False), "priority", "LimitNICE=-5 in a unit, ulimits: {nice: 25} in"),
        (Machine(urgent=False), "priority", "ulimit -r 1 elsewhere"),
        (Machine(urgent=False, rises=False), "priority", "ulimits: {rtprio: 1, nice: 25} in"),
        (Machine(synchronised=False), "clock", "timedatectl"),
    ],
)
def test_limits_of_the_machine(probe: Machine, what: str, remedy: str) -> None:
    assert what not in wrong(machine.check(Settings(), Machine()))
    level, said = wrong(machine.check(Settings(), probe))[what]
    assert level == "warn"
    assert remedy in said


def test_no_limit_is_a_good_limit() -> None:
    unlimited = Machine(files=(resource.RLIM_INFINITY, resource.RLIM_INFINITY), synchronised=None)
    found = wrong(machine.check(Settings(), unlimited))
    assert "open files" not in found
    assert "clock" not in found


def test_the_real_probe() -> None:
    probe = SystemProbe()
    assert probe.echo("127.0.0.1", 0, "127.0.0.1") == "arrived"
    assert "127.0.0.1" in probe.addresses()
    assert probe.resolve("127.0.0.1") == ["127.0.0.1"]
    assert probe.resolve("no-such-name.invalid") == []
    assert probe.open_files()[0] != 0
    assert probe.clock_synchronised() in (True, False, None)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_that_something_else_has(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        found = wrong(network.check(Settings(host="127.0.0.1", http_port=0, rtc_port=port)))
    level, remedy = found["rtc_port"]
    assert level == "fix"
    assert f"ss -lpn | grep :{port}" in remedy

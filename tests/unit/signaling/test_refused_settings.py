"""What a node does not start with: the one line names the setting, the file, and what is wrong with it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from signaling.doctor import machine, network
from signaling.errors import StartError
from signaling.installation import Installation
from signaling.listening import listen, port_refused, tls_context
from signaling.settings import Settings
from tests.interop.contract.test_configured import self_signed
from tests.unit.signaling.test_doctor import Machine, wrong

NOT_OURS = "192.0.2.77"
"""RFC 5737: documentation only."""


def test_certificates_and_keys(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    tls_context(certificate, key)
    none, garbage, encrypted = tmp_path / "none.pem", tmp_path / "garbage.pem", tmp_path / "encrypted.pem"
    garbage.write_bytes(b"\xff\x00 no PEM")
    secret = ec.generate_private_key(ec.SECP256R1())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    encrypted.write_bytes(secret.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"x")))
    other = tmp_path / "other.pem"
    other.write_bytes(secret.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    for pair, said in (
        ((none, key), f"tls_cert: can't read {none}: No such file or directory"),
        ((certificate, none), f"tls_key: can't read {none}: No such file or directory"),
        ((tmp_path, key), f"tls_cert: can't read {tmp_path}: Is a directory"),
        ((garbage, key), f"tls_cert: {garbage} has no certificate in PEM format"),
        ((certificate, certificate), f"tls_key: {certificate} has no private key in PEM format"),
        ((certificate, other), f"tls_key: {other} is not the key of {certificate}"),
        (
            (certificate, encrypted),
            f"tls_cert: {certificate} and {encrypted} can't be loaded: damaged, or the key is encrypted",
        ),
    ):
        with pytest.raises(StartError) as refused:
            tls_context(*pair)
        assert str(refused.value) == said


def test_an_address_of_another_machine() -> None:
    with pytest.raises(StartError, match=f"^host: this machine has no address {NOT_OURS}$"):
        listen(NOT_OURS, 0)
    for host in (NOT_OURS, "no-such-name.invalid"):
        found = wrong(network.check(Settings(host=host)))
        assert "address of this machine" in found["host"][1]
        assert "http_port" not in found


def test_ports_that_can_not_be_had_name_the_flag() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"^http_port: port {port} on .* is taken; .* --http-port, or 0"):
            listen("127.0.0.1", port)
    refused = port_refused("rtc_port", "127.0.0.1", 80, PermissionError(errno.EACCES, ""))
    assert str(refused).endswith("choose one above 1023 with --rtc-port")


def test_a_data_directory_that_another_node_uses(tmp_path: Path) -> None:
    with (
        Installation(tmp_path),
        pytest.raises(StartError, match=r"^data_dir: another node uses .*; end it, .* --data-dir$"),
    ):
        Installation(tmp_path)


def test_a_data_directory_that_takes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path, said in ((file, "is a file"), (Path("/proc/spillway"), "can't write to /proc/spillway: ")):
        with pytest.raises(StartError, match=f"^data_dir: .*{said}"):
            Installation(path)
        level, _ = wrong(machine.check(Settings(data_dir=path), Machine()))["data_dir"]
        assert level == "fix"

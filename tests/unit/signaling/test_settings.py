from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from signaling.configuration import ConfigurationError, add_flags, load, markdown_table
from signaling.settings import Settings

CONTRACT = {
    "host": "0.0.0.0",
    "http_port": 8080,
    "rtc_port": 7882,
    "rtmp_port": 1935,
    "srt_port": 8890,
    "advertise_ip": [],
    "public_url": None,
    "tls_cert": None,
    "tls_key": None,
    "roles": ["all"],
    "seats_per_stream": 1000,
    "seats_per_node": None,
    "hosts_per_stage": 16,
    "publish_bitrate": 50_000_000,
    "popular_viewers": 10,
    "retention_days": 7,
    "rate_limits": True,
    "ice_servers": [],
    "log_format": "text",
    "database_url": None,
    "redis_url": None,
    "edge_key": None,
    "cassandra_hosts": [],
    "dynamodb_url": None,
    "s3_url": None,
    "s3_bucket": None,
}


def flags(*argv: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return vars(parser.parse_args(argv))


def test_names_and_defaults_are_those_of_the_contract() -> None:
    settings = load(flags(), {}).model_dump()
    assert {name: settings[name] for name in CONTRACT} == CONTRACT


def test_flags_come_before_environment_before_file(tmp_path: Path) -> None:
    file = tmp_path / "spillway.toml"
    file.write_text('http_port = 1\nrtc_port = 2\nhost = "::"\nadvertise_ip = ["192.0.2.1", "::1"]\n')
    environment = {"SPILLWAY_HTTP_PORT": "3", "SPILLWAY_RTC_PORT": "4", "PATH": "/bin"}
    settings = load(flags("--config", str(file), "--http-port", "5"), environment)
    assert (settings.http_port, settings.rtc_port, settings.host) == (5, 4, "::")
    assert settings.advertise_ip == ["192.0.2.1", "::1"]
    assert load(flags(), environment | {"SPILLWAY_CONFIG": str(file)}).host == "::"
    assert load(flags("--http_port", "6"), environment).http_port == 6


@pytest.mark.parametrize(("word", "value"), [("on", True), ("off", False), ("true", True), ("0", False)])
def test_switches(word: str, value: bool) -> None:
    assert load(flags("--rate-limits", word), {}).rate_limits is value


def test_lists_and_tables() -> None:
    settings = load(flags("--advertise-ip", "192.0.2.1, 192.0.2.2", "--roles", "api,gateway"), {})
    assert settings.advertise_ip == ["192.0.2.1", "192.0.2.2"]
    assert settings.runs("api")
    assert not settings.runs("engine")
    servers = load(
        flags("--ice-servers", '[{"urls": ["turn:t:3478"], "username": "u", "credential": "secret"}]'), {}
    ).ice_servers
    assert servers[0].credential is not None
    assert servers[0].credential.get_secret_value() == "secret"
    assert "secret" not in repr(servers)
    assert [each.urls for each in load(flags("--ice-servers", "stun:a:1,stun:b:2"), {}).ice_servers] == [
        ["stun:a:1"],
        ["stun:b:2"],
    ]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"http_port": "65536"}, "http_port"),
        ({"http_port": "eighty"}, "http_port"),
        ({"rtc_port": "-1"}, "rtc_port"),
        ({"advertise_ip": "example.org"}, "advertise_ip"),
        ({"advertise_ip": "192.0.2.1,192.0.2.256"}, "advertise_ip"),
        ({"public_url": "example.org"}, "public_url"),
        ({"public_url": "ftp://example.org"}, "public_url"),
        ({"tls_cert": "cert.pem"}, "tls_key"),
        ({"roles": ""}, "roles"),
        ({"roles": "api,janitor"}, "roles"),
        ({"rate_limits": "maybe"}, "rate_limits"),
        ({"ice_servers": "http://x"}, "ice_servers"),
        ({"ice_servers": "[{"}, "ice_servers"),
        ({"log_format": "xml"}, "log_format"),
        ({"database_url": "mysql://x"}, "database_url"),
        ({"host": ""}, "host"),
        ({"trusted_proxies": "10.0.0.1/8"}, "trusted_proxies"),
        ({"seats_per_stream": "-5"}, "seats_per_stream"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_setting(given: dict[str, str], named: str) -> None:
    for source in (
        lambda: load(given, {}),
        lambda: load({}, {f"SPILLWAY_{name.upper()}": value for name, value in given.items()}),
    ):
        with pytest.raises(ConfigurationError, match=named) as caught:
            source()
        assert "\n" not in str(caught.value)


def test_a_secret_is_not_repeated_in_the_refusal() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({"database_url": "mysql://user:hunter2@host/x"}, {})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(load({"database_url": "postgresql://user:hunter2@host/x"}, {}))


def test_unknown_keys_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "spillway.toml"
    file.write_text("http_prot = 1\n")
    with pytest.raises(ConfigurationError, match=r"http_prot: unknown setting in .*spillway\.toml"):
        load({"config": str(file)}, {})
    with pytest.raises(ConfigurationError, match="SPILLWAY_HTTP_PROT: unknown setting"):
        load({}, {"SPILLWAY_HTTP_PROT": "1"})


def test_what_kubernetes_puts_beside_a_service_is_no_setting() -> None:
    environment = {
        "SPILLWAY_SERVICE_HOST": "10.0.0.1",
        "SPILLWAY_SERVICE_PORT_HTTP": "80",
        "SPILLWAY_PORT": "tcp://10.0.0.1:80",
        "SPILLWAY_PORT_80_TCP": "tcp://10.0.0.1:80",
        "SPILLWAY_PORT_80_TCP_ADDR": "10.0.0.1",
        "SPILLWAY_HTTP_PORT": "tcp://10.0.0.2:80",
        "SPILLWAY_RTC_PORT": "9000",
    }
    settings = load({}, environment)
    assert (settings.http_port, settings.rtc_port) == (8080, 9000)


@pytest.mark.parametrize("content", [b"http_port = ", b"\xff", b"[http]\nport = 1\n"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "spillway.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load({"config": str(file)}, {})
    assert str(file) in str(caught.value)
    with pytest.raises(ConfigurationError, match="can't read"):
        load({"config": str(tmp_path / "none.toml")}, {})


def test_the_documentation_has_every_setting() -> None:
    page = Path("docs/configuration.md").read_text()
    table = markdown_table()
    assert table in page, (
        "run: python -m signaling.configuration, and put its table into docs/configuration.md"
    )
    assert all(f"`{name}`" in table for name in Settings.model_fields)

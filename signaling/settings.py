"""Every setting of a node: one name as a flag, in the TOML file and as ``SPILLWAY_...``."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

__all__ = ["ENV_PREFIX", "IceServer", "Role", "Settings"]

ENV_PREFIX = "SPILLWAY_"

Role = Literal["all", "api", "gateway", "engine", "origin", "mixer", "bridge"]
Port = Annotated[int, Field(ge=0, le=65535)]


class IceServer(BaseModel):
    """A STUN or TURN server that browsers are told about (RFC 9725 section 4.6)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    urls: list[str]
    username: str | None = None
    credential: SecretStr | None = None

    @field_validator("urls")
    @classmethod
    def _known_scheme(cls, urls: list[str]) -> list[str]:
        for url in urls:
            if url.split(":", 1)[0] not in ("stun", "stuns", "turn", "turns"):
                raise ValueError("a URL begins with stun:, stuns:, turn: or turns:")
        return urls


class Settings(BaseSettings):
    """The whole configuration. Its description is docs/configuration.md, which is made from this model."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )

    host: str = Field("0.0.0.0", description="address to listen on; `::` for IPv4 and IPv6")
    http_port: Port = Field(
        8080, description="TCP port of pages, API, WHIP, WHEP, HLS and Socket.IO; 0 picks a free one"
    )
    rtc_port: Port = Field(
        7882,
        description="UDP port of all WebRTC traffic, and TCP for viewers without UDP; 0 picks a free one",
    )
    rtmp_port: Port = Field(1935, description="TCP port of RTMP ingest, which is yet to come")
    srt_port: Port = Field(8890, description="UDP port of SRT ingest, which is yet to come")
    advertise_ip: Annotated[list[str], NoDecode] = Field(
        [],
        description="addresses told to WebRTC peers; behind NAT or in a container, the public one. "
        "Default: all addresses of the machine, loopback too",
    )
    public_url: str | None = Field(
        None, description="URL under which the outside reaches this node; default: as each request came"
    )
    tls_cert: Path | None = Field(None, description="PEM file with the certificate chain; serves HTTPS")
    tls_key: Path | None = Field(None, description="PEM file with the key of `tls_cert`")
    data_dir: Path = Field(
        Path("data"), description="where accounts, streams, secrets and recordings are kept"
    )
    roles: Annotated[list[Role], NoDecode] = Field(
        ["all"],
        description="this process is: `all`, or `api`, `gateway`, `engine`, `origin`, `mixer`, `bridge`",
    )
    seats_per_stream: int = Field(
        1000, ge=0, description="WebRTC viewers of one stream; further ones watch over HLS"
    )
    seats_per_node: int | None = Field(
        None, ge=0, description="WebRTC viewers of the node; default: no limit"
    )
    pending_per_address: int = Field(
        1_000,
        ge=1,
        description="WHEP sessions of one address that wait for their media path; the default lets as many "
        "viewers behind one address join at once as a stream has seats",
    )
    sockets_per_address: int = Field(
        10_000,
        ge=1,
        description="open Socket.IO connections of one address; the default is an audience of 10,000 behind "
        "one proxy that is not among `trusted_proxies`",
    )
    sockets_per_node: int = Field(
        20_000, ge=1, description="open Socket.IO connections of the node; the default is two such audiences"
    )
    shed_above_ms: int = Field(
        100,
        ge=0,
        description="milliseconds of standing delay in the engine from which on it sheds load: lower "
        "encodings, and when it lasts for a second no new seats, then pauses of some viewers' video; the "
        "default is three frames, more than other programs on the machine cost; 0: never",
    )
    hosts_per_stage: int = Field(16, ge=1, le=64, description="hosts on one stage at a time")
    program_height: Literal[360, 540, 720, 1080] | None = Field(
        None,
        description="lines of the picture that several hosts are mixed into: `360`, `540`, `720` or `1080`; "
        "default: 1080 with four cores or more, else 720",
    )
    program_bitrate: int | None = Field(
        None,
        ge=100_000,
        le=50_000_000,
        description="bits per second that the picture of several hosts aims at, beside a half-size one with "
        "a quarter of it; default: 800,000, 1.5, 2.5 and 4.5 million for 360, 540, 720 and 1080 lines",
    )
    publish_bitrate: int = Field(
        50_000_000,
        ge=100_000,
        description="bits per second that one publisher may send; who sends more for 5 s is closed. "
        "Default: a 4K60 camera with simulcast",
    )
    popular_viewers: int = Field(
        10, ge=0, description="HLS viewers from which on all rungs of the ladder run"
    )
    retention_days: int = Field(7, ge=0, description="days that recordings are kept; 0 keeps them for good")
    rate_limits: bool = Field(
        True,
        description="`on` or `off`: limits on sign-ups, sign-ins, failed keys and connections per address",
    )
    ice_servers: Annotated[list[IceServer], NoDecode] = Field(
        [],
        description="STUN and TURN servers for browsers: URLs, or tables of `urls`, `username`, `credential`",
    )
    log_format: Literal["text", "json"] = Field("text", description="`text` or `json`, one object a line")
    access_log: bool = Field(
        False, description="`on` or `off`: a line per HTTP request, without addresses and keys"
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        [], description="addresses or networks of reverse proxies whose `X-Forwarded-*` headers are believed"
    )
    database_url: SecretStr | None = Field(
        None,
        description="`postgresql://user:password@host/name`, with the extra `spillway[cluster]`; default: "
        "a SQLite file in `data_dir`",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="`redis://host:6379`, for the index of recordings, with the extra `spillway[cluster]`; "
        "default: files in `data_dir`",
    )
    cassandra_hosts: Annotated[list[str], NoDecode] = Field(
        [], description="Cassandra nodes; yet to come, refused till then"
    )
    dynamodb_url: SecretStr | None = Field(
        None, description="DynamoDB endpoint; yet to come, refused till then"
    )
    edge_key: SecretStr | None = Field(
        None,
        description="secret with which the HLS edge asks for private streams whose viewers it has checked; "
        "default: no edge may",
    )
    s3_url: SecretStr | None = Field(None, description="S3 endpoint; default: a directory in `data_dir`")
    s3_bucket: str | None = Field(None, description="bucket at `s3_url`")

    @field_validator("advertise_ip", "roles", "cassandra_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """``a,b`` in flags and environment, a list in the file."""
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("ice_servers", mode="before")
    @classmethod
    def _ice_servers(cls, value: Any) -> Any:
        """``stun:host:port,...`` or the JSON of a list; in the file strings or tables."""
        if isinstance(value, str):
            if value.lstrip().startswith("["):
                try:
                    value = json.loads(value)
                except json.JSONDecodeError as error:
                    raise ValueError(f"broken JSON at character {error.pos}") from None
            else:
                value = [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, list):
            return [{"urls": [each]} if isinstance(each, str) else each for each in value]
        return value

    @field_validator("program_height", mode="before")
    @classmethod
    def _lines(cls, value: Any) -> Any:
        """Flags and environment hold text."""
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("host")
    @classmethod
    def _host(cls, value: str) -> str:
        if not value or any(c.isspace() or c in "/[]" for c in value):
            raise ValueError("must be an address or a host name, without port and brackets")
        return value

    @field_validator("advertise_ip")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for each in value:
            ipaddress.ip_address(each)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for each in value:
            ipaddress.ip_network(each)
        return value

    @field_validator("roles")
    @classmethod
    def _some_role(cls, value: list[Role]) -> list[Role]:
        if not value:
            raise ValueError("at least one role")
        return value

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be http://HOST or https://HOST, with a port or a path where needed")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and urlsplit(value.get_secret_value()).scheme not in ("postgresql", "postgres"):
            raise ValueError("must be postgresql://user:password@host/name; without it SQLite is used")
        return value

    @model_validator(mode="after")
    def _tls_pair(self) -> Settings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together: only one of them is set")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values only: ``signaling.configuration`` reads the sources, because it must name unknown keys."""
        return (init_settings,)

    def runs(self, role: Role) -> bool:
        """Whether this process has the role."""
        return "all" in self.roles or role in self.roles

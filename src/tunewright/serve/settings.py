"""What a server needs to know; everything has a default that is safe on one machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

LOOPBACK = ("127.0.0.1", "::1", "localhost")
MIB = 1 << 20


class ServeSettings(BaseModel):
    """One server, or one worker beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = Field(Path("served"), description="uploaded files and the SQLite database")
    database: str | None = Field(
        None, description="SQLAlchemy URL; SQLite in the folder when there is none"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="0 takes a free one")
    require_keys: bool | None = Field(
        None, description="ask for an API key; unset: beyond loopback, or once a key was made"
    )
    origins: tuple[str, ...] = Field(
        (), description="web pages of other hosts that may call this server"
    )
    hosts: tuple[str, ...] = Field(
        (), description="names under which this server is reached, besides its address"
    )
    models: tuple[str, ...] = Field(
        (), description="bases that may be trained and used; none given: the whole catalog"
    )
    organization: str = Field(
        "local", pattern=r"^[a-z0-9-]{1,32}$", description="third part of a tuned model's name"
    )
    max_file_mib: int = Field(512, ge=1, description="largest file that comes in one request")
    max_upload_mib: int = Field(8192, ge=1, description="largest file that comes in parts")
    max_body_mib: int = Field(32, ge=1, description="largest body of any other request")
    python_graders: bool = Field(
        True, description="run the source of Python graders, where it can be shut in"
    )
    requests_per_minute: int = Field(1000, ge=1, description="of one key, or of one address")
    patience_s: float = Field(
        30.0, gt=0, description="that the head of a request, or a body that stands still, may take"
    )
    lease_s: float = Field(
        30.0, gt=0, description="a job whose worker is silent for so long goes to another"
    )
    model_memory_mib: int | None = Field(
        None,
        ge=1,
        description="what open models may take; unset: half of what is free at the start",
    )
    cache_memory_mib: int | None = Field(
        None, ge=1, description="what one model's unfinished texts may take; unset: a quarter of it"
    )
    texts_at_once: int = Field(64, ge=1, description="that one model writes at once; others wait")

    @field_validator("hosts")
    @classmethod
    def _names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if "/" in host or not host:
                raise ValueError(f"'{host}' is no name of a host, such as tune.example")
        return tuple(host.lower() for host in hosts)

    @field_validator("origins")
    @classmethod
    def _pages(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"'{origin}' is no origin, such as https://app.example")
        return origins

    @property
    def database_url(self) -> str:
        """The URL for SQLAlchemy."""
        return self.database or f"sqlite:///{self.folder.absolute() / 'tunewright.sqlite'}"

    @property
    def files_folder(self) -> Path:
        """Where the bytes of uploaded files are; every worker must see the same folder."""
        return self.folder.absolute() / "files"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK

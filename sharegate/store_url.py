"""What the setting `store` may name besides the file in data_dir: one Redis or Valkey server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sharegate.errors import Invalid

_EXAMPLE = "Examples: redis://127.0.0.1:6379/0, rediss://gate@redis.example.org, unix:///run/redis/redis.sock"
_HOST = re.compile(r"[A-Za-z0-9._\-]{1,253}\Z|[0-9A-Fa-f:.]{2,45}\Z")
PORT = 6379
PREFIX = re.compile(r"[A-Za-z0-9._\-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """`scheme` is redis, rediss (TLS) or unix; `path` is the socket's. The password is in no repr and no `str`."""

    scheme: str
    host: str = ""
    port: int = PORT
    path: str = ""
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> StoreUrl:
        """Raises Invalid, which never shows the text: it may hold a password."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise Invalid("store", "is no address of a store", _EXAMPLE) from None
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise Invalid("store", "is neither empty nor redis://, rediss:// or unix://", _EXAMPLE)
        if parts.fragment:
            raise Invalid("store", "has a part after #", "Write a # in a password as %23, or use store_password_file")
        username, password = unquote(parts.username or ""), unquote(parts.password or "")
        if parts.scheme == "unix":
            return cls._socket(parts.hostname, unquote(parts.path), parts.query, username, password)
        host = parts.hostname or ""
        if not _HOST.match(host):
            raise Invalid("store", "names no host", _EXAMPLE)
        if parts.query:
            raise Invalid("store", "has a part after ?, which is not used", _EXAMPLE)
        database = _database(parts.path.removeprefix("/"))
        return cls(parts.scheme, host, port or PORT, "", database, username, password)

    @classmethod
    def _socket(cls, host: str | None, path: str, query: str, username: str, password: str) -> StoreUrl:
        if host or not path.startswith("/") or path == "/":
            raise Invalid("store", "names no socket: a path begins with a third slash", _EXAMPLE)
        more = dict(parse_qsl(query, keep_blank_values=True))
        database = _database(more.pop("db", ""))
        if more:
            raise Invalid("store", f"has a part after ? that is not used: {', '.join(sorted(more))}", _EXAMPLE)
        return cls("unix", "", 0, path, database, username, password)

    def with_password(self, password: str) -> StoreUrl:
        return replace(self, password=password)

    def __str__(self) -> str:
        user = f"{self.username}@" if self.username else ""
        if self.scheme == "unix":
            return f"unix://{user}{self.path}" + (f"?db={self.database}" if self.database else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{user}{host}:{self.port}/{self.database}"


def _database(text: str) -> int:
    if not re.fullmatch(r"\d{0,4}", text):
        raise Invalid("store", "names no database: it is a number", _EXAMPLE)
    return int(text or 0)


def faults(values: Mapping[str, Any], *, near: Callable[[str], bool]) -> Iterator[Invalid]:
    """What the settings say wrong about the store. `near`: whether a host is this computer."""
    if not PREFIX.match(values["store_prefix"]):
        yield Invalid("store_prefix", "is not 1 to 64 letters, digits, dots and dashes", "Example: sharegate")
    if values["gate_name"] and not PREFIX.match(values["gate_name"]):
        yield Invalid("gate_name", "is not 1 to 64 letters, digits, dots and dashes", "Example: gate-a")
    if not values["store"]:
        return
    try:
        url = StoreUrl.parse(values["store"])
    except Invalid as fault:
        yield fault
        return
    if url.scheme == "redis" and not near(url.host) and not values["store_insecure"]:
        yield Invalid(
            "store",
            "is on another computer without TLS: who listens in reads all records, and may answer in its place",
            "Use rediss://, or accept it with store_insecure",
        )
    if values["store_ca_file"] and url.scheme != "rediss":
        yield Invalid("store_ca_file", "is for rediss:// only", "Leave it out")

"""Speaking to the server: a bounded pool, timeouts, scripts by their hash, and every failure as one sentence.

No failure shows what was sent: an answer of Redis may quote a command, and a command may hold a password.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from sharegate.errors import StoreUnavailable
from sharegate.store_url import StoreUrl
from sharegate.stores.redis.scripts import Script

T = TypeVar("T")

CONNECTIONS = 16
CONNECT_SECONDS = 2.0
# A snapshot of all records is one answer; a server that takes longer for one is as good as gone.
ANSWER_SECONDS = 5.0
POOL_SECONDS = 2.0
# A connection that the server closed meanwhile shows only when it is used; a restarting server is back within a second.
AGAIN_AFTER = (0.0, 0.05, 0.3)

_SENTENCES = {
    "NOAUTH": "wants a password: set store_password_file",
    "WRONGPASS": "refuses the name or password",
    "NOPERM": "does not let this name do what the gate needs: docs/stores.md has the list",
    "READONLY": "is a replica and takes no writes: give the address of the primary",
    "OOM": "has no memory left for more: raise its maxmemory",
    "MISCONF": "cannot write to its disk",
    "MOVED": "is part of a cluster, which is not supported",
    "ASK": "is part of a cluster, which is not supported",
    "CROSSSLOT": "is part of a cluster, which is not supported",
    "CLUSTERDOWN": "is part of a cluster, which is not supported",
    "LOADING": "is still reading its data",
    "BUSY": "is busy with a script",
    "MASTERDOWN": "is a replica whose primary is gone",
    "NOREPLICAS": "has too few replicas to take writes",
    "WRONGTYPE": "holds something else under a name of ours: the data was altered, or belongs to another program",
}


class Server:
    """One server by its address. `seconds` is how long an answer may take, `connections` how many there may be."""

    def __init__(
        self,
        url: StoreUrl,
        *,
        ca_file: Path | None = None,
        seconds: float = ANSWER_SECONDS,
        connections: int = CONNECTIONS,
    ) -> None:
        self.url = url
        self._ca_file = ca_file
        self._seconds = seconds
        pool = BlockingConnectionPool(max_connections=connections, timeout=POOL_SECONDS, **_how(url, ca_file, seconds))
        self._redis: Redis = Redis.from_pool(pool)

    def another(self, *, seconds: float) -> Server:
        """A single connection of its own to the same server, for what waits."""
        return Server(self.url, ca_file=self._ca_file, seconds=seconds, connections=1)

    async def ask(self, *command: Any) -> Any:
        """One command that may be sent twice. Raises StoreUnavailable."""
        return await self._again(lambda: self._redis.execute_command(*command))  # type: ignore[no-untyped-call]

    async def several(self, commands: Sequence[tuple[Any, ...]], *, together: bool = False) -> list[Any]:
        """Several commands in one go, each of which may be sent twice; with `together` nothing comes between."""
        if not commands:
            return []

        async def send() -> list[Any]:
            async with self._redis.pipeline(transaction=together) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                return list(await pipe.execute())

        return await self._again(send)

    async def run(self, script: Script, keys: Sequence[Any], *arguments: Any) -> Any:
        """The script's answer. Raises StoreUnavailable, after which it may have run all the same."""

        async def send() -> Any:
            try:
                return await self._redis.execute_command("EVALSHA", script.sha, len(keys), *keys, *arguments)  # type: ignore[no-untyped-call]
            except exceptions.NoScriptError:  # a server that started anew has forgotten it
                return await self._redis.execute_command("EVAL", script.text, len(keys), *keys, *arguments)  # type: ignore[no-untyped-call]

        return await self._again(send)

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)

    async def _again(self, send: Callable[[], Awaitable[T]]) -> T:
        for attempt, pause in enumerate(AGAIN_AFTER, 1):
            if pause:
                await asyncio.sleep(pause)
            try:
                return await send()
            except (exceptions.RedisError, OSError, ssl.SSLError, TimeoutError, ValueError) as error:  # fails closed
                if attempt == len(AGAIN_AFTER) or not _worth_another(error):
                    raise self._unavailable(error) from None
        raise AssertionError("unreachable")

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        words = said(error)
        refused = words in (_SENTENCES["NOAUTH"], _SENTENCES["WRONGPASS"])
        remedy = "Set store_password_file or SHAREGATE_STORE_PASSWORD, and the name in `store`" if refused else ""
        return StoreUnavailable(f"the store {self.url} {words}", remedy=remedy)

    def __repr__(self) -> str:
        return f"<Server {self.url}>"


def said(error: Exception) -> str:
    """What went wrong in words of our own."""
    code = str(error).split(" ", 1)[0].strip(":'\"")
    if isinstance(error, exceptions.AuthenticationError) and code not in _SENTENCES:
        return _SENTENCES["NOAUTH" if "required" in str(error) else "WRONGPASS"]
    for kind, known in (
        (exceptions.BusyLoadingError, "LOADING"),
        (exceptions.ReadOnlyError, "READONLY"),
        (exceptions.OutOfMemoryError, "OOM"),
        (exceptions.NoPermissionError, "NOPERM"),
        (exceptions.MovedError, "MOVED"),
        (exceptions.AskError, "ASK"),
        (exceptions.ClusterDownError, "CLUSTERDOWN"),
        (exceptions.MasterDownError, "MASTERDOWN"),
    ):
        if isinstance(error, kind):
            return _SENTENCES[known]
    if code in _SENTENCES:
        return _SENTENCES[code]
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        return "does not answer in time"
    if isinstance(error, exceptions.MaxConnectionsError):
        return "is asked by too many at once"
    if isinstance(error, exceptions.ConnectionError | OSError):
        if "certificate" in str(error).lower():
            return "shows a certificate that is not trusted: check store_ca_file"
        return "cannot be reached"
    return f"answered with an error ({code if code.isupper() and len(code) < 20 else type(error).__name__})"


def _worth_another(error: Exception) -> bool:
    """Whether the same could go well in a moment. What hung is not asked to hang again."""
    if isinstance(error, exceptions.AuthenticationError | exceptions.TimeoutError | TimeoutError):
        return False
    return isinstance(error, exceptions.ConnectionError | OSError) and "certificate" not in str(error).lower()


def _how(url: StoreUrl, ca_file: Path | None, seconds: float) -> dict[str, Any]:
    how: dict[str, Any] = {
        "db": url.database,
        "username": url.username or None,
        "password": url.password or None,
        "socket_timeout": seconds,
        "socket_connect_timeout": CONNECT_SECONDS,
        "client_name": "sharegate",
        "protocol": 2,
        # What may be sent again is decided here, not there.
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
    }
    if url.scheme == "unix":
        del how["socket_connect_timeout"]
        return how | {"connection_class": UnixDomainSocketConnection, "path": url.path}
    how |= {"host": url.host, "port": url.port, "socket_keepalive": True}
    if url.scheme == "redis":
        return how | {"connection_class": Connection}
    return how | {
        "connection_class": SSLConnection,
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
        "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        "ssl_ca_certs": str(ca_file) if ca_file is not None else None,
    }

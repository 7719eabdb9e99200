"""A real Redis or Valkey server with an append-only log, on a Unix socket or a free loopback port. Tests only."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.real.jupyter import free_port

DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}


def program() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        pytest.skip("neither redis-server nor valkey-server is installed: scripts/programs redis")
    return found


@dataclass
class RedisServer:
    """`port` is 0 for one on a socket only. `settings` are those of its configuration."""

    folder: Path
    port: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "r.sock"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, or start it again on what it left."""
        lines = {"dir": str(self.folder), "unixsocket": str(self.socket), "port": str(self.port), "bind": "127.0.0.1"}
        if "cluster-enabled" in self.settings:
            lines["cluster-port"] = str(free_port())
        text = "".join(f'{name} "{value}"\n' for name, value in {**lines, **DURABLE, **self.settings}.items())
        (self.folder / "redis.conf").write_text(text)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([program(), str(self.folder / "redis.conf")], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Without a chance to write anything down."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def command(self, *words: str | bytes) -> bytes:
        """One command past all libraries; the first line of its answer, or what a bulk answer holds."""
        with self._connected() as connection:
            parts = [word.encode() if isinstance(word, str) else word for word in words]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
            stream = connection.makefile("rb")
            line = stream.readline().rstrip()
            return stream.read(int(line[1:])) if line[:1] == b"$" and line != b"$-1" else line

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        try:
            connection.connect(str(self.socket))
        except OSError:
            connection.close()
            raise
        return connection

    def _answers(self) -> bool:
        try:
            return self.command("PING")[:1] != b"-" or "requirepass" in self.settings
        except OSError:
            return False

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(how)
        self.process.wait(30)
        self.process = None
        self.socket.unlink(missing_ok=True)


@contextlib.contextmanager
def running_redis(*, tcp: bool = False, **settings: str) -> Iterator[RedisServer]:
    """Settings of Redis with underscores for their dashes."""
    program()
    # Below /tmp: the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="sg-redis-") as folder:
        more = {name.replace("_", "-"): value for name, value in settings.items()}
        server = RedisServer(Path(folder), free_port() if tcp else 0, more)
        server.start()
        try:
            yield server
        finally:
            server.stop()

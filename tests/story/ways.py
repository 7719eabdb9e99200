"""The ways in which visitors reach a gate, each of which has to carry the whole story."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gatehouse import Front
from tests.gateprocess import GateProcess
from tests.real.certificates import Pair
from tests.real.jupyter import free_port
from tests.real.nginx import running_nginx

NAME = "share.example.org"
# The gate's own address; a host for each share on this computer; nginx with TLS; and that with a host for each share.
WAYS = ("path", "hosts", "nginx", "nginx-hosts")
DEFAULT = "path"


@dataclass(frozen=True)
class Reach:
    """Settings of a gate that is reached so, and what stands in front of it."""

    settings: dict[str, Any] = field(default_factory=dict)
    front: Front | None = None

    def process(self, folder: Path) -> GateProcess:
        """A gate of its own process, not started yet."""
        port = self.settings.get("gate_port") or free_port()
        environment = {f"SHAREGATE_{name.upper()}": str(value) for name, value in self.settings.items()}
        return GateProcess(folder, port=port, environment=environment, front=self.front)


@contextlib.contextmanager
def reached(way: str, folder: Path, pair: Pair) -> Iterator[Reach]:
    """What stands in front runs until the context ends."""
    if "nginx" not in way:
        yield Reach({"share_hosts": "localhost"} if way == "hosts" else {})
        return
    port, gate_port = free_port(), free_port()
    settings = {
        "gate_port": gate_port,
        "public_url": f"https://{NAME}:{port}",
        "share_hosts": NAME if way == "nginx-hosts" else "",
        "trusted_forwarders": "127.0.0.1",
    }
    with running_nginx(folder, gate_port, port=port, tls=pair, name=NAME):
        yield Reach(settings, Front(port, pair.trusted()))


def chosen(asked: str, marked: tuple[str, ...] | None) -> tuple[str, ...]:
    """Of one story: `asked` is the option `--ways`, `marked` what its marker names. Raises ValueError."""
    wanted = tuple(asked.split(",")) if asked else marked if marked is not None else (DEFAULT,)
    if wanted in ((), ("all",)):
        return WAYS
    if unknown := [name for name in wanted if name not in WAYS]:
        raise ValueError(f"no way to reach a gate: {', '.join(unknown)}; there are {', '.join(WAYS)}, and all")
    return wanted

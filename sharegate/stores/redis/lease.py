"""Who may be the gate of a name: one process at a time, for its name is that of its chain in the trail.

The lease runs out on the server when nobody renews it. A gate that died leaves one behind; whoever holds the lock on
the same data folder knows that it is dead and takes the lease over at once.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
from dataclasses import dataclass
from pathlib import Path

from sharegate.errors import Refused, StoreUnavailable
from sharegate.stores.lock import ProcessLock
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.names import Names
from sharegate.stores.redis.scripts import LEASE, RELEASE

LEASE_MS = 5000
_LOOK_SECONDS = 0.5
# Twice as long as a lease lasts.
_LOOKS = 20


@dataclass(frozen=True, slots=True)
class Lease:
    """`value` is what stands on the server: instance, a random part, process and computer."""

    gate: str
    key: str
    instance: str
    value: str

    def renewal(self) -> tuple[object, ...]:
        """The command that renews it, as long as nobody else has it."""
        return ("EVAL", LEASE.text, 1, self.key, self.value, "", LEASE_MS)


def instance_of(folder: Path) -> str:
    """What tells this data folder from every other: 16 random characters, made on first use. Raises
    StoreUnavailable."""
    path = folder / "instance"
    try:
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
                made.write(secrets.token_hex(8))
        except FileExistsError:
            pass
        found = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:  # fails closed
        raise StoreUnavailable(f"{path} cannot be read or written: {type(error).__name__}") from None
    if len(found) != 16 or not found.isalnum():
        raise StoreUnavailable(f"{path} is damaged: remove it")
    return found


def lock(folder: Path) -> ProcessLock:
    """One process per data folder. Raises Refused(`store_in_use`)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ProcessLock.take(folder / "gate.lock")


async def take(server: Server, names: Names, gate: str, instance: str) -> Lease:
    """Raises Refused(`gate_name_taken`) when a living gate has the name. One that died elsewhere is waited for."""
    where = f"process {os.getpid()} on {platform.node()}"
    lease = Lease(gate, names.lease(gate), instance, f"{instance}:{secrets.token_hex(8)} {where}")
    answer = await server.run(LEASE, [lease.key], lease.value, instance, LEASE_MS)
    left, looks = LEASE_MS, 0
    while answer != b"ok":
        before, left, looks = left, int(await server.ask("PTTL", lease.key)), looks + 1
        if left > before or looks > _LOOKS:  # renewed meanwhile: it lives
            holder = answer.decode("utf-8", "replace").partition(" ")[2]
            raise Refused(
                "gate_name_taken",
                f"a gate named {gate} is running already: {holder or 'unknown'}",
                "Give each gate a gate_name and a data_dir of its own",
            )
        await asyncio.sleep(min(_LOOK_SECONDS, max(0, left) / 1000 + 0.01))
        answer = await server.run(LEASE, [lease.key], lease.value, instance, LEASE_MS)
    return lease


async def release(server: Server, lease: Lease) -> None:
    try:
        await server.run(RELEASE, [lease.key], lease.value)
    except StoreUnavailable:
        pass  # it runs out by itself

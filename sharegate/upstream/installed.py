"""What is installed where a Jupyter server runs: read from its interpreter's folder, else what the server says itself.

Nothing of the server's is run: metadata are files, and its interpreter is found by the process that listens.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import msgspec

from sharegate.errors import Denied
from sharegate.upstream.advisories import normal
from sharegate.upstream.interfaces import Forwarder, Outgoing
from sharegate.upstream.model import Upstream

_PAGE_LIMIT = 1 << 20
_API_LIMIT = 64 * 1024
_APP_VERSION = re.compile(rb'"appVersion": ?"([0-9][0-9A-Za-z.+!-]{0,40})"')


@dataclass(frozen=True, slots=True)
class Installed:
    """`versions`: distribution → version. `whole` where everything installed was seen, else only what was told."""

    versions: dict[str, str]
    whole: bool


class _Version(msgspec.Struct):
    version: str


async def installed(forwarder: Forwarder, upstream: Upstream) -> Installed | None:
    """None when the server does not answer and its process cannot be looked at."""
    if upstream.local and upstream.pid:
        found = await asyncio.to_thread(of_process, upstream.pid)
        if "jupyter-server" in found:
            return Installed(found, True)
    told: dict[str, str] = {}
    for path, name in (("api", "jupyter-server"), ("lab", "jupyterlab"), ("tree", "notebook")):
        version = await _told(forwarder, upstream, path)
        if version is None and path == "api":
            return None
        if version:
            told[name] = version
    return Installed(told, False)


async def _told(forwarder: Forwarder, upstream: Upstream, path: str) -> str | None:
    """The version that an address tells, "" where it tells none; None when nobody answers."""
    try:
        answer = await forwarder.forward(upstream, Outgoing("GET", path, credential=path != "api"))
        body = await answer.read(_API_LIMIT if path == "api" else _PAGE_LIMIT)
    except Denied:
        return None  # fails towards "could not look"
    if answer.status != 200:
        return ""
    if path == "api":
        try:
            return msgspec.json.decode(body, type=_Version).version[:64]
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
            return ""
    found = _APP_VERSION.search(body)
    return found[1].decode() if found else ""


def of_process(pid: int, proc: Path = Path("/proc")) -> dict[str, str]:
    """The distributions of the environment that a process was started from; empty when it cannot be told."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")[:2]
    except OSError:
        return {}  # another system, another user's process, or gone: fails towards "could not look"
    for word in words:
        program = Path(word.decode("utf-8", "replace"))
        if program.is_absolute() and program.parent.name == "bin":
            found = of_prefix(program.parent.parent)
            if found:
                return found
    return {}


def of_prefix(prefix: Path) -> dict[str, str]:
    """The distributions below one prefix (PEP 376 folders); of a name that is there twice, the first."""
    places = [str(place) for place in sorted(prefix.glob("lib/python3*/site-packages"))]
    found: dict[str, str] = {}
    for one in metadata.distributions(path=places) if places else ():
        try:
            name, version = one.metadata["Name"], one.version
        except (KeyError, OSError, UnicodeDecodeError):
            continue  # half an installation says nothing
        if isinstance(name, str) and isinstance(version, str):
            found.setdefault(normal(name), version)
    return found

"""The owner's side: what lies around a share, read from the server itself with its token, and from its disk where it is
seen. Nothing is placed, changed or kept; what is read is a bounded sample.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from sharegate.errors import Denied, Unreachable
from sharegate.messages import Headers
from sharegate.prove import canaries
from sharegate.prove.canaries import Canary
from sharegate.prove.ground import Ground
from sharegate.shares.model import RootKind, Share
from sharegate.upstream.interfaces import Forwarder, Outgoing
from sharegate.upstream.model import Upstream

_LIMIT = 32 << 20
# Of each folder on the way to the root: how many entries beside the way, and of those how many folders are entered.
SIBLINGS, ENTERED, FILES_READ, LINES = 12, 3, 8, 3
_LARGEST_READ = 256 << 10
# Entries of a share's own disk that are looked at for links and hidden names.
WALKED = 20_000
CALIBRATED = 64 << 20
_OUTSIDE_IDS = 3
# What paths of a disk begin with; a page's configuration is full of addresses that begin with a slash too.
_DISKS = tuple(f"/{top}/" for top in ("home", "root", "Users", "tmp", "var", "opt", "srv", "mnt", "usr", "data"))
_CONFIG = re.compile(rb'id="jupyter-config-data"[^>]*>(.*?)</script>', re.DOTALL)


class Looks(Protocol):
    """Where a file really lies (upstream.interfaces.Disk)."""

    async def inside_names(
        self, upstream: Upstream, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]
    ) -> set[str]: ...


@dataclass(slots=True)
class Around:
    """What was found. `facts` are reasons why something cannot be tried."""

    files: list[dict[str, Any]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    canaries: list[Canary] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """Links that lead out and hidden names of a share, as its disk has them; paths relative to the server's root."""

    link_file: str = ""
    link_folder: str = ""
    link_below: str = ""
    hidden: str = ""
    hidden_below: str = ""


class Eye:
    """Looks at one share's server directly."""

    def __init__(self, forwarder: Forwarder, disk: Looks, upstream: Upstream, share: Share) -> None:
        self._forwarder = forwarder
        self._disk = disk
        self.upstream = upstream
        self._share = share
        self._root = tuple(part for part in share.root.split("/") if part)

    @property
    def clients(self) -> bool:
        """Whether programs may use the share."""
        return self._share.clients

    async def ask(
        self, method: str, path: str, query: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> tuple[int, Headers, bytes]:
        """Ask the server as its owner. Raises Unreachable."""
        headers = (("Content-Type", "application/json"),) if body else ()
        try:
            answer = await self._forwarder.forward(self.upstream, Outgoing(method, path, query, headers, body))
            return answer.status, answer.headers, await answer.read(_LIMIT)
        except Denied as denied:
            raise Unreachable(f"the Jupyter server cannot be asked ({denied.reason.value})") from None

    async def exists(self, path: str) -> bool:
        status, _, _ = await self.ask("GET", f"api/contents/{quote(path)}", (("content", "0"),))
        if status == 200:
            return True
        real = self._on_disk(path)
        return real is not None and real.exists()

    async def remove(self, path: str) -> None:
        """Take away what a probe made. Called only for names that hold the run's own mark."""
        await self.ask("DELETE", f"api/contents/{quote(path)}")

    def _on_disk(self, path: str) -> Path | None:
        if not self.upstream.local or "\x00" in path:
            return None
        return Path(self.upstream.root_dir, *(part for part in path.split("/") if part))

    # -- surveying ------------------------------------------------------------------------------------------------

    async def survey(self, mark: str) -> tuple[Ground, list[str]]:
        """The ground of a run, and what it cannot cover, in words."""
        around = Around()
        directory = self._share.kind is RootKind.DIRECTORY
        await self._walk_ancestors(around)
        await self._read_files(around)
        await self._server(around)
        found = await asyncio.to_thread(self._links_and_hidden) if self.upstream.local and directory else Found()
        if not self.upstream.local:
            around.facts.append("symbolic links: the server runs elsewhere, without a companion that sees its disk")
        elif directory and not (found.link_file or found.link_folder):
            around.facts.append("symbolic links: none in the folder leads out of it")
        if not directory:
            around.facts.append("symbolic links: one file is shared, and it is no folder to put them in")
        if not around.files:
            around.facts.append("reading what is outside: the server has no file outside the share")
        for path in (found.hidden, found.hidden_below, found.link_file, found.link_below):
            around.canaries += await asyncio.to_thread(self._words_on_disk, path)
        ids = await self._outside_ids(around)
        if around.files and not ids:
            around.facts.append("live documents outside: the server gives out no ids of documents")
        inside = await self._inside(directory)
        there = around.files[0]["path"] if around.files else f"{mark}/{mark}.txt"
        base = self._share.root if directory else self._share.root.rpartition("/")[0]
        within = f"{base}/" if base else ""
        ground = Ground(
            root=self._share.root,
            mark=mark,
            directory=directory,
            there=there,
            there_folder=next((one for one in around.folders), there.rpartition("/")[0] or mark),
            beside=await self._beside(around),
            hidden=found.hidden or f"{within}.{mark}.txt",
            hidden_below=found.hidden_below or f"{within}.{mark}/x.txt",
            link_file=found.link_file,
            link_folder=found.link_folder,
            link_below=found.link_below,
            outside_ids=tuple(ids),
            canaries=tuple(self._calibrated(around, inside)),
            **inside,
        )
        return ground, around.facts

    async def _list(self, path: str) -> list[dict[str, Any]]:
        status, _, data = await self.ask("GET", f"api/contents/{quote(path)}".rstrip("/"), (("content", "1"),))
        try:
            content = json.loads(data)["content"] if status == 200 else []
        except (ValueError, KeyError, TypeError):
            return []
        return [entry for entry in content if isinstance(entry, dict)] if isinstance(content, list) else []

    async def _walk_ancestors(self, around: Around) -> None:
        for depth in range(len(self._root)):
            way, above = self._root[depth], "/".join(self._root[:depth])
            entries = sorted(await self._list(above), key=lambda entry: entry.get("type") == "directory")
            beside = [entry for entry in entries if entry.get("name") != way][:SIBLINGS]
            beside = await self._really_there(self._root[:depth], beside)
            folders = [str(entry["path"]) for entry in beside if entry.get("type") == "directory"]
            around.files += [entry for entry in beside if entry.get("type") != "directory"]
            around.folders += folders
            for entry in beside:
                around.canaries += canaries.name("the name of something outside", str(entry["name"]))
            for folder in folders[:ENTERED]:
                children = (await self._list(folder))[:SIBLINGS]
                around.files += [entry for entry in children if entry.get("type") != "directory"]
                for entry in children:
                    around.canaries += canaries.name("the path of something outside", str(entry["path"]))
        # What stands in a folder of its own says more by its path than a file at the top.
        around.files.sort(key=lambda entry: ("/" not in str(entry["path"]), entry.get("type") != "file"))
        for entry in around.files:
            moment = str(entry.get("last_modified") or "")
            if "." in moment:
                around.canaries += canaries.words("when something outside was changed", moment)

    async def _really_there(self, above: tuple[str, ...], entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Without links beside the way that lead into the share: what they lead to is no secret."""
        if not self.upstream.local:
            return entries
        root = Path(self.upstream.root_dir, *self._root)
        real = await asyncio.to_thread(os.path.realpath, root)

        def leads_in(entry: dict[str, Any]) -> bool:
            found = os.path.realpath(Path(self.upstream.root_dir, *above, str(entry["name"])))
            return found == real or found.startswith(real + os.sep)

        return [entry for entry in entries if not leads_in(entry)]

    async def _read_files(self, around: Around) -> None:
        for entry in around.files[:FILES_READ]:
            path = quote(str(entry["path"]))
            if int(entry.get("size") or 0) > _LARGEST_READ:
                continue
            _, _, data = await self.ask("GET", f"api/contents/{path}", (("content", "0"), ("hash", "1")))
            around.canaries += _hash(data)
            status, _, data = await self.ask("GET", f"api/contents/{path}", (("content", "1"),))
            for line in _lines(data) if status == 200 else ():
                around.canaries += canaries.words("words of a file outside", line)

    async def _server(self, around: Around) -> None:
        """Its token, its cookie, the paths of its disk, and what runs on it."""
        around.canaries += canaries.secret("the server's token", self.upstream.token.secret, never=True)
        if self.upstream.local:
            around.canaries += canaries.secret("where the server's root lies", self.upstream.root_dir)
        status, headers, page = await self.ask("GET", "lab")
        for value in headers.all("Set-Cookie"):
            around.canaries += canaries.name("the name of the server's cookie", value.partition("=")[0])
        config = _CONFIG.search(page)
        if status == 200 and config is not None:
            for path in _paths(_json(config[1])):
                around.canaries += canaries.secret("a path of the server's disk", path)
        for where in ("api/sessions", "api/kernels", "api/terminals"):
            _, _, data = await self.ask("GET", where)
            for id in _ids(_json(data)):
                around.canaries += canaries.words("the id of something that runs", id)

    async def _outside_ids(self, around: Around) -> list[tuple[str, str]]:
        """Ids of documents outside: those that the server knows, else of the first, asked for as opening it would."""
        found: list[tuple[str, str]] = []
        for entry in around.files[: 4 * _OUTSIDE_IDS]:
            _, _, data = await self.ask("GET", "api/fileid/id", (("path", str(entry["path"])),))
            known = _json(data)
            if isinstance(known, dict) and isinstance(known.get("id"), str):
                found.append((_pair(entry), known["id"]))
        if not found and around.files:
            entry = around.files[0]
            form, kind = _pair(entry).split(":")
            body = json.dumps({"format": form, "type": kind}).encode()
            path = quote(str(entry["path"]))
            status, _, data = await self.ask("PUT", f"api/collaboration/session/{path}", body=body)
            told = _json(data)
            if status in (200, 201) and isinstance(told, dict) and isinstance(told.get("fileId"), str):
                found.append((_pair(entry), told["fileId"]))
        for _, id in found[:_OUTSIDE_IDS]:
            around.canaries += canaries.words("the id of a document outside", id)
        return found[:_OUTSIDE_IDS]

    async def _beside(self, around: Around) -> str:
        """A sibling whose name begins like the root's, or one that is only made up."""
        for folder in around.folders:
            if folder.startswith(self._share.root):
                children = [entry for entry in await self._list(folder) if entry.get("type") != "directory"]
                if children:
                    return str(children[0]["path"])
        return f"{self._share.root}2/x.txt"

    async def _inside(self, directory: bool) -> dict[str, str]:
        """A file, a notebook and a folder that visitors may see."""
        if not directory:
            notebook = self._share.root if self._share.root.endswith(".ipynb") else ""
            return {"file": self._share.root, "notebook": notebook, "folder": ""}
        entries = await self._list(self._share.root)
        names = await self.inside_names(self._share.root, [str(entry["name"]) for entry in entries])
        kept = [entry for entry in entries if entry["name"] in names]

        def first(*kinds: str) -> str:
            return next((str(entry["path"]) for entry in kept if entry.get("type") in kinds), "")

        # The smallest file: it is read many times.
        kept.sort(key=lambda entry: int(entry.get("size") or 0))
        return {"file": first("file"), "notebook": first("notebook"), "folder": first("directory")}

    async def inside_names(self, folder: str, names: list[str]) -> set[str]:
        """Which names of a folder's listing really lie inside the share."""
        segments = tuple(part for part in folder.split("/") if part)
        shown = [name for name in names if not name.startswith(".")]
        return await self._disk.inside_names(self.upstream, self._root, segments, shown)

    # -- the disk -------------------------------------------------------------------------------------------------

    def _links_and_hidden(self) -> Found:
        root = Path(self.upstream.root_dir, *self._root)
        real = os.path.realpath(root)
        found: dict[str, str] = {}
        for number, (entry, hidden) in enumerate(_walk(root)):
            if number >= WALKED or len(found) == 5:
                break
            path = str(Path(entry.path).relative_to(self.upstream.root_dir))
            if entry.is_symlink() and not hidden:
                self._link(entry, path, real, found)
            elif hidden:
                below = entry.name.startswith(".")
                found.setdefault("hidden" if below and entry.is_file() else "hidden_below" if not below else "", path)
        found.pop("", None)
        return Found(**found)

    def _words_on_disk(self, path: str) -> list[Canary]:
        """Of a file that the server does not show, or that a link leads to."""
        real = self._on_disk(path) if path else None
        try:
            text = real.read_bytes()[:_LARGEST_READ].decode() if real is not None and real.is_file() else ""
        except (OSError, UnicodeDecodeError):  # no words to look for; what is told of the file is compared all the same
            return []
        return [each for line in _longest(text) for each in canaries.words("words of a file that is not shown", line)]

    @staticmethod
    def _link(entry: os.DirEntry[str], path: str, real: str, found: dict[str, str]) -> None:
        target = os.path.realpath(entry.path)
        if target == real or target.startswith(real + os.sep):
            return
        if os.path.isdir(target):
            found.setdefault("link_folder", path)
            below = next((one.name for one in _entries(target) if one.is_file()), "")
            if below and found["link_folder"] == path:
                found.setdefault("link_below", f"{path}/{below}")
        elif os.path.isfile(target):
            found.setdefault("link_file", path)

    def _calibrated(self, around: Around, inside: dict[str, str]) -> Iterator[Canary]:
        """Without those that the way to the root itself says, each once."""
        way = "/".join(self._root).encode()
        seen: set[bytes] = set()
        for each in around.canaries:
            if (
                each.text not in seen
                and not each.within(way)
                and not any(each.within(path.encode()) for path in inside.values())
            ):
                seen.add(each.text)
                yield each

    async def stands_inside(self, canary: Canary) -> bool:
        """Whether a text from outside stands inside too, so that finding it proves nothing. Looked for on the disk, or,
        where that is not seen, through the server; what is too much to look at counts as not standing there."""
        if b"/" not in canary.text and canary.within(await self._everybodys()):
            return True
        if not self.upstream.local:
            return await self._asked_inside(canary)
        return await asyncio.to_thread(self._on_disk_inside, canary)

    async def _everybodys(self) -> bytes:
        """What JupyterLab tells everybody: descriptions of settings, kinds of kernels. A file may be called like a word
        of it."""
        everybodys = ("lab/api/settings", "api/kernelspecs", "lab/api/translations")
        parts = [await self.ask("GET", where) for where in everybodys]
        return b"\n".join(data for _, _, data in parts)

    def _on_disk_inside(self, canary: Canary) -> bool:
        root = Path(self.upstream.root_dir, *self._root)
        left = CALIBRATED
        files = [root] if root.is_file() else (Path(entry.path) for entry, hidden in _walk(root) if not hidden)
        for number, path in enumerate(files):
            if number >= WALKED or left <= 0:
                return False
            if canary.within(path.name.encode("utf-8", "surrogateescape")):
                return True
            if path.is_symlink() or not path.is_file():
                continue
            try:
                with path.open("rb") as opened:
                    data = opened.read(left)
            except OSError:  # fails closed: what cannot be read explains nothing away
                continue
            left -= len(data)
            if canary.within(data):
                return True
        return False

    async def _asked_inside(self, canary: Canary) -> bool:
        folders, asked = [self._share.root], 0
        while folders and asked < 200:
            for entry in await self._list(folders.pop()):
                asked += 1
                if canary.within(str(entry.get("path")).encode()):
                    return True
                if entry.get("type") == "directory":
                    folders.append(str(entry["path"]))
                elif int(entry.get("size") or 0) <= _LARGEST_READ:
                    _, _, data = await self.ask("GET", f"api/contents/{quote(str(entry['path']))}")
                    if canary.within(data):
                        return True
        return False

    async def versions(self) -> dict[str, str]:
        """Of the server's parts, as it tells them."""
        _, _, data = await self.ask("GET", "api")
        _, _, page = await self.ask("GET", "lab")
        config = _CONFIG.search(page)
        told = {"jupyter_server": _json(data), "jupyterlab": _json(config[1]) if config else None}
        keys = {"jupyter_server": "version", "jupyterlab": "appVersion"}
        return {
            name: str(value[keys[name]])[:40]
            for name, value in told.items()
            if isinstance(value, dict) and isinstance(value.get(keys[name]), str)
        }

    async def content(self, path: str) -> bytes:
        """What stands in a file now, as the server has it: to see that nothing changed it."""
        _, _, data = await self.ask("GET", f"api/contents/{quote(path)}", (("content", "1"),))
        told = _json(data)
        return json.dumps(told.get("content")).encode() if isinstance(told, dict) else b""


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """By name; none of a folder that the owner cannot read, for no visitor reads it either."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def _walk(root: Path) -> Iterator[tuple[os.DirEntry[str], bool]]:
    """Every entry below a folder, with whether it is hidden or lies in something hidden. Links are not followed."""
    waiting = [(str(root), False)]
    while waiting:
        folder, hidden = waiting.pop()
        for entry in _entries(folder):
            dotted = hidden or entry.name.startswith(".")
            yield entry, dotted
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, dotted))


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _pair(entry: dict[str, Any]) -> str:
    return "json:notebook" if entry.get("type") == "notebook" else "text:file"


def _hash(data: bytes) -> list[Canary]:
    told = _json(data)
    digest = told.get("hash") if isinstance(told, dict) else None
    return canaries.words("the hash of a file outside", digest) if isinstance(digest, str) else []


def _lines(data: bytes) -> list[str]:
    """The longest lines of a contents model, which are most its own."""
    told = _json(data)
    content = told.get("content") if isinstance(told, dict) else None
    if isinstance(content, dict):
        cells = content.get("cells")
        texts = [cell.get("source") for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []
        content = "\n".join("".join(text) if isinstance(text, list) else str(text) for text in texts)
    if not isinstance(content, str) or told.get("format") == "base64":
        return []
    return _longest(content)


def _longest(text: str) -> list[str]:
    return sorted({line.strip()[:200] for line in text.splitlines()}, key=len, reverse=True)[:LINES]


def _paths(value: Any) -> Iterator[str]:
    """Absolute paths of a disk in a page's configuration: what begins with a slash and is no address of the server."""
    if isinstance(value, str):
        path = value.removeprefix("file://")
        if path.startswith(_DISKS):
            yield path
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _paths(part)


def _ids(value: Any) -> Iterator[str]:
    for part in value if isinstance(value, list) else ():
        if isinstance(part, dict):
            for name in ("id", "name", "path"):
                if isinstance(part.get(name), str) and (name == "id" or len(part[name]) >= 2 * canaries.SHORTEST):
                    yield part[name]
            yield from _ids([part.get("kernel")])

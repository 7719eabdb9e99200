"""A share as a program sees it: its folder and files, and its notebooks live."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from typing import TypeVar

import msgspec

from sharegate.client import address
from sharegate.client.errors import NotAllowed, NotFound, ShareError, Unreachable
from sharegate.client.http import Http, encoded
from sharegate.client.notebook import CLOSE_SECONDS, Notebook
from sharegate.client.room import Room

_T = TypeVar("_T")


class About(msgspec.Struct, frozen=True):
    """What the gate says of a share to its programs (`-/share`). `root` is its place on the owner's server."""

    name: str
    owner: str
    root: str
    kind: str
    role: str
    expires: float
    link: str = ""


class Entry(msgspec.Struct, frozen=True):
    """A file or folder. `path` is relative to the share; `kind` is directory, notebook or file."""

    path: str
    name: str
    kind: str
    size: int | None = None
    modified: str = ""


class _Model(msgspec.Struct):
    """A contents model (jupyter_server services/contents)."""

    name: str
    path: str
    type: str
    size: int | None = None
    last_modified: str = ""
    format: str | None = None
    content: msgspec.Raw = msgspec.Raw(b"null")


class Share:
    """Made by `join`. Paths are relative to what is shared: "data/a.csv"; of a share of one file, its name."""

    def __init__(self, http: Http, about: About) -> None:
        self._http = http
        self.about = about
        self._open: list[Notebook] = []

    def __repr__(self) -> str:
        return f"<Share {self.about.name!r} of {self.about.owner}, {self.about.role}>"

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def role(self) -> str:
        """`view` or `edit`, as it was when the share was joined."""
        return self.about.role

    @property
    def expires(self) -> float:
        """Seconds since the epoch."""
        return self.about.expires

    async def refresh(self) -> About:
        """Ask anew what the share is: role and end may have changed. Raises Ended."""
        self.about = _read(await self._http.ask("GET", "-/share"), About)
        return self.about

    async def tree(self, path: str = "") -> list[Entry]:
        """What is in a folder, by name. Raises NotFound for what is none."""
        if self.about.kind == "file":
            return [self._entry(await self._model("", content=False))]
        model = await self._model(path)
        if model.type != "directory":
            raise NotFound("not_found", f"{path!r} is no folder")
        entries = _read(bytes(model.content), list[_Model])
        return sorted((self._entry(entry) for entry in entries), key=lambda entry: entry.name)

    async def read(self, path: str) -> bytes:
        """A file as it lies on the disk."""
        return await self._http.ask("GET", f"files/{encoded(self._place(path))}")

    async def read_text(self, path: str) -> str:
        """A file of UTF-8 text."""
        return (await self.read(path)).decode()

    async def write(self, path: str, data: bytes | str) -> Entry:
        """Make or replace a file, whole. Raises NotAllowed, Conflict (it is open live), TooMuch."""
        self._check_edit()
        if isinstance(data, str):
            body = {"type": "file", "format": "text", "content": data}
        else:
            body = {"type": "file", "format": "base64", "content": base64.b64encode(data).decode()}
        answer = await self._http.ask("PUT", f"api/contents/{encoded(self._place(path))}", body)
        return self._entry(_read(answer, _Model))

    async def make_folder(self, path: str) -> Entry:
        """Make a folder; none if it is there already."""
        self._check_edit()
        answer = await self._http.ask("PUT", f"api/contents/{encoded(self._place(path))}", {"type": "directory"})
        return self._entry(_read(answer, _Model))

    async def rename(self, path: str, to: str) -> Entry:
        """Give a file or folder another name or place in the share."""
        self._check_edit()
        answer = await self._http.ask("PATCH", f"api/contents/{encoded(self._place(path))}", {"path": self._place(to)})
        return self._entry(_read(answer, _Model))

    async def delete(self, path: str) -> None:
        """Delete a file or folder. What stood there is kept for the owner."""
        self._check_edit()
        await self._http.ask("DELETE", f"api/contents/{encoded(self._place(path))}")

    async def notebook(self, path: str = "") -> Notebook:
        """Open a notebook live: with everybody else who has it open, and with their edits as they come."""
        notebook = Notebook(Room(self._http, self._place(path)), path or self.about.name, may_edit=self._may_edit)
        await notebook.open()
        self._open.append(notebook)
        return notebook

    async def close(self, *, within: float = CLOSE_SECONDS) -> None:
        """Close what is open; `join` does it. Raises the first of what closing the notebooks raised, when all are
        closed. The time (seconds) is for all of them."""
        opened, self._open = self._open, []
        told = await asyncio.gather(*(notebook.close(within=within) for notebook in opened), return_exceptions=True)
        await self._http.close()
        for error in told:
            if isinstance(error, BaseException):
                raise error

    @property
    def _may_edit(self) -> bool:
        return self.about.role != "view"

    def _check_edit(self) -> None:
        if not self._may_edit:
            raise NotAllowed("not_allowed", "This share is to view.")

    def _place(self, path: str) -> str:
        """The path on the owner's server. What leaves the share is the gate's to refuse."""
        if self.about.kind == "file":
            if path not in ("", self.about.root.rpartition("/")[2]):
                raise NotFound("not_found", f"{path!r} is not shared: the share is one file")
            return self.about.root
        return f"{self.about.root}/{path.strip('/')}".rstrip("/")

    async def _model(self, path: str, *, content: bool = True) -> _Model:
        answer = await self._http.ask("GET", f"api/contents/{encoded(self._place(path))}?content={int(content)}")
        return _read(answer, _Model)

    def _entry(self, model: _Model) -> Entry:
        inside = model.path.removeprefix(self.about.root).strip("/") or model.name
        return Entry(inside, model.name, model.type, model.size, model.last_modified)


def _read(answer: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(answer, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unreachable("unreadable", "What answers there is no gate.") from None


@contextlib.asynccontextmanager
async def join(
    link: str = "",
    *,
    token: str = "",
    timeout: float = 60.0,
    patience: float = 10.0,
    insecure: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> AsyncIterator[Share]:
    """Join a share by its link, by its URL and `token`, or by what the environment says (address.py).

    `timeout` is for one request, `patience` for how long a gate that is away is asked again; both in seconds. Raises
    BadLink, Ended, Unreachable.
    """
    http = Http(address.find(link, token, insecure=insecure, environ=environ), timeout=timeout, patience=patience)
    try:
        share = Share(http, _read(await http.ask("GET", "-/share"), About))
        try:
            yield share
        except Exception:  # raised again
            # What went wrong in there is what is told.
            with contextlib.suppress(ShareError):
                await share.close()
            raise
        except BaseException:
            # Cancelled: it is not waited for.
            with contextlib.suppress(ShareError):
                await share.close(within=0)
            raise
        await share.close()
    finally:
        await http.close()

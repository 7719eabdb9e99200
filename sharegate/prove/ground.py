"""Where the suite stands: the share it attacks, and what lies around it, as the templates of the rows name it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sharegate.prove.canaries import Canary


class _Up:
    """`{up:../}` in a template: the text once for each folder between the server's root and here."""

    def __init__(self, depth: int) -> None:
        self._depth = depth

    def __format__(self, step: str) -> str:
        return step * self._depth


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """All paths are decoded and relative to the server's root. Empty: there is none, and rows that need it are left
    out.

    `root` is what is shared; `mark` a word that nobody else uses, in the name of whatever must not come into being.
    `file`, `notebook`, `folder` lie inside; `there` is a file outside and `there_folder` a folder; `beside` a sibling
    whose name begins like the root's; `hidden` and `hidden_below` lie inside; `link_file` and `link_folder` lead
    outside, the first file below the latter is `link_below`. `outside_ids`: (`format:type`, file id) of
    documents outside.
    """

    root: str
    mark: str
    directory: bool = True
    file: str = ""
    notebook: str = ""
    folder: str = ""
    there: str = ""
    there_folder: str = ""
    beside: str = ""
    hidden: str = ""
    hidden_below: str = ""
    link_file: str = ""
    link_folder: str = ""
    link_below: str = ""
    outside_ids: tuple[tuple[str, str], ...] = ()
    canaries: tuple[Canary, ...] = ()

    @property
    def depth(self) -> int:
        return len([part for part in self.root.split("/") if part])

    @property
    def base(self) -> str:
        """The folder in which something could be made: the root, or the folder of the one file that is shared."""
        return self.root if self.directory else self.root.rpartition("/")[0]

    @property
    def within(self) -> str:
        """The beginning of every path in it."""
        return f"{self.base}/" if self.base else ""

    def values(self) -> dict[str, Any]:
        """What templates may name, percent-encoded; only what there is."""
        plain = {
            "root": self.root,
            "file": self.file,
            "notebook": self.notebook,
            "folder": self.folder,
            "there": self.there,
            "there_folder": self.there_folder,
            "beside": self.beside,
            "hidden": self.hidden,
            "hidden_below": self.hidden_below,
            "link_file": self.link_file,
            "link_folder": self.link_folder,
            "link_below": self.link_below,
        }
        found: dict[str, Any] = {name: quote(path) for name, path in plain.items() if path}
        found |= {f"{name}_slashed": quote(path, safe="") for name, path in plain.items() if path}
        found |= {f"{name}_back": quote(path).replace("/", "\\") for name, path in plain.items() if path}
        found |= {"base": quote(self.base), "within": quote(self.within)}
        return found | {"mark": self.mark, "up": _Up(self.depth)}

    def fill(self, template: str) -> str | None:
        """A target; None when the template names what is not there."""
        try:
            return template.format_map(self.values())
        except KeyError:
            return None

    def body(self, value: object) -> bytes | None:
        """A body: bytes as they are, `None` as none, anything else as JSON, its texts filled with decoded paths; None
        when it names what is not there."""
        if value is None:
            return b""
        values = {name: getattr(self, name) for name in self.__slots__ if isinstance(getattr(self, name), str)}
        values = {name: text for name, text in values.items() if text}
        values |= {"base": self.base, "within": self.within, "up": _Up(self.depth)}
        try:
            if isinstance(value, bytes):
                filled = value
                for name, text in values.items():
                    filled = filled.replace(b"{%b}" % name.encode(), str(text).encode())
                return filled
            return json.dumps(_filled(value, values)).encode()
        except KeyError:
            return None


def _filled(value: object, values: dict[str, Any]) -> object:
    if isinstance(value, str):
        return value.format_map(values)
    if isinstance(value, dict):
        return {key: _filled(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, values) for part in value]
    return value

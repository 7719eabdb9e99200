"""A notebook as what a reader sees of it: cells and outputs as HTML, cut where it is more than anybody reads on a page.

It was written by whoever may write there, and its outputs by whatever ran: nothing in it is believed, and nothing in it
is a fault. What has an unexpected shape is passed over.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from sharegate.reading.ansi import coloured
from sharegate.reading.cleaned import cleaned
from sharegate.reading.code import code
from sharegate.reading.links import Links
from sharegate.reading.markdown import as_written, markdown
from sharegate.reading.pictures import decoded

CELLS = 2000
# Characters of a cell's text, of one output that is text, and of all that stands on a page.
CELL = 100_000
OUTPUT = 50_000
ALL = 4_000_000
# So many characters of HTML count as one of text: colours and links make more of a text, and some texts are written to.
DRAWN = 4
# And each element as so many: a browser takes its time for them, however short they are.
ELEMENT = 20
# Of one cell, and in all.
OUTPUTS = 60
PICTURES = 400
# How long the drawing may take; what is left then is shown as it was written.
SECONDS = 3.0
# Bytes of all pictures in a notebook.
PICTURE_BYTES = 40 << 20
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
# What only JupyterLab can draw, and shows something else for where it cannot.
_RICH = re.compile(r"(application/(?!json)|text/html|text/javascript|image/|audio/|video/|model/)")


NOTHING = Markup("")


@dataclass(frozen=True, slots=True)
class Output:
    """`kind`: `text`, `error`, `html`, `formula`, `picture` or `` (nothing that can be shown). `body` is HTML;
    `picture` an address. With `needs_lab` JupyterLab shows more; with `cut` there is more of it."""

    kind: str
    body: Markup = NOTHING
    picture: str = ""
    needs_lab: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """`key` stays the cell's own while others come and go; `digest` tells whether anything in it has changed."""

    key: str
    digest: str
    kind: str
    count: str
    body: Markup
    outputs: tuple[Output, ...] = ()
    cut: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole notebook. `cut`: how many cells are not shown. `pictures` by digest, for whoever serves them."""

    cells: tuple[Cell, ...]
    cut: int = 0
    pictures: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def read(content: object, links: Links, now: Callable[[], float] = time.monotonic) -> Sheet:
    """The cells of a parsed notebook (nbformat 4). Raises nothing. What takes too long is shown as it was written."""
    return _Reader(links, _language(content), now).read(content)


def _language(content: object) -> str:
    metadata = content.get("metadata") if isinstance(content, dict) else None
    if not isinstance(metadata, dict):
        return ""
    for place, name in (("language_info", "name"), ("kernelspec", "language")):
        found = metadata.get(place)
        if isinstance(found, dict) and isinstance(found.get(name), str):
            return str(found[name])
    return "python"


def _text(value: object) -> str:
    """What nbformat writes as a text or as its lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


class _Reader:
    def __init__(self, links: Links, language: str, now: Callable[[], float]) -> None:
        self._now = now
        self._until = now() + SECONDS
        self._links = links
        self._language = language
        self._left = ALL
        self._bytes = PICTURE_BYTES
        self.pictures: dict[str, bytes] = {}

    def read(self, content: object) -> Sheet:
        found = content.get("cells") if isinstance(content, dict) else None
        given = [cell for cell in found if isinstance(cell, dict)] if isinstance(found, list) else []
        cells: list[Cell] = []
        keys: set[str] = set()
        for number, cell in enumerate(given[:CELLS]):
            if self._left <= 0:
                break
            key = cell.get("id")
            if not isinstance(key, str) or not _ID.match(key) or key in keys:
                key = f"_{number}"
            keys.add(key)
            cells.append(self._cell(key, cell))
        return Sheet(tuple(cells), len(given) - len(cells), self.pictures)

    def _cell(self, key: str, cell: dict[str, Any]) -> Cell:
        source = _text(cell.get("source"))
        before = self._left
        shown, cut = self._cut(source, CELL)
        kind = cell.get("cell_type")
        given: list[dict[str, Any]] = []
        count = ""
        late = self._now() > self._until
        if kind == "markdown" and late:
            body = as_written(shown)
        elif kind == "markdown":
            body = markdown(shown, self._links, self._attached(cell.get("attachments")))
        elif kind == "code":
            body = code(shown, "" if late else self._language)
            number = cell.get("execution_count")
            count = str(number) if isinstance(number, int) and not isinstance(number, bool) and number < 10**9 else ""
            found = cell.get("outputs")
            given = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        else:
            kind, body = "raw", Markup("{}").format(shown)
        self._count(before, body)
        outputs = tuple(self._counted(each) for each in given[:OUTPUTS])
        more = len(given) > OUTPUTS
        shapes = [(one.kind, str(one.body), one.picture, one.needs_lab, one.cut) for one in outputs]
        told = json.dumps([kind, count, str(body), cut, more, *shapes])
        digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return Cell(key, digest, kind, count, body, outputs, cut, more)

    def _cut(self, text: str, most: int) -> tuple[str, bool]:
        shown = text[: max(0, min(most, self._left))]
        self._left -= len(shown) + 64
        # A text with halves of characters cannot be sent.
        return shown.encode("utf-8", "replace").decode(), len(shown) < len(text)

    def _count(self, before: int, drawn: Markup) -> None:
        """What was drawn since there was `before` left takes that much at least."""
        weight = max(len(drawn) // DRAWN, drawn.count("<") * ELEMENT // 2)
        self._left = min(self._left, before - weight)

    # -- outputs --------------------------------------------------------------------------------------------------

    def _counted(self, output: dict[str, Any]) -> Output:
        before = self._left
        made = self._output(output)
        self._count(before, made.body)
        return made

    def _output(self, output: dict[str, Any]) -> Output:
        match output.get("output_type"):
            case "stream":
                shown, cut = self._cut(_text(output.get("text")), OUTPUT)
                return Output("error" if output.get("name") == "stderr" else "text", coloured(shown), cut=cut)
            case "error":
                trace = output.get("traceback")
                lines = [line for line in trace if isinstance(line, str)] if isinstance(trace, list) else []
                said = "\n".join(lines) or f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"
                shown, cut = self._cut(said, OUTPUT)
                return Output("error", coloured(shown), cut=cut)
            case "display_data" | "execute_result":
                data = output.get("data")
                return self._displayed(data if isinstance(data, dict) else {})
        return Output("", needs_lab=True)

    def _displayed(self, data: dict[str, Any]) -> Output:
        """The best of what the output offers that a page may show."""
        for kind in _PICTURES:
            if kind in data and (digest := self._picture(data[kind])):
                return Output("picture", picture=self._links.output(digest))
        if "text/html" in data:
            html = _text(data["text/html"])
            table = cleaned(html) if len(html) <= self._left and self._now() < self._until else None
            # What says nothing without its script or style is better told in words.
            if table is not None and not re.search(r"<script|<iframe|<svg|<canvas", html, re.IGNORECASE):
                self._left -= len(html)
                return Output("html", table)
        if "text/markdown" in data:
            shown, cut = self._cut(_text(data["text/markdown"]), OUTPUT)
            late = self._now() > self._until
            return Output("html", as_written(shown) if late else markdown(shown, self._links), cut=cut)
        if "text/latex" in data:
            shown, cut = self._cut(_text(data["text/latex"]), OUTPUT)
            return Output("formula", Markup("{}").format(shown), cut=cut)
        richer = any(isinstance(kind, str) and _RICH.match(kind) for kind in data)
        if "text/plain" in data:
            shown, cut = self._cut(_text(data["text/plain"]), OUTPUT)
            return Output("text", coloured(shown), needs_lab=richer, cut=cut)
        if "application/json" in data:
            try:
                said = json.dumps(data["application/json"], ensure_ascii=False, indent=1)
            except (ValueError, RecursionError):
                said = ""
            shown, cut = self._cut(said, OUTPUT)
            return Output("text", Markup("{}").format(shown), cut=cut)
        return Output("", needs_lab=True)

    # -- pictures -------------------------------------------------------------------------------------------------

    def _picture(self, text: object) -> str:
        data = decoded(text) if len(self.pictures) < PICTURES else b""
        if not data or len(data) > self._bytes:
            return ""
        digest = hashlib.sha256(data).hexdigest()[:32]
        if digest not in self.pictures:
            self._bytes -= len(data)
            self.pictures[digest] = data
        return digest

    def _attached(self, attachments: object) -> dict[str, str]:
        """A cell's own pictures (nbformat 4.1): name → media type → base64."""
        found: dict[str, str] = {}
        for name, data in attachments.items() if isinstance(attachments, dict) else ():
            for kind in _PICTURES:
                if isinstance(data, dict) and kind in data and (digest := self._picture(data[kind])):
                    found[str(name)] = digest
        return found

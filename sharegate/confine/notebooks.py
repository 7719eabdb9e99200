"""What a notebook may hold that a visitor puts onto the server through the contents API.

Two things are taken out and everything else is kept: `trusted` in a cell's metadata (upstream a cell that says so lets
the whole notebook be signed, and its outputs then run in the owner's page), and a dotted
`metadata.language_info.nbconvert_exporter` (nbconvert imports and calls what it names). Outputs stay: without a
signature they are untrusted upstream. What is no notebook of format 4 (nbformat 4.0 to 4.5) is refused: a page that
opens it shows nothing, or something else than the next program.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from sharegate.confine.body import read_json
from sharegate.errors import Denied, Reason

# Bytes of a whole notebook. Larger ones are stored by the owner.
MAX_NOTEBOOK = 64 << 20
# The newest nbformat_minor that the checks below know.
MAX_MINOR = 5

_CELLS = frozenset({"code", "markdown", "raw"})
_OUTPUTS = frozenset({"display_data", "error", "execute_result", "stream"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_IGNORED = re.compile("[\u200b-\u200f\u2060\u206a-\u206f\ufeff]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A notebook after what must not be in it was taken out; `changed` tells whether anything was."""

    notebook: dict[str, Any]
    changed: bool


def is_notebook_name(name: str) -> bool:
    """Whether some reader takes a file of this name for a notebook, as the most forgiving disk compares names."""
    plain = unicodedata.normalize("NFKC", _IGNORED.sub("", name)).casefold().rstrip(". ")
    return plain.endswith(".ipynb") or plain.partition(":")[0].rstrip(". ").endswith(".ipynb")


def clean_notebook(content: object) -> Cleaned:
    """Take out of a parsed notebook (in place) what must not be in it. Raises Denied(`bad_body`) for what is none."""
    if not isinstance(content, dict):
        raise _bad("a notebook is an object")
    for name in ("nbformat", "nbformat_minor"):
        if not isinstance(content.get(name), int) or isinstance(content[name], bool):
            raise _bad(f"{name} is no number")
    if content["nbformat"] != 4 or not 0 <= content["nbformat_minor"] <= MAX_MINOR:
        raise _bad("a notebook of another format than 4.0 to 4.5")
    metadata, cells = content.get("metadata"), content.get("cells")
    if not isinstance(metadata, dict) or not isinstance(cells, list):
        raise _bad("a notebook without metadata or cells")
    changed = _clean_language(metadata)
    for cell in cells:
        _check_cell(cell)
        if "trusted" in cell["metadata"]:
            del cell["metadata"]["trusted"]
            changed = True
    return Cleaned(content, changed)


def clean_notebook_file(data: bytes) -> bytes:
    """The bytes of a notebook file: as they came, or written anew when something had to be taken out.

    Raises Denied(`bad_body`), also for a name given twice in an object, on which readers differ, and for what nobody
    could write again (`read_json`).
    """
    if len(data) > MAX_NOTEBOOK:
        raise Denied(Reason.BODY_TOO_LARGE, "a notebook larger than the gate reads")
    cleaned = clean_notebook(read_json(data, "application/json"))
    if not cleaned.changed:
        return data
    return (json.dumps(cleaned.notebook, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode("utf-8")


def file_bytes(content: object, form: object) -> bytes:
    """The bytes that a model of type `file` stands for. Raises Denied(`bad_body`).

    Upstream decodes base64 leniently, so what two decoders could read differently is refused here.
    """
    if not isinstance(content, str):
        raise _bad("the content of a file is a string")
    try:
        if form == "text":
            return content.encode("utf-8")
        if form == "base64":
            letters = len(content.rstrip("="))
            if len(content) - letters != -letters % 4:  # Python takes more at the end than there may be
                raise _bad("content is not base64")
            return base64.b64decode(content, validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise _bad(f"content is not {form}") from None
    raise _bad("a file is text or base64")


def _clean_language(metadata: dict[str, Any]) -> bool:
    language = metadata.get("language_info")
    if not isinstance(language, dict) or "nbconvert_exporter" not in language:
        return False
    exporter = language["nbconvert_exporter"]
    if isinstance(exporter, str) and "." not in exporter:
        return False
    del language["nbconvert_exporter"]
    return True


def _check_cell(cell: object) -> None:
    if (
        not isinstance(cell, dict)
        or not _one_of(cell.get("cell_type"), _CELLS)
        or not isinstance(cell.get("metadata"), dict)
    ):
        raise _bad("a cell that is none")
    _check_text(cell.get("source"))
    if "id" in cell and not (isinstance(cell["id"], str) and _ID.match(cell["id"])):
        raise _bad("a cell with an id that is none")
    if cell["cell_type"] != "code":
        return
    outputs, count = cell.get("outputs"), cell.get("execution_count")
    if not isinstance(outputs, list) or not (count is None or (isinstance(count, int) and not isinstance(count, bool))):
        raise _bad("a code cell without outputs or with a count that is none")
    for output in outputs:
        if not isinstance(output, dict) or not _one_of(output.get("output_type"), _OUTPUTS):
            raise _bad("an output that is none")


def _one_of(value: object, known: frozenset[str]) -> bool:
    return isinstance(value, str) and value in known


def _check_text(source: object) -> None:
    if isinstance(source, str):
        return
    if not isinstance(source, list) or not all(isinstance(line, str) for line in source):
        raise _bad("a cell whose source is no text")


def _bad(detail: str) -> Denied:
    return Denied(Reason.BAD_BODY, detail)

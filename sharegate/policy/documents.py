"""What editors may do to a live document: policies/documents.yaml as one frozen value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sharegate.policy.source import FaultList, Reader, Value

# The largest value that each limit may have. What a limit allows is read, hashed and kept in memory.
MOST: dict[str, int] = {
    "max_update_bytes": 64_000_000,
    "max_document_bytes": 1_000_000_000,
    "max_text_bytes": 1_000_000_000,
    "max_cells": 100_000,
    "max_source_bytes": 64_000_000,
    "max_metadata_bytes": 8_000_000,
    "max_metadata_depth": 32,
    "max_attachments_bytes": 64_000_000,
    "remembered_outputs": 1_000_000,
}
_KEYS = frozenset(MOST) | {"attachment_types", "notebook_metadata"}
# What decides which program runs, which file is written besides, or what a page starts by itself.
NEVER = frozenset(
    {"kernelspec", "language_info", "widgets", "jupytext", "signature", "orig_nbformat"}
    # jupyterlab-rise puts their texts into the page as HTML and imports the theme that they name.
    | {"rise", "livereveal"}
)
_IMAGE = re.compile(r"image/[a-z0-9][a-z0-9.+-]*")


@dataclass(frozen=True, slots=True)
class DocumentRules:
    """The house's limits on what an editor's update may do to a document. Sizes are bytes of UTF-8 or of updates.

    `max_metadata_bytes` and `max_attachments_bytes` are per cell (the former for the notebook's own as well);
    `notebook_metadata`: the notebook's metadata that editors may set; `remembered_outputs`: how many lists of outputs
    per room are known again when a cell is moved or pasted.
    """

    max_update_bytes: int
    max_document_bytes: int
    max_text_bytes: int
    max_cells: int
    max_source_bytes: int
    max_metadata_bytes: int
    max_metadata_depth: int
    max_attachments_bytes: int
    remembered_outputs: int
    attachment_types: frozenset[str]
    notebook_metadata: frozenset[str]


def read_documents(document: Value | None, faults: FaultList) -> DocumentRules | None:
    """Read the `documents:` mapping. Every key must be there: a limit nobody wrote down is no limit.

    None when a fault was added.
    """
    reader = Reader(faults)
    before = len(faults.faults)
    if document is None or not reader.known(document, frozenset({"documents"}), "the file", frozenset({"documents"})):
        return None
    table = document.get("documents")
    if table is None or not reader.known(table, _KEYS, "documents", _KEYS):
        return None
    rules = DocumentRules(
        max_update_bytes=_number(table, "max_update_bytes", reader),
        max_document_bytes=_number(table, "max_document_bytes", reader),
        max_text_bytes=_number(table, "max_text_bytes", reader),
        max_cells=_number(table, "max_cells", reader),
        max_source_bytes=_number(table, "max_source_bytes", reader),
        max_metadata_bytes=_number(table, "max_metadata_bytes", reader),
        max_metadata_depth=_number(table, "max_metadata_depth", reader),
        max_attachments_bytes=_number(table, "max_attachments_bytes", reader),
        remembered_outputs=_number(table, "remembered_outputs", reader),
        attachment_types=frozenset(reader.texts(table.get("attachment_types"), "attachment_types")),
        notebook_metadata=frozenset(reader.texts(table.get("notebook_metadata"), "notebook_metadata")),
    )
    for kind in sorted(rules.attachment_types):
        if not _IMAGE.fullmatch(kind):
            where = _where(table, "attachment_types")
            faults.add(where, f"{kind!r} is no kind of picture", "Pages open other kinds as documents of their own")
    for key in sorted(rules.notebook_metadata & NEVER):
        where = _where(table, "notebook_metadata")
        faults.add(where, f"{key!r} cannot be left to editors", "It decides what a server or a page runs")
    return rules if len(faults.faults) == before else None


def _number(table: Value, key: str, reader: Reader) -> int:
    value = reader.number(table.get(key), key, 1)
    if value > MOST[key]:
        reader.faults.add(_where(table, key), f"{key} is larger than {MOST[key]}")
    return value


def _where(table: Value, key: str) -> str:
    return (table.get(key) or table).where

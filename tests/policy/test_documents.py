"""What editors may do to a live document."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharegate.errors import Faults
from sharegate.policy.documents import NEVER, DocumentRules
from sharegate.policy.load import builtin_policies, load_policies


def load(tmp_path: Path, old: str, new: str) -> DocumentRules:
    text = (builtin_policies() / "documents.yaml").read_text()
    assert old in text
    (tmp_path / "documents.yaml").write_text(text.replace(old, new))
    return load_policies(extra=tmp_path).documents


def test_the_built_in_limits() -> None:
    """Room for a notebook with pictures, none for a bomb, and nothing that decides what runs."""
    rules = load_policies().documents
    assert rules.max_update_bytes < 30_000_000 < rules.max_document_bytes
    assert "text/html" not in rules.attachment_types
    assert "title" in rules.notebook_metadata
    assert not rules.notebook_metadata & NEVER


def test_an_operator_changes_a_limit(tmp_path: Path) -> None:
    """A directory over the built-in one replaces the file."""
    assert load(tmp_path, "max_cells: 10_000", "max_cells: 7").max_cells == 7


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("max_cells: 10_000", "max_cells: 0", "whole number"),
        ("max_cells: 10_000", "max_cells: many", "whole number"),
        ("max_cells: 10_000", "max_cells: 1_000_000", "larger than 100000"),
        ("max_update_bytes: 8_000_000", "max_update_bytes: 64_000_001", "larger than 64000000"),
        ("max_metadata_depth: 24", "max_metadata_depth: 33", "larger than 32"),
        ("max_metadata_depth: 24", "", "lacks 'max_metadata_depth'"),
        ("max_metadata_depth: 24", "max_metadata_depths: 16", "has no 'max_metadata_depths'"),
        ("max_metadata_depth: 24", "max_metadata_depth: 24\n  max_cells: 9", "stands here twice"),
        ("- image/png", "- text/html", "'text/html' is no kind of picture"),
        ("- image/png", "- image/gif", "'image/gif' twice"),
        ("- title", "- language_info", "'language_info' cannot be left to editors"),
        ("- title", "- kernelspec", "'kernelspec' cannot be left to editors"),
        ("- title", "- rise", "'rise' cannot be left to editors"),
        ("- title", "- livereveal", "'livereveal' cannot be left to editors"),
        ("- title", "- [title]", "must be text"),
        ("documents:", "document:", "lacks 'documents'"),
    ],
)
def test_faults_are_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """Wrong, missing, unknown and dangerous settings are refused with file and line."""
    with pytest.raises(Faults, match=sentence) as raised:
        load(tmp_path, old, new)
    assert all(fault.field.startswith(f"{tmp_path}/documents.yaml:") for fault in raised.value.faults)


def test_faults_come_together(tmp_path: Path) -> None:
    """Two faults of one file are told in one round."""
    with pytest.raises(Faults) as raised:
        load(tmp_path, "max_cells: 10_000\n  max_source_bytes: 2_000_000", "max_cells: 0\n  max_source_bytes: x")
    assert len(raised.value.faults) == 2

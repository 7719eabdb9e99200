"""Notebook 7 for visitors: which page an address is, and where an address that is none of its pages leads.

Notebook's server decides the same way (`notebook/app.py`, TreeHandler and NotebookHandler). Here only the kind of thing
at the path is asked of it; the page itself is always read at its `/tree`, so nothing in it depends on the path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sharegate.paths import CanonicalPath
from sharegate.shares.model import RootKind, Share

NOTEBOOK_PAGES = ("tree", "notebooks", "edit")
DIRECTORY, NOTEBOOK = "directory", "notebook"
KINDS = frozenset({DIRECTORY, NOTEBOOK, "file"})

# Plugins of Notebook 7 that no visitor has: shells, and views of the whole server.
NEVER = (
    "@jupyter-notebook/terminal-extension",
    "@jupyter-notebook/notebook-extension:trusted",
    "@jupyter-notebook/notebook-extension:checkpoints",  # tells when the owner last saved, and asks again and again
)
# What needs a kernel.
WITHOUT_KERNEL = (
    "@jupyter-notebook/console-extension",
    "@jupyter-notebook/notebook-extension:kernel-logo",
    "@jupyter-notebook/notebook-extension:kernel-status",
)
# What only changes something.
WITHOUT_WRITING = (
    "@jupyter-notebook/tree-extension:new",
    "@jupyter-notebook/tree-extension:file-actions",
    "@jupyter-notebook/notebook-extension:edit-notebook-metadata",
    "@jupyter-notebook/notebook-extension:notebook-tools",
)
WITHOUT_PROGRAMS = ("@jupyter-notebook/notebook-extension:edit-notebook-metadata",)


@dataclass(frozen=True, slots=True)
class View:
    """Which page of which front end an address is. `name` is its first segment: `lab`, `doc`, or one of Notebook's."""

    name: str

    @property
    def notebook(self) -> bool:
        return self.name in NOTEBOOK_PAGES

    @property
    def single(self) -> bool:
        """Whether JupyterLab shows one document alone."""
        return self.name == "doc"

    @property
    def app(self) -> str:
        """Whose main script it is: the folder below `static/`."""
        return "notebook" if self.notebook else "lab"

    @property
    def upstream_page(self) -> str:
        """Where the upstream's page with the facts lies, relative to its base: its root, whatever the path."""
        return "tree" if self.notebook else self.name

    @property
    def facts(self) -> dict[str, Any]:
        """What the configuration of such a page has beside JupyterLab's."""
        return {"appName": "Jupyter Notebook", "appNamespace": "notebook", "notebookPage": self.name}


LAB = View("lab")
TREE = View("tree")


def view_of(segments: tuple[str, ...]) -> View:
    """The page at a visit's address, whose first segment the route table has checked."""
    return View(segments[0] if segments and segments[0] in (*NOTEBOOK_PAGES, "doc") else "lab")


def leads_to(view: View, share: Share, path: CanonicalPath, kind: str) -> str:
    """Where an address of Notebook's leads instead, percent-encoded and relative to the visit's base; "" for itself.

    `kind` is what is at `path`: one of KINDS. One shared file has no folder around it, so every folder leads to it.
    """
    if share.kind is RootKind.FILE and (view.name == "tree" or kind == DIRECTORY):
        return share.notebook_landing
    if kind == DIRECTORY:
        return "" if view.name == "tree" else "tree/" + path.encoded
    if view.name != "tree":
        return ""
    return ("notebooks/" if kind == NOTEBOOK else "files/") + path.encoded

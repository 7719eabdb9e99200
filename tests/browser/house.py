"""What browser tests need around a page: a gate in front of a real JupyterLab, and hands on the owner's side."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from playwright.sync_api import BrowserContext, Page

from tests.real.jupyter import JupyterServer


class House(Protocol):
    """A share of `sub/shared` of one server, with role view, owned by "Ann"; a visitor called "Bo Chen"."""

    origin: str

    def enter(self, visitor: BrowserContext) -> str:
        """Let this browser in by its link; returns the base address of the visit (absolute, ends in a slash)."""

    def end(self, reason: str) -> None:
        """End the visit for one of errors.Reason (`share_revoked`, `share_paused`, ...), as the owner would."""

    def server(self, state: str) -> None:
        """Stop the owner's Jupyter (`away`) or start it again (`here`)."""

    def vanish(self) -> None:
        """Stop the gate, as when the owner's computer sleeps."""

    def come_back(self) -> None: ...

    def denials(self) -> list[str]:
        """Every refusal so far, one line each."""

    def shown(self) -> str:
        """Where the owner's screen says that the visitor is."""


@contextlib.contextmanager
def kept(path: Path) -> Iterator[None]:
    """The file is byte for byte the same afterwards."""
    before = path.read_bytes()
    yield
    assert path.read_bytes() == before


def open_notebook(page: Page, base: str, path: str = "sub/shared/nb.ipynb") -> None:
    """Open a notebook and wait until page.js has locked it."""
    page.goto(f"{base}lab/tree/{path}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady", timeout=30_000)


def owner_notebook(owner: BrowserContext, server: JupyterServer, path: str = "sub/shared/nb.ipynb") -> Page:
    """The owner's own JupyterLab with the notebook open, not through the gate."""
    page = owner.new_page()
    page.goto(f"{server.url}lab/tree/{path}?token={server.token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    with contextlib.suppress(Exception):  # the kernel dialog comes where no kernel may start: it is in the way
        page.wait_for_selector(".jp-Dialog", timeout=1500)
        page.keyboard.press("Escape")
    return page


# What the visitor's document is, and how many changes this browser itself has made to it.
DOCUMENT = """() => {
  const { context } = jupyterapp.shell.currentWidget;
  const shared = context.model.sharedModel;
  const doc = shared.ydoc;
  const mine = doc.store.clients.get(doc.clientID) ?? [];
  const last = mine[mine.length - 1];
  return {
    source: shared.toJSON ? JSON.stringify(shared.toJSON()) : shared.getSource(),
    own: last ? last.id.clock + last.length : 0,
  };
}"""


def document_of(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(DOCUMENT)
    return found

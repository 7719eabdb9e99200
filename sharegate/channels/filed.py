"""What a document's own state tells of its file.

jupyter-collaboration answers a save with "success" also when nothing was written: when somebody typed meanwhile and the
save was given up for a later one, when the disk is full or the file may not be written, and when the file was changed
outside and is read again instead (jupyter_server_ydoc rooms.py, _maybe_save_document). But for each file that it wrote
it puts a hash into the document, right after `dirty`; and only `dirty` when it read the file again.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any

from pycrdt import Map

from sharegate.channels.scan import Content, UpdateSummary

_WORDS = frozenset({Content.STRING, Content.TYPE})


class Filed:
    """`written`: how often the server was seen to write the file; `reread`: to put the file's content in the place of
    the document's. `state` is the document's own map of that name."""

    def __init__(self, state: Map[Any]) -> None:
        self.written = 0
        self.reread = 0
        self._state = state
        self._server: int | None = None

    def follow(self, summary: UpdateSummary, clients: Set[int], apply: Callable[[], None]) -> bool:
        """Have an update of the server's side applied; whether the file was written. `clients`: the CRDT client ids
        under which it has something new. What visitors write into the state tells nothing, and comes another way."""
        if self._server in clients and summary.contents & _WORDS:
            self.reread += 1  # it writes nothing but the state by itself
        if Content.ANY not in summary.contents and not summary.deleted:
            apply()
            return False
        changed: dict[str, Any] = {}

        def seen(event: Any) -> None:
            changed.update(event.keys)

        # Watched for the moment only: a subscription holds its document for ever.
        watching = self._state.observe(seen)
        try:
            apply()
        finally:
            self._state.unobserve(watching)
        if "hash" in changed and not isinstance(changed["hash"].get("newValue"), str):
            self.reread += 1  # a notebook that is read again loses its hash
            return False
        if "hash" in changed:
            self.written += 1
            if "dirty" not in changed and self.reread:
                self.reread -= 1  # it was the first half of this
            if len(clients) == 1:
                (self._server,) = clients
            return True
        if changed.get("dirty", {}).get("newValue") is False and self._is_servers(clients):
            self.reread += 1
        return False

    def server_changed(self) -> None:
        """Another process writes from now on, under another CRDT client id."""
        self._server = None

    def _is_servers(self, clients: Set[int]) -> bool:
        """The owner's pages, too, call a document clean, after a save of their own. In doubt it was the server."""
        return self._server is None or self._server in clients

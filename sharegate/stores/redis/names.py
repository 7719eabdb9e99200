"""The names of all keys. Everything stands under one prefix, so that a server may serve others too."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

KINDS = ("share", "link", "visit", "knock", "upstream", "token", "asked", "code", "mailed", "rules", "report", "time")


@dataclass(frozen=True, slots=True)
class Names:
    """`prefix` without its colon. Parts that come from records are joined by NUL, which none of them holds."""

    prefix: str

    def _of(self, name: str) -> str:
        return f"{self.prefix}:{name}"

    @property
    def meta(self) -> str:
        """Hash: format, id of the store, position (of the last commit), check (of the key), beat, rewrite (while the
        log may hold what was erased)."""
        return self._of("meta")

    @property
    def changes(self) -> str:
        """Stream: one entry per commit, `<position>-0`."""
        return self._of("changes")

    def records(self, kind: str) -> str:
        """Hash: id → record."""
        return self._of(f"record:{kind}")

    def lease(self, gate: str) -> str:
        """String: who is the gate of this name."""
        return self._of(f"lease:{gate}")

    @property
    def overlaid(self) -> str:
        """Set of the overlays' keys, without the prefix."""
        return self._of("overlays")

    def overlay(self, visit: str, kind: str) -> str:
        """Hash: name → bytes."""
        return self._of(f"overlay:{visit}\0{kind}")

    def tally(self, bucket: str) -> str:
        """Hash: level, at (the moment of that) and token (of who wrote it)."""
        return self._of(f"tally:{bucket}")

    # -- trail

    @property
    def heads(self) -> str:
        """Hash: writer → seq, digest and the token of the last append."""
        return self._of("trail:heads")

    def events(self, writer: str) -> str:
        """Hash: seq → previous, digest, body."""
        return self._of(f"trail:events:{writer}")

    def personal(self, writer: str) -> str:
        """Hash: seq → what may be erased."""
        return self._of(f"trail:personal:{writer}")

    @property
    def by_time(self) -> str:
        """Sorted set: all events by time."""
        return self._of("trail:by-time")

    @property
    def unerased(self) -> str:
        """Sorted set: the events that hold something personal, by time."""
        return self._of("trail:unerased")

    def of_share(self, share: str) -> str:
        return self._of(f"trail:share:{share}")

    def of_visit(self, visit: str) -> str:
        return self._of(f"trail:visit:{visit}")

    def of_link(self, link: str) -> str:
        return self._of(f"trail:link:{link}")

    def of_person(self, person: str) -> str:
        """Sorted set of the events that hold this (folded) name, until it is erased. The name is not in the key, which
        logs of the server show."""
        return self._of(f"trail:person:{hashlib.sha256(person.encode('utf-8', 'replace')).hexdigest()[:32]}")

    def of_act(self, share: str, action: str) -> str:
        """Sorted set, for what is no visitor's ordinary work; of all shares where `share` is empty."""
        return self._of(f"trail:act:{share}\0{action}")

    def of_outcome(self, share: str, outcome: str) -> str:
        """Sorted set, for what was denied or failed; of all shares where `share` is empty."""
        return self._of(f"trail:outcome:{share}\0{outcome}")

    def of_reason(self, reason: str) -> str:
        return self._of(f"trail:reason:{reason}")

    @property
    def indexed(self) -> str:
        """Hash: writer → up to which event its events are in the five kinds of sets before this. They were added later:
        a gate of an older version does not write them."""
        return self._of("trail:indexed")

    # -- versions

    @property
    def shelves(self) -> str:
        """Set of the servers that have versions."""
        return self._of("versions")

    @property
    def version_ids(self) -> str:
        """Sorted set, all with score 0: id NUL server."""
        return self._of("versions:ids")

    def shelf(self, upstream: str) -> str:
        """Hash: id → snapshot."""
        return self._of(f"versions:of:{upstream}")

    def sizes(self, upstream: str) -> str:
        """Hash: name of a content → bytes it takes."""
        return self._of(f"versions:sizes:{upstream}")

    def revision(self, upstream: str) -> str:
        """String that every change of the shelf replaces."""
        return self._of(f"versions:revision:{upstream}")

    @property
    def contents(self) -> str:
        """Hash: name → sealed content."""
        return self._of("versions:contents")

    @property
    def authors(self) -> str:
        """Set of (server NUL file) with authors."""
        return self._of("authors")

    def authors_of(self, document: str) -> str:
        """Hash: cell NUL visit → first, last, inserted, deleted."""
        return self._of(f"authors:{document}")

    @property
    def logs(self) -> str:
        """Set of (server NUL file NUL epoch)."""
        return self._of("logs")

    def log(self, log: str) -> str:
        """Hash: first, part, size, last, and for each part its size, begin and path. The parts are lists of their own,
        the origins a hash."""
        return self._of(f"log:{log}")

    def logs_of(self, document: str) -> str:
        """Set of logs of one (server NUL file)."""
        return self._of(f"logs:of:{document}")

    def edited(self, origin: str) -> str:
        """Set of logs that held something of a visit."""
        return self._of(f"logs:by:{origin}")

"""Whether a document that came back is the one that was there.

jupyter-collaboration rebuilds a document from the file on disk under the fixed CRDT client id 0. The rebuilt history
uses the same ids for other contents, and a CRDT that merges the two garbles the document for good. Neither a state
vector nor a session tells such histories apart, so they are told apart by what merging them would do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pycrdt import Array, Doc, Map, Text

from sharegate.channels.admission import RoomName
from sharegate.channels.scan import FROM_UPSTREAM, scan_state_vector

# The CRDT client id under which a document is built from its file, once; nobody goes on under it.
FROM_FILE = 0

ROOTS: dict[str, dict[str, type[Array[Any]] | type[Map[Any]] | type[Text]]] = {
    "notebook": {"state": Map, "meta": Map, "cells": Array},
    "file": {"state": Map, "source": Text},
}


def held(doc: Doc[Any]) -> dict[int, int]:
    """CRDT client id → clock: what a document holds."""
    return scan_state_vector(doc.get_state(), FROM_UPSTREAM)


def content(doc: Doc[Any], room: RoomName) -> dict[str, object]:
    """The values of a document's roots as plain Python."""
    roots = ROOTS[room.type]
    return {name: doc.get(name, type=kind).to_py() for name, kind in roots.items()}


def same_history(room: RoomName, known: bytes, fresh: bytes, saved: Mapping[int, int]) -> bool:
    """Whether the document `fresh` (an update of all of it) goes on where `known` was.

    Merged in either order both must give the same content, and `fresh` must contain what the server had when it last
    reported the file saved (`saved`): what was saved and is not in it was rebuilt from the file under other ids. And
    what was built from the file must be as long: of a file that only grew at its end the rest would merge, and stand
    there twice.
    """
    try:
        one, other = merged(known, fresh), merged(fresh, known)
        alone, was = merged(fresh), merged(known)
        has = held(alone)
        if has.get(FROM_FILE, 0) != held(was).get(FROM_FILE, 0):
            return False
        if any(has.get(client, 0) < clock for client, clock in saved.items()):
            return False
        return content(one, room) == content(other, room)
    except BaseException as error:  # a panic of the library is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return False  # fails closed: what the library cannot merge is no continuation


def contained(room: RoomName, log: Sequence[bytes], whole: bytes, reach: Mapping[int, int]) -> bool:
    """Whether all updates of `log` lie in the document `whole`: it went on from there, and nothing was rebuilt between.

    As in `same_history`, and more: they must add nothing to it and take nothing away. `reach` is how far the document
    has what each client wrote (see Epoch). What the server says of its file (`state`) may lie behind a gap.
    """
    try:
        known = merged(*log).get_update()
        if any(reach.get(client, 0) < clock for client, clock in held(merged(known)).items()):
            return False
        if not same_history(room, known, whole, {}):
            return False
        both, alone = content(merged(whole, known), room), content(merged(whole), room)
        return {**both, "state": None} == {**alone, "state": None}
    except BaseException as error:  # a panic of the library is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return False  # fails closed: what cannot be compared is another history


def merged(*updates: bytes) -> Doc[Any]:
    """One document of several updates, applied in this order."""
    doc: Doc[Any] = Doc()
    for update in updates:
        doc.apply_update(update)
    return doc

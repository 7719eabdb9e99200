"""What must stand in no answer, and finding it there, whatever the answer's status says.

A canary is a text that the owner's side knows to lie outside the share: the server's token, paths of its disk, names
and words of files elsewhere. Nothing is planted: all of it was there before.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

# Shorter than this, a text says nothing: it stands everywhere.
SHORTEST = 8
_PART = rb"[A-Za-z0-9_.\-]"


@dataclass(frozen=True, slots=True)
class Canary:
    """`what` is told when it is found, `text` never is. `strong` ones are searched in JupyterLab's own files too,
    `never` ones have no place in any answer, whatever else says the same; `whole` ones are names, no parts of names."""

    what: str
    text: bytes
    strong: bool = False
    whole: bool = False
    never: bool = False

    def __repr__(self) -> str:
        return f"<Canary {self.what}>"

    def within(self, data: bytes) -> bool:
        if not self.whole:
            return self.text in data
        return re.search(rb"(?<!%b)%b(?!%b)" % (_PART, re.escape(self.text), _PART), data) is not None


def secret(what: str, text: str, *, never: bool = False) -> list[Canary]:
    """A token or a path of the disk, in every spelling in which it could travel."""
    if len(text) < SHORTEST:
        return []
    found = [Canary(what, spelled, strong=True, never=never) for spelled in spellings(text)]
    for shift in range(3):
        # As it stands in base64 whatever stands before it.
        encoded = base64.b64encode(b"x" * shift + text.encode())
        inner = encoded[(shift * 8 + 5) // 6 : len(encoded) - 4]
        found.append(Canary(f"{what}, in base64", inner, strong=True, never=never))
    return [each for each in found if len(each.text) >= SHORTEST]


def words(what: str, text: str) -> list[Canary]:
    """A line of a file, as it stands there and as it stands in JSON."""
    text = text.strip()
    return [Canary(what, spelled) for spelled in spellings(text)] if len(text) >= SHORTEST else []


def name(what: str, text: str) -> list[Canary]:
    """A name or path of a file elsewhere. One that many folders have, or that is a plain word, is none: it would be
    found in any page."""
    stem = text.rpartition(".")[0] or text
    own = len(stem) >= 2 * SHORTEST or (len(stem) >= SHORTEST and re.search(r"[^A-Za-z]", stem) is not None)
    told = "/" in text or own
    return [Canary(what, spelled, whole=True) for spelled in spellings(text)] if told else []


def spellings(text: str) -> list[bytes]:
    """As it is, percent-encoded, and in JSON with and without escaped slashes; each once."""
    told = json.dumps(text)[1:-1]
    forms = [text, quote(text, safe="/"), quote(text, safe=""), told, told.replace("/", "\\/")]
    return list(dict.fromkeys(form.encode("utf-8", "surrogateescape") for form in forms))


def search(canaries: Iterable[Canary], data: bytes, *, said: bytes = b"", strong_only: bool = False) -> list[Canary]:
    """Those that stand in `data`. What stands in `said` (our own question) tells nothing when it comes back, unless it
    is a strong one."""
    return [
        each
        for each in canaries
        if (each.strong or not strong_only) and each.within(data) and (each.strong or not each.within(said))
    ]

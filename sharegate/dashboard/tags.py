"""ETags: what an answer is known by, and whether a caller knows it already (RFC 9110, sections 8.8.3 and 13.1)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from sharegate.errors import Invalid

_ONE = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
# Each part can be read in one way only, or a line of commas and blanks would be tried in all ways there are.
_LIST = re.compile(rf"[\s,]*{_ONE.pattern}(?:\s*,[\s,]*{_ONE.pattern})*[\s,]*\Z")
ANY = "*"


def written(answer: Any) -> bytes:
    """An answer as it is sent: the tag is of these bytes."""
    return json.dumps(answer, ensure_ascii=True).encode()


def tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def tags(said: Sequence[str], name: str) -> list[str]:
    """The tags of a header, `*` as it is; weak ones as they are written. Raises Invalid."""
    text = ",".join(said)
    if text.strip() == ANY:
        return [ANY]
    if len(text) > 4000 or not _LIST.match(text):
        raise Invalid(name, "is no list of ETags", "Send the ETag that you were given, with its quotes")
    return [found[0] for found in _ONE.finditer(text)]


def known(said: Sequence[str], mine: str) -> bool:
    """If-None-Match: by weak comparison. Raises Invalid."""
    return bool(said) and any(one in (ANY, mine, f"W/{mine}") for one in tags(said, "If-None-Match"))


def matches(said: str, mine: str) -> bool:
    """If-Match: by strong comparison. Raises Invalid."""
    return any(one in (ANY, mine) for one in tags([said], "If-Match"))

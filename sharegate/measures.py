"""What the request path has counted."""

from __future__ import annotations

from typing import Protocol

from sharegate.errors import Reason


class Measures(Protocol):
    """Who counts."""

    def answered(self, rule: str, status: int, seconds: float) -> None:
        """`rule` is the rule's id, or `own`, `door`, `static`; "" where none was reached."""

    def refused(self, reason: Reason) -> None: ...


class Uncounted:
    """Nobody counts."""

    def answered(self, rule: str, status: int, seconds: float) -> None:
        return None

    def refused(self, reason: Reason) -> None:
        return None


def beside(target: str) -> str:
    """What was asked for where no rule was: for counting only."""
    if "/-/static/" in target.partition("?")[0]:
        return "static"
    return "door" if target.startswith("/join") else ""

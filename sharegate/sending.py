"""How answers leave the gate: what all of them say, in which pieces, and what lies behind one that is not given."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable

from sharegate.messages import Answer, Response, Upgrade

# Bytes; what is longer is sent in pieces, and stops between two of them when the visit ends.
LONG = 64 * 1024


class Flight:
    """What a request holds until its answer has been sent: `leave` gives it back, from the last to the first. It is
    given back once, here or wherever it is handed on to."""

    __slots__ = ("_leave",)

    def __init__(self, *leave: Callable[[], None]) -> None:
        self._leave = leave

    def hand_on(self) -> Flight:
        leave, self._leave = self._leave, ()
        return Flight(*leave)

    def take(self, other: Flight) -> None:
        """What `other` held is held here as well."""
        self._leave, other._leave = (*self._leave, *other._leave), ()

    def close(self) -> None:
        leave, self._leave = self._leave, ()
        for each in reversed(leave):
            each()

    def __enter__(self) -> Flight:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def let_go(answer: Answer) -> None:
    """An answer that is not given."""
    behind = answer.abandon if isinstance(answer, Upgrade) else answer.done
    if behind is not None:
        await behind()
    if isinstance(answer, Response) and answer.left is not None:
        answer.left()


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), LONG):
        yield body[start : start + LONG]


# What every answer says that does not say otherwise: it is no page, for nobody else, and kept by nobody.
FLOOR = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


# Half a year, for this very name: an owner may have other things below it, and may move (RFC 6797).
LASTING_TLS = ("Strict-Transport-Security", "max-age=15552000")


def with_floor(answer: Response, floor: tuple[tuple[str, str], ...]) -> Response:
    missing = _missing(tuple([name for name, _ in answer.headers]), floor)
    if not missing:
        return answer
    return Response(answer.status, (*answer.headers, *missing), answer.body, answer.done, answer.cut, answer.left)


@functools.lru_cache(maxsize=512)
def _missing(names: tuple[str, ...], floor: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The names are those that rules let pass and the gate's own: not many."""
    said = {name.lower() for name in names}
    return tuple(field for field in floor if field[0].lower() not in said)

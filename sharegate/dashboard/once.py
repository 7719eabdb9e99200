"""The same request sent again does nothing again: what was answered to an Idempotency-Key is answered once more.

That it was asked is stored before anything is made, so that a gate that was killed and started anew does not make it
twice either. Answers are kept in memory alone, for they hold addresses of links and tokens, which no disk should have
in clear; whoever comes back for one after a restart is told to look.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sharegate.dashboard.refusals import error_body
from sharegate.dashboard.routes import Json
from sharegate.errors import StoreUnavailable
from sharegate.shares.api_tokens import AskedOnce
from sharegate.shares.interfaces import ShareStore

SECONDS = 86400.0
MOST_OF_ONE = 1000
MOST_BYTES_OF_ONE = 16 << 20
_KEY = re.compile(r"[!-~]{1,200}\Z")

Answer = tuple[int, Json]


@dataclass(slots=True)
class _Kept:
    digest: str
    at: float
    size: int = 0
    answer: Answer | None = field(default=None, repr=False)


class Once:
    """Of each asker the answers to their latest keys, a day long."""

    def __init__(self, store: ShareStore, now: Callable[[], float], key: bytes) -> None:
        """`key` is a secret of all gates of a store. A request may hold a passphrase, which a plain digest of it would
        give away to whoever has the store and time to guess."""
        self._key = hmac.digest(key, b"sharegate asked once", "sha256")
        self._store = store
        self._now = now
        self._kept: OrderedDict[str, OrderedDict[str, _Kept]] = OrderedDict()

    async def answer(
        self,
        who: str,
        keys: list[str],
        request: bytes,
        ask: Callable[[], Awaitable[Answer]],
        size: Callable[[Json], int],
    ) -> Answer:
        """What `ask` answers, which is asked once. `request` is all that makes it another one. A refusal is not kept:
        nothing was made, and the same may be asked again. Raises StoreUnavailable, and nothing was asked."""
        if len(keys) != 1 or not _KEY.match(keys[0]):
            field_ = "Idempotency-Key"
            return 400, error_body(
                "invalid", "is not one key of 1 to 200 visible ASCII characters", field=field_, remedy="Send a UUID"
            )
        mine = self._of(who)
        key, digest = keys[0], hmac.digest(self._key, request, "sha256").hex()
        known = mine.get(key)
        if known is not None:
            return _reused() if known.digest != digest else known.answer or _being_answered()
        asked = AskedOnce(id=_name(who, key), who=who, digest=digest, at=self._now())
        mine[key] = kept = _Kept(digest, asked.at)
        try:
            # Whoever asked may hang up: what was begun is done, and answered to who comes back for it.
            return await asyncio.shield(asyncio.ensure_future(self._ask(mine, key, kept, asked, ask, size)))
        finally:
            self._trim(mine)

    async def _ask(
        self,
        mine: OrderedDict[str, _Kept],
        key: str,
        kept: _Kept,
        asked: AskedOnce,
        ask: Callable[[], Awaitable[Answer]],
        size: Callable[[Json], int],
    ) -> Answer:
        try:
            try:
                await self._store.ask_once(asked, since=asked.at - SECONDS, limit=MOST_OF_ONE)
            except ValueError:
                before = await self._store.asked_once(asked.id)
                return _reused() if before is not None and before.digest != asked.digest else _asked_before()
            status, said = await ask()
            if status == 200:
                kept.answer, kept.size = (status, said), size(said)
                return status, said
            if status >= 500:
                # It may have been made all the same: whoever asks again is told to look.
                return status, said
            with contextlib.suppress(StoreUnavailable):  # fails closed: this key is good for nothing any more
                await self._store.unask(asked.id)
            return status, said
        finally:
            if kept.answer is None and mine.get(key) is kept:
                del mine[key]

    def _of(self, who: str) -> OrderedDict[str, _Kept]:
        now = self._now()
        for name in [name for name, all_ in self._kept.items() if name != who and _old(all_, now)]:
            del self._kept[name]
        mine = self._kept.setdefault(who, OrderedDict())
        while mine and _over(next(iter(mine.values())), now):
            mine.popitem(last=False)
        return mine

    @staticmethod
    def _trim(mine: OrderedDict[str, _Kept]) -> None:
        """The oldest go first; one that is being answered stays."""
        done = [key for key, kept in mine.items() if kept.answer is not None]
        total = sum(kept.size for kept in mine.values())
        for key in done:
            if len(mine) <= MOST_OF_ONE and total <= MOST_BYTES_OF_ONE:
                break
            total -= mine.pop(key).size


def _name(who: str, key: str) -> str:
    return hashlib.sha256(f"{who}\n{key}".encode()).hexdigest()


def _reused() -> Answer:
    return 422, error_body(
        "key_reused",
        "was sent with another request before",
        field="Idempotency-Key",
        remedy="Make a new key for each thing that you want",
    )


def _being_answered() -> Answer:
    remedy = "Ask again in a moment"
    return 409, error_body("in_progress", "this request is being answered just now", remedy=remedy)


def _asked_before() -> Answer:
    return 409, error_body(
        "asked_before",
        "this request came before the gate was started anew, or at another gate; its answer is not there any more",
        field="Idempotency-Key",
        remedy="See by a GET whether it was made; if not, ask with a new key",
    )


def _over(kept: _Kept, now: float) -> bool:
    return kept.answer is not None and kept.at + SECONDS <= now


def _old(all_: OrderedDict[str, _Kept], now: float) -> bool:
    return all(_over(kept, now) for kept in all_.values())

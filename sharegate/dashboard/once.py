"""The same request sent again does nothing again: what was answered to an Idempotency-Key is answered once more.

That it was asked is stored before anything is made, so that neither another gate of the store nor one that was killed
and started anew makes it twice. What was answered is stored sealed (shares/answered.py), so that any of them gives it
again. Who comes back for an answer that was never given, or is too long to be stored, is told to look.
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
from sharegate.shares.answered import SealedAnswers
from sharegate.shares.api_tokens import AskedOnce
from sharegate.shares.interfaces import ShareStore

SECONDS = 86400.0
MOST_OF_ONE = 1000
# In memory, and of sealed ones in the store.
MOST_BYTES_OF_ONE = 16 << 20
MOST_STORED_OF_ONE = 2 << 20
# So long another gate may be about it; after that it was killed, or has forgotten how it went.
AT_WORK_SECONDS = 60.0
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
        self._sealed = SealedAnswers(key)
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
                return self._before(await self._store.asked_once(asked.id), asked, key)
            status, said = await ask()
            if status == 200:
                kept.answer, kept.size = (status, said), size(said)
            if status == 200 or status >= 500:
                # What failed may have been made all the same: whoever asks again is told to look.
                sealed = self._sealed.close(said, who=asked.who, key=key) if status == 200 else b""
                with contextlib.suppress(StoreUnavailable):  # fails closed: others who are asked say to look
                    await self._store.answer_once(asked.id, sealed, total=MOST_STORED_OF_ONE)
                return status, said
            with contextlib.suppress(StoreUnavailable):  # fails closed: this key is good for nothing any more
                await self._store.unask(asked.id)
            return status, said
        finally:
            if kept.answer is None and mine.get(key) is kept:
                del mine[key]

    def _before(self, before: AskedOnce | None, asked: AskedOnce, key: str) -> Answer:
        """What is said to a request that was begun at another gate, or before this one was started anew."""
        if before is None:
            return _being_answered()  # refused this very moment: it may be asked again
        if before.digest != asked.digest:
            return _reused()
        said = self._sealed.open(before.answer, who=asked.who, key=key) if before.answer else None
        if said is not None:
            return 200, said
        at_work = not before.over and before.at + AT_WORK_SECONDS > asked.at
        return _being_answered() if at_work else _asked_before()

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
        "this request came before, and what was answered is not known any more",
        field="Idempotency-Key",
        remedy="See by a GET whether it was made; if not, ask with a new key",
    )


def _over(kept: _Kept, now: float) -> bool:
    return kept.answer is not None and kept.at + SECONDS <= now


def _old(all_: OrderedDict[str, _Kept], now: float) -> bool:
    return all(_over(kept, now) for kept in all_.values())

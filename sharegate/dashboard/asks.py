"""The owner's side of raised hands: what is asked, and the owner's word that it was run or will not be."""

from __future__ import annotations

from typing import Any

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.asking import asker
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.queries import OfShare
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import given
from sharegate.dashboard.views import Views, short
from sharegate.errors import NotFound, Refused
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.source import marked_lines
from sharegate.visits.hands import Hand, Hands, HandState

_ANSWERS = {"ran": HandState.RAN, "decline": HandState.DECLINED}
_SAID = {HandState.RAN: "ran", HandState.DECLINED: "declined"}


class AnswerBody(msgspec.Struct, forbid_unknown_fields=True):
    """`digest` is the SHA-256 of the source that the owner looked at; without it the answer is to the cell as asked."""

    digest: str = ""


class Asks:
    """Nothing in here runs code: owners run cells in a tab of their own."""

    def __init__(self, hands: Hands, store: ShareStore, views: Views, trail: Recorder) -> None:
        self._hands = hands
        self._store = store
        self._views = views
        self._trail = trail

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "asks",
                self.listed,
                "Raised hands: cells that visitors ask to have run",
                Can.PEOPLE_READ,
                given.Asked,
                query=OfShare,
                of=Of.LISTED,
            ),
            Route(
                "POST",
                "asks/{id}/{verb:ran|decline}",
                self.answered,
                "Say that a cell was run, or will not be",
                Can.PEOPLE_WRITE,
                given.AskAnswered,
                body=AnswerBody,
                of=Of.ASK,
            ),
        ]

    async def owner(self, id: str) -> str | None:
        """Whose share it was asked in; None for none that there is."""
        try:
            return await self._owner_of(self._hands.get(id))
        except NotFound:
            return None

    async def _owner_of(self, hand: Hand) -> str | None:
        share = await self._store.share(hand.share)
        return share.owner if share is not None else None

    async def listed(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """`GET asks[?share=]`: hands of visits that stand, the oldest first. Their cells are what was asked for."""
        views = [await self._view(hand) for hand in self._hands.standing(query.get("share", ""))]
        return {"asks": [view for view in views if view is not None]}

    async def answered(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """`POST asks/{id}/ran|decline`. Raises NotFound, Refused(`changed`)."""
        asked = msgspec.convert(body, AnswerBody)
        hand = self._hands.get(parts["id"])
        if asked.digest and asked.digest != hand.digest:
            raise Refused("changed", "the cell is another one by now", "Look at it again")
        state = _ANSWERS[parts["verb"]]
        if state is HandState.RAN:
            await self._hands.confirm(hand)
        visit = await self._store.visit(hand.visit)
        view = await self._view(hand)
        await self._trail.record(
            AuditEvent(
                action=Action.RUN_ANSWERED,
                actor="owner",
                share=hand.share,
                link=hand.link,
                visit=hand.visit,
                path=hand.path,
                detail=f"{_SAID[state]}: cell {hand.cell}, source {hand.digest[:16]}",
                name=visit.name if visit is not None else "",
            )
        )
        self._hands.answer(hand.id, state, asked.digest)
        return {"ask": {**(view or {"id": hand.id}), "state": state.value}}

    async def _view(self, hand: Hand) -> dict[str, Any] | None:
        visit = await self._store.visit(hand.visit)
        if visit is None or not asker().has(await self._owner_of(hand) or ""):
            return None
        who = await self._views.visit(visit)
        if who["state"] != "open":
            return None
        return {
            "id": hand.id,
            "label": short(hand.id, [other.id for other in self._hands.waiting()]),
            "share": hand.share,
            "visit": hand.visit,
            "visit_label": who["label"],
            "name": who["name"],
            "badge": who["badge"],
            "path": hand.path,
            "cell": hand.cell,
            "source": hand.source,
            "before": hand.before,
            # To be looked at: nothing invisible, and marked with what changed since the owner ran it last.
            "lines": [[mark, line] for mark, line in marked_lines(hand.source, hand.before)],
            "digest": hand.digest,
            "since": hand.at,
            "state": hand.state.value,
        }

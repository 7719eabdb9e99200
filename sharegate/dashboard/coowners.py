"""The owner's verbs on co-owners: name somebody, and take it back."""

from __future__ import annotations

from typing import Any

from sharegate.audit.events import Action
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.asking import Only
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import given
from sharegate.dashboard.views import Views
from sharegate.shares.coowners import Marks


class Coowners:
    """`links/{id}/coowner`. For the owner as a person: no program makes somebody an owner."""

    def __init__(self, *, acts: Acts, marks: Marks, views: Views) -> None:
        self._acts = acts
        self._marks = marks
        self._views = views

    def table(self) -> list[Route]:
        return [
            Route(
                "POST",
                "links/{id}/coowner",
                self._add,
                "Let whoever the link is for admit, remove and pause",
                Only.PERSON,
                given.CoownerMarked,
                of=Of.LINK,
            ),
            Route(
                "DELETE",
                "links/{id}/coowner",
                self._remove,
                "Take that back; the link stays",
                Only.PERSON,
                given.OneLink,
                of=Of.LINK,
            ),
        ]

    async def _add(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        link, visit = await self._marks.add((await self._acts.link(parts["id"])).id)
        share = await self._acts.share(link.share)
        detail = "" if visit is not None else "whoever opens the link first"
        async with self._acts.taken_back(lambda: self._marks.remove(link.id)):
            await self._acts.record(
                Action.COOWNER_ADDED, share=share, link=link, visit=visit, name=link.name, detail=detail
            )
        view = await self._views.visit(visit) if visit is not None else None
        return {"link": await self._views.link(link), "visit": view}

    async def _remove(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        known = await self._acts.link(parts["id"])
        link = await self._marks.remove(known.id)
        if known.coowner:
            share = await self._acts.share(link.share)
            await self._acts.record(Action.COOWNER_REMOVED, share=share, link=link, name=link.name)
        return {"link": await self._views.link(link)}

"""Who asks for more time, and the owner's answer: a later end for the link, or none."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from sharegate.audit.events import Action
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.asking import asker
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.queries import OfShare
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import said
from sharegate.dashboard.views import Views, shortest
from sharegate.errors import Invalid, NotFound, Refused
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import Issuer
from sharegate.shares.model import Link, Share
from sharegate.shares.more_time import TimeAsk, TimeState
from sharegate.visits.entry import badge
from sharegate.visits.more_time import ends, moved

Json = dict[str, Any]


class GrantBody(msgspec.Struct, forbid_unknown_fields=True):
    """`expires` is the new end, in seconds since the epoch."""

    expires: float


class Times:
    """`times`. A link that ends with its share gets more time by the share, and with it all links that end so."""

    def __init__(
        self, *, acts: Acts, store: ShareStore, issuer: Issuer, views: Views, now: Callable[[], float]
    ) -> None:
        self._acts = acts
        self._store = store
        self._issuer = issuer
        self._views = views
        self._now = now

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "times",
                self._listed,
                "Who asks for more time",
                Can.PEOPLE_READ,
                said.Times,
                query=OfShare,
                of=Of.LISTED,
            ),
            Route(
                "POST",
                "times/{id}/{verb:grant}",
                self._grant,
                "Give a link more time, as a visitor asked",
                Can.SHARES_WRITE,
                said.TimeAnswered,
                body=GrantBody,
                of=Of.TIME,
            ),
            Route(
                "POST",
                "times/{id}/{verb:refuse}",
                self._refuse,
                "Give no more time",
                Can.PEOPLE_WRITE,
                said.TimeAnswered,
                of=Of.TIME,
            ),
        ]

    async def owner(self, id: str) -> str | None:
        """Whose share it is about."""
        ask = await self._store.time_ask(id)
        share = await self._store.share(ask.share) if ask is not None else None
        return share.owner if share is not None else None

    async def _listed(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        """`GET times[?share=]`: those that wait, the oldest first. What is over meanwhile, or has more time, waits no
        more."""
        asks = await self._store.time_asks(share=query.get("share", ""))
        labels = shortest(one.id for one in asks)
        found = []
        for ask in asks:
            share, link = await self._about(ask)
            if share is None or link is None or not asker().has(share.owner):
                continue
            if share.revoked is None and link.revoked is None and not moved(ask, share, link):
                found.append(await self._view(ask, share, link, labels[ask.id]))
        return {"times": found}

    async def _grant(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        until = msgspec.convert(body, GrantBody).expires
        ask, share, link = await self._waiting(parts["id"])
        if until <= max(self._now(), ends(share, link)):
            raise Invalid("expires", "is no later than the end that there is", "Choose a later moment")
        whole = link.expires >= share.expires
        if not whole and until > share.expires:
            raise Refused("share_ends", "the share itself ends before that", "Change the share's end first", "expires")
        await self._decide(ask, TimeState.GRANTED, until)
        async with self._undone(ask):
            if whole:
                before: Any = share
                await self._issuer.change_share(share.id, {"expires": until})
            else:
                before = link
                await self._issuer.change_link(link.id, {"expires": until})
            back = self._store.change_share if whole else self._store.change_link
            async with self._acts.taken_back(lambda: back(before.id, was={"expires": until}, expires=before.expires)):
                await self._record(Action.TIME_GRANTED, ask, share, link, detail=_moment(until))
        return await self._answered(ask.id, granted_until=until)

    async def _refuse(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        ask, share, link = await self._waiting(parts["id"])
        await self._decide(ask, TimeState.REFUSED, 0.0)
        async with self._undone(ask):
            await self._record(Action.TIME_REFUSED, ask, share, link)
        return await self._answered(ask.id, granted_until=0.0)

    async def _waiting(self, id: str) -> tuple[TimeAsk, Share, Link]:
        ask = await self._store.time_ask(id)
        share, link = await self._about(ask) if ask is not None else (None, None)
        if ask is None or share is None or link is None:
            raise NotFound("ask", id)
        if ask.state is not TimeState.WAITING:
            raise Refused("changed", f"this was answered already: {ask.state.value}", "Look at it again")
        return ask, share, link

    async def _decide(self, ask: TimeAsk, state: TimeState, until: float) -> None:
        was = {"state": TimeState.WAITING}
        try:
            await self._store.change_time_ask(ask.id, was=was, state=state, decided=self._now(), until=until)
        except ValueError:
            raise Refused("changed", "somebody else was faster", "Look at it again") from None

    @contextlib.asynccontextmanager
    async def _undone(self, ask: TimeAsk) -> AsyncIterator[None]:
        """It waits again where what was answered is refused, or cannot be recorded."""

        async def back() -> None:
            await self._store.change_time_ask(ask.id, state=TimeState.WAITING, decided=None, until=0.0)

        async with self._acts.taken_back(back):
            try:
                yield
            except (Refused, Invalid):
                await back()
                raise

    async def _record(self, action: Action, ask: TimeAsk, share: Share, link: Link, detail: str = "") -> None:
        visit = await self._store.visit(ask.visit) if ask.visit else None
        name = visit.name if visit is not None else link.name
        await self._acts.record(action, share=share, link=link, visit=visit, name=name, detail=detail)

    async def _about(self, ask: TimeAsk) -> tuple[Share | None, Link | None]:
        return await self._store.share(ask.share), await self._store.link(ask.link)

    async def _answered(self, id: str, granted_until: float) -> Json:
        ask = await self._store.time_ask(id)
        assert ask is not None
        share, link = await self._about(ask)
        assert share is not None
        assert link is not None
        others = [one.id for one in await self._store.time_asks(waiting_only=False)]
        return {"time": await self._view(ask, share, link, shortest([*others, id])[id]), "until": granted_until}

    async def _view(self, ask: TimeAsk, share: Share, link: Link, label: str) -> Json:
        visit = await self._store.visit(ask.visit) if ask.visit else None
        whole = link.expires >= share.expires
        links = await self._store.links(share.id) if whole else [link]
        follow = [one for one in links if one.expires >= share.expires and one.revoked is None] if whole else [link]
        return {
            "id": ask.id,
            "label": label,
            "share": share.id,
            "share_name": share.name,
            "link_label": await self._views.link_label(link),
            "link_name": link.name,
            "visit": ask.visit,
            "visit_label": await self._views.visit_label(visit) if visit else "",
            "name": visit.name if visit else "",
            "badge": badge(link, visit) if visit else "",
            "expires": ends(share, link),
            "whole_share": whole,
            "links": len(follow),
            "since": ask.created,
            "state": ask.state,
        }


def _moment(at: float) -> str:
    return f"until {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"

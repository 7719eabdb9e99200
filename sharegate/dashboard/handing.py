"""The owner's verb that mails a link to the person it is for.

A link is sent once: that it is being sent is stored before the mail server hears of it, and taken back when that did
not take it. Who asks for many asks for each, and one that fails or hangs keeps none of the others. When the connection
broke after the message was handed in, nobody knows; then it counts as sent, and the owner decides about sending it
again. So it does where the gate was killed within these seconds: what was begun and never ended is told as that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from sharegate.audit.events import Action
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.interfaces import GateFacts
from sharegate.dashboard.mailing import Mailing
from sharegate.dashboard.roster_bodies import SendBody
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import rosters as shapes
from sharegate.dashboard.sharing import Sharing
from sharegate.dashboard.views import Views, link_state, mail_unsure
from sharegate.errors import Refused, Unsent, Why
from sharegate.limits import Buckets, Rate
from sharegate.mail.model import Message
from sharegate.mail.words import link_message
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import standing
from sharegate.shares.model import Link, LinkKind, Role, Share

Json = dict[str, Any]
# Of one link, and of a gate: two full rosters within an hour. A token that got into other hands does not make the gate
# a source of unwanted mail.
OF_A_LINK = Rate(per=6, seconds=3600, burst=3)
OF_THE_GATE = Rate(per=1000, seconds=3600, burst=1000)
_MAY = {Role.VIEW: "can read it, live", Role.EDIT: "can read it and edit its text, live"}


class Handing:
    """`links/{id}/send`. `pace` is the clock of the limits."""

    def __init__(
        self,
        *,
        acts: Acts,
        store: ShareStore,
        sharing: Sharing,
        views: Views,
        facts: GateFacts,
        mailing: Mailing,
        now: Callable[[], float],
        pace: Callable[[], float],
    ) -> None:
        self._acts = acts
        self._store = store
        self._sharing = sharing
        self._views = views
        self._facts = facts
        self._mailing = mailing
        self._now = now
        self._of_link, self._of_all = Buckets(OF_A_LINK, pace), Buckets(OF_THE_GATE, pace)
        self._sending: set[asyncio.Task[Json]] = set()

    def table(self) -> list[Route]:
        return [
            Route(
                "POST",
                "links/{id}/send",
                self._send,
                "Mail a link to the person it is for, once",
                Can.SHARES_WRITE,
                shapes.LinkSent,
                body=SendBody,
                of=Of.LINK,
            )
        ]

    async def finished(self) -> None:
        """Wait for what is being sent, which takes seconds at most."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def _send(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        link = await self._acts.link(parts["id"])
        again = msgspec.convert(body, SendBody).again
        share = await self._acts.share(link.share)
        if link.sent is not None and not again:
            return await self._told(link, "unsure" if mail_unsure(link, self._now()) else "already")
        self._check(share, link)
        mailer = self._mailing.needed()
        message = self._message(share, link)
        self._take(link)
        # Whoever asked may hang up: what was begun is done, and recorded.
        task = asyncio.create_task(self._one(mailer.send, message, share, link), name="mailing a link")
        self._sending.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    async def _one(self, send: Callable[[Message], Any], message: Message, share: Share, link: Link) -> Json:
        was = {"sent": link.sent, "email": link.email, "serial": link.serial, "revoked": None}
        try:
            claimed = await self._store.change_link(link.id, was=was, sent=self._now(), mailing=True)
        except ValueError:  # somebody else sends it just now, or changed it
            present = await self._acts.link(link.id)
            if present.sent in (None, link.sent):
                raise Refused("changed", "it was changed in this moment, and not sent", "Look at it again") from None
            return await self._told(present, "already")
        try:
            await send(message)
        except Unsent as unsent:
            if unsent.why is not Why.UNKNOWN:
                with contextlib.suppress(ValueError):
                    before = {"sent": link.sent, "mailing": link.mailing}
                    await self._store.change_link(link.id, was={"sent": claimed.sent}, **before)
            await self._acts.record(
                Action.LINK_UNSENT, share=share, link=link, name=link.email, detail=unsent.brief, failed=True
            )
            raise
        with contextlib.suppress(ValueError):  # was changed meanwhile, by somebody who knew
            claimed = await self._store.change_link(link.id, was={"sent": claimed.sent}, mailing=False)
        await self._acts.record(Action.LINK_SENT, share=share, link=link, name=link.email)
        return await self._told(claimed, "sent")

    def _over(self, task: asyncio.Task[Json]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()  # told to who asked, if they are still there; recorded in any case

    def _check(self, share: Share, link: Link) -> None:
        """Raises Refused."""
        if link.kind is not LinkKind.PERSON or not link.email:
            remedy = "Give it one, then send it" if link.kind is LinkKind.PERSON else "Make a link for each person"
            raise Refused("no_address", "this link has no address to be sent to", remedy, "email")
        state = link_state(link, self._now())
        if state == "active":
            state = standing(share, self._now())
        if state != "active":
            raise Refused("link_over", f"nobody could open it: it is {state}", "Open it again, or make another one")

    def _take(self, link: Link) -> None:
        wait = max(self._of_link.wait(link.id), self._of_all.wait(""))
        if wait:
            raise Refused("mail_limit", "too many mails were sent", f"Try again in {-(-wait // 60)} minutes")
        self._of_link.spend(link.id, 1)
        self._of_all.spend("", 1)

    def _message(self, share: Share, link: Link) -> Message:
        """Raises Invalid for what no mail can hold."""
        until = datetime.fromtimestamp(min(share.expires, link.expires), UTC)
        return link_message(
            link.email,
            self._sharing.address(link),
            name=link.name,
            owner=share.owner,
            share=share.name,
            may=_MAY.get(self._views.role(share, link), "can use it"),
            said=share.message,
            until=f"{until:%a} {until.day} {until:%b %Y, %H:%M} UTC",
            proves=bool(link.recipient or link.domain),
            gate=self._facts.gate_url,
        )

    async def _told(self, link: Link, outcome: str) -> Json:
        return {"link": await self._views.link(link), "outcome": outcome}

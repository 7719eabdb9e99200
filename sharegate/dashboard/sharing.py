"""The owner's verbs on shares and links: make, show, change, pause, end, and the links' addresses."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import msgspec

from sharegate.audit.events import Action
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.asking import Only, asker
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.bodies import ChangeLinkBody, ChangeShareBody, NewLinkBody, NewShareBody
from sharegate.dashboard.cursors import Page
from sharegate.dashboard.interfaces import GateFacts, Servers
from sharegate.dashboard.lettered import Lettered
from sharegate.dashboard.mailing import Mailing
from sharegate.dashboard.queries import AllShares
from sharegate.dashboard.register import Register, whose
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import given
from sharegate.dashboard.tags import ANY, matches, tag, tags, written
from sharegate.dashboard.views import Views
from sharegate.errors import Invalid, Refused
from sharegate.shares import asking
from sharegate.shares.agreed import wider
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import Issuer, NewLink, NewShare
from sharegate.shares.model import Link, LinkKind, Share

# Of what else is shared of the same folder, the newest that a new share is told of; the others are counted.
MOST_OVERLAPS = 10


class Sharing:
    """`shares` and `links`."""

    def __init__(
        self,
        *,
        acts: Acts,
        store: ShareStore,
        issuer: Issuer,
        servers: Servers,
        views: Views,
        facts: GateFacts,
        mailing: Mailing,
        register: Register,
    ) -> None:
        self._acts = acts
        self._register = register
        self._store = store
        self._issuer = issuer
        self._servers = servers
        self._views = views
        self._facts = facts
        self.lettered = Lettered()
        self._mailing = mailing

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "shares",
                self._shares,
                "All shares",
                Can.SHARES_READ,
                given.Shares,
                query=AllShares,
                of=Of.LISTED,
            ),
            Route(
                "POST",
                "shares",
                self._create,
                "Share a folder or a file, with a link for each person",
                Can.SHARES_WRITE,
                given.ShareMade,
                body=NewShareBody,
                creates=True,
                of=Of.LISTED,
            ),
            Route(
                "GET",
                "shares/{id}",
                self._show,
                "One share with its links",
                Can.SHARES_READ,
                given.OneShare,
                of=Of.SHARE,
            ),
            Route(
                "PATCH",
                "shares/{id}",
                self._change_share,
                "Change a share; its links stay",
                Can.SHARES_WRITE,
                given.OneShare,
                body=ChangeShareBody,
                tagged=True,
                of=Of.SHARE,
            ),
            Route(
                "POST",
                "shares/{id}/{verb:pause|resume|revoke}",
                self._share_verb,
                "Close, open or end a share",
                Can.SHARES_WRITE,
                given.ShareActed,
                tagged=True,
                of=Of.SHARE,
            ),
            Route(
                "POST",
                "shares/{id}/{verb:confirm}",
                self._share_verb,
                "Say that what stands at the root now is what is shared",
                Only.PERSON,
                given.ShareActed,
                tagged=True,
                of=Of.SHARE,
            ),
            Route(
                "POST",
                "shares/{id}/links",
                self._add_link,
                "A further link of a share",
                Can.SHARES_WRITE,
                given.LinkMade,
                body=NewLinkBody,
                creates=True,
                of=Of.SHARE,
            ),
            Route(
                "POST",
                "shares/{id}/preview",
                self._preview,
                "A link for five minutes, to see what visitors see",
                Can.SHARES_WRITE,
                given.LinkMade,
                creates=True,
                of=Of.SHARE,
            ),
            Route("GET", "links/{id}", self._show_link, "One link", Can.SHARES_READ, given.OneLink, of=Of.LINK),
            Route(
                "GET",
                "links/{id}/url",
                self._url,
                "The address that a link is: whoever has it can enter",
                Can.SHARES_WRITE,
                given.LinkAddress,
                of=Of.LINK,
            ),
            Route(
                "PATCH",
                "links/{id}",
                self._change_link,
                "Change a link; its address stays",
                Can.SHARES_WRITE,
                given.LinkChanged,
                body=ChangeLinkBody,
                tagged=True,
                of=Of.LINK,
            ),
            Route(
                "POST",
                "links/{id}/{verb:pause|resume|revoke|replace}",
                self._link_verb,
                "Close, open or end a link, or give it another address",
                Can.SHARES_WRITE,
                given.LinkActed,
                tagged=True,
                of=Of.LINK,
            ),
        ]

    # -- shares ---------------------------------------------------------------------------------------------------

    async def _shares(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        everything = query.get("all") in ("1", "true")
        page = Page[Share](query, ("all",), (float, str))
        await self._register.fresh()
        found = self._register.order("all" if everything else "standing", whose(asker()))
        for key in found.some(found.after(page.after), page.wanted):
            page.add(key, self._register.line(key).share)
        return {"shares": await self._views.shares(page.rows), "next": page.next}

    async def _create(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, NewShareBody)
        upstream, path = await self._servers.for_path(asked.path, asked.server, asker())
        if asked.anyone and asked.people:
            raise Invalid("for", "a link is for one person or for anyone, not both", "Drop --for or --anyone")
        names = [""] if asked.anyone else asked.people or [""]
        if asked.recipient and len(names) > 1:
            raise Invalid("recipient", "is the address of one person", "Make a share for one, then add links")
        self.check_mail(asked.recipient, asked.domain)
        links = [
            NewLink(name, asked.anyone, asked.visits, asked.devices, **asked.asked())  # each ends with the share
            for name in names
        ]
        share, made, overlaps = await self._issuer.create(
            NewShare(
                upstream=upstream.id,
                path=path,
                owner=upstream.owner,
                role=asked.role,
                expires=asked.expires,
                name=asked.name,
                message=asked.message,
                open_file=asked.open_file,
                clients=asked.clients,
                own_extensions=asked.own_extensions,
                runnable_files=asked.runnable_files,
                page=asked.page,
                links=tuple(links),
            )
        )
        overlaps = [other for other in overlaps if asker().has(other.owner)]
        async with self._acts.taken_back(lambda: self._issuer.revoke_share(share.id)):
            await self._acts.record(Action.SHARE_CREATED, share=share, detail=f"{share.role.value} {share.root}")
            for link in made:
                await self.link_created(share, link)
        warnings = [] if self._facts.running else ["Nobody can enter until the gate runs: sharegate up"]
        return {
            "share": await self._views.share(share),
            "links": [await self.with_url(link) for link in made],
            "warnings": warnings + self._facts.warnings(),
            "overlaps": [await self._views.share(other) for other in overlaps[-MOST_OVERLAPS:]],
            "overlaps_more": max(0, len(overlaps) - MOST_OVERLAPS),
        }

    async def _show(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"share": await self._views.share(await self._acts.share(parts["id"]))}

    async def _change_share(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        known = await self._acts.share(parts["id"])
        still = await self._as_seen("share", known)
        with _stale():
            share = await self._issuer.change_share(known.id, body, still)
        async with self._acts.taken_back(lambda: _undone(known, share, body, self._store.change_share)):
            await self._acts.record(Action.SHARE_CHANGED, share=share, detail=", ".join(sorted(body)))
        return {"share": await self._views.share(share)}

    async def _share_verb(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        id, verb = parts["id"], parts["verb"]
        still = await self._as_seen("share", await self._acts.share(id))
        verbs: dict[str, tuple[Callable[[], Awaitable[Share]], Action]] = {
            "pause": (lambda: self._issuer.pause_share(id, paused=True, was=still), Action.SHARE_PAUSED),
            "resume": (lambda: self._issuer.pause_share(id, paused=False, was=still), Action.SHARE_RESUMED),
            "revoke": (lambda: self._issuer.revoke_share(id, still), Action.SHARE_REVOKED),
            "confirm": (lambda: self._issuer.confirm(id, still), Action.SHARE_CONFIRMED),
        }
        act, action = verbs[verb]
        before = self._acts.before(await self._store.visits(id, open_only=True), [{"share": id}])
        with _stale():
            share = await act()
        recording = self._acts.record(action, share=share)
        if verb in ("pause", "revoke"):
            # It has happened, also when it cannot be recorded: what closes is never taken back.
            ended, _ = await asyncio.gather(before.ended(), recording)
            return {"share": await self._views.share(share), "ended": ended}
        closing: dict[str, Any] = {"paused": True} if verb == "resume" else {"suspended": True}
        async with self._acts.taken_back(lambda: self._store.change_share(id, **closing)):
            await recording
        return {"share": await self._views.share(share), "ended": None}

    async def _add_link(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, NewLinkBody)
        self.check_mail(asked.recipient, asked.domain)
        new = NewLink(
            *(asked.name, asked.anyone, asked.visits, asked.devices, asked.expires),
            **asked.asked(),
            email=asked.email,
        )
        link = await self.lettered.made(lambda: self._issuer.add_link(parts["id"], new))
        async with self._acts.taken_back(lambda: self._issuer.revoke_link(link.id)):
            await self.link_created(await self._acts.share(link.share), link)
        return {"link": await self.with_url(link)}

    def check_mail(self, *wanted: object) -> None:
        """Nobody could open a link that asks for an address when no code can be sent. Raises Refused(`mail_off`)."""
        if any(wanted):
            self._mailing.needed()

    async def link_created(self, share: Share, link: Link) -> None:
        detail = ", ".join(asking.in_words(link))
        await self._acts.record(Action.LINK_CREATED, share=share, link=link, name=link.name, detail=detail)

    async def _preview(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        link = await self.lettered.made(lambda: self._issuer.preview(parts["id"]))
        async with self._acts.taken_back(lambda: self._issuer.revoke_link(link.id)):
            share = await self._acts.share(link.share)
            await self._acts.record(Action.LINK_CREATED, share=share, link=link, detail="preview")
        return {"link": await self.with_url(link)}

    # -- links ----------------------------------------------------------------------------------------------------

    async def _show_link(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"link": await self._views.link(await self._acts.link(parts["id"]))}

    async def _url(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        link = await self._acts.link(parts["id"])
        return {"url": self.address(link), **await self._for_programs(link)}

    async def _change_link(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        known = await self._acts.link(parts["id"])
        self.check_mail(body.get("recipient"), body.get("domain"))
        still = await self._as_seen("link", known)
        with _stale():
            link = await self._issuer.change_link(known.id, body, still)
        async with self._acts.taken_back(lambda: _undone(known, link, _with_whose(body), self._store.change_link)):
            share = await self._acts.share(link.share)
            asked = {name: getattr(link, name) for name in asking.FIELDS if name in body}
            detail = ", ".join([*sorted(set(body) - set(asked)), *asking.changed_in_words(asked)])
            await self._acts.record(Action.LINK_CHANGED, share=share, link=link, detail=detail)
        return {"link": await self._views.link(link), "role": self._views.role(share, link).value}

    async def _link_verb(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        id, verb = parts["id"], parts["verb"]
        known = await self._acts.link(id)
        still = await self._as_seen("link", known)
        verbs: dict[str, tuple[Callable[[], Awaitable[Link]], Action]] = {
            "pause": (lambda: self._issuer.pause_link(id, paused=True, was=still), Action.LINK_PAUSED),
            "resume": (lambda: self._issuer.pause_link(id, paused=False, was=still), Action.LINK_RESUMED),
            "revoke": (lambda: self._issuer.revoke_link(id, still), Action.LINK_REVOKED),
            "replace": (lambda: self._issuer.replace(id, still), Action.LINK_REPLACED),
        }
        act, action = verbs[verb]
        before = self._acts.before(await self._store.visits(known.share, link=id, open_only=True), [{"link": id}])
        with _stale():
            link = await act()
        recording = self._acts.record(action, share=await self._acts.share(link.share), link=link)
        if verb in ("pause", "revoke"):
            ended, _ = await asyncio.gather(before.ended(), recording)
            return {"link": await self._views.link(link), "ended": ended}
        closing: dict[str, Any] = {"paused": True}
        if verb == "replace":
            # The URL before this one; where it was replaced again meanwhile, nothing.
            closing = {"was": {"serial": link.serial}, "serial": link.serial - 1}
        async with self._acts.taken_back(lambda: self._store.change_link(id, **closing)):
            await recording
        return {"link": await (self.with_url if verb == "replace" else self._views.link)(link), "ended": None}

    async def _as_seen(self, kind: str, record: Share | Link) -> dict[str, Any] | None:
        """All that the record must still be when it is changed, for who sent If-Match. Raises Refused(`stale`)."""
        seen = asker().seen
        if not seen or tags([seen], "If-Match") == [ANY]:  # it is there, however it was changed meanwhile
            return None
        view = await (self._views.share(record) if isinstance(record, Share) else self._views.link(record))
        if not matches(seen, tag(written({kind: view}))):
            raise _changed()
        return msgspec.structs.asdict(record)

    # -- addresses -----------------------------------------------------------------------------------------------

    def address(self, link: Link) -> str:
        return self._facts.addresses.of(link.share).link(self._issuer.token(link))

    async def with_url(self, link: Link) -> dict[str, Any]:
        return {**await self._views.link(link), "url": self.address(link), **await self._for_programs(link)}

    async def _for_programs(self, link: Link) -> dict[str, Any]:
        """What programs ask for as "server URL" and "token", where the share has links for them."""
        if not (await self._acts.share(link.share)).clients or link.kind is LinkKind.PREVIEW:
            return {}
        address = self._facts.addresses.of(link.share)
        url = (address.origin + address.programs).rstrip("/")
        return {"program": {"url": url, "token": self._issuer.token(link)}}


def _with_whose(fields: Iterable[str]) -> list[str]:
    """What is changed together with an account."""
    names = list(fields)
    return [*names, "issuer", "subject"] if "account" in names else names


def _changed() -> Refused:
    return Refused("stale", "it is not as you saw it any more", "Look at it again", "If-Match")


@contextlib.contextmanager
def _stale() -> Iterator[None]:
    """The store says with ValueError that a record is no longer as it was seen: one of the two ways to learn that."""
    try:
        yield
    except ValueError:
        if not asker().seen:
            raise
        raise _changed() from None


async def _undone(
    before: Share | Link, changed: Share | Link, fields: Iterable[str], change: Callable[..., Awaitable[Share | Link]]
) -> None:
    """Take back what a change gave, field by field. What it took away stays taken, and what somebody changed again
    since then stays as they have it."""
    for name in fields:
        was, became = getattr(before, name), getattr(changed, name)
        narrowed = wider(changed, {name: was}) and not wider(before, {name: became})
        if was != became and not narrowed:
            with contextlib.suppress(ValueError):
                await change(before.id, was={name: became}, **{name: was})

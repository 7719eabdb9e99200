"""Create a share, issue its links, change them, end them. Each call validates all of its input before it writes.

Every write goes through the store, which tells the gate; open pages and channels end by that, whoever called.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sharegate.errors import Denied, Invalid, NotFound, Refused
from sharegate.names import MAX_MESSAGE, MAX_NAME, clean_message, clean_name
from sharegate.paths import Place
from sharegate.shares import asking
from sharegate.shares.agreed import check_agreed, check_still_agreed, wider
from sharegate.shares.authenticate import check_share
from sharegate.shares.fitting import Given, check_fits, fit
from sharegate.shares.interfaces import HandOut, RootLook, ShareStore
from sharegate.shares.model import Link, LinkKind, Role, Share, Visit, VisitKind, new_id
from sharegate.shares.owners import check_one_owner, owners
from sharegate.shares.required import check_required, end_in_time, latest_end
from sharegate.shares.shareable import check_facts, held, root_at
from sharegate.shares.tokens import ShareTokens
from sharegate.shares.wanted import open_file_of, page_of

PREVIEW_SECONDS = 300.0
_CHANGEABLE = "role, expires, name, message, clients, runnable_files or page"
_LINK_CHANGEABLE = "name, role, expires, visits, devices, email, " + ", ".join(asking.FIELDS)
MAX_LINKS = 500
Was = Mapping[str, Any] | None


def own_words(field: str, text: object, longest: int, clean: Callable[[str], str]) -> str:
    """What an owner wrote, cleaned; too long is told rather than cut, and empty stays empty."""
    if not isinstance(text, str):
        raise Invalid(field, "is not text", "Write it as text")
    if len(text) > longest:
        raise Invalid(field, f"is longer than {longest} characters", "Shorten it")
    return clean(text) if text.strip() else ""


def letters(count: int) -> str:
    """The name of a share's `count`-th link (from 0): a, b, …, z, aa, ab, …"""
    name = ""
    count += 1
    while count:
        count, rest = divmod(count - 1, 26)
        name = chr(ord("a") + rest) + name
    return name


@dataclass(frozen=True, slots=True)
class NewLink:
    """What an owner asks for when issuing a link. No `name` and not `anyone`: one person, name not known."""

    name: str = ""
    anyone: bool = False
    visits: int | None = None
    devices: int = 3
    expires: float | None = None
    not_before: float | None = None
    networks: tuple[str, ...] = ()
    ask: bool = False
    passphrase: str = dataclasses.field(default="", repr=False)
    recipient: str = dataclasses.field(default="", repr=False)
    domain: str = ""
    account: str = dataclasses.field(default="", repr=False)
    email: str = dataclasses.field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class NewShare:
    """What an owner asks for. `path` is relative to the server's root; `expires` None means the default."""

    upstream: str
    path: str
    owner: str
    role: str = "view"
    expires: float | None = None
    name: str = ""
    message: str = ""
    open_file: str = ""
    clients: bool = False
    own_extensions: bool = False
    runnable_files: bool = False
    page: str = "lab"
    links: tuple[NewLink, ...] = (NewLink(),)


class Issuer:
    """The owner's verbs on shares and links. With `was` a record is changed only as long as it has these values; else
    ValueError."""

    def __init__(
        self,
        store: ShareStore,
        tokens: ShareTokens,
        look: RootLook,
        rules: HandOut,
        now: Callable[[], float],
        *,
        one_owner: bool = True,
        accounts: str = "",
    ) -> None:
        """`accounts` is the issuer at which people sign in here, "" for none."""
        self._accounts = accounts
        self._store = store
        self._tokens = tokens
        self._look = look
        self._rules = rules
        self._now = now
        self._one_owner = one_owner

    async def create(self, new: NewShare) -> tuple[Share, list[Link], list[Share]]:
        """The stored share, its links, and the standing shares that overlap with it."""
        now = self._now()
        role = self._role(new.role)
        root = root_at(new.path)
        facts = check_facts(root, await self._look.look(new.upstream, root))
        open_file = open_file_of(new.open_file, root, facts.kind)
        clients = self._clients(new.clients)
        if new.own_extensions and not self._rules.own_extensions:
            raise Refused("own_extensions", "the rules here do not permit the owner's own extensions")
        runnable_files = self._runnable_files(new.runnable_files)
        page = page_of(new.page)
        if not new.links:
            raise Invalid("links", "a share needs a link", "Name a person or use --anyone")
        _check_count(len(new.links))
        share = Share(
            id=new_id(),
            upstream=new.upstream,
            owner=new.owner,
            root=str(root),
            kind=facts.kind,
            open_file=open_file,
            role=role,
            name=own_words("name", new.name, MAX_NAME, clean_name) or root.name,
            message=own_words("message", new.message, MAX_MESSAGE, clean_message),
            created=now,
            expires=self._expires(new.expires, now),
            clients=clients,
            own_extensions=new.own_extensions,
            runnable_files=runnable_files,
            page=page,
            identity=facts.identity,
        )
        links = await self._links(share, new.links, now)
        await self._check_owner(share.owner)
        overlaps = [other for other in await self._standing(new.upstream) if _overlap(share, other)]
        await check_agreed(self._rules, self._store)
        await self._store.add_share(share, links)
        await check_still_agreed(self._rules, self._store, lambda: self.revoke_share(share.id))
        return share, links, overlaps

    async def add_link(self, share_id: str, new: NewLink) -> Link:
        (link,) = await self.add_links(share_id, (new,))
        return link

    async def add_links(self, share_id: str, new: Sequence[NewLink]) -> list[Link]:
        """All of them or none."""
        share = await self._share(share_id)
        self._not_ended(share)
        existing = await self._store.links(share.id)
        _check_count(len(existing) + len(new))
        links = await self._links(share, new, self._now(), first=len(existing))
        await check_agreed(self._rules, self._store)
        await self._store.add_links(links)
        await check_still_agreed(self._rules, self._store, lambda: self.revoke_links(links))
        return links

    async def revoke_links(self, links: Sequence[Link]) -> None:
        for link in links:
            await self.revoke_link(link.id)

    async def preview(self, share_id: str, name: str = "Preview") -> Link:
        """A link for the owner's own eyes: five minutes, counted nowhere."""
        share = await self._share(share_id)
        self._not_ended(share)
        now = self._now()
        existing = await self._store.links(share.id)
        link = Link(
            id=new_id(12),
            share=share.id,
            letter=letters(len(existing)),
            kind=LinkKind.PREVIEW,
            name=name,
            visits=None,
            devices=0,
            created=now,
            expires=min(now + PREVIEW_SECONDS, share.expires),
        )
        await self._store.add_link(link)
        return link

    def token(self, link: Link) -> str:
        return self._tokens.mint(link)

    async def replace(self, link_id: str, was: Was = None) -> Link:
        """A new URL for a link; the old URL stops, and so does its short code; those inside stay."""
        link = await self._link_record(link_id)
        self._not_ended(link)
        while True:
            try:
                still = {"serial": link.serial} if was is None else was
                anew = {"serial": link.serial + 1, "code_hash": "", "code_expires": 0.0}
                return await self._store.change_link(link.id, was=still, **anew)
            except ValueError:  # replaced at the same moment by somebody else, whose URL this one ends
                if was is not None:
                    raise
                link = await self._link_record(link_id)

    async def change_share(self, share_id: str, changes: dict[str, Any], was: Was = None) -> Share:
        """`role`, `expires`, `name`, `message`, `clients`, `runnable_files`, `page`; the URL stays. Links that ended
        with the share follow it, as does whoever is in by them; a link with an end of its own keeps it."""
        share = await self._share(share_id)
        self._not_ended(share)
        fields: dict[str, Any] = {}
        for field, value in changes.items():
            if field == "role":
                fields["role"] = self._role(value)
            elif field == "expires":
                fields["expires"] = self._expires(value, self._now())
            elif field == "name":
                fields["name"] = own_words("name", value, MAX_NAME, clean_name) or share.root_path.name
            elif field == "message":
                fields["message"] = own_words("message", value, MAX_MESSAGE, clean_message)
            elif field == "clients":
                fields["clients"] = self._clients(value)
            elif field == "runnable_files":
                fields["runnable_files"] = self._runnable_files(value)
            elif field == "page":
                fields["page"] = page_of(value)
            else:
                raise Invalid(field, "cannot be changed", f"Change {_CHANGEABLE}")
        if not fields:
            raise Invalid("", "nothing to change", f"Give {_CHANGEABLE}")
        if "expires" in fields:
            await self._check_owner(share.owner)
        if "role" in fields:
            becomes = msgspec.structs.replace(share, role=fields["role"])
            check_required(self._rules, becomes, *await self._store.links(share.id))
        changed = await self._put_share(share, fields, was)
        if "expires" in fields:
            await end_in_time(self._rules, self._store, share.id, self._now())
        return changed

    async def change_link(self, link_id: str, changes: dict[str, Any], was: Was = None) -> Link:
        """`name`, `role`, `expires`, `visits`, `devices` and what it asks for (shares/asking.py); the URL stays.
        Whoever is in by it follows its end, and is out while they lack what it asks for."""
        link = await self._link_record(link_id)
        self._not_ended(link)
        share = await self._share(link.share)
        fields: dict[str, Any] = {}
        asked: dict[str, object] = {}
        for field, value in changes.items():
            if field in asking.FIELDS:
                asked[field] = value
            elif field == "name":
                fields["name"] = own_words("name", value, MAX_NAME, clean_name)
            elif field == "role":
                fields["role"] = None if value is None else self._role(value)
            elif field == "expires":
                latest = min(share.expires, latest_end(self._rules, link, self._now()))
                fields["expires"] = min(self._expires(value, self._now()), latest)
            elif field == "visits":
                fields["visits"] = self._visits(value, open_link=link.kind is LinkKind.OPEN)
            elif field == "devices":
                fields["devices"] = self._devices(value)
            elif field == "email":
                fields |= asking.sent_to(value, link)
            else:
                raise Invalid(field, "cannot be changed", f"Change {_LINK_CHANGEABLE}")
        fields |= await asking.read(asked, link, self._accounts)
        if not fields:
            raise Invalid("", "nothing to change", f"Give {_LINK_CHANGEABLE}")
        if {"not_before", "expires"} & fields.keys():
            asking.check_opens(msgspec.structs.replace(link, **fields))
        if {"role", *asked} & fields.keys():
            check_required(self._rules, share, msgspec.structs.replace(link, **fields))
        return await self._put_link(link, fields, was)

    async def pause_share(self, share_id: str, *, paused: bool, was: Was = None, by: str = "") -> Share:
        """`by` is the visit of the co-owner who does it; without, it is the owner's pause."""
        share = await self._share(share_id)
        self._not_ended(share)
        if not paused:
            check_fits(fit(self._rules, [Given(msgspec.structs.replace(share, paused=False), (), ())], self._now()))
        return await self._put_share(share, {"paused": paused, "paused_by": by if paused else ""}, was)

    async def pause_link(self, link_id: str, *, paused: bool, was: Was = None) -> Link:
        link = await self._link_record(link_id)
        self._not_ended(link)
        if not paused:
            share, resumed = await self._share(link.share), msgspec.structs.replace(link, paused=False)
            check_required(self._rules, share, resumed)
            check_fits(fit(self._rules, [Given(share, [resumed], ())], self._now()))
        return await self._put_link(link, {"paused": paused}, was)

    async def revoke_share(self, share_id: str, was: Was = None) -> Share:
        """For ever. Revoking what is revoked already is no fault: the first moment stays."""
        share = await self._share(share_id)
        if share.revoked is not None:
            return share
        return await self._store.change_share(share.id, was=was, revoked=self._now())

    async def revoke_link(self, link_id: str, was: Was = None) -> Link:
        link = await self._link_record(link_id)
        if link.revoked is not None:
            return link
        return await self._store.change_link(link.id, was=was, revoked=self._now())

    async def confirm(self, share_id: str, was: Was = None) -> Share:
        """The owner says that what now stands at the root is what they share."""
        share = await self._share(share_id)
        self._not_ended(share)
        facts = await self._look.look(share.upstream, share.root_path)
        if facts is None or facts.kind is not share.kind:
            raise Refused(
                "root_changed",
                f"there is no {share.kind.value} {share.root!r} on the server",
                "Put it back, or revoke the share and make a new one",
            )
        if facts.protected:
            raise held()
        return await self._store.change_share(share.id, was=was, suspended=False, identity=facts.identity)

    async def end_visit(self, visit_id: str, reason: str) -> Visit:
        """End a visit and the devices that came from it."""
        visit = await self._store.visit(visit_id)
        if visit is None:
            raise NotFound("visit", visit_id)
        await self._store.end_visits([visit.id, *await self._devices_of(visit)], at=self._now(), reason=reason)
        # A device may have come in before that was written; after it none can.
        late = await self._devices_of(visit)
        if late:
            await self._store.end_visits(late, at=self._now(), reason=reason)
        return await self._store.visit(visit_id) or visit

    async def _devices_of(self, visit: Visit) -> list[str]:
        opened = await self._store.visits(visit.share, link=visit.link, open_only=True)
        return [other.id for other in opened if other.came_from == visit.id and other.kind is VisitKind.DEVICE]

    # -- checks of input ------------------------------------------------------------------------------------------

    def _clients(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise Invalid("clients", "is neither true nor false")
        if value and not self._rules.clients:
            raise Refused("clients_off", "the rules here do not permit links that programs can use")
        return value

    def _runnable_files(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise Invalid("runnable_files", "is neither true nor false")
        if value and not self._rules.runnable_files:
            raise Refused(
                "runnable_files", "the rules here do not permit visitors to make files that run by themselves"
            )
        return value

    def _role(self, value: object) -> Role:
        try:
            role = Role(str(value))
        except ValueError:
            raise Invalid("role", f"{value!r} is no role", f"Choose from {', '.join(self._rules.roles)}") from None
        if role not in self._rules.roles:
            raise Refused(
                "role_not_available",
                f"sharing with the role {role.value} is not available yet",
                f"Available: {', '.join(self._rules.roles)}",
            )
        return role

    def _expires(self, value: object, now: float) -> float:
        if value is None:
            return now + self._rules.default_expires_seconds
        # What is not a number compares as neither past nor too late, and would last for ever.
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Invalid("expires", "is not a moment", "Give seconds since the epoch")
        if value <= now:
            raise Invalid("expires", "lies in the past", "Choose a later moment")
        longest = self._rules.max_expires_seconds
        if value > now + longest:
            raise Refused(
                "expires_too_late", f"shares may last at most {longest / 86400:g} days here", "Choose an earlier moment"
            )
        return float(value)

    def _visits(self, value: object, *, open_link: bool) -> int | None:
        if value is None:
            return None if open_link else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise Invalid("visits", "is not a number of people, 1 or more", "Give a whole number")
        if not open_link and value != 1:
            raise Invalid("visits", "a link for one person has one visit", "Use --anyone for an open link")
        if value > self._rules.max_visits:
            raise Refused("too_many_visits", f"a link may admit at most {self._rules.max_visits} people here")
        return value

    def _devices(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise Invalid("devices", "is not a number of devices, 0 or more", "Give a whole number")
        if value > self._rules.max_devices:
            raise Refused("too_many_devices", f"a person may add at most {self._rules.max_devices} devices here")
        return value

    async def _links(self, share: Share, new: Sequence[NewLink], now: float, first: int = 0) -> list[Link]:
        """The same passphrase is hashed once, for that is slow."""
        plain = [self._link(share, one, letters(first + index), now) for index, one in enumerate(new)]
        hashes: dict[str, str] = {}
        links = []
        for one, link in zip(new, plain, strict=True):
            asked = {name: getattr(one, name) for name in asking.FIELDS}
            known = hashes.get(one.passphrase)
            fields = await asking.read(asked if known is None else asked | {"passphrase": ""}, link, self._accounts)
            fields["passphrase"] = hashes.setdefault(one.passphrase, fields["passphrase"])
            links.append(msgspec.structs.replace(link, **fields))
            asking.check_opens(links[-1])
            check_required(self._rules, share, links[-1])
        return links

    def _link(self, share: Share, new: NewLink, letter: str, now: float) -> Link:
        name = own_words("for", new.name, MAX_NAME, clean_name)
        if new.anyone and not self._rules.anyone:
            raise Refused("anyone_off", "open links are not permitted here", "Name a person with --for")
        if new.anyone and name:
            raise Invalid("for", "a link is for one person or for anyone, not both", "Drop --for or --anyone")
        visits = self._visits(new.visits, open_link=new.anyone)
        if new.anyone and visits is None:
            visits = self._rules.max_visits
        expires = share.expires if new.expires is None else min(self._expires(new.expires, now), share.expires)
        link = Link(
            id=new_id(12),
            share=share.id,
            letter=letter,
            kind=LinkKind.OPEN if new.anyone else LinkKind.PERSON,
            name=name,
            visits=visits,
            devices=self._devices(new.devices),
            created=now,
            expires=expires,
        )
        ends = min(expires, latest_end(self._rules, link, now))
        return msgspec.structs.replace(link, expires=ends, **asking.sent_to(new.email, link))

    # -- records --------------------------------------------------------------------------------------------------

    async def _share(self, id: str) -> Share:
        share = await self._store.share(id)
        if share is None:
            raise NotFound("share", id)
        return share

    async def _link_record(self, id: str) -> Link:
        link = await self._store.link(id)
        if link is None:
            raise NotFound("link", id)
        return link

    @staticmethod
    def _not_ended(record: Share | Link) -> None:
        if record.revoked is not None:
            raise Refused("revoked", "it was revoked, which is for ever", "Make a new one")

    async def _put_share(self, share: Share, fields: dict[str, Any], was: Was) -> Share:
        if not wider(share, fields):
            return await self._store.change_share(share.id, was=was, **fields)
        await check_agreed(self._rules, self._store)
        changed = await self._store.change_share(share.id, was=was, **fields)
        await check_still_agreed(self._rules, self._store, lambda: self._store.change_share(share.id, paused=True))
        return changed

    async def _put_link(self, link: Link, fields: dict[str, Any], was: Was) -> Link:
        if not wider(link, fields):
            return await self._store.change_link(link.id, was=was, **fields)
        await check_agreed(self._rules, self._store)
        changed = await self._store.change_link(link.id, was=was, **fields)
        await check_still_agreed(self._rules, self._store, lambda: self._store.change_link(link.id, paused=True))
        return changed

    async def _check_owner(self, owner: str) -> None:
        """A share that begins to stand, or stands again, is not the second owner's on one origin."""
        if self._one_owner:
            check_one_owner([owner, *owners(await self._store.shares(), self._now())])

    async def _standing(self, upstream: str) -> list[Share]:
        now = self._now()
        return [
            share
            for share in await self._store.shares()
            if share.upstream == upstream and share.revoked is None and share.expires > now
        ]


def _check_count(links: int) -> None:
    if links > MAX_LINKS:
        raise Refused("too_many_links", f"a share has at most {MAX_LINKS} links", "Make another share")


def _overlap(one: Share, other: Share) -> bool:
    """Whether one root lies in the other (INSIDE or ANCESTOR)."""
    return one.root_path.place(other.root_path) is not Place.OUTSIDE


def standing(share: Share, now: float) -> str:
    """One word for the state of a share."""
    if share.revoked is not None:
        return "revoked"
    try:
        check_share(share, now)
    except Denied as denied:
        return {"share_expired": "expired", "root_changed": "suspended"}.get(denied.reason.value, "paused")
    return "active"

"""The owner's verbs on rosters: read one, a link for each person, a share for each team.

Whoever stands in a roster and has a link is let alone, ended links too: the same roster asked for again adds only who
is new. One roster at a time, so that two who ask at once do not make a link each.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from sharegate.audit.events import Action
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.asking import asker
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.folders import Choices
from sharegate.dashboard.interfaces import GateFacts, Servers
from sharegate.dashboard.roster_bodies import OWN, AddRosterBody, RosterBody, ShareRosterBody, TeamsBody
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import rosters as shapes
from sharegate.dashboard.sharing import Sharing
from sharegate.dashboard.views import Views
from sharegate.errors import Ambiguous, Faults, Invalid, Refused, SharegateError
from sharegate.rosters.matching import Having, fits, known, match, parted
from sharegate.rosters.model import MOST_TOLD, Person, Roster
from sharegate.rosters.reading import read
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.asking import of_one
from sharegate.shares.conditions import clean_account
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import Issuer, NewLink, NewShare, standing
from sharegate.shares.model import Link, LinkKind, Share
from sharegate.shares.shareable import root_at
from sharegate.upstream.model import Upstream

Json = dict[str, Any]


class Rosters:
    """`rosters/…` and `shares/{id}/roster`."""

    def __init__(
        self,
        *,
        acts: Acts,
        store: ShareStore,
        issuer: Issuer,
        servers: Servers,
        sharing: Sharing,
        choices: Choices,
        views: Views,
        facts: GateFacts,
        mail: bool,
        now: Callable[[], float],
    ) -> None:
        self._acts = acts
        self._store = store
        self._issuer = issuer
        self._servers = servers
        self._sharing = sharing
        self._choices = choices
        self._views = views
        self._facts = facts
        self._mail = mail
        self._now = now
        self._one_at_a_time = asyncio.Lock()

    def table(self) -> list[Route]:
        return [
            Route(
                "POST",
                "rosters/read",
                self._read,
                "What a roster says, and what is wrong with its rows; nothing is made",
                Can.SHARES_WRITE,
                shapes.RosterRead,
                body=RosterBody,
            ),
            Route(
                "POST",
                "rosters/share",
                self._share,
                "Share a folder with everybody of a roster; who has a link already is let alone",
                Can.SHARES_WRITE,
                shapes.RosterShared,
                body=ShareRosterBody,
                creates=True,
                of=Of.LISTED,
            ),
            Route(
                "POST",
                "rosters/teams",
                self._teams,
                "Share each team's folder with its people",
                Can.SHARES_WRITE,
                shapes.TeamsShared,
                body=TeamsBody,
                creates=True,
                of=Of.LISTED,
            ),
            Route(
                "POST",
                "shares/{id}/roster",
                self._add,
                "Links of a share for everybody of a roster who has none",
                Can.SHARES_WRITE,
                shapes.RosterShared,
                body=AddRosterBody,
                creates=True,
                of=Of.SHARE,
            ),
        ]

    async def _read(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        asked = msgspec.convert(body, RosterBody)
        found = await asyncio.to_thread(read, asked.roster, teams=asked.teams)
        return {
            "people": [_person(person) for person in found.people],
            "faults": [
                {"row": each.row, "field": each.field, "problem": each.problem, "remedy": each.remedy}
                for each in found.faults[:MOST_TOLD]
            ],
            "faults_more": max(0, len(found.faults) - MOST_TOLD),
            "notes": list(found.notes),
            "columns": list(found.columns),
        }

    async def _share(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        asked = msgspec.convert(body, ShareRosterBody)
        roster = await _checked(asked.roster)
        wanted = self._wanted(roster.people, asked)
        upstream, path = await self._servers.for_path(asked.path, asked.server, asker())
        new = NewShare(
            *(upstream.id, str(root_at(path)), upstream.owner),
            **asked.of_share(),
            name=asked.name,
            open_file=asked.open_file,
        )
        async with self._one_at_a_time:
            share = await self._standing(new, roster.people)
            if asked.dry_run:
                return await self._tried(share, roster, wanted)
            share, fresh, made, before = await self._given(new, share, roster.people, wanted)
        return await self._told(share, fresh, made, before, roster, wanted)

    async def _add(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        share = await self._acts.share(parts["id"])
        asked = msgspec.convert(body, AddRosterBody)
        roster = await _checked(asked.roster)
        wanted = self._wanted(roster.people, asked, asked.expires)
        async with self._one_at_a_time:
            if asked.dry_run:
                return await self._tried(share, roster, wanted)
            made, before = await self._added(share, roster.people, wanted)
        return await self._told(share, False, made, before, roster, wanted)

    async def _tried(self, share: Share | None, roster: Roster, wanted: list[NewLink]) -> Json:
        before = [] if share is None else await self._links_of(roster.people, share)
        return await self._told(share, share is None, [], before, roster, wanted, done=False)

    async def _told(
        self,
        share: Share | None,
        fresh: bool,
        made: list[Link],
        before: list[Link],
        roster: Roster,
        wanted: list[NewLink],
        *,
        done: bool = True,
    ) -> Json:
        named = _named(before)
        return {
            "share": None if share is None else await self._views.share(share),
            "fresh": fresh,
            "done": done,
            "people": [_person(person) for person in roster.people],
            "new": [person.row for person in roster.people if not known(person, named)],
            "made": [await self._sharing.with_url(link) for link in made],
            "known": [await self._sharing.with_url(link) for link in before],
            "proves": any(link.recipient for link in wanted),
            "warnings": [*roster.notes, *self._warnings(roster.people, wanted)],
        }

    # -- teams ----------------------------------------------------------------------------------------------------

    async def _teams(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        asked = msgspec.convert(body, TeamsBody)
        roster = await _checked(asked.roster, teams=True)
        wanted = dict(zip(roster.people, self._wanted(roster.people, asked), strict=True))
        upstream, parent, folders = await self._folders(asked.each, asked.server)
        found = match(roster.people, folders)
        if not asked.dry_run and not asked.partial and (found.without_team or found.without_folder):
            raise _unmatched(found.without_team, found.without_folder)
        if not found.folders:
            raise Invalid("each", "fits no folder of a team", "Compare the folders' names with the column of teams")
        news = {
            team: NewShare(
                *(upstream.id, "/".join(filter(None, (parent, folder))), upstream.owner),
                **asked.of_share(),
            )
            for team, folder in found.folders.items()
        }
        people = {team: roster.teams[team] for team in news}
        async with self._one_at_a_time:
            shares = {team: await self._standing(new, people[team]) for team, new in news.items()}
            if asked.dry_run:
                teams = [await self._would(team, news[team], shares[team], people[team]) for team in news]
            else:
                teams = await self._all(news, shares, people, wanted)
        return {
            "teams": teams,
            "left": list(found.without_team),
            "missing": [{"team": team, "row": row} for team, row in found.without_folder],
            "done": not asked.dry_run,
            "proves": any(link.recipient for link in wanted.values()),
            "warnings": [*roster.notes, *self._warnings(roster.people, list(wanted.values()))],
        }

    async def _folders(self, each: str, server: str) -> tuple[Upstream, str, list[str]]:
        """The server, the folder that holds the teams' folders, and those that may be shared."""
        parent, last = parted(each)
        upstream, below = await self._servers.for_path(parent, server, asker())
        listing = await self._choices.listed(upstream.id, below)
        if listing["more"]:
            raise Refused("too_many", "there are too many folders to look at", "Put them into several folders")
        mine = [one for one in listing["entries"] if one["kind"] == "directory" and fits(one["name"], last)]
        barred = [one for one in mine if not one["shareable"]]
        if barred:
            cannot = [Invalid("each", f"{one['path']}: {one['why']}", "Leave it out of the pattern") for one in barred]
            raise Faults("each", cannot)
        return upstream, below, [one["name"] for one in mine]

    async def _would(self, team: str, new: NewShare, share: Share | None, people: Sequence[Person]) -> Json:
        before = [] if share is None else await self._links_of(people, share)
        return {
            "team": team,
            "path": new.path,
            "people": [_person(person) for person in people],
            "share": None if share is None else await self._views.share(share),
            "fresh": share is None,
            "made": [],
            "known": [await self._sharing.with_url(link) for link in before],
        }

    async def _all(
        self,
        news: dict[str, NewShare],
        shares: dict[str, Share | None],
        people: dict[str, list[Person]],
        wanted: dict[Person, NewLink],
    ) -> list[Json]:
        """All teams or none: what was made until something is refused is ended again."""
        done: list[tuple[str, Share, bool, list[Link], list[Link]]] = []
        try:
            for team, new in news.items():
                given = await self._given(new, shares[team], people[team], [wanted[one] for one in people[team]])
                done.append((team, *given))
        except SharegateError:
            for _, share, fresh, made, _ in done:
                await (self._issuer.revoke_share(share.id) if fresh else self._issuer.revoke_links(made))
            raise
        return [
            {
                "team": team,
                "path": news[team].path,
                "people": [_person(person) for person in people[team]],
                "share": await self._views.share(share),
                "fresh": fresh,
                "made": [await self._sharing.with_url(link) for link in made],
                "known": [await self._sharing.with_url(link) for link in before],
            }
            for team, share, fresh, made, before in done
        ]

    # -- what becomes of people -----------------------------------------------------------------------------------

    def _wanted(
        self,
        people: Sequence[Person],
        asked: ShareRosterBody | AddRosterBody | TeamsBody,
        expires: float | None = None,
    ) -> list[NewLink]:
        """A link for each. Raises Invalid, Refused(`mail_off`)."""
        if asked.recipient:
            raise Invalid("recipient", "is each person's own in a roster", "Leave it out")
        wanted = []
        for person, account in zip(people, _accounts(people, asked.account), strict=True):
            # Whoever signs in has shown who they are.
            prove = self._mail and not account if asked.prove is None else asked.prove
            more = {"recipient": person.email if prove else "", "account": account}
            link = NewLink(
                *(person.name, False, None, asked.devices, expires), **asked.asked() | more, email=person.email
            )
            wanted.append(link)
        self._sharing.check_mail(any(link.recipient for link in wanted), asked.domain)
        return wanted

    def _warnings(self, people: Sequence[Person], wanted: Sequence[NewLink]) -> list[str]:
        without = sum(not person.email for person in people)
        found = [f"{without} of {len(people)} have no e-mail address."] if 0 < without < len(people) else []
        unsigned = sum(not link.account for link in wanted)
        if 0 < unsigned < len(wanted):
            found.append(f"{unsigned} of {len(wanted)} have no account: their links open without signing in.")
        running = [] if self._facts.running else ["Nobody can enter until the gate runs: sharegate up"]
        return [*found, *running, *self._facts.warnings()]

    async def _standing(self, new: NewShare, people: Sequence[Person]) -> Share | None:
        """The share that this roster, or an earlier one of it, was given: of the same folder with the same role, with
        somebody of it. Raises Ambiguous."""
        now = self._now()
        found = [
            share
            for share in await self._acts.shares()
            if (share.upstream, share.root, share.role) == (new.upstream, new.path, new.role)
            and standing(share, now) in ("active", "paused")
            and await self._links_of(people, share)
        ]
        if len(found) > 1:
            told = [f"{await self._views.share_label(share.id)} ({share.name})" for share in found]
            raise Ambiguous(new.path, told)
        return found[0] if found else None

    async def _links_of(self, people: Iterable[Person], share: Share) -> list[Link]:
        """Those that people of the roster have."""
        links = {link.id: link for link in await self._store.links(share.id) if link.kind is LinkKind.PERSON}
        named = _named(links.values())
        return [links[id] for id in dict.fromkeys(known(person, named) for person in people) if id]

    async def _given(
        self, new: NewShare, share: Share | None, people: Sequence[Person], wanted: list[NewLink]
    ) -> tuple[Share, bool, list[Link], list[Link]]:
        """The share with the links, whether it is new, its new links, and those that were there."""
        if share is not None:
            made, before = await self._added(share, people, wanted)
            return share, False, made, before
        share, made, _ = await self._issuer.create(dataclasses.replace(new, links=tuple(wanted)))
        async with self._acts.taken_back(lambda: self._issuer.revoke_share(share.id)):
            await self._acts.record(Action.SHARE_CREATED, share=share, detail=f"{share.role.value} {share.root}")
            await asyncio.gather(*(self._sharing.link_created(share, link) for link in made))
        return share, True, made, []

    async def _added(
        self, share: Share, people: Sequence[Person], wanted: list[NewLink]
    ) -> tuple[list[Link], list[Link]]:
        async def make() -> tuple[list[Link], list[Link]]:
            """Whoever has a link by now is let alone, also where they got it since the first look."""
            before = await self._links_of(people, share)
            named = _named(before)
            new = [link for person, link in zip(people, wanted, strict=True) if not known(person, named)]
            return (await self._issuer.add_links(share.id, new) if new else []), before

        made, before = await self._sharing.lettered.made(make)
        if not made:
            return [], before
        async with self._acts.taken_back(lambda: self._issuer.revoke_links(made)):
            await asyncio.gather(*(self._sharing.link_created(share, link) for link in made))
        return made, before


def _named(links: Iterable[Link]) -> list[Having]:
    return [
        (link.id, link.name, link.email or link.recipient, link.account if of_one(link.account) else "")
        for link in links
    ]


def _accounts(people: Sequence[Person], asked: str) -> list[str]:
    """Whose account opens each person's link. Raises Invalid, Faults."""
    if asked == OWN:
        nobody = [person for person in people if not (person.account or person.email)]
        if nobody:
            problem = "is empty, and so is the e-mail address: nobody could open this link"
            faults = [Invalid(f"roster row {one.row}, account", problem, "Write one of them") for one in nobody]
            raise Faults("roster", faults[:MOST_TOLD])
        return [person.account or person.email for person in people]
    if asked and of_one(clean_account(asked)):
        raise Invalid(
            "account",
            "is each person's own in a roster",
            f"Write {OWN}, for the account of each person's address, or put accounts into a column of that name",
        )
    if asked and any(person.account for person in people):
        raise Invalid("account", "each row of the roster names its own", "Leave it out, or take the column out")
    return [person.account or asked for person in people]


async def _checked(text: str, *, teams: bool = False) -> Roster:
    """Raises Faults. In a thread: a large one takes a moment."""
    roster = await asyncio.to_thread(read, text, teams=teams)
    roster.check("roster")
    return roster


def _unmatched(left: tuple[str, ...], missing: tuple[tuple[str, int], ...]) -> Faults:
    folders = [Invalid("each", f"nobody is in the folder {name!r}", "Leave it out with partial") for name in left]
    teams = [
        Invalid(f"roster row {row}, team", f"there is no folder {team!r}", "Make the folder, or mend the name")
        for team, row in missing
    ]
    return Faults("each", [*teams, *folders][:MOST_TOLD])


def _person(person: Person) -> Json:
    return {
        "row": person.row,
        "name": person.name,
        "email": person.email,
        "account": person.account,
        "team": person.team,
    }

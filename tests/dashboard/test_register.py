"""Lists of shares, kept in order as records change: they say what the records say, and a page costs what is on it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sharegate.dashboard.asking import Asker, By
from sharegate.dashboard.lines import Line, line
from sharegate.dashboard.login import Session, Viewer
from sharegate.dashboard.pages.site import Pages
from sharegate.dashboard.register import Register, whose
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import LinkKind
from sharegate.store_url import StoreUrl
from sharegate.stores.redis.store import open_redis
from sharegate.stores.sqlite import open_sqlite
from tests.conftest import Clock
from tests.dashboard.conftest import Office
from tests.real.redis import running_redis
from tests.stores.records import a_knock, a_link, a_share, a_visit

KEY = bytes(32)
DAY = 86400.0
OWNERS = ("Olga", "Otto", "Ida")


@pytest.fixture(params=["sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ShareStore]:
    if request.param == "sqlite":
        opened: Any = await open_sqlite(tmp_path / "s.db", key=KEY)
        yield opened
        await opened.close()
        return
    with running_redis() as server:
        opened = await open_redis(StoreUrl.parse(server.url), key=KEY, folder=tmp_path / "run")
        yield opened
        await opened.close()


@contextlib.contextmanager
def kept(store: ShareStore, now: Callable[[], float]) -> Any:
    register = Register(store, now)
    stop = store.subscribe(register.changed)
    yield register
    stop()


async def lines_of(store: ShareStore, now: float) -> list[Line]:
    """Made anew from all records."""
    found = []
    for share in await store.shares():
        knocks = await store.knocks(share=share.id, waiting_only=False)
        found.append(line(share, await store.links(share.id), await store.visits(share.id), knocks, now))
    return found


def ids(register: Register, name: str, owner: str | None = None) -> list[str]:
    order = register.order(name, owner)
    return [order[at][-1] for at in range(len(order))]


async def compared(register: Register, store: ShareStore, now: float) -> None:
    """Every list and every sum with what the records say."""
    await register.fresh()
    everything = await lines_of(store, now)
    assert {one.share.id: register.get(one.share.id) for one in everything} == {one.share.id: one for one in everything}
    chosen: dict[str, Callable[[Line], bool]] = {
        "all": lambda one: True,
        "standing": lambda one: one.state in ("active", "paused", "suspended"),
        "visited": lambda one: one.visits > 0,
        "open": lambda one: one.open > 0,
    }
    for owner in (None, *OWNERS, "nobody"):
        theirs = sorted((one for one in everything if owner in (None, one.share.owner)), key=lambda one: one.place)
        for name, fits in chosen.items():
            assert ids(register, name, owner) == [one.share.id for one in theirs if fits(one)], (name, owner)
        for name in ("all", "standing"):
            counted = [one for one in theirs if chosen[name](one)]
            sums = register.sums(name, owner)
            assert sums["shares"] == len(counted)
            for field in ("links", "people", "inside", "open", "persons", "knocks"):
                assert sums[field] == sum(getattr(one, field) for one in counted), (name, owner, field)
    live = [one for one in everything if chosen["standing"](one)]
    assert register.owners("standing") == {one.share.owner for one in live}
    assert ids(register, "widest") == [
        one.share.id for one in sorted(live, key=lambda one: ([-part for part in one.width.order], one.share.id))
    ]
    assert ids(register, "unused") == [
        one.share.id for one in sorted(live, key=lambda one: (max(register.last(one), one.share.created), one.share.id))
    ]
    for name, some in (("overview standing", live), ("overview all", everything)):
        told = [(one.share.owner, one.state != "active", -one.people, one.share.name, one.share.id) for one in some]
        assert ids(register, name) == [each[-1] for each in sorted(told)]


class Life:
    """Records that come and go, by chance and always the same."""

    def __init__(self, store: ShareStore, clock: Clock) -> None:
        self.store, self.clock, self.random = store, clock, random.Random(5)
        self.count = 0

    def id(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.random.randrange(10**6):06d}{self.count:03d}"

    async def step(self) -> None:
        chance, pick = self.random, self.random.choice
        shares = await self.store.shares()
        share = pick(shares) if shares else None
        links = await self.store.links(share.id) if share else []
        visits = await self.store.visits(share.id) if share else []
        knocks = await self.store.knocks(share=share.id) if share else []
        ends = self.clock() + chance.randrange(1, 60) * DAY / 2
        turn = chance.randrange(12)
        if share is None or turn < 2:
            id = self.id("s")
            times = {"created": self.clock() - chance.randrange(90) * DAY, "expires": ends}
            told = {"owner": pick(OWNERS), "name": pick("abc"), "root": pick(("a", "a/b"))}
            first = [a_link(self.id("l"), share=id, letter=letter, expires=ends) for letter in "ab"]
            await self.store.add_share(a_share(id, **told, **times), first)
        elif turn == 2:
            await self.store.change_share(share.id, expires=ends)
        elif turn == 3:
            await self.store.change_share(share.id, **{pick(("paused", "suspended")): pick((True, False))})
        elif turn == 4 and chance.random() < 0.3:
            await self.store.change_share(share.id, revoked=self.clock())
        elif turn == 5 and links:
            await self.store.change_link(pick(links).id, paused=pick((True, False)))
        elif share.revoked is not None and turn in (6, 7, 9):
            return  # nobody comes any more
        elif turn in (6, 7) and links:
            link = pick(links)
            times = {"created": self.clock(), "expires": min(ends, link.expires)}
            visit = a_visit(self.id("v"), share=share.id, link=link.id, name=pick(("Ann", "Bo", "")), **times)
            await self.store.open_visit(visit, seats=None)
        elif turn == 8 and visits:
            await self.store.end_visits([pick(visits).id], at=self.clock(), reason="left")
        elif turn == 9 and links:
            await self.store.add_knock(a_knock(self.id("k"), share=share.id, link=pick(links).id), limit=99)
        elif turn == 10 and knocks:
            await self.store.forget(visits=[], links=[], knocks=[pick(knocks).id])
        elif turn == 11:
            self.clock.forward(chance.randrange(5) * DAY / 4)


async def test_lists_say_what_the_records_say(store: ShareStore, clock: Clock) -> None:
    """After whatever happens to shares, links, visits and knocks, and after whatever time."""
    life = Life(store, clock)
    for _ in range(40):
        await life.step()
    with kept(store, clock) as register:
        await compared(register, store, clock())
        for _ in range(60):
            for _ in range(life.random.randrange(1, 8)):
                await life.step()
            for share in await store.shares():
                if life.random.random() < 0.05:
                    register.used(share.id, clock())
            await compared(register, store, clock())
        clock.forward(-20 * DAY)
        await compared(register, store, clock())


async def test_what_another_gate_writes_is_in_the_lists(tmp_path: Path, clock: Clock) -> None:
    """As soon as this gate has followed it."""
    with running_redis() as server:
        here, there = [
            await open_redis(StoreUrl.parse(server.url), key=KEY, folder=tmp_path / name) for name in ("one", "other")
        ]
        heard = asyncio.Event()
        with kept(here, clock) as register:
            await register.fresh()
            here.subscribe(lambda change: heard.set() if change.id == "s2" else None)
            await there.add_share(a_share(expires=clock() + DAY), [a_link(expires=clock() + DAY)])
            await there.open_visit(a_visit(expires=clock() + DAY), seats=None)
            await there.add_share(a_share("s2", owner="bo", expires=clock() + DAY), [])
            await asyncio.wait_for(heard.wait(), 20)
            await register.fresh()
            assert ids(register, "standing") == ["s1", "s2"] and ids(register, "open") == ["s1"]
        await there.close()
        await here.close()


def test_whose_lists_somebody_sees() -> None:
    """Of all owners who may look at everything; nobody's who owns nothing."""
    assert whose(Asker()) is None and whose(Asker(By.BROWSER, admin=True, owner="Olga")) is None
    assert whose(Asker(By.BROWSER, owner="Olga")) == "Olga"
    assert whose(Asker(By.BROWSER)) not in (None, "", *OWNERS)


# -- what a page costs ------------------------------------------------------------------------------------------------

LISTS: dict[str, dict[str, str]] = {
    "shares": {"limit": "20"},
    "shares, all": {"limit": "20", "all": "1"},
    "visits": {"limit": "20"},
    "visits, open": {"limit": "20", "open": "1"},
    "visits, here": {"here": "1"},
    "doors": {"limit": "20"},
    "doors, the last": {"limit": "20", "page": "10000"},
    "overview": {"limit": "20"},
    "overview, the last": {"limit": "20", "page": "10000", "all": "1"},
    "resolve": {"ref": "s000000007"},
    "resolve, a name": {"ref": "one of all"},
    "search": {"q": "one of all"},
    "search, an address": {"q": "192.0.2.7"},
    "review, oldest": {"limit": "20"},
    "review, widest": {"limit": "20", "sort": "widest"},
    "review, unused": {"limit": "20", "sort": "unused", "unused": "1"},
    "gate": {},
    "knocks": {},
}
SHOWN = {"/": {}, "/admin": {"page": "2"}, "/admin/review": {"sort": "widest"}, "/admin/search": {"q": "one of all"}}
READ = ("share", "link", "visit", "knock", "links", "visits", "knocks", "shares", "shares_beside", "knocks_beside")
# One or two neighbours, by whether something stands at the end of the alphabet.
BESIDE = ("shares_beside", "knocks_beside")


@contextlib.contextmanager
def counted(store: Any) -> Any:
    """How many records are read by each method, and how often it is asked."""
    found: Counter[str] = Counter()

    def counting(name: str, method: Any) -> Any:
        async def read(*args: Any, **how: Any) -> Any:
            got = await method(*args, **how)
            found[name] += 1 + (len(got) if isinstance(got, list) and name not in BESIDE else 0)
            return got

        return read

    for name in READ:
        setattr(store, name, counting(name, getattr(store, name)))
    yield found
    for name in READ:
        delattr(store, name)


async def planted(store: ShareStore, now: float, first: int, last: int) -> None:
    """Each with two links and a visit, as new as the ones before: a page of any of them is as long as any other."""
    for number in range(first, last):
        id, times = f"s{number:09d}", {"created": now, "expires": now + DAY}
        links = [a_link(f"l{number:05d}{letter}", share=id, letter=letter, **times) for letter in "ab"]
        await store.add_share(
            a_share(id, owner=OWNERS[number % 3], name="" if number else "One of all", **times), links
        )
        await store.open_visit(a_visit(f"v{number:06d}", share=id, link=links[0].id, **times), seats=None)


async def test_a_page_of_a_list_costs_what_is_on_it(office: Office) -> None:
    """With six times as many shares each list of the API and each page reads as many records as before: none reads all
    shares, or all visits, to sort them. What is asked the first time, and what changed, is looked at once."""
    store = office.running.gate._store  # type: ignore[attr-defined]
    pages = Pages(office.running.api, office.clock)
    session = Session("s", Viewer("Olga", admin=True, owner="Olga"), "csrf")
    await planted(store, office.clock(), 0, 3)
    await store.add_knock(a_knock("k1", share="s000000002", link="l00002a", created=office.clock()), limit=9)

    async def costs() -> dict[str, dict[str, int]]:
        found = {}
        for warm in (True, False):
            for name, query in LISTS.items():
                with counted(store) as read:
                    await office.call("GET", name.partition(",")[0], **query)
                found[name] = dict(read)
            for path, query in SHOWN.items():
                with counted(store) as read:
                    assert (await pages.answer(path, query, session)).status == 200
                found["page " + path] = dict(read)
            assert warm or "shares" not in {name for one in found.values() for name in one}
        return found

    await planted(store, office.clock(), 3, 260)
    before = await costs()
    await planted(store, office.clock(), 260, 1520)
    assert await costs() == before
    assert 20 < sum(before["shares"].values()) < 400


async def test_the_review_knows_what_was_used_before_the_gate_began(office: Office) -> None:
    """By the history, and by what happens meanwhile: over all shares, whatever page they are on."""
    store = office.running.gate._store  # type: ignore[attr-defined]
    now = office.clock()
    old = {"created": now - 40 * DAY, "expires": now + DAY}
    for number in range(12):
        await store.add_share(a_share(f"s{number:03d}", **old), [a_link(f"l{number}", share=f"s{number:03d}", **old)])
    answer = await office.call("GET", "review", sort="unused", limit="5")
    assert (answer["count"], answer["unused"]) == (12, 12)
    visit = a_visit("v1", share="s003", link="l3", created=now, expires=now + DAY)
    await store.open_visit(visit, seats=None)
    office.running.api.register.used("s000", now - 29 * DAY)
    answer = await office.call("GET", "review", sort="unused", limit="5", unused="1")
    assert (answer["count"], answer["unused"]) == (12, 10)
    again = await office.call("GET", "review", sort="unused", limit="5", unused="1", cursor=answer["next"])
    found = [one["id"] for one in answer["shares"] + again["shares"]]
    assert sorted(found) == sorted({f"s{number:03d}" for number in range(12)} - {"s000", "s003"}) and not again["next"]
    for sort in ("oldest", "widest"):
        shown = await office.call("GET", "review", sort=sort, unused="1")
        assert sorted(one["id"] for one in shown["shares"]) == sorted(found)
    newest = await office.call("GET", "review", sort="unused", limit="12")
    assert [one["id"] for one in newest["shares"]][-2:] == ["s000", "s003"]


async def test_the_cursor_of_visits_goes_on_in_the_middle_of_a_share(office: Office) -> None:
    """A page may end within a share, and the next begins there; each visit comes once, ended ones too."""
    store = office.running.gate._store  # type: ignore[attr-defined]
    now = office.clock()
    times = {"created": now, "expires": now + DAY}
    for id in ("s1", "s2", "s3"):
        await store.add_share(a_share(id, **times), [a_link(f"l{id}", share=id, kind=LinkKind.OPEN, **times)])
    wanted = []
    for number in range(7):
        share = "s1" if number < 3 else "s3"
        visit = a_visit(f"v{number}", share=share, link=f"l{share}", created=now + number, expires=now + DAY)
        await store.open_visit(visit, seats=None)
        wanted.append(visit.id)
    await store.end_visits(["v4"], at=now, reason="left")
    for query, expected in (({}, wanted), ({"open": "1"}, [id for id in wanted if id != "v4"])):
        found, cursor = [], ""
        while True:
            page = await office.call("GET", "visits", limit="2", **query, **({"cursor": cursor} if cursor else {}))
            found += [one["id"] for one in page["visits"]]
            cursor = page["next"]
            if not cursor:
                break
        assert found == expected


async def test_here_goes_alone(office: Office) -> None:
    """Whoever asks for it together with another filter is told."""
    for more in ({"open": "1"}, {"share": "s1"}):
        status, said = await office.ask("GET", "visits", here="1", **more)
        assert (status, said["error"]["field"]) == (400, "here")
    assert (await office.call("GET", "visits", here="1"))["visits"] == []

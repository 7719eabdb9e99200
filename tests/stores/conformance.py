"""What every store promises. A store's test module subclasses these, and its folder has two fixtures:

`store`: an empty one, closed afterwards; `reopened`: closes that and opens it anew, as after a restart.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Protocol

import msgspec
import pytest

from sharegate.audit.chain import erased, opened, seal, verify_store
from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import AuditStore, Held, Mark, Page, Query, Sealed
from sharegate.audit.trail import Trail
from sharegate.errors import Denied, NotFound, Reason, StoreUnavailable
from sharegate.limits import Rate
from sharegate.shares.interfaces import Change, ShareStore
from sharegate.shares.model import Account, DeviceCode, KnockState, Role, RootIdentity, RulesInForce, VisitKind
from sharegate.shares.more_time import TimeState
from sharegate.stores.retention import DAY, Pruned
from sharegate.tally import Limit, Place, Tally
from sharegate.upstream.interfaces import UpstreamStore
from tests.conftest import Clock
from tests.stores.records import (
    LATER,
    START,
    a_code,
    a_device,
    a_knock,
    a_link,
    a_mail_code,
    a_report,
    a_share,
    a_time_ask,
    a_token,
    a_visit,
    an_upstream,
    asked,
)

ISSUER = "https://login.example.org"
ANN = Account(ISSUER, "ann-1", "ann@uni.example", "physics")


class Store(ShareStore, UpstreamStore, AuditStore, Protocol):
    """All that one store file holds."""

    async def prune(self, now: float) -> Pruned: ...


Reopen = Callable[[], Awaitable[Store]]


class ShareContract:
    """Shares, links, visits, knocks, devices, overlays, servers."""

    @pytest.fixture(autouse=True)
    async def _planted(self, store: Store) -> None:
        await store.add_share(a_share(), [a_link()])

    # -- shares and links

    async def test_a_share_and_its_links_are_there_together(self, store: Store) -> None:
        """What was stored is read back equal, by id and by what it belongs to."""
        assert await store.share("s1") == a_share()
        assert await store.link("l1") == a_link()
        assert await store.shares() == [a_share()]
        assert await store.links("s1") == [a_link()]
        assert (await store.share("x"), await store.link("x"), await store.links("x")) == (None, None, [])

    async def test_which_rules_hold_is_kept_and_told(self, store: Store) -> None:
        """There is none at first; the last one that was said holds, and subscribers hear of each."""
        assert await store.rules_in_force() is None
        told: list[Change] = []
        store.subscribe(told.append)
        for digest in ("one", "two"):
            said = RulesInForce(digest=digest, gate="g", at=START)
            await store.put_rules_in_force(said)
            assert await store.rules_in_force() == said
        assert [change.kind for change in told] == ["rules", "rules"]

    async def test_everything_survives_a_restart(self, store: Store, reopened: Reopen) -> None:
        """Every kind of record with every kind of field is the same after the store was opened anew."""
        full = a_share("s2", identity=RootIdentity(7, 2**53), revoked=START + 1.5, role=Role.EDIT, name="Ünïcode 👩‍🔬")
        await store.add_share(full, [a_link("l2", share="s2", role=Role.VIEW, visits=None)])
        visit = await store.open_visit(a_visit(), seats=1)
        await store.add_knock(a_knock(), limit=5)
        await store.put_overlay("v1", "workspace", "default", b"\x00\xff", items=1, total_bytes=9)
        await store.add_device_code(a_code())
        await store.put_upstream(an_upstream())
        await store.add_api_token(a_token(), limit=9, at=START)
        again = await reopened()
        assert await again.shares() == [a_share(), full]
        assert await again.shares_beside("s1") == ["s2"]
        assert await again.links("s2") == [a_link("l2", share="s2", role=Role.VIEW, visits=None)]
        assert await again.visits("s1") == [visit]
        assert await again.knocks() == [a_knock()]
        assert await again.overlay("v1", "workspace") == {"default": b"\x00\xff"}
        assert await again.device_code("h1") == a_code()
        assert await again.api_tokens() == [a_token()] == [await again.api_token("t1")]
        assert [one.token.secret for one in await again.upstreams()] == ["raw server token"]

    async def test_who_knocks_is_known_of_all_shares(self, store: Store, reopened: Reopen) -> None:
        """Who waits, and which ids stand beside another in the order of the alphabet: what was decided or forgotten
        waits no more."""
        await store.add_share(a_share("s9"), [a_link("l9", share="s9")])
        told = {"k3": {}, "k1": {"share": "s9", "link": "l9"}, "k2": {}}
        for at, (id, of) in enumerate(told.items()):
            await store.add_knock(a_knock(id, created=START + at, **of), limit=9)
        assert [one.id for one in await store.knocks()] == ["k3", "k1", "k2"]
        await store.decide_knock("k3", state="refused", at=START + 5)
        await store.forget(visits=[], links=[], knocks=["k2"])
        for again in (False, True):
            one = await reopened() if again else store
            assert [each.id for each in await one.knocks()] == ["k1"]
            assert [each.id for each in await one.knocks(waiting_only=False)] == ["k3", "k1", "k2"]
            assert await one.knocks_beside("k1") == ["k2"] and await one.knocks_beside("k2") == ["k1", "k3"]

    async def test_tokens_of_the_api_are_kept_and_revoked(self, store: Store, reopened: Reopen) -> None:
        """What a token is for never changes but for its end and its last use; subscribers hear of each change."""
        told: list[Change] = []
        store.subscribe(told.append)
        await store.add_api_token(a_token("t2"), limit=9, at=START)
        await store.add_api_token(a_token("t1", created=START - 1), limit=9, at=START)
        with pytest.raises(ValueError):
            await store.add_api_token(a_token("t1", name="other"), limit=9, at=START)
        revoked = await store.change_api_token("t1", revoked=START + 1, used=START)
        assert revoked == a_token("t1", created=START - 1, revoked=START + 1, used=START)
        for fields in ({"secret_hash": "x"}, {"id": "x"}, {"nothing": 1}):
            with pytest.raises(TypeError):
                await store.change_api_token("t1", **fields)
        with pytest.raises(NotFound):
            await store.change_api_token("t9", revoked=START)
        again = await reopened()
        assert await again.api_tokens() == [revoked, a_token("t2")]
        assert await again.api_token("t9") is None
        assert {change.kind for change in told} == {"token"}

    async def test_attack_reports_of_one_place_silence_nobody(self, store: Store) -> None:
        """Where they fill a share, or all there is, the latest of them gives way to what somebody else says; whoever
        has about as many as the others takes nothing from them."""
        for number in range(3):
            loud = a_report(f"r{number}", text=f"noise {number}", created=START + number)
            assert await store.add_report(loud, per_share=3, overall=9)
        quiet = a_report("r8", text="help", address="198.51.100.0", visit="v2", created=START + 8)
        assert await store.add_report(quiet, per_share=3, overall=9)
        gone = await store.report("r2")
        assert gone is not None and gone.closed == START + 8 and "make room" in gone.note
        assert [one.id for one in await store.reports(share="s1", open_only=True)] == ["r0", "r1", "r8"]
        with pytest.raises(Denied):
            await store.add_report(a_report("r3", text="noise 3"), per_share=3, overall=9)
        with pytest.raises(Denied):
            await store.add_report(a_report("r9", text="more", address="198.51.100.0"), per_share=3, overall=9)
        await store.add_share(a_share("s2"), [])
        assert await store.add_report(a_report("r10", share="s2", created=START + 10), per_share=3, overall=3)
        assert [one.id for one in await store.reports(open_only=True)] == ["r0", "r8", "r10"]

    async def test_reports_are_kept_closed_and_limited(self, store: Store, reopened: Reopen) -> None:
        """The same one twice is one; so many may be open of a share, and of all; closing makes room."""
        told: list[Change] = []
        store.subscribe(told.append)
        assert await store.add_report(a_report(), per_share=2, overall=9)
        assert not await store.add_report(a_report("r2"), per_share=2, overall=9)
        assert await store.add_report(a_report("r3", text="another", created=START + 1), per_share=2, overall=9)
        for limits in ({"per_share": 2, "overall": 9}, {"per_share": 9, "overall": 2}):
            with pytest.raises(Denied) as caught:
                await store.add_report(a_report("r4", text="a third"), **limits)
            assert caught.value.reason is Reason.REPORT_LIMIT
        closed = await store.change_report("r1", was={"closed": None}, closed=START + 5, note="seen")
        assert closed == a_report(closed=START + 5, note="seen")
        with pytest.raises(ValueError):
            await store.change_report("r1", was={"closed": None}, closed=START + 6)
        with pytest.raises(NotFound):
            await store.change_report("r9", closed=START)
        with pytest.raises(NotFound):
            await store.add_report(a_report("r5", share="s9"), per_share=2, overall=9)
        assert await store.add_report(a_report("r6", created=START + 2), per_share=2, overall=9)
        again = await reopened()
        assert [one.id for one in await again.reports()] == ["r1", "r3", "r6"]
        assert [one.id for one in await again.reports(share="s1", open_only=True)] == ["r3", "r6"]
        assert await again.reports(share="s2") == []
        assert (await again.report("r1"), await again.report("r9")) == (closed, None)
        assert {change.kind for change in told} == {"report"}

    async def test_asks_for_more_time_wait_once_for_each_browser(self, store: Store, reopened: Reopen) -> None:
        """One waits for a browser and a link; so many for a link. Decided once, it may be asked anew."""
        told: list[Change] = []
        store.subscribe(told.append)
        asked_at_once = [store.add_time_ask(a_time_ask(f"a{n}"), limit=2) for n in range(4)]
        done = await asyncio.gather(*asked_at_once, return_exceptions=True)
        assert done.count(None) == 1 and sum(isinstance(error, ValueError) for error in done) == 3
        (first,) = await store.time_asks()
        await store.add_time_ask(a_time_ask("b1", browser_hash="b2", created=START + 1), limit=2)
        with pytest.raises(Denied) as caught:
            await store.add_time_ask(a_time_ask("b2", browser_hash="b3"), limit=2)
        assert caught.value.reason is Reason.JOIN_LIMIT
        with pytest.raises(NotFound):
            await store.add_time_ask(a_time_ask("b4", link="l9"), limit=2)
        with pytest.raises(ValueError):
            await store.add_time_ask(a_time_ask("b5", browser_hash="b5", state=TimeState.GRANTED), limit=9)
        granted = await store.change_time_ask(
            first.id, was={"state": TimeState.WAITING}, state=TimeState.GRANTED, decided=START + 9, until=LATER
        )
        with pytest.raises(ValueError):
            await store.change_time_ask(first.id, was={"state": TimeState.WAITING}, state=TimeState.REFUSED)
        await store.add_time_ask(a_time_ask("b6", created=START + 10), limit=2)
        again = await reopened()
        assert [one.id for one in await again.time_asks(share="s1")] == ["b1", "b6"]
        assert [one.id for one in await again.time_asks(link="l1", waiting_only=False)] == [first.id, "b1", "b6"]
        assert await again.time_asks(share="s2", waiting_only=False) == []
        assert (await again.time_ask(first.id), await again.time_ask("x")) == (granted, None)
        assert {change.kind for change in told} == {"time"}

    async def test_what_visitors_said_is_forgotten_with_them(self, store: Store) -> None:
        """By their visit or their link: words, names, where from, and by which browser; others' stay."""
        await store.add_report(a_report(), per_share=9, overall=9)
        await store.add_report(a_report("r2", visit="", link="l2", name=""), per_share=9, overall=9)
        await store.add_report(a_report("r3", visit="v3", link="l3"), per_share=9, overall=9)
        await store.add_time_ask(a_time_ask(), limit=9)
        await store.add_time_ask(a_time_ask("a2", visit="v2", browser_hash="b2"), limit=9)
        await store.forget(visits=["v1"], links=["l2"], knocks=[])
        assert await store.report("r1") == a_report(name="", address="", text="")
        assert await store.report("r2") == a_report("r2", visit="", link="l2", name="", address="", text="")
        assert await store.report("r3") == a_report("r3", visit="v3", link="l3")
        assert await store.time_ask("a1") == a_time_ask(browser_hash="", state=TimeState.GONE)
        assert await store.time_ask("a2") == a_time_ask("a2", visit="v2", browser_hash="b2")

    async def test_what_visitors_said_goes_after_a_while(self, store: Store) -> None:
        """A closed report 90 days after it was closed; of an open one the address; an ask after 30 days."""
        await store.add_report(a_report(), per_share=9, overall=9)
        await store.add_report(a_report("r2", text="more"), per_share=9, overall=9)
        await store.add_time_ask(a_time_ask(), limit=9)
        await store.change_report("r1", closed=START + DAY)
        await store.prune(START + 30 * DAY - 1)
        assert await store.time_ask("a1") is not None
        await store.prune(START + 91 * DAY - 1)
        assert await store.time_ask("a1") is None and await store.report("r1") is not None
        assert await store.report("r2") == a_report("r2", text="more", address="")
        await store.prune(START + 91 * DAY)
        assert await store.report("r1") is None and await store.report("r2") is not None

    async def test_what_is_asked_once_is_kept_once(self, store: Store, reopened: Reopen) -> None:
        """Until it is old; then it may be asked anew. What was not done after all may be asked at once."""
        made = await asyncio.gather(
            *(store.ask_once(asked(at=START + 1), since=START, limit=9) for _ in range(5)), return_exceptions=True
        )
        assert made.count(None) == 1 and sum(isinstance(error, ValueError) for error in made) == 4
        again = await reopened()
        assert await again.asked_once("q1") == asked(at=START + 1)
        with pytest.raises(ValueError):
            await again.ask_once(asked(digest="other", at=START + 9), since=START, limit=9)
        await again.ask_once(asked(at=START + 9), since=START + 1, limit=9)
        assert await again.asked_once("q1") == asked(at=START + 9)
        await again.unask("q1")
        await again.unask("nothing")
        assert await again.asked_once("q1") is None

    async def test_an_answer_is_kept_with_what_was_asked(self, store: Store, reopened: Reopen) -> None:
        """Bounded for each asker: their oldest answers go, and that it was asked stays. Who is forgotten may stand in
        any of them, so all go then."""
        for number in range(4):
            await store.ask_once(asked(f"q{number}", at=START + number), since=START - 9, limit=9)
        await store.ask_once(asked("other", who="other", at=START), since=START - 9, limit=9)
        for id in ("other", "q0", "q1", "q2"):
            await store.answer_once(id, id.encode() * 50, total=250)
        await store.answer_once("q3", b"", total=250)
        await store.answer_once("nothing", b"x", total=250)
        store = await reopened()
        kept = {id: await store.asked_once(id) for id in ("other", "q0", "q1", "q2", "q3", "nothing")}
        assert {id: (one.over, one.answer[:2]) for id, one in kept.items() if one is not None} == {
            "other": (True, b"ot"),
            "q0": (True, b""),
            "q1": (True, b"q1"),
            "q2": (True, b"q2"),
            "q3": (True, b""),
        }
        await store.forget(visits=[], links=["nowhere"], knocks=[])
        store = await reopened()
        for id in ("other", "q1", "q2"):
            one = await store.asked_once(id)
            assert one is not None and one.over and one.answer == b""

    async def test_what_was_asked_once_is_pruned(self, store: Store) -> None:
        """After a day, with everything else that is old."""
        await store.ask_once(asked(at=START), since=START - 9, limit=9)
        await store.prune(START + 86399)
        assert await store.asked_once("q1") is not None
        await store.prune(START + 86400)
        assert await store.asked_once("q1") is None

    async def test_what_was_asked_once_is_bounded(self, store: Store, reopened: Reopen) -> None:
        """The oldest of the same asker go past the limit, and everybody's that are old."""
        await store.ask_once(asked("old", who="other", at=START), since=START - 9, limit=3)
        await store.ask_once(asked("other", who="other", at=START + 1), since=START - 9, limit=3)
        for number in range(5):
            await store.ask_once(asked(f"q{number}", at=START + 2 + number), since=START, limit=3)
        store = await reopened()
        kept = [id for id in ("old", "other", *(f"q{n}" for n in range(5))) if await store.asked_once(id)]
        assert kept == ["other", "q2", "q3", "q4"]

    async def test_only_so_many_tokens_stand(self, store: Store) -> None:
        """Those that were revoked or have expired take no place, and at the same moment none slips by."""
        await store.add_api_token(a_token("t0", revoked=START), limit=2, at=START)
        await store.add_api_token(a_token("t1", expires=START + 1), limit=2, at=START)
        made = await asyncio.gather(
            *(store.add_api_token(a_token(f"u{n}"), limit=2, at=START + 1) for n in range(4)), return_exceptions=True
        )
        refused = [error for error in made if isinstance(error, Denied)]
        assert [error.reason for error in refused] == [Reason.CREDENTIAL_LIMIT] * 2

    async def test_a_token_is_forgotten_long_after_its_end(self, store: Store, reopened: Reopen) -> None:
        """Revoked or expired 90 days ago; one that stands, never."""
        day = 86400.0
        await store.add_api_token(a_token("t1", revoked=START, expires=START + 400 * day), limit=9, at=START)
        await store.add_api_token(a_token("t2", expires=START + day), limit=9, at=START)
        await store.add_api_token(a_token("t3", expires=START + 400 * day), limit=9, at=START)
        for days, left in ((89, ["t1", "t2", "t3"]), (90, ["t2", "t3"]), (91, ["t3"])):
            await store.prune(START + days * day)
            assert [one.id for one in await store.api_tokens()] == left
        assert [one.id for one in await (await reopened()).api_tokens()] == ["t3"]

    async def test_a_taken_id_or_letter_changes_nothing(self, store: Store, reopened: Reopen) -> None:
        """A share whose second link clashes is not stored at all, not even on the disk beside another's commit."""
        with pytest.raises(ValueError):
            await store.add_share(a_share(name="other"), [])
        with pytest.raises(ValueError):
            await store.add_share(a_share("s2"), [a_link("l2", share="s2"), a_link("l1", share="s2")])
        with pytest.raises(ValueError):
            await store.add_link(a_link("l3", letter="1"))
        for reopen in (False, True):
            store = await reopened() if reopen else store
            assert await store.shares() == [a_share()]
            assert (await store.link("l2"), await store.links("s2"), await store.links("s1")) == (None, [], [a_link()])

    async def test_a_link_belongs_to_a_share_that_exists(self, store: Store) -> None:
        """No link hangs in the air, and no link of another share comes with a new one."""
        with pytest.raises(NotFound):
            await store.add_link(a_link("l2", share="nowhere"))
        with pytest.raises(ValueError):
            await store.add_share(a_share("s2"), [a_link("l2", share="s1")])
        assert await store.link("l2") is None

    async def test_lists_are_oldest_first(self, store: Store) -> None:
        """By creation, in order of arrival where that is equal; revoked shares too."""
        await store.add_share(a_share("s3", created=START + 9), [])
        await store.add_share(a_share("s2", created=START - 9, revoked=START), [])
        await store.add_link(a_link("l9", created=START))
        await store.add_link(a_link("l8", created=START))
        assert [share.id for share in await store.shares()] == ["s2", "s1", "s3"]
        assert [link.id for link in await store.links("s1")] == ["l1", "l9", "l8"]

    async def test_a_change_returns_what_is_stored(self, store: Store, reopened: Reopen) -> None:
        """Fields are replaced, the others stay, values have their types."""
        share = await store.change_share("s1", paused=True, role="edit")
        link = await store.change_link("l1", serial=2, name="Ann")
        assert (share.paused, share.role, share.root) == (True, Role.EDIT, "project")
        assert isinstance(share.role, Role)
        assert await store.share("s1") == share
        assert await store.link("l1") == link == a_link(serial=2, name="Ann")
        again = await reopened()
        assert (await again.share("s1"), await again.link("l1")) == (share, link)

    @pytest.mark.parametrize(
        "fields", [{"pausd": True}, {"id": "s9"}, {"created": 1.0}, {"paused": "yes"}, {"expires": None}]
    )
    async def test_a_change_of_a_field_that_is_none_is_refused(self, store: Store, fields: dict[str, Any]) -> None:
        """Unknown fields, fixed fields and wrong types are a mistake of the caller, and nothing changes."""
        with pytest.raises(TypeError):
            await store.change_share("s1", **{"name": "new"} | fields)
        assert await store.share("s1") == a_share()

    async def test_a_change_of_nothing_that_exists(self, store: Store) -> None:
        """Unknown ids raise NotFound, whatever the kind."""
        for change in (store.change_share, store.change_link, store.change_visit):
            with pytest.raises(NotFound):
                await change("nowhere", name="x")

    async def test_a_change_of_what_is_no_longer_so_is_refused(self, store: Store) -> None:
        """Of two who change what both saw, one does; the other is told, and none of its fields is written."""
        for change, id in ((store.change_share, "s1"), (store.change_link, "l1")):
            saw = {"paused": False}
            results = await asyncio.gather(
                *(change(id, was=saw, paused=True, name=name) for name in ("one", "two")), return_exceptions=True
            )
            (changed,) = (result for result in results if not isinstance(result, BaseException))
            assert [type(result) for result in results if result is not changed] == [ValueError]
            assert changed in (await store.share("s1"), await store.link("l1"))
        await store.open_visit(a_visit("v1"), seats=None)
        await store.end_visits(["v1"], at=START, reason="erased")
        with pytest.raises(ValueError, match="ended"):
            await store.change_visit("v1", was={"ended": None}, email="ann@example.org", cookie_hash="c")
        visit = await store.visit("v1")
        assert visit is not None and (visit.email, visit.cookie_hash) == ("", "")

    # -- ends

    async def test_an_end_moves_with_all_that_has_it(self, store: Store) -> None:
        """Links that ended with the share follow, and their open visits; what has an end of its own keeps it, unless
        it would outlive the share. A visit that has ended stays as it was."""
        await store.add_link(a_link("l2", expires=START + 60))
        await store.add_link(a_link("l3", kind="preview"))
        for visit in (a_visit("v1"), a_visit("v2"), a_visit("v3", link="l2", expires=START + 60)):
            await store.open_visit(visit, seats=None)
        await store.open_visit(a_visit("v4", link="l3", kind=VisitKind.PREVIEW), seats=None)
        await store.end_visits(["v2"], at=START, reason="left")

        async def ends() -> list[float]:
            links, visits = await store.links("s1"), await store.visits("s1")
            return [one.expires - START for one in (*links, *visits)]

        late = LATER - START
        assert await ends() == [late, 60, late, late, late, 60, late]
        await store.change_share("s1", expires=LATER + 1)
        assert await ends() == [late + 1, 60, late, late + 1, late, 60, late]
        await store.change_link("l2", expires=START + 70)
        assert await ends() == [late + 1, 70, late, late + 1, late, 70, late]
        await store.change_share("s1", expires=START + 50)
        assert await ends() == [50, 50, 50, 50, late, 50, 50]

    @pytest.mark.parametrize("what", ["share", "link"])
    async def test_an_end_and_what_follows_it_are_one_change(self, store: Store, what: str) -> None:
        """Whoever hears of the first of it reads all of it: nothing is extended a moment before its visits are."""
        for i in range(20):
            await store.open_visit(a_visit(f"v{i}"), seats=20)
        seen: list[set[float]] = []
        looks: list[asyncio.Task[None]] = []

        async def look() -> None:
            link = await store.link("l1")
            assert link is not None
            seen.append({link.expires, *(visit.expires for visit in await store.visits("s1"))})

        store.subscribe(lambda _: looks.append(asyncio.ensure_future(look())))
        await (store.change_share("s1", expires=LATER + 9) if what == "share" else store.change_link("l1", expires=9.0))
        await asyncio.gather(*looks)
        assert len(seen) == (22 if what == "share" else 21)
        assert seen == [{LATER + 9 if what == "share" else 9.0}] * len(seen)

    async def test_an_extension_that_is_none_moves_nothing(self, store: Store) -> None:
        """An end that is no number is refused for the share, its links and their visits alike."""
        visit = await store.open_visit(a_visit(), seats=1)
        for change, id in ((store.change_share, "s1"), (store.change_link, "l1")):
            with pytest.raises(TypeError):
                await change(id, expires="later")
        assert (await store.share("s1"), await store.link("l1")) == (a_share(), a_link())
        assert await store.visit("v1") == visit

    # -- forgetting

    async def test_forgetting_blanks_people_and_nothing_else(self, store: Store, reopened: Reopen) -> None:
        """Names, addresses, agents and cookies go, with layouts and codes; a waiting knock is gone; all else stays."""
        theirs = {"account": "ann@uni.example", "issuer": ISSUER, "subject": "ann-1"}
        await store.change_link("l1", name="Ann", recipient="ann@example.org", passphrase="hash", **theirs)
        who = {"name": "Ann", "address": "192.0.2.0", "agent": "Firefox", "email": "ann@example.org", "account": ANN}
        visit = await store.open_visit(a_visit(**who, cookie_hash="c", browser_hash="b"), seats=1)
        other = await store.open_visit(a_visit("v2", name="Bo", cookie_hash="d", kind=VisitKind.KNOCK), seats=None)
        await store.add_knock(a_knock(**{**who, "browser_hash": "b"}), limit=5)
        await store.put_overlay("v1", "workspace", "default", b"x", items=1, total_bytes=9)
        await store.put_overlay("v2", "workspace", "default", b"y", items=1, total_bytes=9)
        await store.add_device_code(a_code())
        (knock,) = await store.knocks()
        await store.forget(visits=["v1", "nowhere"], links=["l1", "nowhere"], knocks=[knock.id, "nowhere"])
        for reopen in (False, True):
            store = await reopened() if reopen else store
            nobody = dict.fromkeys([*who, "cookie_hash", "browser_hash"], "") | {"account": None}
            blank = msgspec.structs.replace(visit, **nobody)
            assert (await store.visit("v1"), await store.visit("v2")) == (blank, other)
            # Without any recipient or account the link would be for everybody.
            erased = dict.fromkeys(("recipient", "account", "issuer"), "erased")
            assert (await store.link("l1")) == a_link(name="", passphrase="hash", **erased)
            (gone,) = await store.knocks(waiting_only=False)
            assert gone.state is KnockState.GONE
            assert (gone.name, gone.address, gone.agent, gone.browser_hash, gone.email) == ("", "", "", "", "")
            assert gone.account is None
            assert await store.overlay("v1", "workspace") == {}
            assert await store.overlay("v2", "workspace") == {"default": b"y"}
            assert await store.device_code("h1") is None

    # -- co-owners

    async def test_a_co_owners_mark_and_what_they_did_are_kept(self, store: Store, reopened: Reopen) -> None:
        """The mark and the browser it holds in, who paused the share and who let somebody in: also after the store was
        opened anew, and all of it can be taken away again."""
        mark = {"coowner": True, "coowner_browser": "b"}
        assert await store.change_link("l1", **mark) == a_link(**mark)
        await store.open_visit(a_visit(browser_hash="b"), seats=1)
        await store.add_knock(a_knock(), limit=5)
        let_in = a_visit("v2", kind=VisitKind.KNOCK, admitted_by="v1")
        await store.decide_knock("k1", state="admitted", at=START, visit=let_in)
        await store.change_share("s1", paused=True, paused_by="v1")
        for reopen in (False, True):
            store = await reopened() if reopen else store
            assert await store.link("l1") == a_link(**mark) == (await store.links("s1"))[0]
            assert await store.share("s1") == a_share(paused=True, paused_by="v1")
            assert await store.visit("v2") == msgspec.structs.replace(let_in, number=2)
        assert await store.change_link("l1", coowner=False, coowner_browser="") == a_link()
        assert await store.change_share("s1", paused=False, paused_by="") == a_share()

    async def test_subscribers_learn_of_a_mark(self, store: Store) -> None:
        """When it is set, when it is bound and when it goes, each with the link as it is then."""
        told: list[Change] = []
        store.subscribe(told.append)
        for mark in ({"coowner": True}, {"coowner_browser": "b"}, {"coowner": False, "coowner_browser": ""}):
            await store.change_link("l1", **mark)
        assert [(change.kind, change.id) for change in told] == [("link", "l1")] * 3

    async def test_race_for_an_unbound_mark(self, store: Store) -> None:
        """Whoever opens the link first has it: of many who come at once one."""
        await store.change_link("l1", coowner=True)
        free = {"coowner": True, "coowner_browser": ""}
        results = await asyncio.gather(
            *(store.change_link("l1", was=free, coowner_browser=f"b{i}") for i in range(20)), return_exceptions=True
        )
        (bound,) = [result for result in results if not isinstance(result, BaseException)]
        assert [type(result) for result in results if result is not bound] == [ValueError] * 19
        assert bound.coowner_browser and await store.link("l1") == bound

    async def test_attack_a_mark_that_is_bound_after_it_was_taken_away(self, store: Store) -> None:
        """Whoever comes in at that moment gets none, and the link stays without one."""
        await store.change_link("l1", coowner=True)
        await store.change_link("l1", coowner=False)
        with pytest.raises(ValueError, match="coowner"):
            await store.change_link("l1", was={"coowner": True, "coowner_browser": ""}, coowner_browser="b")
        assert await store.link("l1") == a_link()

    @pytest.mark.parametrize("whom", ["the visit", "the link", "another visit"])
    async def test_a_mark_goes_with_whoever_is_forgotten(self, store: Store, reopened: Reopen, whom: str) -> None:
        """Their browser is known nowhere any more, and nobody inherits the mark: it is not merely unbound."""
        await store.change_link("l1", coowner=True, coowner_browser="b")
        await store.open_visit(a_visit(browser_hash="b"), seats=None)
        await store.open_visit(a_visit("v2", browser_hash="c"), seats=None)
        ids = {"the visit": (["v1"], []), "the link": ([], ["l1"]), "another visit": (["v2"], [])}
        visits, links = ids[whom]
        await store.forget(visits=visits, links=links, knocks=[])
        mark = {"coowner": True, "coowner_browser": "b"} if whom == "another visit" else {}
        for reopen in (False, True):
            store = await reopened() if reopen else store
            assert await store.link("l1") == a_link(**mark)

    async def test_of_owner_and_co_owner_who_pause_at_once_one_is_first(self, store: Store) -> None:
        """Whose pause it is decides who may open the share again."""
        saw = {"paused": False}
        results = await asyncio.gather(
            *(store.change_share("s1", was=saw, paused=True, paused_by=by) for by in ("", "v1", "v2")),
            return_exceptions=True,
        )
        (paused,) = [result for result in results if not isinstance(result, BaseException)]
        assert await store.share("s1") == paused

    # -- many links, and short codes

    async def test_links_are_added_all_or_none(self, store: Store, reopened: Reopen) -> None:
        """One that is there already keeps out the others."""
        await store.add_links([a_link("l2", letter="b"), a_link("l3", letter="c")])
        with pytest.raises(ValueError):
            await store.add_links([a_link("l4", letter="d"), a_link("l2", letter="e")])
        assert [link.id for link in await (await reopened()).links("s1")] == ["l1", "l2", "l3"]

    async def test_a_link_is_found_by_its_code(self, store: Store, reopened: Reopen) -> None:
        """By the one that it has now, also after a restart; never by none."""
        await store.add_link(a_link("l2", letter="b"))
        assert await store.link_by_code("") is None
        await store.change_link("l1", code_hash="h1", code_expires=START + 60)
        found = await store.link_by_code("h1")
        assert found is not None and (found.id, found.code_expires) == ("l1", START + 60)
        await store.change_link("l1", code_hash="h2")
        assert await store.link_by_code("h1") is None
        again = await reopened()
        found = await again.link_by_code("h2")
        assert found is not None and found.id == "l1"
        await again.change_link("l1", code_hash="")
        assert await again.link_by_code("h2") is None and await again.link_by_code("") is None

    # -- mailed codes

    async def test_a_mailed_code_works_once(self, store: Store, reopened: Reopen) -> None:
        """After a restart too; under another id or with other letters it is none."""
        await store.put_mail_code(a_mail_code())
        await store.put_mail_code(a_mail_code("m2", code_hash="h2"))
        again = await reopened()
        assert not await again.try_mail_code("m1", "h2", at=START, tries=5)
        assert not await again.try_mail_code("m3", "h1", at=START, tries=5)
        assert await again.try_mail_code("m1", "h1", at=START, tries=5)
        assert not await again.try_mail_code("m1", "h1", at=START, tries=5)
        assert await again.try_mail_code("m2", "h2", at=START + 599, tries=5)

    async def test_a_new_mailed_code_replaces_the_old(self, store: Store) -> None:
        """With tries of its own."""
        await store.put_mail_code(a_mail_code())
        assert not await store.try_mail_code("m1", "x", at=START, tries=2)
        await store.put_mail_code(a_mail_code(code_hash="h2"))
        assert not await store.try_mail_code("m1", "h1", at=START, tries=2)
        assert await store.try_mail_code("m1", "h2", at=START, tries=2)

    async def test_attack_tries_of_a_mailed_code_are_counted(self, store: Store) -> None:
        """Of a hundred guesses at once five count; the right one behind them comes too late. It is late, too, after its
        time, and is then forgotten."""
        await store.put_mail_code(a_mail_code())
        guesses = await asyncio.gather(
            *(store.try_mail_code("m1", f"g{i}", at=START, tries=5) for i in range(100)),
            store.try_mail_code("m1", "h1", at=START, tries=5),
        )
        assert not any(guesses)
        await store.put_mail_code(a_mail_code())
        assert not await store.try_mail_code("m1", "h1", at=START + 600, tries=5)
        assert not await store.try_mail_code("m1", "h1", at=START, tries=5)

    async def test_a_mailed_code_is_spent_by_one_of_many(self, store: Store) -> None:
        """Who come with the right one at once."""
        await store.put_mail_code(a_mail_code())
        results = await asyncio.gather(*(store.try_mail_code("m1", "h1", at=START, tries=5) for _ in range(20)))
        assert sum(results) == 1

    async def test_mailed_codes_are_pruned(self, store: Store) -> None:
        """When their time is over, not before."""
        await store.put_mail_code(a_mail_code())
        assert (await store.prune(START + 599)).codes == 0
        assert (await store.prune(START + 600)).codes == 1

    # -- visits and seats

    async def test_race_for_seats(self, store: Store) -> None:
        """A hundred browsers at once for ten seats: ten get in, numbered 1 to 10, and ninety are told why not."""
        results = await asyncio.gather(
            *(store.open_visit(a_visit(f"v{i}"), seats=10) for i in range(100)), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, Denied)]
        assert sorted(visit.number for visit in await store.visits("s1", link="l1")) == list(range(1, 11))
        assert len(refused) == 90 and {denied.reason for denied in refused} == {Reason.SEATS_TAKEN}

    async def test_only_browsers_and_admitted_knocks_hold_seats(self, store: Store) -> None:
        """Devices, previews and programs neither take a seat nor need one."""
        for kind in (VisitKind.DEVICE, VisitKind.PREVIEW, VisitKind.CLIENT):
            await store.open_visit(a_visit(f"v-{kind}", kind=kind), seats=None)
        await store.open_visit(a_visit("b"), seats=1)
        await store.open_visit(a_visit("c", kind=VisitKind.CLIENT), seats=1)
        for kind in (VisitKind.BROWSER, VisitKind.KNOCK):
            with pytest.raises(Denied, match="seats_taken"):
                await store.open_visit(a_visit(f"w-{kind}", kind=kind), seats=1)

    async def test_a_preview_is_for_one(self, store: Store) -> None:
        """Of many at once one gets in; previews and people do not count each other."""
        await store.open_visit(a_visit("b"), seats=1)
        results = await asyncio.gather(
            *(store.open_visit(a_visit(f"p{i}", kind=VisitKind.PREVIEW), seats=1) for i in range(10)),
            return_exceptions=True,
        )
        assert [one.reason for one in results if isinstance(one, Denied)] == [Reason.SEATS_TAKEN] * 9
        await store.open_visit(a_visit("c"), seats=2)

    async def test_nobody_takes_the_seat_of_who_comes_back(self, store: Store, clock: Clock) -> None:
        """The link of ten people expired; while it is extended forty others try all the time, and none gets in."""
        end = clock() + 60
        await store.change_share("s1", expires=end)
        for i in range(10):
            await store.open_visit(a_visit(f"v{i}", created=clock(), expires=end), seats=10)
        clock.forward(100)
        done = asyncio.Event()

        async def come(id: str) -> None:
            after = False
            while not after:
                after = done.is_set()
                link = await store.link("l1")
                assert link is not None
                if link.expires > clock():
                    with pytest.raises(Denied, match="seats_taken"):
                        await store.open_visit(a_visit(id, created=clock(), expires=link.expires), seats=10)
                await asyncio.sleep(0)

        others = [asyncio.create_task(come(f"w{i}")) for i in range(40)]
        await store.change_share("s1", expires=clock() + 60)
        done.set()
        await asyncio.gather(*others)
        assert {visit.expires for visit in await store.visits("s1")} == {clock() + 60}
        assert len(await store.visits("s1")) == 10

    async def test_ending_and_expiry_free_a_seat(self, store: Store, clock: Clock) -> None:
        """Whoever left or ran out makes room; numbers are never given twice."""
        await store.open_visit(a_visit("v1", created=clock(), expires=clock() + 60), seats=1)
        clock.forward(59)
        with pytest.raises(Denied):
            await store.open_visit(a_visit("v2", created=clock()), seats=1)
        clock.forward(1)
        assert (await store.open_visit(a_visit("v3", created=clock()), seats=1)).number == 2
        await store.end_visits(["v3"], at=clock(), reason="left")
        assert (await store.open_visit(a_visit("v4", created=clock()), seats=1)).number == 3

    async def test_seats_are_those_of_one_link(self, store: Store) -> None:
        """Another link of the share has seats and numbers of its own."""
        await store.add_link(a_link("l2"))
        await store.open_visit(a_visit("v1"), seats=1)
        assert (await store.open_visit(a_visit("v2", link="l2"), seats=1)).number == 1
        assert [visit.id for visit in await store.visits("s1")] == ["v1", "v2"]
        assert [visit.id for visit in await store.visits("s1", link="l2")] == ["v2"]

    async def test_a_visit_belongs_to_a_link_of_its_share(self, store: Store) -> None:
        """Neither an unknown link nor one of another share takes visits."""
        await store.add_share(a_share("s2"), [])
        with pytest.raises(NotFound):
            await store.open_visit(a_visit(link="nowhere"), seats=None)
        with pytest.raises(ValueError):
            await store.open_visit(a_visit(share="s2"), seats=None)
        assert await store.visit("v1") is None

    async def test_ending_tells_who_ended_by_this_call(self, store: Store, clock: Clock) -> None:
        """Visits that ended before, unknown ones and repetitions are left alone."""
        for id in ("v1", "v2", "v3"):
            await store.open_visit(a_visit(id), seats=None)
        await store.end_visits(["v1"], at=clock(), reason="left")
        ended = await store.end_visits(["v1", "v2", "v2", "nowhere"], at=clock() + 5, reason="link_revoked")
        assert [(visit.id, visit.ended, visit.ended_reason) for visit in ended] == [("v2", clock() + 5, "link_revoked")]
        assert (await store.visit("v1")).ended_reason == "left"  # type: ignore[union-attr]
        assert [visit.id for visit in await store.visits("s1", open_only=True)] == ["v3"]

    async def test_two_who_end_the_same_visit(self, store: Store) -> None:
        """Exactly one of many concurrent calls ended it."""
        await store.open_visit(a_visit(), seats=None)
        results = await asyncio.gather(*(store.end_visits(["v1"], at=START, reason=str(i)) for i in range(20)))
        assert [len(result) for result in results].count(1) == 1

    # -- knocks

    async def test_knocks_wait_up_to_a_limit(self, store: Store) -> None:
        """Of many who knock at one link at once, the limit wait; another link has its own."""
        results = await asyncio.gather(
            *(store.add_knock(a_knock(f"k{i}"), limit=3) for i in range(20)), return_exceptions=True
        )
        assert sum(isinstance(one, Denied) and one.reason is Reason.JOIN_LIMIT for one in results) == 17
        await store.add_link(a_link("l2"))
        await store.add_knock(a_knock("k-other", link="l2"), limit=3)
        assert len(await store.knocks()) == 4
        assert len(await store.knocks(share="s1")) == 4 and await store.knocks(share="s2") == []

    @pytest.mark.parametrize("what", ["share", "link"])
    async def test_nobody_comes_by_what_was_revoked(self, store: Store, what: str) -> None:
        """Nor waits at it, nor is let in from before, nor brings a device: for ever is looked at with the writing."""
        await store.open_visit(a_visit("v1"), seats=None)
        await store.add_device_code(DeviceCode(code_hash="c1", visit="v1", expires=LATER))
        await store.add_knock(a_knock("k1"), limit=9)
        change: Any = store.change_share if what == "share" else store.change_link
        await change("s1" if what == "share" else "l1", revoked=START)
        reason = Reason.SHARE_REVOKED if what == "share" else Reason.LINK_REVOKED
        for coming in (
            store.open_visit(a_visit("v2"), seats=None),
            store.add_knock(a_knock("k2"), limit=9),
            store.decide_knock("k1", state="admitted", at=START, visit=a_visit("v3", kind=VisitKind.KNOCK)),
            store.spend_device_code("c1", a_visit("v4"), at=START, devices=9),
        ):
            with pytest.raises(Denied) as denied:
                await coming
            assert denied.value.reason is reason
        assert [visit.id for visit in await store.visits("s1")] == ["v1"]
        waiting = await store.knocks(waiting_only=False)
        assert [(knock.id, knock.state) for knock in waiting] == [("k1", KnockState.WAITING)]
        await store.decide_knock("k1", state="refused", at=START)

    async def test_admitting_opens_a_visit_outside_the_seats(self, store: Store, clock: Clock) -> None:
        """The knock names its visit, which is numbered and there although the link is full."""
        await store.open_visit(a_visit("v1"), seats=1)
        await store.add_knock(a_knock(), limit=5)
        visit = a_visit("v2", kind=VisitKind.KNOCK)
        knock = await store.decide_knock("k1", state="admitted", at=clock(), visit=visit)
        assert (knock.state, knock.decided, knock.visit) == (KnockState.ADMITTED, clock(), "v2")
        assert (await store.visit("v2")).number == 2  # type: ignore[union-attr]
        assert await store.knocks() == [] and await store.knocks(waiting_only=False) == [knock]

    async def test_a_knock_is_decided_once(self, store: Store) -> None:
        """Of concurrent answers one counts; the visit of a loser does not exist."""
        await store.add_knock(a_knock(), limit=5)
        results = await asyncio.gather(
            store.decide_knock("k1", state="refused", at=START),
            *(store.decide_knock("k1", state="admitted", at=START, visit=a_visit(f"v{i}")) for i in range(5)),
            return_exceptions=True,
        )
        assert [isinstance(result, ValueError) for result in results].count(False) == 1
        knock = await store.knock("k1")
        assert knock is not None
        assert [visit.id for visit in await store.visits("s1")] == ([knock.visit] if knock.visit else [])
        with pytest.raises(NotFound):
            await store.decide_knock("nowhere", state="refused", at=START)

    @pytest.mark.parametrize("state", ["waiting", "admitted", "let in"])
    async def test_an_answer_that_is_none_is_refused(self, store: Store, state: str) -> None:
        """Admitting needs a visit, waiting is no answer, and the list is closed."""
        await store.add_knock(a_knock(), limit=5)
        with pytest.raises(ValueError):
            await store.decide_knock("k1", state=state, at=START)
        assert await store.knock("k1") == a_knock()

    async def test_attack_admitted_into_another_share(self, store: Store) -> None:
        """A visit of another share or link is no answer to this knock."""
        await store.add_share(a_share("s2"), [a_link("l2", share="s2")])
        await store.add_knock(a_knock(), limit=5)
        with pytest.raises(ValueError):
            await store.decide_knock("k1", state="admitted", at=START, visit=a_visit(share="s2", link="l2"))
        assert (await store.knock("k1"), await store.visit("v1")) == (a_knock(), None)

    # -- devices

    async def test_a_device_code_works_once(self, store: Store) -> None:
        """Of concurrent uses one gets in, as a device of the code's visit, with its name, role, link and expiry, and
        what it had proved."""
        proved = {"passphrase": "proved", "email": "ann@example.org", "account": ANN}
        await store.open_visit(a_visit(name="Ann", role=Role.EDIT, **proved), seats=1)
        await store.add_device_code(a_code())
        results = await asyncio.gather(
            *(
                store.spend_device_code("h1", a_device(f"d{i}", link="x", expires=1.0), at=START, devices=3)
                for i in range(10)
            ),
            return_exceptions=True,
        )
        (device,) = (result for result in results if not isinstance(result, BaseException))
        assert (device.kind, device.came_from, device.link, device.share) == (VisitKind.DEVICE, "v1", "l1", "s1")
        assert (device.name, device.role, device.expires) == ("Ann", Role.EDIT, LATER)
        assert (device.passphrase, device.email, device.admitted) == ("proved", "ann@example.org", False)
        assert device.account == ANN
        refused = [one.reason for one in results if isinstance(one, Denied)]
        assert refused == [Reason.DEVICE_CODE_INVALID] * 9
        assert await store.device_code("h1") is None

    async def test_a_device_of_somebody_who_was_let_in_is_let_in_too(self, store: Store, reopened: Reopen) -> None:
        """And a device that this one adds; that of somebody who was not is not."""
        await store.open_visit(a_visit(kind=VisitKind.KNOCK), seats=None)
        await store.open_visit(a_visit("v2"), seats=None)
        for code, visit, device in (("h1", "v1", "d1"), ("h2", "d1", "d2"), ("h3", "v2", "d3")):
            await store.add_device_code(a_code(code, visit=visit))
            await store.spend_device_code(code, a_device(device), at=START, devices=9)
        for reopen in (False, True):
            store = await reopened() if reopen else store
            found = {visit.id: visit.admitted for visit in await store.visits("s1")}
            assert found == {"v1": False, "v2": False, "d1": True, "d2": True, "d3": False}

    async def test_conditions_of_a_link_and_what_was_proved_are_kept(self, store: Store, reopened: Reopen) -> None:
        """Each as it was given, also after the store was opened anew, and when something else of them is changed."""
        asked = {"not_before": START, "networks": ("10.0.0.0/8", "2001:db8::/32"), "ask": True}
        asked |= {"passphrase": "$argon2id$hash", "recipient": "ann@example.org", "domain": "example.org"}
        asked |= {"account": "ann@example.org", "issuer": ISSUER, "subject": "ann-1"}
        await store.change_link("l1", **asked)
        proved = {"passphrase": "f", "email": "ann@example.org", "account": ANN}
        visit = await store.open_visit(a_visit(**proved, admitted=True), seats=1)
        for reopen in (False, True):
            store = await reopened() if reopen else store
            assert await store.link("l1") == a_link(**asked)
            assert await store.visit("v1") == visit
        assert await store.change_link("l1", paused=True) == a_link(**asked, paused=True)
        assert "hash" not in repr(await store.link("l1"))
        with pytest.raises(TypeError):
            await store.change_link("l1", networks=(10,))

    async def test_a_device_code_ends(self, store: Store, clock: Clock) -> None:
        """Unknown, expired and orphaned codes are one answer."""
        await store.open_visit(a_visit(), seats=1)
        await store.add_device_code(a_code("h1", expires=clock() + 300))
        await store.add_device_code(a_code("h2", expires=clock() + 900))
        clock.forward(300)
        for code in ("h1", "nowhere"):
            with pytest.raises(Denied, match="device_code_invalid"):
                await store.spend_device_code(code, a_device(), at=clock(), devices=3)
        await store.end_visits(["v1"], at=clock(), reason="left")
        with pytest.raises(Denied, match="device_code_invalid"):
            await store.spend_device_code("h2", a_device(), at=clock(), devices=3)
        assert await store.visit("d1") is None

    async def test_devices_are_counted_per_person(self, store: Store) -> None:
        """The limit counts open devices of one visit; a device of a device counts as the person's."""
        await store.open_visit(a_visit(), seats=1)
        for i, origin in enumerate(["v1", "d0", "d0"]):
            await store.add_device_code(a_code(f"h{i}", visit=origin))
            if i < 2:
                device = await store.spend_device_code(f"h{i}", a_device(f"d{i}"), at=START, devices=2)
                assert device.came_from == "v1"
        with pytest.raises(Denied, match="devices_taken"):
            await store.spend_device_code("h2", a_device("d2"), at=START, devices=2)
        await store.end_visits(["d1"], at=START, reason="left")
        await store.spend_device_code("h2", a_device("d2"), at=START, devices=2)

    # -- overlays

    async def test_overlays_are_per_visit_and_kind(self, store: Store) -> None:
        """What one visit keeps is not seen by another, nor under another kind."""
        await store.open_visit(a_visit("v1"), seats=None)
        await store.open_visit(a_visit("v2"), seats=None)
        await store.put_overlay("v1", "workspace", "a", b"1", items=2, total_bytes=10)
        await store.put_overlay("v1", "settings", "a", b"2", items=2, total_bytes=10)
        await store.put_overlay("v2", "workspace", "a", b"3", items=2, total_bytes=10)
        assert await store.overlay("v1", "workspace") == {"a": b"1"}
        assert await store.overlay("v1", "settings") == {"a": b"2"}
        assert await store.overlay("v2", "workspace") == {"a": b"3"}

    async def test_overlays_are_limited(self, store: Store) -> None:
        """Entries and bytes are limited; replacing counts the new value only, deleting makes room."""
        await store.open_visit(a_visit(), seats=None)

        async def put(name: str, data: bytes | None) -> None:
            await store.put_overlay("v1", "workspace", name, data, items=2, total_bytes=10)

        await put("a", b"123456")
        await put("a", b"1234567890")
        with pytest.raises(Denied, match="overlay_limit"):
            await put("a", b"1234567890x")
        await put("a", b"12345")
        await put("b", b"12345")
        with pytest.raises(Denied, match="overlay_limit"):
            await put("c", b"")
        await put("a", None)
        await put("a", None)
        await put("c", b"12345")
        assert await store.overlay("v1", "workspace") == {"b": b"12345", "c": b"12345"}
        with pytest.raises(NotFound):
            await store.put_overlay("nowhere", "workspace", "a", b"", items=2, total_bytes=10)

    async def test_attack_a_layout_that_comes_after_its_visit(self, store: Store) -> None:
        """Of a visit that is over nothing is kept any more, so that what was forgotten of it does not come back."""
        await store.open_visit(a_visit(), seats=None)
        await store.end_visits(["v1"], at=START, reason="erased")
        await store.forget(visits=["v1"], links=[], knocks=[])
        for data in (b"1", None):
            with pytest.raises(Denied, match="visit_ended"):
                await store.put_overlay("v1", "workspace", "a", data, items=2, total_bytes=10)
        assert await store.overlay("v1", "workspace") == {}

    # -- servers

    async def test_servers_are_stored_replaced_and_removed(self, store: Store) -> None:
        """One record per id; the credential comes back and is in no repr."""
        await store.put_upstream(an_upstream())
        await store.put_upstream(an_upstream(url="http://127.0.0.1:9999/"))
        (upstream,) = await store.upstreams()
        assert (upstream.url, upstream.token.secret) == ("http://127.0.0.1:9999/", "raw server token")
        assert "raw server token" not in repr(upstream)
        await store.remove_upstream("u1")
        assert await store.upstreams() == []
        with pytest.raises(NotFound):
            await store.remove_upstream("u1")

    # -- subscribers

    async def test_subscribers_learn_of_each_change_after_it_can_be_read(self, store: Store) -> None:
        """In commit order, before the caller goes on; a refused write tells nobody; unsubscribing works."""
        heard: list[tuple[str, str]] = []

        def listen(change: Change) -> None:
            heard.append((change.kind, change.id))

        stop = store.subscribe(listen)
        await store.add_share(a_share("s2"), [a_link("l2", share="s2")])
        assert heard == [("share", "s2"), ("link", "l2")]
        heard.clear()
        with pytest.raises(ValueError):
            await store.add_link(a_link("l2"))
        await store.open_visit(a_visit(), seats=1)
        await store.end_visits(["v1"], at=START, reason="left")
        await store.add_knock(a_knock(), limit=1)
        await store.put_upstream(an_upstream())
        await store.remove_upstream("u1")
        assert heard == [("visit", "v1"), ("visit", "v1"), ("knock", "k1"), ("upstream", "u1"), ("upstream", "u1")]
        stop()
        stop()
        await store.change_share("s1", paused=True)
        assert len(heard) == 5

    async def test_a_cancelled_caller_does_not_undo_or_hide_its_write(self, store: Store, reopened: Reopen) -> None:
        """What was on its way to the disk arrives there and in what is read."""
        task = asyncio.create_task(store.change_share("s1", revoked=START))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.ready()
        assert (await store.share("s1")).revoked == START  # type: ignore[union-attr]
        assert (await (await reopened()).share("s1")).revoked == START  # type: ignore[union-attr]

    async def test_a_closed_store_answers_nothing(self, store: Store) -> None:
        """Reads and writes fail closed after close, and closing twice is harmless."""
        await store.close()
        await store.close()
        for ask in (store.share("s1"), store.shares(), store.change_share("s1", paused=True), store.head("gate")):
            with pytest.raises(StoreUnavailable):
                await ask
        with pytest.raises(StoreUnavailable):
            await store.ready()


class TallyContract:
    """What is counted against guessing; `tallied` are two gates' ways to one count, and their clock."""

    @pytest.fixture
    def places(self) -> list[Place]:
        few = Limit("few", Rate(per=6, seconds=6000, burst=3))
        many = Limit("many", Rate(per=600, seconds=6000, burst=50))
        return [few.of("192.0.2.1"), many.of("l1")]

    async def test_of_many_at_both_as_many_as_there_is_room_for(
        self, tallied: tuple[Tally, Tally, Clock], places: list[Place]
    ) -> None:
        """Of each limit or of none. What was taken fills up again, and no further than it was."""
        a, b, clock = tallied
        taken = await asyncio.gather(*((a, b)[n % 2].take(places) for n in range(40)))
        assert taken.count([0, 0]) == 3
        assert await b.waits(places) == [1001, 0]
        assert (await a.take(places))[0] == 1001
        clock.forward(1001)
        assert await b.take(places) == [0, 0] and (await a.take(places))[0] > 0
        clock.forward(36000)
        assert [await one.take(places) for one in (a, b, a)] == [[0, 0]] * 3 and (await b.take(places))[0] > 0
        assert await a.waits([Limit("few", places[0].limit.rate).of("192.0.2.2")]) == [0]
        assert await a.waits([]) == []

    async def test_what_is_given_back_is_there_again(
        self, tallied: tuple[Tally, Tally, Clock], places: list[Place]
    ) -> None:
        """And never more than there was; what is spent beyond that is waited for."""
        a, b, clock = tallied
        for _ in range(20):
            assert await a.take(places) == [0, 0]
            await b.spend(places, -1)
        await b.spend(places, -100)
        assert [any(await a.take(places)) for _ in range(4)] == [False, False, False, True]
        await a.spend(places[:1], 2)
        assert await b.waits(places[:1]) == [3001]
        clock.forward(3001)
        assert await b.waits(places[:1]) == [0]


class AuditContract:
    """The trail's sequence."""

    @staticmethod
    def chain(count: int, writer: str = "gate", **fields: Any) -> list[Sealed]:
        sealed: list[Sealed] = []
        for i in range(count):
            event = AuditEvent(action=Action.REQUEST_ANSWERED, actor="visitor", at=START + i, name="Ann")
            event = msgspec.structs.replace(
                event, **{key: value(i) if callable(value) else value for key, value in fields.items()}
            )
            sealed.append(seal(event, writer=writer, seq=i + 1, previous=sealed[-1].digest if sealed else ""))
        return sealed

    async def test_what_was_appended_is_read_back(self, store: Store, reopened: Reopen) -> None:
        """Byte for byte, in order, after a restart too."""
        sealed = self.chain(5)
        assert await store.head("gate") == (0, "") and await store.writers() == []
        await store.append(sealed[:3])
        await store.append(sealed[3:])
        assert await store.read(Query()) == sealed
        assert await store.head("gate") == (5, sealed[4].digest)
        again = await reopened()
        assert await again.read(Query()) == sealed and await again.writers() == ["gate"]

    async def test_an_append_is_all_or_nothing(self, store: Store) -> None:
        """A batch with one event that does not follow is refused whole."""
        sealed = self.chain(4)
        await store.append(sealed[:1])
        for batch in (
            sealed[2:],
            [sealed[1], sealed[3]],
            sealed[:1],
            [msgspec.structs.replace(sealed[1], previous="")],
        ):
            with pytest.raises(ValueError):
                await store.append(batch)
        assert await store.read(Query()) == sealed[:1]
        await store.append(sealed[1:])

    async def test_writers_have_sequences_of_their_own(self, store: Store) -> None:
        """Two writers do not disturb each other."""
        a, b = self.chain(3, "a"), self.chain(2, "b")
        await asyncio.gather(store.append(b), store.append(a))
        assert await store.read(Query()) == a + b
        assert await store.read(Query(writer="b")) == b
        assert (await store.head("a"))[0] == 3 and (await store.head("b"))[0] == 2
        assert (await verify_store(store)).intact

    @pytest.mark.parametrize(
        ("query", "seqs"),
        [
            (Query(share="s0"), [1, 3, 5]),
            (Query(link="l1"), [1, 2, 3, 4, 5, 6]),
            (Query(visit="nobody"), []),
            (Query(path="a"), [1, 2, 6]),
            (Query(path="a/"), [1, 2, 6]),
            (Query(path="a/b"), [2]),
            (Query(path="a%"), [4]),
            (Query(path="a_"), []),
            (Query(reason="no_rule", outcome="denied"), [2]),
            (Query(action="request.answered"), [1, 2, 3, 4, 5, 6]),
            (Query(action="link.joined"), []),
            (Query(since=START + 2, until=START + 4), [3, 4]),
            (Query(after_seq=4), [5, 6]),
            (Query(limit=2), [1, 2]),
            (Query(newest_first=True, limit=2), [6, 5]),
            (Query(share="s0", after_seq=1, newest_first=True), [5, 3]),
        ],
    )
    async def test_filters(self, store: Store, query: Query, seqs: list[int]) -> None:
        """Each filter narrows; a path matches whole segments and has no wildcards."""
        paths = ["a", "a/b", "ab", "a%", "", "a/c"]
        await store.append(
            self.chain(
                6,
                share=lambda i: f"s{i % 2}",
                link="l1",
                path=paths.__getitem__,
                reason=lambda i: "no_rule" if i == 1 else "",
                outcome=lambda i: Outcome.DENIED if i == 1 else Outcome.ALLOWED,
            )
        )
        if query.outcome == "":
            assert [one.seq for one in await store.read(query)] == seqs
            return
        assert [one.seq for one in await store.read(query)] == seqs

    async def paged(
        self, store: Store, query: Query, *, looks: int = 5000, meanwhile: Callable[[], Awaitable[object]] | None = None
    ) -> list[tuple[str, int]]:
        """All pages of a question, as places."""
        found: list[tuple[str, int]] = []
        after: Mark | None = None
        while True:
            page = await store.page(query, after, looks=looks)
            assert len(page.events) <= query.limit
            found += [(one.writer, one.seq) for one in page.events]
            after = page.after
            if after is None:
                return found
            if meanwhile is not None:
                await meanwhile()

    MIXED: ClassVar[dict[str, Any]] = {
        "share": lambda i: f"s{i % 3 or ''}",
        "link": lambda i: f"l{i % 4}",
        "visit": lambda i: f"v{i % 5}" if i % 2 else "",
        "name": lambda i: ["Ann", "  ANN ", "\u00c4nn", "", "a'; DROP TABLE trail; --"][i % 5],
        "path": lambda i: ["a", "a/b", "ab", "a%", "", "a/c"][i % 6],
        "reason": lambda i: "no_rule" if i % 7 == 1 else "",
        "outcome": lambda i: Outcome.DENIED if i % 7 == 1 else Outcome.ALLOWED,
        "action": lambda i: Action.LINK_JOINED if i % 4 == 3 else Action.REQUEST_ANSWERED,
        # Many of one moment: a clock may stand still.
        "at": lambda i: START + i // 8,
    }

    @pytest.mark.parametrize("newest_first", [True, False])
    @pytest.mark.parametrize(
        "asked",
        [
            {},
            {"since": START + 2, "until": START + 5},
            {"visit": "v1", "share": "s1"},
            {"visit": "v1", "until": START + 4},
            {"link": "l3", "action": "link.joined"},
            {"share": "s1", "action": "link.joined", "since": START + 1},
            {"share": "s1", "outcome": "denied"},
            {"share": "s2", "outcome": "allowed"},
            {"share": "s1", "action": "request.answered"},
            {"action": "link.joined", "until": START + 3},
            {"reason": "no_rule", "path": "a"},
            {"outcome": "denied", "share": "s2", "reason": "no_rule"},
            {"share": "s2", "path": "a/b"},
            {"writer": "b", "share": "s1"},
            {"visit": "nobody"},
            {"person": "ann"},
            {"person": "\u00e4nn", "share": "s1", "since": START + 1},
            {"person": "ann", "action": "link.joined"},
            {"person": "ann", "visit": "v1", "outcome": "allowed"},
            {"person": "a'; drop table trail; --", "path": "a"},
        ],
        ids=str,
    )
    async def test_pages(self, store: Store, asked: dict[str, Any], newest_first: bool) -> None:
        """Whatever is asked for and however small the pages are: the same entries as in one piece, each once, by time;
        however few are looked at for one page, nothing is left out."""
        await store.append(self.chain(40, "a", **self.MIXED) + self.chain(23, "b", **self.MIXED))
        whole = {(one.writer, one.seq): opened(one).at for one in await store.read(Query(**asked))}
        for limit, looks in itertools.product((1, 4, 100), (5000, 7)):
            query = Query(**asked, limit=limit, newest_first=newest_first)
            found = await self.paged(store, query, looks=looks)
            assert sorted(found) == sorted(whole)
            moments = [whole[place] for place in found]
            assert moments == sorted(moments, reverse=newest_first)
            for writer in "ab":
                own = [seq for name, seq in found if name == writer]
                assert own == sorted(own, reverse=newest_first)

    @pytest.mark.parametrize("newest_first", [True, False])
    async def test_pages_stay_while_more_is_appended(self, store: Store, newest_first: bool) -> None:
        """What was there when the first page was read comes once and in its order, whatever two gates write
        meanwhile."""
        chains = {name: self.chain(60, name, share="s1", at=lambda i: START + i // 4) for name in "ab"}
        await store.append(chains["a"][:20] + chains["b"][:20])
        written = 20

        async def more() -> None:
            nonlocal written
            if written < 60:
                await store.append(chains["a"][written : written + 5] + chains["b"][written : written + 5])
                written += 5

        query = Query(share="s1", limit=3, newest_first=newest_first)
        found = await self.paged(store, query, meanwhile=more)
        assert len(found) == len(set(found))
        first = [place for place in found if place[1] <= 20]
        assert len(first) == 40
        assert len(found) == (40 if newest_first else 120)

    async def test_a_page_looks_at_so_many_entries(self, store: Store) -> None:
        """What fits nowhere ends after them, and says where to go on."""
        await store.append(self.chain(50, share="s1", path=lambda i: "deep" if i == 0 else "a"))
        query = Query(share="s1", path="deep", limit=5, newest_first=True)
        page = await store.page(query, looks=20)
        assert page == Page(events=[], after=Mark(writer="gate", seq=31))
        page = await store.page(query, page.after, looks=20)
        assert page == Page(events=[], after=Mark(writer="gate", seq=11))
        page = await store.page(query, page.after, looks=20)
        assert [one.seq for one in page.events] == [1] and page.after is None

    async def test_a_page_after_what_is_not_there(self, store: Store) -> None:
        """Records of another day were put in the place of these: told, not answered with something."""
        await store.append(self.chain(3))
        for mark in (Mark(writer="gate", seq=4), Mark(writer="nobody", seq=1)):
            with pytest.raises(NotFound):
                await store.page(Query(limit=1), mark)

    async def test_a_person_over_all_shares(self, store: Store, reopened: Reopen) -> None:
        """Whatever case and width the name was typed in; other names that begin so are other people."""
        names = ["\u00d6zg\u00fcr", "\u00f6ZG\u00dcR", "\uff21\uff4e\uff4e", "Ann", "Anne", ""]
        await store.append(self.chain(12, share=lambda i: f"s{i}", name=lambda i: names[i % 6]))
        for _ in range(2):
            for person, seqs in (("\u00f6zg\u00fcr", [1, 2, 7, 8]), ("ann", [3, 4, 9, 10]), ("anne", [5, 11])):
                assert [one.seq for one in await store.read(Query(person=person))] == seqs
                page = await store.page(Query(person=person, limit=20, newest_first=True))
                assert [one.seq for one in page.events] == seqs[::-1] and page.after is None
                assert [opened(one).name for one in page.events] == [names[(seq - 1) % 6] for seq in seqs[::-1]]
            assert (await store.page(Query(person="nobody", limit=5))).events == []
            store = await reopened()

    async def test_attack_whoever_is_forgotten_is_found_by_name(self, store: Store, reopened: Reopen) -> None:
        """What was erased fits no name any more, by page or in one piece, whichever way it was erased."""
        await store.append(self.chain(8, visit=lambda i: f"v{i % 2}"))
        assert await store.erase_events("gate", [1, 2, 3]) == 3
        assert await store.erase(Query(person="ann", until=START + 5)) == 2
        for _ in range(2):
            assert [one.seq for one in await store.read(Query(person="ann"))] == [6, 7, 8]
            page = await store.page(Query(person="ann", limit=9))
            assert [one.seq for one in page.events] == [6, 7, 8]
            store = await reopened()
        assert await store.erase(Query(person="ann")) == 3
        assert (await store.page(Query(person="ann", limit=9))).events == []
        assert (await verify_store(store)).intact

    async def test_names_that_an_older_version_wrote(self, store: Store) -> None:
        """Beside those no spelling was kept by which they are found: they are found, and verify."""
        older = [msgspec.structs.replace(one, personal=one.personal.replace(b',"ann"]', b"]")) for one in self.chain(3)]
        assert all(b'"Ann"]' in one.personal for one in older)
        await store.append(older)
        assert [one.seq for one in (await store.page(Query(person="ann", limit=9))).events] == [1, 2, 3]
        assert (await verify_store(store)).intact

    async def test_what_identifies_people_is_counted(self, store: Store) -> None:
        """How many entries hold it, since when, and how many are older than each moment; what was blanked does not."""
        assert await store.held((START,)) == Held(0, None, (0,))
        await store.append(self.chain(6))
        await store.erase_events("gate", [1, 4])
        assert await store.held((START, START + 2, START + 9)) == Held(4, START + 1, (0, 1, 4))

    async def test_the_default_outcome_can_be_asked_for(self, store: Store) -> None:
        """An outcome that is left out of the body, because it is the usual one, is found all the same."""
        await store.append(self.chain(2, outcome=lambda i: Outcome.DENIED if i else Outcome.ALLOWED))
        assert [one.seq for one in await store.read(Query(outcome="allowed"))] == [1]

    async def test_erasing_leaves_the_chain_intact(self, store: Store) -> None:
        """The values of those that fit are gone for good, the others stay, and the count is right."""
        await store.append(self.chain(6, visit=lambda i: f"v{i % 2}"))
        assert await store.erase(Query(visit="v1", until=START + 4)) == 2
        assert await store.erase(Query(visit="v1", until=START + 4)) == 0
        sealed = await store.read(Query())
        assert [erased(one) for one in sealed] == [False, True, False, True, False, False]
        assert await store.erase_events("gate", []) == await store.erase_events("nobody", [1, 2]) == 0
        assert [opened(one).name for one in sealed][:2] == ["Ann", ""]
        verdict = await verify_store(store)
        assert verdict.intact and verdict.erased == 2

    async def test_a_long_trail_is_verified_in_pages(self, store: Store) -> None:
        """More events than a page holds."""
        await store.append(self.chain(4500))
        verdict = await verify_store(store)
        assert verdict.intact and verdict.events == 4500

    async def test_the_trail_works_on_it(self, store: Store, reopened: Reopen, clock: Clock) -> None:
        """Concurrent acts of a real trail, across a restart, are one intact chain."""
        for round in range(2):
            trail = Trail(store, writer="gate", clock=clock)
            await trail.open()
            await asyncio.gather(
                *(
                    trail.record(
                        AuditEvent(action=Action.LINK_JOINED, actor="visitor", detail=f"{round} {i}"),
                        durable=i % 2 == 0,
                    )
                    for i in range(50)
                )
            )
            await trail.close()
            store = await reopened()
        verdict = await verify_store(store)
        assert verdict.intact and verdict.events == 100

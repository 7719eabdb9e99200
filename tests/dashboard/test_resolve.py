"""What a person means: short ids first, then names; what fits several things is asked back, never guessed."""

from __future__ import annotations

import msgspec
import pytest

from sharegate.shares.model import Link, Share, Visit, VisitKind
from tests.dashboard.conftest import SERVER, Office


async def found(office: Office, ref: str) -> tuple[str, str]:
    answer = await office.call("GET", "resolve", None, ref=ref)
    return answer["kind"], answer["id"]


async def refused(office: Office, ref: str) -> tuple[int, dict[str, object]]:
    status, answer = await office.ask("GET", "resolve", None, ref=ref)
    return status, answer["error"]


async def with_id(office: Office, id: str, name: str, **fields: object) -> Share:
    """A second share beside a real one, with an id that the test chooses."""
    store = office.running.gate._store
    model = (await store.shares())[0]
    share = msgspec.structs.replace(model, id=id, name=name, **fields)
    link = Link(id=f"l{id}", share=id, letter="a", name="", created=model.created, expires=model.expires)
    await store.add_share(share, [link])
    return share


async def test_a_share_is_found_by_any_of_its_names(office: Office) -> None:
    """Label, a longer prefix, the whole id, its name, its path, without regard to case."""
    share = (await office.share(name="Week Three"))["share"]
    for ref in (share["label"], share["id"], share["id"][:7], share["id"].upper(), "week three", "WEEK3", " week3 "):
        assert await found(office, ref) == ("share", share["id"]), ref


async def test_links_and_visits_by_letter_and_number(office: Office) -> None:
    """`k7f2.b` is a link, `k7f2.b1` who is in by it."""
    made = await office.share(**{"for": ["Ann", "Bo"]})
    label, bo = made["share"]["label"], made["links"][1]
    visit = Visit(
        id="v234567890",
        share=made["share"]["id"],
        link=bo["id"],
        number=0,
        kind=VisitKind.BROWSER,
        name="Bo",
        created=office.clock(),
        expires=office.clock() + 60,
    )
    await office.running.gate._store.open_visit(visit, seats=None)
    assert await found(office, f"{label}.b") == ("link", bo["id"])
    assert await found(office, f"{label}.b1") == ("visit", visit.id)
    assert (await refused(office, f"{label}.b2"))[0] == 404
    assert (await refused(office, f"{label}.c"))[0] == 404
    # The link stands for its person.
    assert await found(office, "bo") == ("link", bo["id"])


async def test_what_fits_several_is_listed_and_nothing_is_done(office: Office) -> None:
    """The answer names the candidates."""
    await office.share(name="Same", **{"for": ["Ann"]})
    await office.share("week4", name="Same", **{"for": ["Ann"]})
    for ref in ("same", "ann"):
        status, error = await refused(office, ref)
        assert (status, error["code"]) == (409, "ambiguous")
        assert len(error["candidates"]) == 2  # type: ignore[arg-type]


async def test_an_id_wins_over_a_name(office: Office) -> None:
    """Whoever names a share like another's id does not get that one's commands."""
    share = (await office.share())["share"]
    await with_id(office, "zzzz234567", share["label"])
    assert await found(office, share["label"]) == ("share", share["id"])


async def test_a_prefix_that_two_shares_have_is_ambiguous_and_labels_are_longer(office: Office) -> None:
    """Labels grow until they are unique."""
    await office.share()
    await with_id(office, "abcd222222", "one")
    await with_id(office, "abcd333333", "two")
    assert (await refused(office, "abcd"))[0] == 409
    assert await found(office, "abcd2") == ("share", "abcd222222")
    labels = [view["label"] for view in (await office.call("GET", "shares"))["shares"]]
    assert {"abcd2", "abcd3"} <= set(labels)


async def test_what_is_revoked_is_found_by_id_and_not_by_name(office: Office) -> None:
    """An old name is free for a new share."""
    old = (await office.share(name="Notes"))["share"]
    await office.call("POST", f"shares/{old['id']}/revoke")
    assert (await refused(office, "notes"))[0] == 404
    assert await found(office, old["label"]) == ("share", old["id"])
    new = (await office.share("week4", name="Notes"))["share"]
    assert await found(office, "notes") == ("share", new["id"])


async def test_servers_by_id_and_name(office: Office) -> None:
    """A short id of a server, or how it is called."""
    assert await found(office, SERVER[:4]) == ("server", SERVER)
    assert await found(office, "MAIN") == ("server", SERVER)


@pytest.mark.parametrize(
    "ref", ["", " ", ".", "a", "k7f2.", "k7f2.a1.b", "x" * 5000, "\x01", "\u202e", "%", "../..", "*"]
)
async def test_nothing_is_found_for_nonsense(office: Office, ref: str) -> None:
    """404 with the start of what was asked, bounded."""
    await office.share()
    status, error = await refused(office, ref)
    assert status == 404 and len(str(error["message"])) < 300

"""What an owner has a link ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sharegate.errors import Invalid
from sharegate.shares import asking
from sharegate.shares.issue import NewLink
from sharegate.shares.model import Link, LinkKind
from sharegate.shares.passphrases import matches
from tests.conftest import Clock
from tests.house import House, house
from tests.stores.records import LATER, START, a_link

WORDS = "green bicycle 7"


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


async def test_each_condition_is_given_and_taken_away_again(home: House) -> None:
    """In the form in which it is kept; the passphrase only as a hash that fits it."""
    _, (link,) = await home.share()
    changed = await home.issuer.change_link(
        link.id,
        {
            "networks": ["10.0.0.0/8", "::ffff:192.0.2.7"],
            "not_before": link.created + 60,
            "ask": True,
            "passphrase": WORDS,
            "recipient": "Ann@Example.org",
            "domain": "@example.ORG",
        },
    )
    assert changed.networks == ("10.0.0.0/8", "192.0.2.7/32")
    assert (changed.not_before, changed.ask) == (link.created + 60, True)
    assert (changed.recipient, changed.domain) == ("ann@example.org", "example.org")
    assert matches(changed.passphrase, WORDS) and WORDS not in changed.passphrase
    gone = {"networks": None, "not_before": None, "ask": False, "passphrase": None, "recipient": "", "domain": None}
    assert await home.issuer.change_link(link.id, gone) == link


async def test_a_new_link_asks_from_its_first_moment(home: House) -> None:
    """The links of one share with one passphrase have it hashed once, and it is in no repr."""
    asked: dict[str, Any] = {"passphrase": WORDS, "ask": True, "networks": ("10.0.0.0/8",)}
    _, links = await home.share(*(NewLink(name=name, **asked) for name in ("Ann", "Bo")))
    assert {link.passphrase for link in links} == {links[0].passphrase} and matches(links[0].passphrase, WORDS)
    assert all(link.ask and link.networks == ("10.0.0.0/8",) for link in links)
    added = await home.issuer.add_link(links[0].share, NewLink(anyone=True, domain="example.org"))
    assert (added.kind, added.domain) == (LinkKind.OPEN, "example.org")
    assert WORDS not in repr(NewLink(**asked)) and links[0].passphrase not in repr(links)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"networks": ["10.0.0.1/8"]}, "networks"),
        ({"networks": "10.0.0.0/8"}, "networks"),
        ({"networks": [["10.0.0.0/8"]]}, "networks"),
        ({"networks": {"10.0.0.0/8": 1}}, "networks"),
        ({"not_before": "soon"}, "not_before"),
        ({"not_before": True}, "not_before"),
        ({"not_before": float("nan")}, "not_before"),
        ({"not_before": -1.0}, "not_before"),
        ({"not_before": LATER + 365 * 86400}, "not_before"),
        ({"ask": "yes"}, "ask"),
        ({"ask": None}, "ask"),
        ({"ask": 1}, "ask"),
        ({"passphrase": "short"}, "passphrase"),
        ({"passphrase": 12345678}, "passphrase"),
        ({"passphrase": ["a passphrase"]}, "passphrase"),
        ({"recipient": "Ann"}, "recipient"),
        ({"recipient": "ann@example.org\nBcc: eve@evil.net"}, "recipient"),
        ({"domain": "localhost"}, "domain"),
        ({"domain": "example.net", "recipient": "ann@example.org"}, "domain"),
        ({"passphrase": WORDS, "networks": ["nonsense"]}, "networks"),
    ],
)
async def test_what_cannot_be_asked_names_its_field_and_changes_nothing(
    home: House, given: dict[str, Any], field: str
) -> None:
    """With what to do about it, and without a passphrase in it."""
    _, (link,) = await home.share()
    with pytest.raises(Invalid) as caught:
        await home.issuer.change_link(link.id, given)
    assert caught.value.field == field and (caught.value.remedy or field == "ask")
    assert "bicycle" not in str(caught.value) and "short" not in str(caught.value)
    assert await home.store.link(link.id) == link


async def test_what_a_link_asks_already_is_judged_with_what_is_added(home: House) -> None:
    """An address outside the domain, one for an open link, an end before the beginning."""
    share, (link, anyone) = await home.share(NewLink(name="Ann", domain="example.org"), NewLink(anyone=True))
    for id, given, field in (
        (link.id, {"recipient": "ann@example.net"}, "recipient"),
        (anyone.id, {"recipient": "ann@example.org"}, "recipient"),
    ):
        with pytest.raises(Invalid) as caught:
            await home.issuer.change_link(id, given)
        assert caught.value.field == field
    with pytest.raises(Invalid):
        await home.issuer.add_link(share.id, NewLink(anyone=True, recipient="ann@example.org"))
    await home.issuer.change_link(link.id, {"not_before": link.created + 100})
    with pytest.raises(Invalid, match="before the link's end"):
        await home.issuer.change_link(link.id, {"expires": link.created + 90})
    with pytest.raises(Invalid, match="before the link's end"):
        await home.issuer.add_link(share.id, NewLink(not_before=share.expires))


EVERYTHING: dict[str, Any] = {
    "not_before": START,
    "networks": ("10.0.0.0/8", "192.0.2.7/32"),
    "ask": True,
    "passphrase": "$argon2id$",
    "recipient": "ann@example.org",
    "domain": "example.org",
    "account": "ann@example.org",
}
# What follows from them.
LEARNT = {"issuer", "subject"}


def test_the_history_names_conditions_in_words_and_nobody(home: House) -> None:
    """No address of a person and no single computer: those could not be erased there."""
    told = asking.in_words(a_link(**EVERYTHING))
    assert told == [
        "not before 2027-01-15 08:00 UTC",
        "from 10.0.0.0/8, one address",
        "asks first",
        "with a passphrase",
        "for one e-mail address",
        "for addresses of example.org",
        "for one account",
    ]
    assert asking.in_words(a_link()) == []
    assert asking.changed_in_words(EVERYTHING) == told
    gone = asking.changed_in_words({name: getattr(a_link(), name) for name in asking.FIELDS})
    assert len(set(gone)) == len(asking.FIELDS) and "asks no more" in gone and "without a passphrase" in gone


def test_every_condition_of_a_link_can_be_given() -> None:
    """A field that is added to the record is one that owners can set and that is told."""
    plain = set(Link.__struct_fields__[: Link.__struct_fields__.index("not_before")])
    assert set(Link.__struct_fields__) - plain - LEARNT == set(asking.FIELDS) == set(EVERYTHING)

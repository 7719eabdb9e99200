"""Codes that are mailed: who gets in by one, and who does not. The mail server is a real one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from sharegate.audit.events import Action
from sharegate.errors import Denied, Reason
from sharegate.mail.model import MailServer, Security, Sender
from sharegate.mail.smtp import Smtp
from sharegate.shares.authenticate import secret_hash
from sharegate.shares.issue import NewLink
from sharegate.shares.model import ALPHABET, Link, LinkKind, Share
from sharegate.visits.entry import Comer, Entry
from sharegate.visits.join import Door
from sharegate.visits.mailed import FOR_A_LINK, FROM_A_NETWORK, OF_A_GATE, TRIES, Mailed
from sharegate.visits.proving import Shown
from tests.conftest import Clock
from tests.house import ADDRESSES, ANN, EVE, House, house
from tests.mail.scripted import says, serving
from tests.real.jupyter import free_port
from tests.real.mail import MailServerHere, running_mail

TO = "ann@berkeley.edu"
MINE, THEIRS = replace(ANN, browser="anns-browser"), replace(EVE, browser="eves-browser")


@pytest.fixture
def server() -> Iterator[MailServerHere]:
    with running_mail() as running:
        yield running


@dataclass
class Doors:
    """A house whose door mails codes; `mailed` is what does that."""

    home: House
    server: MailServerHere
    mailed: Mailed
    door: Door

    async def link(self, *, anyone: bool = False, **conditions: Any) -> tuple[Share, Link, str]:
        """A share with one link that asks for this, and its token."""
        share, (link,) = await self.home.share(NewLink(anyone=True) if anyone else NewLink(name="Ann"), name="Week 3")
        link = await self.home.store.change_link(link.id, **conditions)
        return share, link, self.home.token(link)

    async def code(self, token: str, comer: Comer = MINE, email: str = "") -> str:
        """Asked for, and read in the mail."""
        await self.door.send_code(token, email, comer)
        return code_in((await self.server.next()).text)

    async def opens(self, token: str, code: str, comer: Comer = MINE, email: str = "", name: str = "") -> Entry:
        return await self.door.open(token, name, comer, Shown(code=code, email=email))

    def events(self, *actions: Action) -> list[Any]:
        return [event for event in self.home.notes.events if event.action in actions]


def code_in(text: str) -> str:
    found = re.search(r"\n    ([0-9A-Z]{4} [0-9A-Z]{4})\n", text)
    assert found is not None
    return found[1]


def mailing(home: House, port: int, **more: Any) -> Mailed:
    server = MailServer("127.0.0.1", port, Security.NONE, Sender("share@example.org"), "gate.example.org")
    return Mailed(home.store, Smtp(server, home.clock, **more), home.notes, b"k" * 32, "http://gate", home.clock)


def door_with(home: House, mailed: Mailed | None) -> Door:
    sentence = home.policies.roles.sentence
    return Door(
        home.store, home.authenticator, home.notes, ADDRESSES, home.clock, role_sentence=sentence, mailed=mailed
    )


@pytest_asyncio.fixture
async def doors(tmp_path: Path, clock: Clock, server: MailServerHere) -> AsyncIterator[Doors]:
    async with house(tmp_path, clock) as home:
        mailed = mailing(home, server.port)
        door = door_with(home, mailed)
        yield Doors(home, server, mailed, door)
        await door.finished()


async def refused(work: Any) -> Reason:
    with pytest.raises(Denied) as caught:
        await work
    return caught.value.reason


# -- getting in -------------------------------------------------------------------------------------------------------


async def test_a_named_recipient_proves_their_address_and_is_in(doors: Doors) -> None:
    """The page is told a masked address; the code comes by mail; the visit knows what was proved, and so does the
    history."""
    _, link, token = await doors.link(recipient=TO)
    told = await doors.door.about(token, MINE)
    assert told["needs"] == ["email"] and told["mail"] == {"to": "a…@berkeley.edu", "domain": ""}
    assert TO not in str(told) and "the e-mail address that you show to be yours" in str(told["recorded"])
    to, browser = await doors.door.send_code(token, "", ANN)
    assert to == "a…@berkeley.edu" and browser
    mail = await doors.server.next()
    assert mail.recipients == [TO] and "Olga shares “Week 3”" in mail.text
    comer = replace(ANN, browser=browser)
    entry = await doors.opens(token, code_in(mail.text), comer)
    assert entry.visit.email == TO and entry.browser == browser
    asked, proved = doors.events(Action.CODE_ASKED, Action.CODE_PROVED)
    assert (asked.name, proved.name) == (TO, TO) and asked.link == proved.link == link.id
    assert (await doors.door.about(token, comer))["needs"] == []


@pytest.mark.parametrize(
    ("domain", "email", "proved"),
    [
        ("berkeley.edu", " Ann@Berkeley.EDU ", "ann@berkeley.edu"),
        ("xn--bcher-kva.example", "ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("*.berkeley.edu", "ann@cs.berkeley.edu", "ann@cs.berkeley.edu"),
        ("*.berkeley.edu", "ann@berkeley.edu", "ann@berkeley.edu"),
    ],
)
async def test_an_address_of_the_domain_is_proved(doors: Doors, domain: str, email: str, proved: str) -> None:
    """However it is spelled; the visit has it in one form, beside the name that was typed."""
    _, _, token = await doors.link(anyone=True, domain=domain)
    assert (await doors.door.about(token, MINE))["mail"] == {"to": "", "domain": domain}
    code = await doors.code(token, email=email)
    entry = await doors.opens(token, code.lower().replace(" ", " - "), email=email, name="Bo")
    assert (entry.visit.email, entry.visit.name) == (proved, "Bo")


@pytest.mark.parametrize(
    ("email", "reason"),
    [
        *(("ann@cs.berkeley.edu", Reason.OTHER_DOMAIN), ("ann@berkeley.edu.evil.net", Reason.OTHER_DOMAIN)),
        *(("ann@evilberkeley.edu", Reason.OTHER_DOMAIN), ("", Reason.BAD_BODY), ("berkeley.edu", Reason.BAD_BODY)),
        *(("ann@evil.net,bo@berkeley.edu", Reason.BAD_BODY), ("ann@evil.net\r\n@berkeley.edu", Reason.BAD_BODY)),
        *(("\u212aann@berkeley.edu", Reason.BAD_BODY), ("a" * 65 + "@berkeley.edu", Reason.BAD_BODY)),
        ("x" * 1_000_000 + "@berkeley.edu", Reason.BAD_BODY),
    ],
)
async def test_attack_an_address_elsewhere_gets_no_mail(doors: Doors, email: str, reason: Reason) -> None:
    """A domain below, one that ends or begins alike, a second recipient, a command; neither code nor entry."""
    _, _, token = await doors.link(anyone=True, domain="berkeley.edu")
    assert await refused(doors.door.send_code(token, email, MINE)) is reason
    assert await refused(doors.opens(token, "2345 6789", email=email, name="Bo")) is reason
    await doors.door.finished()
    assert doors.server.taken == []


async def test_a_recipient_is_not_chosen_by_whoever_types(doors: Doors) -> None:
    """Attack: with a link for Ann another address is typed. The code goes to Ann all the same."""
    _, _, token = await doors.link(recipient=TO)
    await doors.door.send_code(token, "eve@evil.net", THEIRS)
    assert (await doors.server.next()).recipients == [TO]


# -- what a code does not do ------------------------------------------------------------------------------------------


async def test_without_a_code_nobody_gets_in(doors: Doors) -> None:
    """Nothing shown, and nonsense shown."""
    _, _, token = await doors.link(recipient=TO)
    assert await refused(doors.door.open(token, "", MINE)) is Reason.RECIPIENT_NEEDED
    for code in ("2345 6789", "x", " ", "０１２３４５６７", "2" * 1_000_000, "\0", "ß2345678"):
        assert await refused(doors.opens(token, code)) is Reason.MAIL_CODE_INVALID


async def test_attack_a_code_is_one_links_one_addresses_one_browsers(doors: Doors) -> None:
    """Read over Ann's shoulder, or sent on by her: it opens nothing elsewhere, and still lets her in."""
    _, _, token = await doors.link(anyone=True, domain="berkeley.edu")
    _, _, other = await doors.link(anyone=True, domain="berkeley.edu")
    code = await doors.code(token, email=TO)
    wrong = [
        doors.opens(other, code, email=TO, name="Ann"),
        doors.opens(token, code, email="eve@berkeley.edu", name="Ann"),
        doors.opens(token, code, THEIRS, email=TO, name="Ann"),
        doors.opens(token, code, ANN, email=TO, name="Ann"),
    ]
    for work in wrong:
        assert await refused(work) is Reason.MAIL_CODE_INVALID
    assert (await doors.opens(token, code, email=TO, name="Ann")).visit.email == TO


async def test_attack_replayed_expired_and_guessed_codes_are_one_answer(doors: Doors) -> None:
    """The same refusal for each, recorded with its reason."""
    _, link, token = await doors.link(anyone=True, domain="berkeley.edu")
    code = await doors.code(token, email=TO)
    await doors.opens(token, code, email=TO, name="Ann")
    (visit,) = await doors.home.store.visits(link.share)
    await doors.home.store.end_visits([visit.id], at=doors.home.clock(), reason="left")
    assert await refused(doors.opens(token, code, email=TO, name="Ann")) is Reason.MAIL_CODE_INVALID
    late = await doors.code(token, email=TO)
    doors.home.clock.forward(600)
    assert await refused(doors.opens(token, late, email=TO, name="Ann")) is Reason.MAIL_CODE_INVALID
    reasons = {event.reason for event in doors.events(Action.LINK_REFUSED)}
    assert reasons == {"mail_code_invalid"}


async def test_attack_the_sixth_try_comes_too_late(doors: Doors) -> None:
    """Five wrong ones, at once or one after the other, and the right one is no good any more; a new one is."""
    _, _, token = await doors.link(recipient=TO)
    code = await doors.code(token)
    guesses = ["".join(ALPHABET[(at + step) % 27] for step in range(8)) for at in range(TRIES)]
    results = await asyncio.gather(*(refused(doors.opens(token, guess)) for guess in guesses))
    assert set(results) == {Reason.MAIL_CODE_INVALID}
    assert await refused(doors.opens(token, code)) is Reason.MAIL_CODE_INVALID
    assert (await doors.opens(token, await doors.code(token))).visit.email == TO


async def test_a_new_code_takes_the_place_of_the_one_before(doors: Doors) -> None:
    """Of the same browser; another browser with the link spends nobody's tries and replaces nobody's code."""
    _, _, token = await doors.link(recipient=TO)
    old, mine = await doors.code(token), await doors.code(token)
    await doors.code(token, THEIRS)
    for _ in range(TRIES + 1):
        assert await refused(doors.opens(token, old, THEIRS)) is Reason.MAIL_CODE_INVALID
    assert await refused(doors.opens(token, old)) is Reason.MAIL_CODE_INVALID
    assert (await doors.opens(token, mine)).visit.email == TO


async def test_a_code_for_a_former_recipient_is_worth_nothing(doors: Doors) -> None:
    """The owner changed whom the link is for while the mail was on its way."""
    _, link, token = await doors.link(recipient=TO)
    code = await doors.code(token)
    await doors.home.store.change_link(link.id, recipient="bo@berkeley.edu")
    assert await refused(doors.opens(token, code)) is Reason.MAIL_CODE_INVALID


async def test_the_same_browser_proves_anew_into_the_same_visit(doors: Doors) -> None:
    """A recipient was set while somebody was in: they are out, prove it, and are back where they were."""
    _, link, token = await doors.link()
    before = await doors.door.open(token, "", MINE)
    await doors.home.store.change_link(link.id, recipient=TO)
    place = (before.share.id, before.visit.id, [before.cookie], MINE.address)
    assert await refused(doors.home.authenticator.by_cookie(*place)) is Reason.RECIPIENT_NEEDED
    assert (await doors.door.about(token, MINE))["needs"] == ["email"]
    again = await doors.opens(token, await doors.code(token))
    assert again.visit.id == before.visit.id and again.visit.email == TO
    await doors.home.authenticator.by_cookie(again.share.id, again.visit.id, [again.cookie], MINE.address)


# -- mail -------------------------------------------------------------------------------------------------------------


async def test_no_mail_is_sent_for_a_link_that_does_not_open(doors: Doors) -> None:
    """One that asks for no address, is paused or replaced, does not open from there, or is in use by somebody else."""
    _, _, plain = await doors.link()
    assert await refused(doors.door.send_code(plain, TO, MINE)) is Reason.BAD_BODY
    _, link, token = await doors.link(recipient=TO)
    for fields, reason in (
        ({"networks": ("10.0.0.0/8",)}, Reason.OUTSIDE_NETWORKS),
        ({"networks": (), "not_before": doors.home.clock() + 9}, Reason.NOT_YET),
        ({"not_before": 0.0, "paused": True}, Reason.LINK_PAUSED),
    ):
        await doors.home.store.change_link(link.id, **fields)
        assert await refused(doors.door.send_code(token, "", MINE)) is reason
    link = await doors.home.store.change_link(link.id, paused=False)
    await doors.opens(token, await doors.code(token))
    assert await refused(doors.door.send_code(token, "", THEIRS)) is Reason.LINK_IN_USE
    await doors.home.store.change_link(link.id, serial=2)
    assert await refused(doors.door.send_code(token, "", MINE)) is Reason.LINK_REPLACED
    await doors.door.finished()
    assert doors.server.taken == []


async def test_the_answer_does_not_tell_whether_there_is_such_a_mailbox(doors: Doors) -> None:
    """Attack: the domain's link as an oracle. What the server says to the recipient comes after the answer; the owner
    finds it in the history."""
    _, _, token = await doors.link(anyone=True, domain="berkeley.edu")
    doors.server.refuses["nobody@berkeley.edu"] = "550 no such mailbox"
    there = await doors.door.send_code(token, TO, MINE)
    nobody = await doors.door.send_code(token, "nobody@berkeley.edu", MINE)
    assert (there, nobody) == ((TO, MINE.browser), ("nobody@berkeley.edu", MINE.browser))
    await doors.door.finished()
    (failed,) = doors.events(Action.CODE_UNSENT)
    # Its code, not its words: they may repeat the address where no erasure finds it.
    assert failed.name == "nobody@berkeley.edu"
    assert "(550)" in failed.detail and "no such mailbox" not in failed.detail


async def test_the_answer_does_not_wait_for_what_the_server_says_of_the_mailbox(doors: Doors) -> None:
    """Attack: the time until the answer as an oracle. The server never answers about the recipient; the page is
    answered all the same."""
    _, _, token = await doors.link(recipient=TO)
    async with serving(says({"RCPT": ""})) as port:
        mailed = mailing(doors.home, port, seconds=1)
        assert await door_with(doors.home, mailed).send_code(token, "", MINE)
        assert len(mailed._sending) == 1
        await mailed.finished()
    assert len(doors.events(Action.CODE_UNSENT)) == 1


async def test_a_gate_that_cannot_send_says_so(doors: Doors) -> None:
    """No server set, one that is away, one that takes nothing from us: `mail_unavailable`; and no try is counted
    against the address."""
    _, _, token = await doors.link(recipient=TO)
    assert await refused(door_with(doors.home, None).send_code(token, "", MINE)) is Reason.MAIL_UNAVAILABLE
    assert await refused(door_with(doors.home, None).open(token, "", MINE)) is Reason.RECIPIENT_NEEDED
    away = door_with(doors.home, mailing(doors.home, free_port()))
    for _ in range(10):
        assert await refused(away.send_code(token, "", MINE)) is Reason.MAIL_UNAVAILABLE
    doors.server.refuses["MAIL"] = "550 not from you"
    assert await refused(doors.door.send_code(token, "", MINE)) is Reason.MAIL_UNAVAILABLE
    doors.server.refuses.clear()
    assert await doors.code(token)


async def test_attack_a_mailbox_is_not_flooded(doors: Doors) -> None:
    """By browsers and networks without number, by addresses with a plus, over several links: three mails at once, then
    one in ten minutes; the refusal says when."""
    tokens = [(await doors.link(anyone=True, domain="berkeley.edu"))[2] for _ in range(2)]
    sent: list[int] = []

    async def ask() -> None:
        for at in range(100):
            comer = Comer(f"b{at}", f"192.0.{at}.7", "Firefox")
            await doors.door.send_code(tokens[at % 2], f"Ann+{at}@berkeley.edu", comer)
            sent.append(at)

    with pytest.raises(Denied) as caught:
        await ask()
    assert (len(sent), caught.value.reason, caught.value.wait) == (3, Reason.MAIL_LIMIT, 601)
    doors.home.clock.forward(601)
    await doors.door.send_code(tokens[0], TO, MINE)
    assert await refused(doors.door.send_code(tokens[0], TO, MINE)) is Reason.MAIL_LIMIT


async def test_attack_a_network_and_a_link_and_the_gate_have_limits(doors: Doors) -> None:
    """Many addresses of a domain, from one network for one link; from many networks; over many links."""
    _, _, token = await doors.link(anyone=True, domain="berkeley.edu")
    mailed = doors.mailed

    # What a mail costs is of no matter here: only whether one may be asked for.
    def asked(link: Callable[[int], str], network: Callable[[int], str]) -> int:
        for number in range(1000):
            try:
                mailed._take((f"{link(0)} {number}", link(number), network(number), ""))
            except Denied:
                return number
        return 1000

    assert asked(lambda n: "one link", lambda n: f"10.0.{n}.1") == FOR_A_LINK.burst
    assert asked(lambda n: f"a link {n}", lambda n: "192.0.2.1") == FROM_A_NETWORK.burst
    left = OF_A_GATE.burst - FOR_A_LINK.burst - FROM_A_NETWORK.burst
    assert asked(lambda n: f"one of many {n}", lambda n: f"10.1.{n}.1") == left
    assert await refused(doors.door.send_code(token, TO, MINE)) is Reason.MAIL_LIMIT


async def test_a_name_of_an_owner_or_share_reaches_a_mail_as_text(doors: Doors) -> None:
    """Attack: line breaks and reordered text in the words of a record that somebody altered: nothing is sent."""
    share, _, token = await doors.link(recipient=TO)
    await doors.home.store.change_share(share.id, name="x\r\nBcc: eve@evil.net")
    assert await refused(doors.door.send_code(token, "", MINE)) is Reason.MAIL_UNAVAILABLE
    await doors.door.finished()
    assert doors.server.taken == []


# -- what is kept -----------------------------------------------------------------------------------------------------


async def test_neither_code_nor_address_stand_in_the_records(doors: Doors, tmp_path: Path) -> None:
    """Attack: the store's file is copied. No digest in it is one of code and known words without the key."""
    _, link, token = await doors.link(anyone=True, domain="berkeley.edu")
    code = (await doors.code(token, email=TO)).replace(" ", "")
    rows = doors.home.store._reading.execute("SELECT id, body FROM mail_codes").fetchall()
    assert len(rows) == 1 and TO not in str(rows) and code not in str(rows)
    said = (code, f"{link.id}\0{TO}\0{MINE.browser_hash}\0{code}")
    assert not any(secret_hash(each) in str(rows) for each in said)


async def test_gates_with_one_key_know_each_others_codes_and_others_do_not(doors: Doors) -> None:
    """Asked for at one, typed at another; with another key it is none."""
    _, _, token = await doors.link(recipient=TO)
    other = Mailed(doors.home.store, None, doors.home.notes, b"x" * 32, "http://gate", doors.home.clock)
    code = await doors.code(token)
    shown = Shown(code=code)
    assert await refused(door_with(doors.home, other).open(token, "", MINE, shown)) is Reason.MAIL_CODE_INVALID
    same = Mailed(doors.home.store, None, doors.home.notes, b"k" * 32, "http://gate", doors.home.clock)
    assert (await door_with(doors.home, same).open(token, "", MINE, shown)).visit.email == TO


async def test_an_open_link_stays_open_to_the_owner_alone(doors: Doors) -> None:
    """The owner's preview asks for nothing."""
    _, link, _ = await doors.link(recipient=TO)
    preview = msgspec.structs.replace(link, id="preview12345", letter="zz", kind=LinkKind.PREVIEW)
    await doors.home.store.add_link(preview)
    assert (await doors.door.about(doors.home.token(preview), MINE))["needs"] == []

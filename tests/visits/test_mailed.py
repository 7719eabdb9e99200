"""Codes that are mailed: who gets in by one, and who does not. The mail server is a real one."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from sharegate.audit.events import Action
from sharegate.errors import Denied, Invalid, Reason
from sharegate.mail.model import MailServer, Security, Sender
from sharegate.mail.smtp import Smtp
from sharegate.shares.authenticate import secret_hash
from sharegate.shares.issue import NewLink
from sharegate.shares.model import ALPHABET, Link, LinkKind, Share
from sharegate.shares.passphrases import hashed
from sharegate.tally import OwnTally
from sharegate.visits.entry import Comer, Entry, badge
from sharegate.visits.join import Door
from sharegate.visits.mail_limits import MAILBOX_WAIT, TO_A_MAILBOX
from sharegate.visits.mailed import TRIES, Mailed
from sharegate.visits.passphrase import PassphraseProof
from sharegate.visits.proving import Shown
from tests.conftest import Clock
from tests.house import ADDRESSES, ANN, EVE, House, house
from tests.mail.scripted import says, serving
from tests.real.jupyter import free_port
from tests.real.mail import MailServerHere, running_mail
from tests.stores.records import a_knock

TO = "ann@berkeley.edu"
WORDS = "green bicycle 7"
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
    return mailed_by(home, Smtp(server, home.clock, **more))


def mailed_by(home: House, mailer: Smtp | None, key: bytes = b"k" * 32) -> Mailed:
    return Mailed(home.store, mailer, home.notes, key, "http://gate", home.clock, OwnTally(home.clock))


def door_with(home: House, mailed: Mailed | None) -> Door:
    sentence = home.policies.roles.sentence
    return Door(
        home.store,
        home.authenticator,
        home.notes,
        ADDRESSES,
        home.clock,
        role_sentence=sentence,
        key=b"k" * 32,
        proofs=[PassphraseProof(OwnTally(home.clock))],
        mailed=mailed,
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
    assert proved.visit == entry.visit.id
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


async def test_no_mail_goes_out_before_the_passphrase_was_shown(doors: Doors) -> None:
    """Attack: a link that asks for both is used to write to somebody. Wrong guesses count as anywhere else."""
    _, _, token = await doors.link(recipient=TO, passphrase=hashed(WORDS))
    assert await refused(doors.door.send_code(token, "", MINE)) is Reason.PASSPHRASE_NEEDED
    assert await refused(doors.door.send_code(token, "", MINE, Shown("blue bicycle 7"))) is Reason.PASSPHRASE_WRONG
    assert doors.events(Action.CODE_ASKED) == []
    await doors.door.send_code(token, "", MINE, Shown(WORDS))
    code = code_in((await doors.server.next()).text)
    entry = await doors.door.open(token, "", MINE, Shown(WORDS, code))
    assert entry.visit.email == TO and entry.visit.passphrase


async def test_a_code_is_not_spent_where_nobody_can_come_in(doors: Doors) -> None:
    """Too many wait, a name that is none, too many new visits today: the code is good afterwards."""
    _, link, token = await doors.link(anyone=True, ask=True, domain="berkeley.edu", visits=8)
    code = await doors.code(token, email=TO)
    others = [a_knock(f"k{n}", share=link.share, link=link.id, created=doors.home.clock()) for n in range(32)]
    for knock in others:
        await doors.home.store.add_knock(knock, limit=32)
    shown = Shown(code=code, email=TO)
    assert await refused(doors.door.knock_by_link(token, "Ann", False, MINE, shown)) is Reason.JOIN_LIMIT
    await doors.home.knocks.refuse("k7")
    with pytest.raises(Invalid):
        await doors.door.knock_by_link(token, " \u200b ", False, MINE, shown)
    assert await doors.door.knock_by_link(token, "Ann", False, MINE, shown)


async def test_what_was_proved_with_a_knock_is_kept_with_it_and_with_the_visit(doors: Doors) -> None:
    """The history knows to which knock a code belongs; another recipient puts out whoever was admitted by the old."""
    _, link, token = await doors.link(ask=True, recipient=TO)
    code = await doors.code(token)
    waiting = await doors.door.knock_by_link(token, "Ann", False, MINE, Shown(code=code))
    (knock,) = await doors.home.store.knocks()
    (proved,) = doors.events(Action.CODE_PROVED)
    assert (knock.email, proved.detail, proved.name) == (TO, waiting.knock, TO) and TO not in repr(knock)
    _, visit = await doors.home.knocks.admit(waiting.knock, None)
    assert visit.email == TO and badge(link, visit) == f"✓ {TO}"
    entry = (await doors.door.knock_state(waiting.knock, MINE)).entry
    assert entry is not None
    place = (entry.share.id, entry.visit.id, [entry.cookie], MINE.address)
    await doors.home.authenticator.by_cookie(*place)
    await doors.home.store.change_link(link.id, recipient="bo@berkeley.edu")
    assert await refused(doors.home.authenticator.by_cookie(*place)) is Reason.RECIPIENT_NEEDED


async def test_whoever_was_put_out_or_forgotten_while_they_proved_stays_so(doors: Doors) -> None:
    """Their visit gets neither the address nor a new cookie."""
    _, link, token = await doors.link()
    before = await doors.door.open(token, "", MINE)
    await doors.home.store.change_link(link.id, recipient=TO)
    code = await doors.code(token)
    proving = doors.mailed.prove

    async def meanwhile(*arguments: Any, **more: Any) -> dict[str, str]:
        proved = await proving(*arguments, **more)
        await doors.home.store.end_visits([before.visit.id], at=doors.home.clock(), reason="erased")
        await doors.home.store.forget(visits=[before.visit.id], links=[], knocks=[])
        return proved

    doors.mailed.prove = meanwhile  # type: ignore[method-assign]
    assert await refused(doors.opens(token, code)) is Reason.VISIT_ENDED
    visit = await doors.home.store.visit(before.visit.id)
    assert visit is not None and (visit.email, visit.cookie_hash) == ("", "")


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
    """By browsers and networks without number, by addresses with a plus, over several links: so many mails, and the
    refusal says nothing of how many others asked."""
    tokens = [(await doors.link(anyone=True, domain="berkeley.edu"))[2] for _ in range(4)]
    sent: list[int] = []

    async def ask() -> None:
        for at in range(100):
            comer = Comer(f"b{at}", f"192.0.{at}.7", "Firefox")
            await doors.door.send_code(tokens[at % 4], f"Ann+{at}@berkeley.edu", comer)
            sent.append(at)

    with pytest.raises(Denied) as caught:
        await ask()
    assert (len(sent), caught.value.reason, caught.value.wait) == (TO_A_MAILBOX.burst, Reason.MAIL_LIMIT, MAILBOX_WAIT)


async def test_attack_who_has_a_domains_link_keeps_nobody_from_their_mail(doors: Doors) -> None:
    """Eve asks for codes to Ann's mailbox until she is refused, with each of her networks. Ann gets hers by this link;
    and by another one even when Eve has very many networks."""
    _, _, token = await doors.link(anyone=True, domain="berkeley.edu")
    _, _, other = await doors.link(recipient=TO)
    for network in range(2):
        eve = replace(THEIRS, address=f"198.51.{network}.9")
        for _ in range(3):
            await doors.door.send_code(token, TO, eve)
        assert await refused(doors.door.send_code(token, TO, eve)) is Reason.MAIL_LIMIT
    assert await doors.door.send_code(token, TO, MINE)
    for network in range(2, 20):
        with contextlib.suppress(Denied):
            await doors.door.send_code(token, TO, replace(THEIRS, address=f"198.51.{network}.9"))
    assert await refused(doors.door.send_code(token, TO, MINE)) is Reason.MAIL_LIMIT
    await doors.door.finished()
    doors.server.taken.clear()
    assert (await doors.opens(other, await doors.code(other))).visit.email == TO


async def test_a_class_behind_one_address_proves_its_addresses_within_a_minute(doors: Doors) -> None:
    """Sixty people, one link, one network: each looks, asks for a code, mistypes it once and is in."""
    _, link, token = await doors.link(anyone=True, domain="berkeley.edu", visits=60)
    for number in range(60):
        comer, email = replace(MINE, browser=f"browser-{number}"), f"n{number}@berkeley.edu"
        assert (await doors.door.about(token, comer))["state"] == "open"
        code = await doors.code(token, comer, email)
        assert await refused(doors.opens(token, "2222 2222", comer, email, "N")) is Reason.MAIL_CODE_INVALID
        await doors.opens(token, code, comer, email, "N")
    assert len(await doors.home.store.visits(link.share, open_only=True)) == 60


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
    other = mailed_by(doors.home, None, b"x" * 32)
    code = await doors.code(token)
    shown = Shown(code=code)
    assert await refused(door_with(doors.home, other).open(token, "", MINE, shown)) is Reason.MAIL_CODE_INVALID
    same = mailed_by(doors.home, None)
    assert (await door_with(doors.home, same).open(token, "", MINE, shown)).visit.email == TO


async def test_an_open_link_stays_open_to_the_owner_alone(doors: Doors) -> None:
    """The owner's preview asks for nothing."""
    _, link, _ = await doors.link(recipient=TO)
    preview = msgspec.structs.replace(link, id="preview12345", letter="zz", kind=LinkKind.PREVIEW)
    await doors.home.store.add_link(preview)
    assert (await doors.door.about(doors.home.token(preview), MINE))["needs"] == []

"""Codes that are mailed, by which somebody shows that they read a mailbox.

A code belongs to one link, one address and the browser that asked for it. What is stored of it is a keyed digest: with
38 bits a code could be found from a plain digest within seconds, whatever salt stands beside it; a slow one would cost
the gate what it costs a thief, for each guess of a stranger. The key lies with the other keys and in no store, so that
who reads the records alone learns neither codes nor addresses. Against guessing at the door there are five tries,
counted in the store for all gates, and few mails.

Whoever asks is told nothing about the mailbox: they are answered when the mail server takes mail from us at all, before
it has heard whom it is for. What becomes of the mail, the owner reads in the history.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Invalid, Reason, StoreUnavailable, Unsent
from sharegate.mail.interfaces import Mailer, Sending
from sharegate.mail.model import Message, masked
from sharegate.mail.words import code_message
from sharegate.shares.authenticate import secret_hash
from sharegate.shares.conditions import Need, clean_email, email_fits
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import ALPHABET, Link, MailCode, Share, new_id
from sharegate.tally import Tally
from sharegate.visits.entry import Comer
from sharegate.visits.mail_limits import MailLimits
from sharegate.visits.proving import Shown

log = logging.getLogger("sharegate.visits")

MINUTES = 10
TRIES = 5
_LENGTH = 8
_LONGEST_TYPED = 40


class Mailed:
    """Sends codes and takes them; implements Proof. Without a `mailer` none can be sent. `key` is a secret that all
    gates of a store have; `gate` is the address of this one. `tally` counts mails over all of them."""

    need = Need.EMAIL

    def __init__(
        self,
        store: ShareStore,
        mailer: Mailer | None,
        trail: Recorder,
        key: bytes,
        gate: str,
        now: Callable[[], float],
        tally: Tally,
    ) -> None:
        self._store = store
        self._mailer = mailer
        self._trail = trail
        self._key = hmac.digest(key, b"sharegate mailed codes", "sha256")
        self._gate = gate
        self._now = now
        self._limits = MailLimits(tally)
        self._sending: set[asyncio.Task[None]] = set()

    # -- asking -----------------------------------------------------------------------------------------------------

    async def send(self, share: Share, link: Link, typed: str, comer: Comer) -> str:
        """Mail a new code, for the browser of `comer`: to the link's own recipient, or to the address that was typed.
        The code before does not work any more. Returns the address, masked unless it was typed.

        Raises Denied: `bad_body`, `other_domain`, `mail_unavailable`, `mail_limit` (with `wait`).
        """
        email = address(link, typed)
        if self._mailer is None:
            raise Denied(Reason.MAIL_UNAVAILABLE, "no mail server is set")
        taken = await self._limits.take(email, link.id, comer.address)
        try:
            sending, message = await self._begin(share, link, email, comer)
        except BaseException:
            await taken.give_back()  # nobody was written to
            raise
        task = asyncio.create_task(self._deliver(sending, message, link, comer, email), name="mailing a code")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return masked(email) if link.recipient else email

    async def _begin(self, share: Share, link: Link, email: str, comer: Comer) -> tuple[Sending, Message]:
        """A mail server that takes mail from us, and a code that is kept and recorded, in a message to `email`."""
        assert self._mailer is not None
        code = new_id(_LENGTH).upper()
        try:
            message = code_message(email, code, owner=share.owner, share=share.name, gate=self._gate, minutes=MINUTES)
        except Invalid as invalid:
            raise Denied(Reason.MAIL_UNAVAILABLE, f"{invalid.field} {invalid.problem}") from None
        try:
            sending = await self._mailer.begin()
        except Unsent as unsent:  # fails closed: who has no code does not get in
            log.warning("%s. %s", unsent, unsent.remedy)
            raise Denied(Reason.MAIL_UNAVAILABLE, str(unsent)) from None
        try:
            await self._store.put_mail_code(
                MailCode(
                    id=_place(link, comer),
                    code_hash=self._digest(link, email, comer, code),
                    expires=self._now() + MINUTES * 60,
                )
            )
            await self._record(Action.CODE_ASKED, link, comer, email)
        except BaseException:
            await sending.end()
            raise
        return sending, message

    async def finished(self) -> None:
        """Wait for what is being sent, which takes seconds at most."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def _deliver(self, sending: Sending, message: Message, link: Link, comer: Comer, email: str) -> None:
        try:
            await sending.deliver(message)
        except Unsent as unsent:
            log.warning("a code was not sent: %s. %s", unsent.brief, unsent.remedy)
            try:
                await self._record(Action.CODE_UNSENT, link, comer, email, failed=unsent.brief)
            except StoreUnavailable:
                pass  # fails open: nobody gets in by a mail that was not sent
        except Exception:  # fails closed: without the mail nobody has the code
            log.exception("mailing a code")

    # -- taking -----------------------------------------------------------------------------------------------------

    async def prove(self, link: Link, shown: Shown, comer: Comer, *, known: bool) -> dict[str, str]:
        """`Visit.email`. Takes the code, once.

        Denied: `recipient_needed` when none was shown; `mail_code_invalid`, one and the same, for one that is wrong,
        spent, expired, of another link, address or browser, or guessed at too often; `other_domain`, `bad_body`.
        """
        if not shown.code:
            raise Denied(Reason.RECIPIENT_NEEDED)
        email = address(link, shown.email)
        typed = "".join(char for char in shown.code[:_LONGEST_TYPED].upper() if char.isalnum())
        plain = len(typed) == _LENGTH and set(typed.lower()) <= set(ALPHABET)
        right = (
            plain
            and bool(comer.browser)
            and await self._store.try_mail_code(
                _place(link, comer), self._digest(link, email, comer, typed), at=self._now(), tries=TRIES
            )
        )
        if not right:
            raise Denied(Reason.MAIL_CODE_INVALID)
        await self._record(Action.CODE_PROVED, link, comer, email)
        return {"email": email}

    def _digest(self, link: Link, email: str, comer: Comer, code: str) -> str:
        said = "\0".join((link.id, email, comer.browser_hash, code))
        return hmac.digest(self._key, said.encode(), "sha256").hex()

    async def _record(self, action: Action, link: Link, comer: Comer, email: str, *, failed: str = "") -> None:
        await self._trail.record(
            AuditEvent(
                action=action,
                outcome=Outcome.FAILED if failed else Outcome.ALLOWED,
                actor="stranger",
                share=link.share,
                link=link.id,
                visit=comer.visit,
                detail=failed or comer.knock,
                name=email,
                address=comer.address,
                agent=comer.agent,
            )
        )


def address(link: Link, typed: str) -> str:
    """Whose mailbox is to be shown: the link's recipient, or the one that was typed, if the link is for such. Raises
    Denied (`bad_body`, `other_domain`)."""
    if link.recipient:
        return link.recipient
    try:
        email = clean_email(typed, "email")
    except Invalid:
        raise Denied(Reason.BAD_BODY, "no e-mail address") from None
    if not email_fits(link, email):
        raise Denied(Reason.OTHER_DOMAIN)
    return email


def asked(link: Link) -> dict[str, str]:
    """What the door's page tells of the address that is wanted."""
    return {"to": masked(link.recipient) if link.recipient else "", "domain": link.domain}


def _place(link: Link, comer: Comer) -> str:
    """Of the one code that a browser may have for a link. Another browser's stays: who has the link, too, must not be
    able to spend what somebody is just typing."""
    return secret_hash(f"{link.id}\0{comer.browser_hash}")

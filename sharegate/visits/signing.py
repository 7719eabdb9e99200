"""Signing in at the door, with an account at the gate's provider (sharegate/oidc).

The door's page hands over its link and leaves; what it was about waits in a sealed cookie of the browser. The provider
sends the browser back to one address of the gate, which looks at the answer and leads to the door again. With which
account somebody signed in stands in a second sealed cookie, for ten minutes, for this link and this browser: opening is
a click like any other.

With hosts of their own for shares the provider still knows one address, the gate's: from there the answer goes on to
the share's host, where the cookie is. The state begins with the share's id, and leads nowhere but to hosts of shares.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Reason
from sharegate.mail.model import masked
from sharegate.oidc.flow import SECONDS, Asked, Flow
from sharegate.oidc.model import EMAIL, GROUPS, Person
from sharegate.oidc.sealed import Seal
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.asking import of_one
from sharegate.shares.conditions import Need, account_fits
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Account, Link
from sharegate.visits.entry import Comer
from sharegate.visits.proving import Shown

_STATE = re.compile(r"([a-z0-9]{1,40})\.[A-Za-z0-9_-]{16,64}\Z")
# What a token of ours never is longer than; more would not fit a cookie.
_LONGEST_TOKEN = 1500


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in the browser while somebody is at the provider."""

    asked: Asked
    token: str
    link: str
    share: str
    browser: str


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed in, for which link, in which browser; or why nobody did."""

    link: str
    browser: str
    until: float
    issuer: str = ""
    subject: str = ""
    email: str = ""
    group: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Returned:
    """The address of the door to which the browser goes after the provider, link and all, and the value of the cookie
    that says who it is. Secrets."""

    share: str
    door: str = field(repr=False)
    signed: str = field(repr=False)


class Signing:
    """Sends people to the provider and takes what they come back with; implements Proof. Without a `flow` nobody signs
    in. `key` is a secret that all gates of a store have."""

    need = Need.ACCOUNT

    def __init__(
        self,
        store: ShareStore,
        trail: Recorder,
        addresses: GateAddresses,
        key: bytes,
        now: Callable[[], float],
        flow: Flow | None,
    ) -> None:
        self._store = store
        self._trail = trail
        self._addresses = addresses
        self._now = now
        self._flow = flow
        self._questions = Seal(key, "asked at the door")
        self._answers = Seal(key, "signed in at the door")

    # -- leaving ----------------------------------------------------------------------------------------------------

    async def begin(self, link: Link, token: str, comer: Comer, *, again: bool) -> tuple[str, str]:
        """The provider's address, and the value of the cookie that waits for the answer. Denied
        (`sign_in_unavailable`)."""
        if self._flow is None:
            raise Denied(Reason.SIGN_IN_UNAVAILABLE, "no provider of accounts is set")
        if len(token) > _LONGEST_TOKEN:
            raise Denied(Reason.BAD_BODY, "no token of ours")
        mark = f"{link.share}." if self._addresses.share_hosts else ""
        url, asked = await self._flow.begin(mark=mark, again=again)
        question = _Question(asked=asked, token=token, link=link.id, share=link.share, browser=comer.browser_hash)
        return url, self._questions.close(question)

    # -- coming back ------------------------------------------------------------------------------------------------

    def onward(self, state: str) -> str:
        """Of an answer that came to the gate's own host: the share's origin to which it goes on, "" for none."""
        match = _STATE.match(state)
        if match is None or not self._addresses.share_hosts:
            return ""
        return self._addresses.of(match[1]).origin

    async def finish(self, kept: str, answer: Mapping[str, str], comer: Comer) -> Returned:
        """Back to the door, with whom the provider says it is; or with why not, which the door's page tells. Denied
        (`sign_in_failed`) for an answer to what this browser did not ask: nothing is looked at, and what waits goes on
        waiting."""
        question = self._questions.open(kept, _Question)
        if question is None or comer.share not in ("", question.share):
            raise Denied(Reason.SIGN_IN_FAILED, "an answer to no question")
        given = answer.get("state", "").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(given, question.asked.state.encode()):
            raise Denied(Reason.SIGN_IN_FAILED, "an answer to another question")
        link = await self._store.link(question.link)
        if link is None or self._flow is None:
            raise Denied(Reason.SIGN_IN_UNAVAILABLE, "the link or the provider is gone")
        until = self._now() + SECONDS
        try:
            person = await self._flow.finish(question.asked, answer, _needs(link))
            found = _Answer(
                link=link.id,
                browser=question.browser,
                until=until,
                issuer=person.issuer,
                subject=person.subject,
                email=person.email,
                group=_group(link, person),
            )
        except Denied as denied:
            await self._record(Action.ACCOUNT_FAILED, link, comer, reason=denied)
            found = _Answer(link=link.id, browser=question.browser, until=until, problem=denied.reason.value)
        door = self._addresses.of(link.share).link(question.token)
        return Returned(link.share, door, self._answers.close(found))

    # -- showing ----------------------------------------------------------------------------------------------------

    def about(self, link: Link, comer: Comer) -> dict[str, object]:
        """What the door's page tells of signing in: where, with which account, and whether somebody has."""
        found = self._found(link, comer)
        account = _account(found)
        return {
            "provider": self._flow.name if self._flow is not None else "",
            "to": masked(link.account) if of_one(link.account) and "@" in link.account else "",
            "domain": link.account.removeprefix("*@") if link.account.startswith("*@") else "",
            "signed": account.shown if account is not None else "",
            "fits": account_fits(link, account),
            "problem": found.problem if found is not None else "",
        }

    async def prove(self, link: Link, shown: Shown, comer: Comer, *, known: bool) -> dict[str, Account]:
        """`Visit.account`. A link for one address becomes theirs who show it first: from then on it is for their
        subject, whatever address they have. Denied: `account_needed`, `other_account`."""
        account = _account(self._found(link, comer))
        if account is None:
            raise Denied(Reason.ACCOUNT_NEEDED)
        if not account_fits(link, account):
            raise Denied(Reason.OTHER_ACCOUNT)
        if of_one(link.account) and not link.subject:
            still = {"account": link.account, "issuer": link.issuer, "subject": ""}
            try:
                await self._store.change_link(link.id, was=still, subject=account.subject)
            except ValueError:  # at the same moment it became somebody's, or for somebody else
                now = await self._store.link(link.id)
                if now is None or not account_fits(now, account):
                    raise Denied(Reason.OTHER_ACCOUNT) from None
        await self._record(Action.ACCOUNT_PROVED, link, comer, name=account.shown)
        return {"account": account}

    def _found(self, link: Link, comer: Comer) -> _Answer | None:
        """What stands in the browser's cookie, if it is for this link and this browser, and not too old."""
        found = self._answers.open(comer.signed, _Answer) if comer.signed else None
        if found is None or not comer.browser or found.link != link.id or found.until <= self._now():
            return None
        return found if hmac.compare_digest(found.browser, comer.browser_hash) else None

    async def _record(
        self, action: Action, link: Link, comer: Comer, *, name: str = "", reason: Denied | None = None
    ) -> None:
        await self._trail.record(
            AuditEvent(
                action=action,
                outcome=Outcome.DENIED if reason else Outcome.ALLOWED,
                actor="stranger",
                share=link.share,
                link=link.id,
                visit=comer.visit,
                reason=reason.reason.value if reason else "",
                detail=reason.detail if reason else comer.knock,
                name=name,
                address=comer.address,
                agent=comer.agent,
            )
        )


def _account(found: _Answer | None) -> Account | None:
    if found is None or not found.subject:
        return None
    return Account(found.issuer, found.subject, found.email, found.group)


def _needs(link: Link) -> frozenset[str]:
    """What of an account the link goes by, besides whose it is."""
    if link.account.startswith("group:"):
        return frozenset({GROUPS})
    return frozenset({EMAIL} if "@" in link.account and not link.account.startswith("sub:") else ())


def _group(link: Link, person: Person) -> str:
    """Of all groups that somebody is in, the one that matters here."""
    wanted = link.account.removeprefix("group:") if link.account.startswith("group:") else ""
    return wanted if wanted and wanted in person.groups else ""

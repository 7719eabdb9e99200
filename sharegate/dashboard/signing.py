"""Signing in to the dashboard with an account: who is the owner of this gate, who is an admin, and who is neither.

The settings say it, of what the provider says of somebody: its subject, an address that it has checked, its groups.
What is known when they sign in holds for the session, which ends after some hours whatever is done in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.login import Logins, Session, Viewer
from sharegate.errors import Denied, Reason
from sharegate.oidc.flow import SECONDS, Asked, Flow
from sharegate.oidc.model import EMAIL, GROUPS, Person
from sharegate.oidc.sealed import Seal


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    asked: Asked


class SignIn:
    """`owner` is whose gate this is; `owners` are the accounts that are theirs (addresses, or `sub:SUBJECT`), `groups`
    those of admins. `key` is a secret of the gate's. `sign_out` is where the provider sends a browser that has signed
    out; "": signing out is not told to it."""

    def __init__(
        self,
        flow: Flow,
        logins: Logins,
        trail: Recorder,
        key: bytes,
        now: Callable[[], float],
        *,
        owner: str,
        owners: tuple[str, ...],
        groups: tuple[str, ...],
        hours: int,
        sign_out: str = "",
    ) -> None:
        self._flow = flow
        self._logins = logins
        self._trail = trail
        self._seal = Seal(key, "asked at the dashboard")
        self._now = now
        self._owner = owner
        self._owners = frozenset(one if one.startswith("sub:") else one.strip().lower() for one in owners)
        self._groups = frozenset(groups)
        self._seconds = hours * 3600.0
        self._sign_out = sign_out
        by_address = any(not one.startswith("sub:") for one in self._owners)
        self._needs = frozenset({*([EMAIL] if by_address else []), *([GROUPS] if groups else [])})

    @property
    def name(self) -> str:
        """What the button calls the provider; "" where the settings let nobody in."""
        return self._flow.name if self._owners or self._groups else ""

    async def begin(self) -> tuple[str, str]:
        """The provider's address, and the value of the cookie that waits. Denied(`sign_in_unavailable`)."""
        if not self.name:
            raise Denied(Reason.SIGN_IN_UNAVAILABLE, "oidc_owner and oidc_admin_groups name nobody")
        url, asked = await self._flow.begin()
        return url, self._seal.close(_Question(asked=asked))

    async def finish(self, kept: Sequence[str], answer: Mapping[str, str], address: str, account: int | None) -> str:
        """The value of the cookie of a new session from that account. `kept` are the cookies that waited: more than
        one, where another page has set one too. Denied: `sign_in_failed`, `sign_in_unavailable`, `other_account`."""
        asked = [each for value in kept if (each := self._seal.open(value, _Question)) is not None]
        # What has run out waits for nothing. Of two that wait, nobody knows which this browser asked.
        asked = [each for each in asked if each.asked.at + SECONDS >= self._now()] or asked[:1]
        question = asked[0] if asked else None
        try:
            if len(asked) > 1:
                raise Denied(Reason.SIGN_IN_FAILED, "two questions at once")
            person = await self._flow.finish(question.asked if question is not None else None, answer, self._needs)
            viewer = self._viewer(person)
        except Denied as denied:
            if question is not None:
                await self._record(Action.DASHBOARD_REFUSED, "stranger", address, denied.detail, Outcome.DENIED)
            raise
        await self._record(
            Action.DASHBOARD_ENTERED,
            "owner" if viewer.owner else "admin",
            address,
            "as owner and admin" if viewer.owner and viewer.admin else "as owner" if viewer.owner else "as admin",
            Outcome.ALLOWED,
            name=viewer.name,
        )
        return self._logins.begin(viewer, until=self._now() + self._seconds, signed=person.token, account=account)

    async def leave(self, session: Session) -> str:
        """Where a browser goes that has signed out: to the provider, where it signed in there; "" for nowhere else."""
        if session.signed is None or not self._sign_out:
            return ""
        return await self._flow.leave(session.signed, self._sign_out)

    def _viewer(self, person: Person) -> Viewer:
        """Deny by default: who is neither owner nor admin has no business here."""
        theirs = {f"sub:{person.subject}", *([person.email] if person.email else [])}
        owner = bool(theirs & self._owners)
        admin = bool(person.groups & self._groups)
        if not owner and not admin:
            raise Denied(Reason.OTHER_ACCOUNT, "neither the owner nor an admin")
        return Viewer(person.email or person.subject[:80], admin=admin, owner=self._owner if owner else "")

    async def _record(
        self, action: Action, actor: str, address: str, detail: str, outcome: Outcome, *, name: str = ""
    ) -> None:
        more: dict[str, Any] = {"name": name, "address": address, "detail": detail}
        await self._trail.record(AuditEvent(action=action, outcome=outcome, actor=actor, **more))

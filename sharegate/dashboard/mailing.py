"""The owner's verb on mail: whether the gate can send any. And what is refused where it cannot."""

from __future__ import annotations

from typing import Any

import msgspec

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.interfaces import GateFacts
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import gate
from sharegate.errors import Refused, Unsent
from sharegate.mail.interfaces import Mailer
from sharegate.mail.model import MailServer, check_mailbox
from sharegate.mail.words import test_message

Finding = dict[str, str]


class TestMailBody(msgspec.Struct, forbid_unknown_fields=True):
    address: str


class Mailing:
    """`mail/test`. Without a `mailer` the gate sends no mail."""

    def __init__(self, mailer: Mailer | None, server: MailServer | None, facts: GateFacts, trail: Recorder) -> None:
        self._mailer = mailer
        self._server = server
        self._facts = facts
        self._trail = trail

    def table(self) -> list[Route]:
        return [
            Route(
                "POST",
                "mail/test",
                self._test,
                "Send a mail to see whether the gate can",
                Only.PERSON,
                gate.MailTested,
                body=TestMailBody,
                who=Who.ADMIN,
            )
        ]

    @property
    def able(self) -> bool:
        """Whether the gate knows a mail server."""
        return self._mailer is not None

    def needed(self) -> Mailer:
        """Raises Refused(`mail_off`)."""
        if self._mailer is None:
            raise Refused(
                "mail_off",
                "this gate sends no mail: it knows no mail server",
                "Set smtp_host and mail_from, then try it out: sharegate mail test you@example.org",
            )
        return self._mailer

    async def findings(self) -> list[Finding]:
        """For `doctor`: whether the server would take mail from us now. None is sent."""
        if self._mailer is None:
            return []
        try:
            await self._mailer.look()
        except Unsent as unsent:
            return [{"level": "fail", "what": f"No mail can be sent: {unsent}", "remedy": unsent.remedy}]
        return [{"level": "ok", "what": f"Mail goes out by {self._server}", "remedy": ""}]

    async def _test(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        address = check_mailbox(msgspec.convert(body, TestMailBody).address.strip(), "address")
        mailer = self.needed()
        message = test_message(address, owner=self._facts.owner, gate=self._facts.gate_url)
        failed = ""
        try:
            await mailer.send(message)
        except Unsent as unsent:
            failed = str(unsent)
            raise
        finally:
            await self._trail.record(
                AuditEvent(
                    action=Action.MAIL_TESTED,
                    outcome=Outcome.FAILED if failed else Outcome.ALLOWED,
                    actor="owner",
                    name=address,
                    detail=failed,
                )
            )
        return {"address": address, "server": str(self._server), "sender": self._server and self._server.sender.address}

"""What visitors reported of shares, for the admins: the list, and closing one with a note, or opening it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.overviews import Numbered
from sharegate.dashboard.queries import WhichReports
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import said
from sharegate.dashboard.views import Views, shortest
from sharegate.errors import NotFound, Refused
from sharegate.names import clean_message
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import own_words, standing
from sharegate.shares.reports import MEANINGS, Report

MAX_NOTE = 500
Json = dict[str, Any]


class CloseBody(msgspec.Struct, forbid_unknown_fields=True):
    """What came of it, for the other admins."""

    note: str = ""


class Reports:
    """`reports`. A report never names a secret, and its words are a stranger's: whoever shows them escapes them."""

    def __init__(
        self, *, acts: Acts, store: ShareStore, views: Views, trail: Recorder, now: Callable[[], float]
    ) -> None:
        self._acts = acts
        self._store = store
        self._views = views
        self._trail = trail
        self._now = now

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "reports",
                self._listed,
                "What visitors reported of shares",
                Only.PERSON,
                said.Reports,
                query=WhichReports,
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "reports/{id}/{verb:close}",
                self._close,
                "Say that a report is dealt with",
                Only.PERSON,
                said.OneReport,
                body=CloseBody,
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "reports/{id}/{verb:reopen}",
                self._reopen,
                "Open a report again",
                Only.PERSON,
                said.OneReport,
                who=Who.ADMIN,
            ),
        ]

    async def _listed(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        """`GET reports[?all=1][&share=]`, the newest first."""
        everything = await self._store.reports(share=query.get("share", ""))
        labels = shortest(one.id for one in everything)
        shown = [one for one in reversed(everything) if query.get("all") == "1" or one.closed is None]
        asked = Numbered.of(query, max(1, len(shown)), len(shown))
        return {
            "reports": [
                await self._view(one, labels[one.id]) for one in shown[asked.begin : asked.begin + asked.limit]
            ],
            "open": sum(one.closed is None for one in everything),
            **asked.told,
        }

    async def _close(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        note = own_words("note", msgspec.convert(body, CloseBody).note, MAX_NOTE, clean_message)
        report = await self._report(parts["id"])
        if report.closed is not None:
            raise Refused("changed", "this report is closed already", "Look at it again")
        return await self._changed(report, Action.REPORT_CLOSED, closed=self._now(), note=note)

    async def _reopen(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        report = await self._report(parts["id"])
        if report.closed is None:
            raise Refused("changed", "this report is open", "Look at it again")
        return await self._changed(report, Action.REPORT_REOPENED, closed=None)

    async def _changed(self, report: Report, action: Action, **fields: Any) -> Json:
        try:
            changed = await self._store.change_report(report.id, was={"closed": report.closed}, **fields)
        except ValueError:
            raise Refused("changed", "somebody else was faster", "Look at it again") from None
        before = {name: getattr(report, name) for name in fields}
        async with self._acts.taken_back(
            lambda: self._store.change_report(report.id, was={"closed": changed.closed}, **before)
        ):
            await self._trail.record(AuditEvent(action=action, actor="admin", detail=report.id))
        everything = await self._store.reports()
        return {"report": await self._view(changed, shortest(one.id for one in everything)[changed.id])}

    async def _report(self, id: str) -> Report:
        report = await self._store.report(id)
        if report is None:
            raise NotFound("report", id)
        return report

    async def _view(self, report: Report, label: str) -> Json:
        share = await self._store.share(report.share)
        link = await self._store.link(report.link)
        visit = await self._store.visit(report.visit) if report.visit else None
        return {
            "id": report.id,
            "label": label,
            "share": report.share,
            "share_name": share.name if share else "",
            "share_state": standing(share, self._now()) if share else "",
            "owner": share.owner if share else "",
            "link_label": await self._views.link_label(link) if link else "",
            "link_name": link.name if link else "",
            "visit": report.visit,
            "visit_label": await self._views.visit_label(visit) if visit else "",
            "name": report.name,
            "address": report.address,
            "concern": report.concern,
            "concern_words": MEANINGS[report.concern],
            "text": report.text,
            "created": report.created,
            "state": "open" if report.closed is None else "closed",
            "closed": report.closed,
            "note": report.note,
        }

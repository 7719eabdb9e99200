"""*Report this share*: a visitor tells the admins that something looks wrong. They are thanked and told nothing else.

Where a report came from is for the admins alone: the trail's entry, which owners read too, says that there is one and
what it is about, not of which share, nor by whom.
"""

from __future__ import annotations

from collections.abc import Callable

from sharegate.audit.bounds import truncated, whole
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate, network
from sharegate.names import clean_message
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Link, Share, Visit, new_id
from sharegate.shares.reports import MAX_TEXT, Concern, Report
from sharegate.visits.unrecorded import Unrecorded

# From one network about one share, and about all that are here.
OF_A_SHARE = Rate(per=3, seconds=3600, burst=3)
OF_ALL = Rate(per=10, seconds=3600, burst=10)
# That wait for an admin.
PER_SHARE = 25
OVERALL = 500


class Reporting:
    """`pace` is the clock of the limits, where that is another than the time of day."""

    def __init__(
        self,
        store: ShareStore,
        trail: Recorder,
        now: Callable[[], float],
        *,
        full_addresses: bool = False,
        pace: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._trail = trail
        self._now = now
        self._kept = whole if full_addresses else truncated
        self._of_a_share = Buckets(OF_A_SHARE, pace or now)
        self._of_all = Buckets(OF_ALL, pace or now)
        self._unrecorded = Unrecorded()

    async def report(
        self, share: Share, link: Link, visit: Visit | None, address: str, concern: str, text: str
    ) -> None:
        """Of whoever has the link, or held the visit. Said again while it waits, it is one report.

        Raises Denied: `bad_body` (no concern of the list, a text that is too long), `report_limit`.
        """
        try:
            about = Concern(concern)
        except ValueError:
            raise Denied(Reason.BAD_BODY, "no concern of the list") from None
        if len(text) > MAX_TEXT:
            raise Denied(Reason.BAD_BODY, f"text: more than {MAX_TEXT} characters")
        place = network(address)
        self._of_all.take(place, 1, Reason.REPORT_LIMIT)
        self._of_a_share.take(f"{place} {share.id}", 1, Reason.REPORT_LIMIT)
        report = Report(
            id=new_id(),
            share=share.id,
            link=link.id,
            visit=visit.id if visit is not None else "",
            concern=about,
            text=clean_message(text, MAX_TEXT),
            name=visit.name if visit is not None else "",
            address=self._kept(address),
            created=self._now(),
        )
        await self._unrecorded.whole(self._made(report))

    async def _made(self, report: Report) -> None:
        await self._unrecorded.settle()
        if not await self._store.add_report(report, per_share=PER_SHARE, overall=OVERALL):
            return
        async with self._unrecorded.taken_back(lambda: self._taken_back(report)):
            event = AuditEvent(action=Action.REPORT_MADE, actor="visitor", detail=f"{report.id} {report.concern.value}")
            await self._trail.record(event)

    async def _taken_back(self, report: Report) -> None:
        """Nobody was thanked for it, and it may be told again."""
        gone = {"closed": self._now(), "note": "could not be recorded", "text": "", "name": "", "address": ""}
        await self._store.change_report(report.id, was={"closed": None}, **gone)

    async def finished(self) -> None:
        """Wait for what those who hung up began."""
        await self._unrecorded.finished()

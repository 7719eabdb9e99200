"""Which page stands at which address of the dashboard.

A page asks the owner's API, like the command line, for what it shows: whatever a page tells or does can be had by
commands and programs too, and is decided in one place.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sharegate.dashboard.asking import Who
from sharegate.dashboard.login import Session
from sharegate.dashboard.pages import (
    admin,
    comparing,
    given,
    guarding,
    history,
    new,
    notifying,
    passing,
    proving,
    reports,
    review,
    share,
    tokens,
    versions,
    wall,
)
from sharegate.dashboard.pages import now as now_page
from sharegate.dashboard.pages.render import assets, page
from sharegate.dashboard.pages.source import Asks, Json, NotShown, Source
from sharegate.dashboard.refusals import refusal_of
from sharegate.dashboard.routes import not_admin
from sharegate.messages import Response
from sharegate.visits.pages.assets import Assets

Values = Callable[[Source, dict[str, str]], Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class _Address:
    pattern: re.Pattern[str]
    template: str
    values: Values = field(repr=False)
    who: Who


# Address, template, and where its values come from. The parts of an address have names.
_SHARE = r"/shares/(?P<id>[a-z0-9]{1,40})"
PAGES: tuple[tuple[str, str, Values], ...] = (
    ("/", "now.html", now_page.values),
    ("/new", "new.html", new.values),
    ("/new/server", "server.html", new.servers),
    ("/new/teams", "teams.html", new.teams),
    (rf"{_SHARE}/given", "given.html", given.values),
    (rf"{_SHARE}(?:/people)?", "share_people.html", share.tab("people", share.people)),
    (rf"{_SHARE}/links", "share_links.html", share.tab("links", share.links)),
    (rf"{_SHARE}/versions", "share_versions.html", share.tab("versions", share.versions)),
    (rf"{_SHARE}/history", "share_history.html", share.tab("history", share.history)),
    (rf"{_SHARE}/settings", "share_settings.html", share.tab("settings", share.settings)),
    (rf"{_SHARE}/prove", "prove.html", proving.values),
    (r"/links/(?P<id>[a-z0-9]{1,40})/code", "wall.html", wall.values),
    ("/compare", "compare.html", comparing.values),
    (r"/versions/(?P<id>[A-Za-z0-9_-]{1,40})", "version.html", versions.version),
    (r"/undo/(?P<id>[A-Za-z0-9_-]{1,40})", "undo.html", versions.undo),
    ("/history", "history.html", history.values),
    ("/history/intact", "history_intact.html", history.intact),
    ("/history/kept", "history_kept.html", history.kept),
    (rf"{_SHARE}/passing", "passing.html", passing.values),
)
# What is for admins alone: all of it, and nothing else, stands below /admin.
ADMIN_PAGES: tuple[tuple[str, str, Values], ...] = (
    ("/admin", "admin.html", admin.overview),
    ("/admin/review", "admin_review.html", review.values),
    ("/admin/passed-on", "admin_passed_on.html", passing.report),
    ("/admin/search", "admin_search.html", admin.search),
    ("/admin/reports", "admin_reports.html", reports.values),
    ("/admin/notifications", "admin_notifications.html", notifying.values),
    ("/admin/rules", "admin_rules.html", guarding.rules),
    ("/admin/keys", "admin_keys.html", guarding.keys),
    ("/admin/tokens", "admin_tokens.html", tokens.values),
    ("/admin/health", "admin_health.html", guarding.health),
)
_NOTHING: Json = {"code": "not_found", "message": "there is no such page", "remedy": ""}


class Pages:
    """Answers addresses with pages. `now` is the time of day."""

    def __init__(self, api: Asks, now: Callable[[], float]) -> None:
        self._api = api
        self._now = now
        self._addresses = [
            _Address(re.compile(pattern + r"\Z"), name, values, who)
            for who, pages in ((Who.OWNER, PAGES), (Who.ADMIN, ADMIN_PAGES))
            for pattern, name, values in pages
        ]

    @property
    def assets(self) -> Assets:
        return assets()

    def login(self, *, status: int = 200, provider: str = "", problem: str = "", entered: bool = False) -> Response:
        """For whoever is not signed in: how to sign in, and nothing of what is here. `provider` is where they may do so
        with an account, `problem` why they could not; who has `entered` is led on by the page's script, for whose
        request the browser sends the session's cookie."""
        return page("login.html", None, self._now(), status=status, provider=provider, problem=problem, entered=entered)

    async def answer(self, path: str, query: dict[str, str], session: Session) -> Response:
        for address in self._addresses:
            match = address.pattern.match(path)
            if match is not None:
                source = Source(self._api, query, self._now(), by=session.asker)
                return await self._one(address, source, match.groupdict(), session)
        return page("refused.html", session, self._now(), mark=self._api.mark(), status=404, here="", error=_NOTHING)

    async def _one(self, address: _Address, source: Source, parts: dict[str, str], session: Session) -> Response:
        now = self._now()
        mark = self._api.mark()  # before anything is read: what happens meanwhile is fetched once more
        try:
            if not session.asker.is_one(address.who):
                status, refusal = refusal_of(not_admin())
                raise NotShown(status, refusal["error"])
            values = await address.values(source, parts)
        except NotShown as refused:
            return page("refused.html", session, now, mark=mark, status=refused.status, here="", error=refused.error)
        here = values.pop("here", address.template.removesuffix(".html"))
        return page(address.template, session, now, mark=mark, here=here, **values)

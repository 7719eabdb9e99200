"""HTTP at `/code`: a page where a short code is typed, and the door to which it leads. On the gate's own host alone."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sharegate.errors import Denied, Reason
from sharegate.language.catalogue import Languages
from sharegate.messages import Request, Response
from sharegate.shares.model import Link
from sharegate.visits.bodies import body_of, in_json
from sharegate.visits.entry import Comer
from sharegate.visits.pages import code_page
from sharegate.visits.short_codes import ShortCodes
from sharegate.visits.site import Site


class _Code(msgspec.Struct, forbid_unknown_fields=True):
    code: str

    def __repr__(self) -> str:
        return "<Code>"


class Codestep:
    """Answers everything at `/code`. `address` gives the door of a link, as long as its code works."""

    def __init__(self, codes: ShortCodes, site: Site, languages: Languages, address: Callable[[Link], str]) -> None:
        self._codes = codes
        self._site = site
        self._languages = languages
        self._address = address

    async def answer(self, request: Request, segments: tuple[str, ...]) -> Response:
        """`segments` are those below `/code`."""
        if segments or self._site.share(request.headers):
            raise Denied(Reason.NOT_FOUND)
        if request.method in ("GET", "HEAD"):
            return code_page(self._languages.of(request.headers))
        if request.method != "POST":
            raise Denied(Reason.NO_RULE, request.method[:20])
        self._site.check_origin(request)
        self._site.check_source(request)
        typed = await body_of(request, _Code)
        agent = request.headers.get("User-Agent")
        link = await self._codes.take(typed.code, Comer("", request.peer, agent[:400]))
        return in_json({"location": self._address(link)})

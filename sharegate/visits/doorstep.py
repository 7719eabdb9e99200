"""HTTP at the door: `/join` and below. Reads strictly, answers through the pages; join.py decides."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from sharegate.errors import Denied, Invalid, Reason
from sharegate.language.catalogue import ANY, Languages
from sharegate.messages import Request, Response
from sharegate.oidc.flow import ANSWER, SECONDS
from sharegate.oidc.sealed import LONGEST
from sharegate.shares.addresses import SIGNED, SIGNING
from sharegate.visits import cookies
from sharegate.visits.bodies import JSON_HEADERS, THANKS, body_of, in_json
from sharegate.visits.entry import Comer, Entry, Waiting
from sharegate.visits.join import Door
from sharegate.visits.mailed import MINUTES
from sharegate.visits.pages import join_page, signed_page, static_file
from sharegate.visits.proving import Shown
from sharegate.visits.site import Site


class _Token(msgspec.Struct, forbid_unknown_fields=True):
    token: str


class _Open(msgspec.Struct, forbid_unknown_fields=True):
    token: str
    name: str = ""
    passphrase: str = ""
    code: str = ""
    email: str = ""


class _Mail(msgspec.Struct, forbid_unknown_fields=True):
    token: str
    email: str = ""
    passphrase: str = ""


class _Sign(msgspec.Struct, forbid_unknown_fields=True):
    token: str
    again: bool = False


class _Knock(msgspec.Struct, forbid_unknown_fields=True):
    token: str = ""
    address: str = ""
    name: str = ""
    same_person: bool = False
    passphrase: str = ""
    code: str = ""
    email: str = ""


class _KnockState(msgspec.Struct, forbid_unknown_fields=True):
    knock: str


class _Report(msgspec.Struct, forbid_unknown_fields=True):
    token: str
    concern: str
    text: str = ""


class _Device(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    name: str = ""


class Doorstep:
    """Answers everything at `/join`."""

    def __init__(self, door: Door, site: Site, languages: Languages = ANY) -> None:
        self._door = door
        self._site = site
        self._languages = languages

    async def answer(self, request: Request, segments: tuple[str, ...]) -> Response:
        """`segments` are those below `/join`."""
        if request.method in ("GET", "HEAD"):
            if segments == ():
                return join_page(self._site.addresses.share_hosts, self._languages.of(request.headers))
            if len(segments) == 3 and segments[0] == "static":
                found = static_file(segments[1], segments[2])
                if found is not None:
                    return found
            if segments == ("signed",) and request.method == "GET":
                return await self._signed(request)
            raise Denied(Reason.NOT_FOUND)
        if request.method != "POST":
            raise Denied(Reason.NO_RULE, request.method[:20])
        share = self._site.share(request.headers)
        if self._site.addresses.share_hosts and not share:
            raise Denied(Reason.NOT_FOUND, "each share's door is on its own host")
        self._site.check_origin(request)
        self._site.check_source(request)
        comer = self._comer(request, share)
        if segments == ("about",):
            return in_json(await self._door.about((await body_of(request, _Token)).token, comer))
        if segments == ():
            opened = await body_of(request, _Open)
            shown = Shown(opened.passphrase, opened.code, opened.email)
            return self._enter(await self._named(self._door.open, opened.token, opened.name, comer, shown))
        if segments == ("code",):
            mail = await body_of(request, _Mail)
            to, browser = await self._door.send_code(mail.token, mail.email, comer, Shown(mail.passphrase))
            place = self._site.addresses.of(share).browser_cookie
            return in_json({"to": to, "minutes": MINUTES}, cookies.set_browser(place, browser))
        if segments == ("sign",):
            return await self._sign(await body_of(request, _Sign), comer)
        if segments == ("knock",):
            return await self._knock(await body_of(request, _Knock), comer)
        if segments == ("knock", "state"):
            knock = (await body_of(request, _KnockState)).knock
            return self._waiting(await self._door.knock_state(knock, comer), share)
        if segments == ("time",):
            state, browser = await self._door.more_time((await body_of(request, _Token)).token, comer)
            place = self._site.addresses.of(share).browser_cookie
            return in_json({"state": state}, cookies.set_browser(place, browser))
        if segments == ("report",):
            said = await body_of(request, _Report)
            await self._door.report(said.token, said.concern, said.text, comer)
            return THANKS
        if segments == ("device",):
            return self._enter(await self._door.open_device((await body_of(request, _Device)).code, comer))
        raise Denied(Reason.NOT_FOUND)

    async def _sign(self, asked: _Sign, comer: Comer) -> Response:
        url, waiting, browser = await self._door.sign(asked.token, comer, again=asked.again)
        addresses = self._site.addresses.of(comer.share)
        return in_json(
            {"location": url},
            cookies.set_passing(addresses.signing_cookie(SIGNING), waiting, lasting=SECONDS),
            cookies.set_browser(addresses.browser_cookie, browser),
        )

    async def _signed(self, request: Request) -> Response:
        """A browser comes back from the provider, by a navigation of its own. What it gets is for no script to read,
        also of pages here: it holds the link."""
        self._site.check_source(request)
        if request.headers.get("Sec-Fetch-Dest") not in ("", "document"):
            raise Denied(Reason.CROSS_SITE, "no navigation")
        share = self._site.share(request.headers)
        answer = _answered(request.target)
        if self._site.addresses.share_hosts and not share:
            origin = self._door.onward(answer.get("state", ""))
            if not origin:
                raise Denied(Reason.SIGN_IN_FAILED, "an answer to no question")
            return _moved(f"{origin}/join/signed?{urlencode(answer)}")
        addresses = self._site.addresses.of(share)
        waiting = cookies.values(request.headers, addresses.signing_cookie(SIGNING).name, LONGEST)
        if len(waiting) > 1:
            raise Denied(Reason.AMBIGUOUS_CREDENTIAL, "two cookies of one name")
        back = await self._door.signed(waiting[0] if waiting else "", answer, self._comer(request, share))
        led = signed_page(back.door, self._languages.of(request.headers))
        signed = cookies.set_strict(addresses.signing_cookie(SIGNED), back.signed, lasting=SECONDS)
        gone = cookies.set_passing(addresses.signing_cookie(SIGNING), "", lasting=0)
        return Response(led.status, (*led.headers, signed, gone), led.body)

    async def finished(self) -> None:
        """Wait for what those who hung up began."""
        await self._door.finished()

    async def _knock(self, asked: _Knock, comer: Comer) -> Response:
        if bool(asked.token) == bool(asked.address):
            raise Denied(Reason.BAD_BODY, "either token or address")
        name, same = asked.name, asked.same_person
        if asked.token:
            shown = Shown(asked.passphrase, asked.code, asked.email)
            waiting = await self._named(self._door.knock_by_link, asked.token, name, same, comer, shown)
        else:
            waiting = await self._named(self._door.knock_by_address, asked.address, name, same, comer)
        return self._waiting(waiting, comer.share)

    @staticmethod
    async def _named(call: Any, *arguments: Any) -> Any:
        """A name without a visible character is the visitor's slip, not an attack."""
        try:
            return await call(*arguments)
        except Invalid as invalid:
            raise Denied(Reason.BAD_BODY, f"{invalid.field}: {invalid.problem}") from None

    def _comer(self, request: Request, share: str) -> Comer:
        known = cookies.values(request.headers, self._site.addresses.of(share).browser_cookie.name)
        if len(known) > 1:
            raise Denied(Reason.AMBIGUOUS_CREDENTIAL, "two cookies of one name")
        place = self._site.addresses.of(share).signing_cookie(SIGNED)
        signed = cookies.values(request.headers, place.name, LONGEST)
        if len(signed) > 1:
            raise Denied(Reason.AMBIGUOUS_CREDENTIAL, "two cookies of one name")
        return Comer(
            browser=known[0] if known else "",
            address=request.peer,
            agent=request.headers.get("User-Agent")[:400],
            share=share,
            signed=signed[0] if signed else "",
            language=self._languages.of(request.headers),
        )

    def _enter(self, entry: Entry) -> Response:
        return in_json(entry.told, *self._set(entry))

    def _waiting(self, waiting: Waiting, share: str) -> Response:
        told: dict[str, Any] = {"knock": waiting.knock, "state": waiting.state.value}
        if waiting.entry is not None:
            return in_json({**told, **waiting.entry.told}, *self._set(waiting.entry))
        place = self._site.addresses.of(share).browser_cookie
        return in_json(told, *([cookies.set_browser(place, waiting.browser)] if waiting.browser else []))

    @staticmethod
    def _set(entry: Entry) -> list[tuple[str, str]]:
        lasting = entry.visit.expires - entry.visit.created
        return [
            cookies.set_visit(entry.addresses.visit_cookie(entry.visit.id), entry.cookie, lasting=lasting),
            cookies.set_browser(entry.addresses.browser_cookie, entry.browser),
        ]


def _answered(target: str) -> dict[str, str]:
    """What the provider says in the query. Denied(`bad_query`) for one thing said twice."""
    try:
        pairs = parse_qsl(target.partition("?")[2], keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError:
        raise Denied(Reason.BAD_QUERY, "no answer of a provider") from None
    known = [(name, value) for name, value in pairs if name in ANSWER]
    if len(dict(known)) != len(known):
        raise Denied(Reason.BAD_QUERY, "one thing said twice")
    return dict(known)


def _moved(location: str) -> Response:
    headers = [(name, value) for name, value in JSON_HEADERS if name != "Content-Type"]
    return Response(303, (("Location", location), *headers), b"")

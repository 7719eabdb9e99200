"""One row of the owner's API: address, who may ask, what is taken and what is answered."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import msgspec

from sharegate.dashboard.asking import Asker, By, Only, Who
from sharegate.dashboard.belonging import Of
from sharegate.errors import Invalid, Refused
from sharegate.shares.api_tokens import ApiCapability

Json = dict[str, Any]
Handler = Callable[[dict[str, str], dict[str, str], Json], Awaitable[Json]]
ROOT = "/api/v1"
_PART = re.compile(r"\{([^}:]+)(?::([^}]+))?\}")


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is relative to `/api/v1/`; a part of it is `{id}`, or `{verb:one|other}` for words. `query` and `body` say
    what is taken: the query is read by its type, the body by the handler. `private` names fields of either that are for
    the terminal alone: they name files on the gate's disk. `creates`: done again it makes another one. `tagged`: it
    changes what has an ETag. `who` is the person that may ask it, and `of` whose things it is about."""

    method: str
    path: str
    handler: Handler = field(repr=False)
    summary: str
    needs: ApiCapability | Only
    answer: type[Any]
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    private: tuple[str, ...] = ()
    creates: bool = False
    tagged: bool = False
    who: Who = Who.OWNER
    of: Of = Of.GATE

    @property
    def pattern(self) -> re.Pattern[str]:
        def part(found: re.Match[str]) -> str:
            return f"(?P<{found[1]}>{found[2] or '[A-Za-z0-9_-]{1,40}'})"

        return re.compile(f"{ROOT}/" + _PART.sub(part, self.path) + r"\Z")

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Each address that this is, with a word for which of the route's it is ("" for the only one)."""
        choices = [found[2].split("|") for found in _PART.finditer(self.path) if found[2]]
        for words in product(*choices):
            left = iter(words)
            path = _PART.sub(lambda found: next(left) if found[2] else found[0], self.path)  # noqa: B023 -- used at once
            yield f"{ROOT}/{path}", " ".join(words)

    def check(self, asker: Asker, query: dict[str, str], body: Json) -> None:
        """Whether this one may ask this. Raises Refused(`not_admin`, `capability_missing`, `person_only`,
        `socket_only`)."""
        if not asker.is_one(self.who):
            raise not_admin()
        if not asker.may(self.needs):
            raise _refusal(self.needs)
        named = [name for name in self.private if query.get(name) or body.get(name)]
        if named and asker.by is not By.TERMINAL:
            raise Refused(
                "socket_only",
                "names a file on the gate's computer, which only its terminal may",
                "Leave it out, or use the command there",
                named[0],
            )

    def read_query(self, query: dict[str, str]) -> dict[str, str]:
        """The query in one spelling. Raises Invalid, and msgspec's ValidationError."""
        if self.query is None:
            if query:
                raise Invalid(next(iter(query))[:80], "is not asked for here", "Leave it out")
            return {}
        given = {name: value for name, value in query.items() if value != ""}
        read = msgspec.convert(given, self.query, strict=False)
        for name in given:
            value = getattr(read, _attribute(self.query, name))
            if isinstance(value, bool):
                given[name] = "1" if value else "0"
        return given

    def check_body(self, body: Json) -> None:
        """What takes no body is given none. Raises Invalid."""
        if self.body is None and body:
            raise Invalid(next(iter(body))[:80], "is not asked for here", "Send no body")


def _attribute(query: type[msgspec.Struct], name: str) -> str:
    fields = msgspec.structs.fields(query)
    return next(one.name for one in fields if one.encode_name == name)


def not_admin() -> Refused:
    """What somebody is told who asks for what is for admins, of the API or by the address of a page."""
    return Refused("not_admin", "this is for admins", "Ask one of yours")


def _refusal(needs: ApiCapability | Only) -> Refused:
    if isinstance(needs, ApiCapability):
        return Refused(
            "capability_missing",
            f"this token may not do that: it lacks {needs.value}",
            f"Make one that may: sharegate token create NAME --can {needs.value}",
        )
    if needs is Only.PERSON:
        return Refused("person_only", "no token may do that: it is for the owner", "Use the dashboard or the command")
    return Refused(
        "socket_only",
        "this is for the command line, on the computer where the gate runs",
        "Use the command there",
    )

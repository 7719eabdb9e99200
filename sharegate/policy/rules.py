"""One route file becomes rules.

    contents-read:
      route: GET /api/contents/{path*}
      capability: contents:read
      paths: path                      # which parts are paths of the server's root
      ancestors: true
      query: {type: [file, directory, notebook], content: ["0", "1"]}
      headers: json                    # a profile of headers.yaml
      answer: filter:contents
      examples:
        view GET /api/contents/sub/shared?content=1: allow

A route begins with methods (`GET`, `GET,HEAD`, `WEBSOCKET`, `HTTP` for all methods, `ANY` for those and upgrades; the
last two only where the answer is `deny`). Parts are literal, `{name}`, `{name:regular expression}` or `{name*}`.
"""

from __future__ import annotations

import re

from sharegate.policy.fields import read_fields
from sharegate.policy.headers import Profile
from sharegate.policy.model import (
    CHANNELS,
    FILTERS,
    LOCALS,
    METHODS,
    WEBSOCKET,
    AnswerKind,
    BodyShape,
    Example,
    Field,
    Part,
    Rule,
)
from sharegate.policy.source import FaultList, Reader, Value
from sharegate.shares.model import Capability, Role

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME = re.compile(r"[a-z][a-z_]*")
_LITERAL = re.compile(r"[A-Za-z0-9._~:@+-]+")
_KEYS = frozenset(
    {"route", "answer", "capability", "roles", "paths", "opaque", "ancestors", "query", "body", "headers"}
    | {"credential", "why", "examples"}
)
_DENY_KEYS = frozenset({"route", "answer", "roles", "why", "examples"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_MAX_BODY = 100_000_000


class RuleReader:
    """Turns the entries of `rules:` into Rule values; faults go to `faults`, a rule with a fault is left out."""

    def __init__(self, profiles: dict[str, Profile], faults: FaultList) -> None:
        self._profiles = profiles
        self._faults = faults
        self._reader = Reader(faults)

    def rules(self, document: Value | None) -> list[Rule]:
        if document is None:
            return []
        if not self._reader.known(document, frozenset({"rules"}), "the file", frozenset({"rules"})):
            return []
        found = [self._rule(id, value) for id, value in self._reader.entries(document.get("rules"), "rules")]
        return [rule for rule in found if rule is not None]

    def _rule(self, id: str, value: Value) -> Rule | None:
        before = len(self._faults.faults)
        read = self._reader
        if not _ID.fullmatch(id):
            self._faults.add(value.where, f"{id!r} is no rule id", "Use lower-case words joined by hyphens")
        if not read.known(value, _KEYS, f"rule {id!r}", frozenset({"route", "answer", "examples"})):
            return None
        kind, name = self._answer(value)
        answered = len(self._faults.faults) == before
        calls, pattern = self._route(value, kind)
        parts = {part.text: part for part in pattern if part.is_name}
        rule = Rule(
            id=id,
            methods=frozenset({"GET"}) if WEBSOCKET in calls and len(calls) == 1 else calls - {WEBSOCKET},
            pattern=pattern,
            answer=kind,
            answer_name=name,
            capability=self._capability(value),
            websocket=calls == {WEBSOCKET},
            either=WEBSOCKET in calls and len(calls) > 1,
            roles=frozenset(filter(None, (self._role(role, value) for role in self._roles(value)))),
            url_paths=read.texts(value.get("paths"), "paths"),
            ancestors=read.flag(value.get("ancestors"), "ancestors", False),
            query=read_fields(value.get("query"), "query", read),
            body=self._body(value.get("body"), calls),
            credential=read.flag(value.get("credential"), "credential", True),
            why=read.text(value.get("why"), "why"),
            examples=self._examples(value.get("examples")),
            source=value.where,
            **self._headers(value, kind),
        )
        if not answered:
            return None  # what a rule needs depends on its answer: more faults would be noise
        wanted = "route_denied" if kind is AnswerKind.DENY else "allow"
        if rule.examples and not any(example.expect == wanted for example in rule.examples):
            self._faults.add(value.where, f"no example of rule {id!r} expects {wanted}")
        if kind is AnswerKind.DENY:
            self._check_deny(value, rule)
        else:
            self._check_allow(value, rule, parts)
        return rule if len(self._faults.faults) == before else None

    def _answer(self, value: Value) -> tuple[AnswerKind, str]:
        text = self._reader.text(value.get("answer"), "answer")
        kind, _, name = text.partition(":")
        known = {"forward": {""}, "deny": {""}, "filter": FILTERS, "local": LOCALS}.get(kind, frozenset())
        if name not in known or (kind in ("forward", "deny") and ":" in text):
            where = (value.get("answer") or value).where
            self._faults.add(where, f"there is no answer {text!r}", "forward, deny, filter:<name> or local:<name>")
            return AnswerKind.DENY, ""
        return AnswerKind(kind), name

    def _route(self, value: Value, kind: AnswerKind) -> tuple[frozenset[str], tuple[Part, ...]]:
        text = self._reader.text(value.get("route"), "route")
        where = (value.get("route") or value).where
        methods, _, path = text.partition(" ")
        names = methods.split(",")
        calls = frozenset(names)
        if names in (["HTTP"], ["ANY"]):
            calls = METHODS | ({WEBSOCKET} if names == ["ANY"] else set())
            if kind is not AnswerKind.DENY:
                self._faults.add(where, f"{names[0]} is for rules that deny", "Name the methods")
        elif not calls <= METHODS | {WEBSOCKET} or len(calls) < len(names):
            self._faults.add(where, f"{methods!r} are no methods of a rule", f"Known: {', '.join(sorted(METHODS))}")
        elif WEBSOCKET in calls and len(calls) > 1:
            self._faults.add(where, "WEBSOCKET stands alone: a rule answers upgrades or plain requests")
        if not path.startswith("/") or "//" in path or (path != "/" and path.endswith("/")):
            self._faults.add(where, f"{path!r} is no path of a route", "Begin with / and end without it")
            return calls, ()
        pattern = tuple(self._part(text, where) for text in path[1:].split("/") if text)
        named = [part.text for part in pattern if part.is_name]
        if len(set(named)) < len(named):
            self._faults.add(where, "two parts of the route have the same name")
        if sum(part.rest for part in pattern) > 1:
            self._faults.add(where, "a route can hold one {name*} only")
        return calls, pattern

    def _part(self, text: str, where: str) -> Part:
        if not text.startswith("{"):
            if not _LITERAL.fullmatch(text) or text in (".", ".."):
                self._faults.add(where, f"{text!r} is no literal part of a route")
            return Part(text)
        name, colon, pattern = text[1:-1].partition(":")
        rest = name.endswith("*")
        name = name.removesuffix("*")
        if not text.endswith("}") or not _NAME.fullmatch(name) or (rest and colon):
            self._faults.add(where, f"{text!r} is no named part", "{name}, {name:pattern} or {name*}")
        if colon:
            try:
                re.compile(pattern)
            except re.error as error:
                # Fails closed: the file is refused.
                self._faults.add(where, f"the pattern of {name!r} is no regular expression: {error}")
                pattern = ""
        return Part(name, True, rest, pattern)

    def _capability(self, value: Value) -> Capability | None:
        entry = value.get("capability")
        if entry is None:
            return None
        try:
            return Capability(self._reader.text(entry, "capability"))
        except ValueError:
            # Fails closed: the file is refused.
            self._faults.add(entry.where, f"there is no capability {entry.text!r}", f"Known: {', '.join(Capability)}")
            return None

    def _roles(self, value: Value) -> tuple[str, ...]:
        entry = value.get("roles")
        roles = self._reader.texts(entry, "roles")
        if entry is not None and not roles:
            self._faults.add(entry.where, "roles is empty", "Leave it out when the rule is for every role")
        return roles

    def _role(self, name: str, value: Value) -> Role | None:
        try:
            return Role(name)
        except ValueError:
            # Fails closed: the file is refused.
            self._faults.add(value.where, f"there is no role {name!r}", f"Known: {', '.join(Role)}")
            return None

    def _body(self, value: Value | None, calls: frozenset[str]) -> BodyShape:
        if value is None:
            return BodyShape()
        if not self._reader.known(value, frozenset({"json", "raw", "max_bytes"}), "body"):
            return BodyShape()
        json, raw = value.get("json"), self._reader.flag(value.get("raw"), "raw", False)
        if not calls <= _WITH_BODY:
            self._faults.add(value.where, "only POST, PUT and PATCH have a body")
        if (json is None) != raw:
            self._faults.add(value.where, "a body is either `json: {fields}` or `raw: true`")
        fields: tuple[Field, ...] = read_fields(json, "body", self._reader)
        if json is not None and not fields:
            self._faults.add(json.where, "a JSON body lists the fields it may have")
        limit = self._reader.number(value.get("max_bytes"), "max_bytes", BodyShape().max_bytes)
        if limit > _MAX_BODY:
            self._faults.add(value.where, f"max_bytes is larger than {_MAX_BODY}")
        return BodyShape("raw" if raw else "json", fields, limit)

    def _headers(self, value: Value, kind: AnswerKind) -> dict[str, frozenset[str]]:
        entry = value.get("headers")
        if entry is None:
            if kind in (AnswerKind.FORWARD, AnswerKind.FILTER):
                self._faults.add(value.where, "a rule that asks the upstream names its `headers`")
            return {}
        profile = self._profiles.get(self._reader.text(entry, "headers"))
        if profile is None:
            self._faults.add(entry.where, f"there is no header profile {entry.text!r}", ", ".join(self._profiles))
            return {}
        return {"request_headers": profile.request, "response_headers": profile.response}

    def _examples(self, value: Value | None) -> tuple[Example, ...]:
        examples = []
        for text, expect in self._reader.entries(value, "examples"):
            role, _, rest = text.partition(" ")
            method, _, target = rest.partition(" ")
            if role not in list(Role) or method not in METHODS | {WEBSOCKET} or not target.startswith("/"):
                self._faults.add(expect.where, f"{text!r} is no example", "<role> <method> /<target>: <outcome>")
                continue
            upgrade = method == WEBSOCKET
            wanted = self._reader.text(expect, "the outcome of an example")
            shown = "GET" if upgrade else method
            examples.append(Example(Role(role), shown, target, wanted, upgrade, expect.where))
        if value is not None and not examples:
            self._faults.add(value.where, "a rule has at least one example")
        return tuple(examples)

    def _check_deny(self, value: Value, rule: Rule) -> None:
        for name, entry in value.entries or ():
            if name in _KEYS - _DENY_KEYS:
                self._faults.add(entry.where, f"a rule that denies has no {name!r}")
        if not rule.why:
            self._faults.add(value.where, "a rule that denies says `why`")

    def _check_allow(self, value: Value, rule: Rule, parts: dict[str, Part]) -> None:
        where = value.where
        if rule.capability is None and value.get("capability") is None:
            self._faults.add(where, "a rule that allows names its `capability`")
        opaque = self._reader.texts(value.get("opaque"), "opaque")
        for name in (*rule.url_paths, *opaque):
            if name not in parts:
                self._faults.add(where, f"the route has no part {name!r}")
        for part in parts.values():
            if (part.text in rule.url_paths) == (part.text in opaque) and (part.rest or part.text in opaque):
                self._faults.add(
                    where, f"say of {part.text!r} whether it is a path of the server's root", "`paths` or `opaque`"
                )
        if rule.ancestors and not rule.url_paths:
            self._faults.add(where, "`ancestors` without `paths` means nothing")
        if (f"{rule.answer.value}:{rule.answer_name}" in CHANNELS) != rule.websocket:
            self._faults.add(where, "this answer and this method do not go together (WEBSOCKET or not)")
        if not rule.credential and (rule.url_paths or not rule.methods <= {"GET", "HEAD"}):
            self._faults.add(where, "`credential: false` is for GET and HEAD of files that belong to no share")
        if rule.body.kind == "raw" and rule.answer is not AnswerKind.LOCAL:
            self._faults.add(where, "a raw body never reaches the upstream: nothing in it was checked")
        if rule.answer is AnswerKind.LOCAL and (value.get("headers") or value.get("credential")):
            self._faults.add(where, "a local answer asks no upstream: it has no `headers` and no `credential`")

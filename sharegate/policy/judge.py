"""What the route table alone says to a request: for `policy explain` and for the examples in the rules.

The gate decides through confine.request, which sees headers, bodies and the disk too. What is judged here is what a
policy's author can read off a rule: path, method, role, where the URL points, query arguments, capability.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from sharegate.errors import Denied, Reason
from sharegate.paths import CanonicalPath, Place, split_target
from sharegate.policy.match import Policy
from sharegate.policy.model import READING, Field, Match, Rule
from sharegate.shares.model import Role, RootKind
from sharegate.shares.roles import RoleTable

# What the gate leaves out of every query: cache busters, and `token`, which is never sent on.
_LEFT_OUT = re.compile(r"[0-9]{1,20}=?|[_t]=[0-9]{1,20}|token(=.*)?")


@dataclass(frozen=True, slots=True)
class Judgement:
    """`reason` None means allowed. `rule` is the rule that answered or denied, None when no rule exists."""

    reason: Reason | None
    detail: str = ""
    rule: Rule | None = None

    @property
    def word(self) -> str:
        return self.reason.value if self.reason else "allow"


def judge(
    policy: Policy, roles: RoleTable, role: Role, method: str, target: str, websocket: bool, root: CanonicalPath | None
) -> Judgement:
    """Judge a raw target for a share of `root`; without a root, where paths point is left out."""
    rule: Rule | None = None
    try:
        path, query = split_target(target)
        match = policy.match(method, CanonicalPath.parse(path).segments, websocket, role)
        rule = match.rule
        if root is not None:
            _check_place(match, root, method)
        _check_query(rule, query, root)
        if rule.capability not in roles.capabilities(role):
            raise Denied(Reason.CAPABILITY_MISSING, str(rule.capability))
    except Denied as denied:
        # The refusal is the result here.
        if denied.reason is Reason.ROUTE_DENIED:
            rule = policy.rule(denied.detail)
        return Judgement(denied.reason, denied.detail, rule)
    return Judgement(None, rule=rule)


def _check_place(match: Match, root: CanonicalPath, method: str) -> None:
    """For a root that is a directory."""
    for name in match.rule.url_paths:
        _check_inside(match.path(name), root, match.rule.ancestors and method in READING)
        if match.changes_root(name, root, RootKind.DIRECTORY, method):
            raise Denied(Reason.OUTSIDE_ROOT, "the root itself is not the visitor's to change")


def _check_inside(path: CanonicalPath, root: CanonicalPath, ancestors: bool) -> None:
    place = path.place(root)
    if place is Place.OUTSIDE or (place is Place.ANCESTOR and not ancestors):
        raise Denied(Reason.OUTSIDE_ROOT)
    if path.hidden:
        raise Denied(Reason.HIDDEN_PATH)


def _check_query(rule: Rule, query: str, root: CanonicalPath | None) -> None:
    fields = {field.name: field for field in rule.query}
    wanted = [part for part in query.split("&") if part and not _LEFT_OUT.fullmatch(part)]
    seen: set[str] = set()
    for name, value in parse_qsl("&".join(wanted), keep_blank_values=True):
        field = fields.get(name)
        if field is None or name in seen:
            raise Denied(Reason.BAD_QUERY, name)
        seen.add(name)
        _check_value(field, value, root)
    missing = [field.name for field in rule.query if field.required and field.name not in seen]
    if missing:
        raise Denied(Reason.BAD_QUERY, f"lacks {missing[0]}")


def _check_value(field: Field, value: str, root: CanonicalPath | None) -> None:
    if (
        len(value) > field.max_length
        or (field.one_of and value not in field.one_of)
        or (field.pattern and not re.fullmatch(field.pattern, value))
    ):
        raise Denied(Reason.BAD_QUERY, field.name)
    if field.path:
        path = CanonicalPath.from_body(value)
        if root is not None:
            _check_inside(path, root, field.ancestors)

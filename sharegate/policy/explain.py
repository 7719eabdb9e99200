"""What people ask a policy: is it sound, why is this request answered so, and what does it all say (a page)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sharegate.errors import MEANINGS, Denied, Faults, Invalid
from sharegate.paths import CanonicalPath
from sharegate.policy.files import FileRules
from sharegate.policy.judge import judge
from sharegate.policy.load import Policies, load_policies
from sharegate.policy.match import Policy
from sharegate.policy.model import WEBSOCKET, AnswerKind, Field, Rule
from sharegate.shares.model import Capability, Role
from sharegate.shares.roles import RoleTable


@dataclass(frozen=True, slots=True)
class Check:
    """The result of `policy check`: faults (none when sound) and what was counted."""

    faults: tuple[Invalid, ...] = ()
    rules: int = 0
    denied_by_name: int = 0
    examples: int = 0

    @property
    def sound(self) -> bool:
        return not self.faults


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a request is answered as it is. Empty texts: not known, or no rule.

    `outcome` is `allow` or a reason; `detail` is what the trail would keep; `held` is None when no capability is
    asked for; `confined` tells whether a root was given and so where the paths point was judged.
    """

    role: Role
    method: str
    target: str
    outcome: str
    sentence: str
    detail: str = ""
    rule: str = ""
    route: str = ""
    source: str = ""
    answer: str = ""
    capability: str = ""
    held: bool | None = None
    why: str = ""
    confined: bool = False
    others: tuple[str, ...] = ()  # the route's rules for other methods and roles, as `id: calls (roles)`


def check(path: Path | None = None) -> Check:
    """Load the built-in policies with the operator's directory `path` over them, and count."""
    try:
        policy = load_policies(extra=path).policy
    except Faults as faults:
        # The faults are the result here; a gate that starts with them is refused by load_policies itself.
        return Check(tuple(faults.faults))
    return Check(
        (),
        len(policy.rules),
        sum(rule.answer is AnswerKind.DENY for rule in policy.rules),
        sum(len(rule.examples) for rule in policy.rules),
    )


def explain(policies: Policies, role: Role, method: str, target: str, root: str = "") -> Explanation:
    """Explain a request as the route table decides it. `method` may be WEBSOCKET; `target` is relative to the visit.

    With `root` (the share's, relative to the server's root) it is judged where paths point. Raises Invalid for a `root`
    that is no path. Headers, bodies, links on the disk and rooms are judged by the running gate only.
    """
    websocket = method.upper() == WEBSOCKET
    shown = "GET" if websocket else method
    place = _root(root)
    found = judge(policies.policy, policies.roles, role, shown, target, websocket, place)
    rule = found.rule
    sentence = "The request is allowed." if found.reason is None else MEANINGS[found.reason].sentence
    if rule is None:
        others = _others(policies.policy, target, None)
        return Explanation(role, method, target, found.word, sentence, found.detail, others=others)
    return Explanation(
        role,
        method,
        target,
        found.word,
        sentence,
        detail="" if found.detail == rule.id else found.detail,
        rule=rule.id,
        route=rule.route,
        source=rule.source,
        answer=answer_text(rule),
        capability=rule.capability.value if rule.capability else "",
        held=rule.capability in policies.roles.capabilities(role) if rule.capability else None,
        why=rule.why,
        confined=place is not None,
        others=_others(policies.policy, target, rule),
    )


def _root(root: str) -> CanonicalPath | None:
    if not root:
        return None
    try:
        return CanonicalPath.from_body(root)
    except Denied as denied:
        # Nothing is decided: whoever asked gave no path.
        raise Invalid("root", denied.detail, "Give a folder relative to the server's root") from None


def answer_text(rule: Rule) -> str:
    """As written in the rule: `forward`, `deny`, `filter:<name>`, `local:<name>`."""
    return f"{rule.answer.value}:{rule.answer_name}" if rule.answer_name else rule.answer.value


def calls_text(rule: Rule) -> str:
    """Methods for people: `GET, HEAD`, `WebSocket`, `every method`."""
    if rule.websocket:
        return "WebSocket"
    if len(rule.methods) == 6:
        return "everything" if rule.either else "every method"
    return ", ".join(sorted(rule.methods))


def docs(policy: Policy, roles: RoleTable, files: FileRules) -> str:
    """The route table and the names of files that run by themselves, as Markdown: docs/reference/policy.md."""
    lines = [
        "# The route table",
        "",
        "<!-- Generated from policies/ by `sharegate policy docs`. Do not edit. -->",
        "",
        "What a visitor's request may ask for. A request that no rule names is refused (`no_rule`); one that a rule",
        "denies by name is refused with `route_denied`. Where a path of the server's root stands in an address, a",
        "query argument or a body, it is confined to the share before the capability is looked at.",
        "",
        "## Roles",
        "",
        "| role | people are told | capabilities | available | held inside the folder |",
        "|---|---|---|---|---|",
    ]
    for role in Role:
        held = ", ".join(f"`{name.value}`" for name in Capability if name in roles.capabilities(role))
        available = "yes" if roles.available(role) else "not yet"
        confined = "yes" if roles.confined(role) else "no"
        lines.append(f"| `{role.value}` | {roles.sentence(role)} | {held} | {available} | {confined} |")
    lines += [
        "",
        "## Files that run by themselves",
        "",
        "Who may edit changes such files where they exist and makes none (`runs_by_itself`), unless the share was made",
        "with `--runnable-files`. Folders are named by the same rules.",
        "",
        "| group | names | why |",
        "|---|---|---|",
    ]
    lines += [_row(group.id, ", ".join(map(_code, group.names)), group.why) for group in files.groups]
    by_file: dict[str, list[Rule]] = {}
    for rule in policy.rules:
        by_file.setdefault(rule.source.rpartition(":")[0], []).append(rule)
    for name, rules in by_file.items():
        lines += ["", f"## {name}", ""]
        lines += _allowed(roles, [rule for rule in rules if rule.answer is not AnswerKind.DENY])
        lines += _denied([rule for rule in rules if rule.answer is AnswerKind.DENY])
    return "\n".join(lines) + "\n"


def _allowed(roles: RoleTable, rules: list[Rule]) -> Iterable[str]:
    if not rules:
        return
    yield "| rule | methods | route | roles | capability | answer | accepted |"
    yield "|---|---|---|---|---|---|---|"
    for rule in rules:
        may = [
            role.value
            for role in Role
            if rule.serves(role) and rule.capability and rule.capability in roles.capabilities(role)
        ]
        capability = rule.capability.value if rule.capability else ""
        yield _row(
            rule.id,
            calls_text(rule),
            _code(rule.route),
            ", ".join(may),
            _code(capability),
            _code(answer_text(rule)),
            _accepted(rule),
        )
    yield ""


def _denied(rules: list[Rule]) -> Iterable[str]:
    if not rules:
        return
    yield "Denied by name:"
    yield ""
    yield "| rule | methods | route | why |"
    yield "|---|---|---|---|"
    for rule in rules:
        only = f" ({', '.join(sorted(rule.roles))})" if rule.roles else ""
        yield _row(rule.id, calls_text(rule) + only, _code(rule.route), rule.why)


def _accepted(rule: Rule) -> str:
    found = []
    if rule.query:
        found.append("query " + ", ".join(map(_field, rule.query)))
    if rule.body.fields:
        found.append("body " + ", ".join(map(_field, rule.body.fields)))
    if rule.body.kind == "raw":
        found.append(f"a body of at most {rule.body.max_bytes} bytes")
    if rule.url_paths and rule.ancestors:
        found.append("the way to the folder, too")
    return "; ".join(found)


def _field(field: Field) -> str:
    kind = " (path)" if field.path else ""
    return f"`{field.name}`{kind}"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _others(policy: Policy, target: str, chosen: Rule | None) -> tuple[str, ...]:
    try:
        route = policy.route(CanonicalPath.parse(target.partition("?")[0]).segments)
    except Denied:
        # A path that cannot be read has no route; the caller's outcome says so already.
        return ()
    return tuple(
        f"{rule.id}: {calls_text(rule)}" + (f" ({', '.join(sorted(rule.roles))})" if rule.roles else "")
        for rule, _ in route
        if rule is not chosen
    )

"""Policy files become one frozen value, or all of their faults together, each with file and line.

    documents.yaml  what editors may do to a live document
    files.yaml      which files run by themselves
    headers.yaml    which header fields pass, by profile
    roles.yaml      what each role may do
    sharing.yaml    what owners may hand out
    routes/*.yaml   the rules

An operator's directory may replace any of these files by its name and add further route files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sharegate.errors import Reason
from sharegate.paths import CanonicalPath
from sharegate.policy.documents import DocumentRules, read_documents
from sharegate.policy.files import FileRules, read_files
from sharegate.policy.headers import read_profiles
from sharegate.policy.judge import judge
from sharegate.policy.match import Node, Policy
from sharegate.policy.model import Example, Rule
from sharegate.policy.rules import RuleReader
from sharegate.policy.sharing import Sharing, read_sharing
from sharegate.policy.source import FaultList, Reader, Value, read
from sharegate.shares.model import Capability, Role
from sharegate.shares.roles import RoleEntry, RoleTable

SINGLE_FILES = ("documents.yaml", "files.yaml", "headers.yaml", "roles.yaml", "sharing.yaml")
# The share that examples are judged for: the fixture of the tests and of docs/reference/policy.md.
EXAMPLE_ROOT = CanonicalPath(("sub", "shared"))
_ROLE_KEYS = frozenset({"capabilities", "sentence", "available", "confined"})


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything the policy files say."""

    policy: Policy
    roles: RoleTable
    sharing: Sharing
    documents: DocumentRules
    files: FileRules


def builtin_policies() -> Path:
    """The directory of the policies that came with this installation: in the wheel, else the checkout's `policies/`."""
    package = Path(__file__).resolve().parent.parent
    for place in (package / "policies", package.parent / "policies"):
        if (place / "roles.yaml").is_file():
            return place
    raise FileNotFoundError(f"no policies in {package / 'policies'}: the installation is incomplete")


def load_policies(directory: Path | None = None, extra: Path | None = None) -> Policies:
    """Load the built-in policies (or those of `directory`), with an operator's `extra` directory over them.

    Raises Faults with every fault found; each fault's field is `file:line`.
    """
    faults = FaultList()
    base = directory or builtin_policies()
    files = _files(base, extra, faults)
    documents = {name: read(path, _shown(name, path, base), faults) for name, path in files.items()}
    for name in SINGLE_FILES:
        if name not in files:
            faults.add(name, "the file is missing")
    profiles = read_profiles(documents.get("headers.yaml"), faults)
    roles = _read_roles(documents.get("roles.yaml"), faults)
    sharing = read_sharing(documents.get("sharing.yaml"), roles, faults)
    editing = read_documents(documents.get("documents.yaml"), faults)
    file_rules = read_files(documents.get("files.yaml"), faults)
    reader = RuleReader(profiles, faults)
    rules = [rule for name in sorted(documents) if "/" in name for rule in reader.rules(documents[name])]
    if not any("/" in name for name in files):
        faults.add("routes", "there is no route file")
    rules = _unique(rules, faults)
    policy = Policy(rules)
    _check_routes(policy, faults)
    # Examples speak about the whole table, so they are judged only when all of it could be read.
    if roles is not None and not faults.faults:
        _check_shadows(policy, faults)
        _check_examples(policy, roles, faults)
    faults.finish(str(extra or base))
    if roles is None or sharing is None or editing is None or file_rules is None:
        raise AssertionError("a table that is missing left a fault")
    return Policies(policy, roles, sharing, editing, file_rules)


def reread(extra: Path | None, before: Policies) -> tuple[Sharing, tuple[str, ...]]:
    """What may be handed out by the files as they are now, and which other files say something else than `before`.

    Raises Faults.
    """
    now = load_policies(extra=extra)
    same = {
        "roles.yaml": now.roles.same_as(before.roles),
        "documents.yaml": now.documents == before.documents,
        "files.yaml": now.files.groups == before.files.groups,
        "routes": now.policy.rules == before.policy.rules,
    }
    return now.sharing, tuple(name for name, equal in same.items() if not equal)


def _files(base: Path, extra: Path | None, faults: FaultList) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for directory in (base, extra):
        if directory is None:
            continue
        if not directory.is_dir():
            faults.add(str(directory), "is no directory")
            continue
        for path in sorted([*directory.glob("*"), *directory.glob("routes/*")]):
            name = path.relative_to(directory).as_posix()
            if path.suffix in (".yaml", ".yml") and name not in SINGLE_FILES and not _is_route_file(name):
                known = ", ".join((*SINGLE_FILES, "routes/<name>.yaml"))
                faults.add(str(path), "is no policy file", f"Known: {known}")
            elif path.suffix == ".yaml":
                found[name] = path
    return found


def _is_route_file(name: str) -> bool:
    return name.startswith("routes/") and name.endswith(".yaml")


def _shown(name: str, path: Path, base: Path) -> str:
    """Built-in files by their name, an operator's by their whole path."""
    return name if path == base / name else str(path)


def _read_roles(document: Value | None, faults: FaultList) -> RoleTable | None:
    reader = Reader(faults)
    before = len(faults.faults)
    if document is None or not reader.known(document, frozenset({"roles"}), "the file", frozenset({"roles"})):
        return None
    entries: dict[Role, RoleEntry] = {}
    for name, value in reader.entries(document.get("roles"), "roles"):
        if name not in list(Role):
            faults.add(value.where, f"there is no role {name!r}", f"Known: {', '.join(Role)}")
            continue
        if not reader.known(value, _ROLE_KEYS, f"role {name!r}", _ROLE_KEYS):
            continue
        capabilities = reader.texts(value.get("capabilities"), "capabilities")
        unknown = [text for text in capabilities if text not in list(Capability)]
        for text in unknown:
            where = (value.get("capabilities") or value).where
            faults.add(where, f"there is no capability {text!r}", f"Known: {', '.join(Capability)}")
        entries[Role(name)] = RoleEntry(
            frozenset(Capability(text) for text in capabilities if text not in unknown),
            reader.text(value.get("sentence"), "sentence"),
            reader.flag(value.get("available"), "available", False),
            reader.flag(value.get("confined"), "confined", False),
        )
    for role in Role:
        if role not in entries:
            faults.add(document.where, f"the role {role.value!r} is missing")
    return RoleTable(entries) if len(faults.faults) == before else None


def _unique(rules: list[Rule], faults: FaultList) -> list[Rule]:
    kept: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in kept:
            faults.add(rule.source, f"the rule id {rule.id!r} is taken", f"It is first at {kept[rule.id].source}")
        else:
            kept[rule.id] = rule
    return list(kept.values())


def _check_routes(policy: Policy, faults: FaultList) -> None:
    """Two rules that match one request for one role; two patterned parts in one place, of which both might fit."""
    for node in policy.nodes():
        for at, second in enumerate(node.rules):
            for first in node.rules[:at]:
                calls = first.calls & second.calls
                roles = [role.value for role in Role if first.serves(role) and second.serves(role)]
                if calls and roles:
                    what = f"{', '.join(sorted(calls))} for {', '.join(roles)}"
                    faults.add(
                        second.source,
                        f"rule {second.id!r} is ambiguous: {what} is also answered by {first.id!r} ({first.source})",
                        "Narrow one of them by methods or roles",
                    )
        if len(node.patterned) > 1:
            rules = [_any_rule(child) for child in node.patterned.values()]
            sources = ", ".join(sorted(f"{rule.id!r} ({rule.source})" for rule in rules))
            faults.add(rules[-1].source, f"different patterns stand in the same place of one route: {sources}")


def _any_rule(node: Node) -> Rule:
    while not node.rules:
        node = next(iter([*node.literals.values(), *node.patterned.values(), *filter(None, (node.name, node.rest))]))
    return node.rules[0]


def _check_shadows(policy: Policy, faults: FaultList) -> None:
    """A rule that can never match: every path it could have belongs to a more specific route.

    Judged on invented segments that no literal equals; where a part has a pattern, on its rule's examples.
    """
    longest = max((len(rule.pattern) for rule in policy.rules), default=0) + 1
    for rule in policy.rules:
        if any(part.pattern for part in rule.pattern):
            continue
        winners: set[str] = set()
        for count in range(longest + 1) if any(part.rest for part in rule.pattern) else (0,):
            path: list[str] = []
            for part in rule.pattern:
                path += [part.text] if not part.is_name else ["\0"] * (count if part.rest else 1)
            found = [other.id for other, _ in policy.route(tuple(path))]
            if rule.id in found:
                break
            winners.update(found)
        else:
            faults.add(rule.source, f"rule {rule.id!r} can never match", f"Shadowed by {', '.join(sorted(winners))}")


def _check_examples(policy: Policy, roles: RoleTable, faults: FaultList) -> None:
    for rule in policy.rules:
        for example in rule.examples:
            problem = _example_problem(policy, roles, rule, example)
            if problem:
                faults.add(example.source, f"example of rule {rule.id!r}: {problem}")


def _example_problem(policy: Policy, roles: RoleTable, rule: Rule, example: Example) -> str:
    if example.expect != "allow" and example.expect not in list(Reason):
        return f"{example.expect!r} is neither allow nor a reason"
    found = judge(policy, roles, example.role, example.method, example.target, example.websocket, EXAMPLE_ROOT)
    if found.word != example.expect:
        by = f" by rule {found.rule.id!r}" if found.rule else ""
        detail = f" ({found.detail})" if found.detail and not found.rule else ""
        return f"expected {example.expect}, found {found.word}{by}{detail}"
    if found.rule is not None and found.rule.id != rule.id:
        return f"is decided by rule {found.rule.id!r} ({found.rule.source})"
    return ""

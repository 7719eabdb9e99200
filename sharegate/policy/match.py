"""Which rule a request falls under: a trie of path segments.

The path alone chooses the route, then method, upgrade and role choose the rule of that route. So a method that a route
does not list never slips into the rule of a more general route.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sharegate.errors import Denied, NotFound, Reason
from sharegate.policy.model import METHODS, WEBSOCKET, AnswerKind, Match, Part, Rule
from sharegate.shares.model import Role

# The positions that a route's named parts took in a path: (start, end) each, in the order of the pattern.
_Spans = tuple[tuple[int, int], ...]


# Segments of a path whose route is remembered.
_SHORT = 24


@dataclass(slots=True)
class Node:
    """One step of the trie. `rules` are those whose pattern ends here (they differ in calls or roles)."""

    literals: dict[str, Node] = field(default_factory=dict)
    patterned: dict[str, Node] = field(default_factory=dict)  # regular expression -> node; the loader admits one
    name: Node | None = None
    rest: Node | None = None
    rules: list[Rule] = field(default_factory=list)

    def child(self, part: Part) -> Node:
        """The node behind `part`, made when it is not there."""
        if not part.is_name:
            return self.literals.setdefault(part.text, Node())
        if part.rest:
            self.rest = self.rest or Node()
            return self.rest
        if part.pattern:
            return self.patterned.setdefault(part.pattern, Node())
        self.name = self.name or Node()
        return self.name


class Policy:
    """The rules, and the one that a request falls under. Immutable after construction; no I/O."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_id = {rule.id: rule for rule in self.rules}
        self._top = Node()
        for rule in self.rules:
            node = self._top
            for part in rule.pattern:
                node = node.child(part)
            node.rules.append(rule)
        self._routes = functools.lru_cache(maxsize=512)(self._route)

    def __repr__(self) -> str:
        return f"<Policy of {len(self.rules)} rules>"

    def rule(self, id: str) -> Rule:
        """The rule of that id; raises NotFound."""
        try:
            return self._by_id[id]
        except KeyError:
            raise NotFound("rule", id) from None

    def nodes(self) -> Iterator[Node]:
        """Every node of the trie, for the loader's checks."""
        waiting = [self._top]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.literals.values())
            waiting.extend(node.patterned.values())
            waiting.extend(child for child in (node.name, node.rest) if child)

    def route(self, segments: tuple[str, ...]) -> list[tuple[Rule, dict[str, tuple[str, ...]]]]:
        """The rules of the most specific route that fits, each with what its named parts took; empty when none fits.

        A literal beats `{name}` beats `{name*}`, from left to right; behind a `{name*}` more literal parts win over
        none, and the fewest over more (as jupyter-server orders `…/checkpoints` and `…/checkpoints/{id}`).
        """
        # Pages ask for the same few paths again and again. What is long is not remembered.
        return list(self._routes(segments) if len(segments) <= _SHORT else self._route(segments))

    def _route(self, segments: tuple[str, ...]) -> tuple[tuple[Rule, dict[str, tuple[str, ...]]], ...]:
        found = _walk(self._top, segments, 0, ())
        if found is None:
            return ()
        node, spans = found
        return tuple((rule, _parts(rule, segments, spans)) for rule in node.rules)

    def match(self, method: str, segments: tuple[str, ...], websocket: bool, role: Role) -> Match:
        """The rule for a request. Raises Denied(`no_rule`), and Denied(`route_denied`) naming the rule that denies.

        Case counts, in the path and in the method. The capability is not judged here (confinement first).
        """
        # WEBSOCKET is our own word: a request whose method is spelt so is no upgrade.
        if method not in (METHODS if not websocket else {"GET"}):
            raise Denied(Reason.NO_RULE, "a method that no rule can name")
        call = WEBSOCKET if websocket else method
        for rule, parts in self.route(segments):
            if call in rule.calls and rule.serves(role):
                if rule.answer is AnswerKind.DENY:
                    raise Denied(Reason.ROUTE_DENIED, rule.id)
                return Match(rule, parts)
        raise Denied(Reason.NO_RULE)


def _walk(node: Node, segments: tuple[str, ...], at: int, spans: _Spans) -> tuple[Node, _Spans] | None:
    """Depth first, most specific child first. A pattern holds one `{name*}` at most, so the cost stays small."""
    if at == len(segments) and node.rules:
        return node, spans
    if at < len(segments):
        segment = segments[at]
        literal = node.literals.get(segment)
        if literal is not None and (found := _walk(literal, segments, at + 1, spans)):
            return found
        taken = (*spans, (at, at + 1))
        for pattern, child in node.patterned.items():
            if re.fullmatch(pattern, segment) and (found := _walk(child, segments, at + 1, taken)):
                return found
        if node.name is not None and (found := _walk(node.name, segments, at + 1, taken)):
            return found
    if node.rest is not None:
        for end in range(len(segments) - 1, at - 1, -1):
            if found := _walk(node.rest, segments, end, (*spans, (at, end))):
                return found
        if node.rest.rules:
            return node.rest, (*spans, (at, len(segments)))
    return None


def _parts(rule: Rule, segments: tuple[str, ...], spans: _Spans) -> dict[str, tuple[str, ...]]:
    names = [part.text for part in rule.pattern if part.is_name]
    return {name: segments[start:end] for name, (start, end) in zip(names, spans, strict=True)}

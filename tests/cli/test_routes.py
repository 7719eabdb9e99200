"""Every route of the API has a command that asks it, or a reason why there is none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TypeGuard

import sharegate.cli
from sharegate.dashboard.routes import ROOT
from tests.dashboard.conftest import Office, office  # noqa: F401 -- a fixture

FOLDER = Path(sharegate.cli.__file__).parent
# What no command asks, and why. The reverse, a page for each command, is in docs/dashboard.md.
NOT_ASKED = {
    "GET config": "`config show` reads the same settings itself, also where no gate runs",
    "GET doors": "`list` tells the same shares, all of them",
    "GET links/*/code": "`link code` shows a code when it makes it; a lost one is made anew",
    "GET links/*/qr": "`share --qr` and `list` draw the code in the terminal",
    "GET me": "at the terminal it is always the owner who asks",
    "GET offers": "`policy show` and `share --help` say what may be handed out",
    "GET openapi.json": "for programs; docs/reference/api.md is made from it",
    "GET overview": "`list --all` and `review` tell the same of all shares",
    "GET proofs": "`prove` follows the one that it began",
    "GET store/work": "`store check` and `store backup` do the work themselves, and say how far it is",
    "POST rosters/read": "`share --roster FILE` reads the file and says what is wrong with it before anything is made",
    "POST store/backup": "`store backup` copies the records itself, beside the gate",
    "POST store/check": "`store check` looks itself, beside the gate",
    "POST store/copies": "`store backup` copies to a folder of your choice",
}
ANY = "*"


def asked() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Method and path of each call of the API that a command makes; `*` where the code fills in a part."""
    for file in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(file.read_text())
        for function in ast.walk(tree):
            if not isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef):
                continue
            paths = dict(_kept(function))
            for method, path in _calls(function):
                path = paths.get(path.id, path) if isinstance(path, ast.Name) else path
                if _is_path(path):
                    for parts in product(*(_words(part, tree) for part in path.args)):
                        yield method, parts


def _calls(function: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Method and path of `control.call`; `exporting.write` and `every` get what they are given, page after page;
    `rosters.give` is given one of several."""
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            if call.func.attr == "call" and isinstance(call.args[0], ast.Constant):
                yield str(call.args[0].value), call.args[1]
            elif ast.unparse(call.func) == "exporting.write":
                yield "GET", call.args[2]
            elif ast.unparse(call.func) == "rosters.give":
                for one in ast.walk(function):
                    if isinstance(one, ast.Constant) and str(one.value).startswith("rosters/"):
                        parts: list[ast.expr] = [ast.Constant(part) for part in str(one.value).split("/")]
                        yield "POST", ast.Call(ast.Name("api_path"), parts, [])
        elif isinstance(call, ast.Call) and ast.unparse(call.func) == "every":
            yield "GET", ast.Call(ast.Name("api_path"), [call.args[1]], [])


def _kept(function: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """The paths that a function keeps under a name before it asks."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _is_path(node.value):
            yield node.targets[0].id, node.value


def _is_path(value: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "api_path"


def _words(part: ast.expr, tree: ast.Module) -> list[str]:
    """What may stand in one part: itself, the values of the table that it is looked up in, or anything."""
    if isinstance(part, ast.Constant):
        return [str(part.value)]
    if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name):
        for node in ast.walk(tree):
            named = [target.id for target in getattr(node, "targets", ()) if isinstance(target, ast.Name)]
            if named == [part.value.id] and isinstance(node.value, ast.Dict):
                return [str(value.value) for value in node.value.values if isinstance(value, ast.Constant)]
    return [ANY]


async def test_every_route_has_a_command_or_a_reason(office: Office) -> None:  # noqa: F811
    """Also each word of a route with several; and the list of reasons names no route that a command asks."""
    calls = set(asked())
    missing = set()
    for route in office.running.api.routes:
        for address, _ in route.addresses():
            path = tuple(ANY if part.startswith("{") else part for part in address.removeprefix(f"{ROOT}/").split("/"))
            if not any(fits(route.method, path, call) for call in calls):
                missing.add(f"{route.method} {'/'.join(path)}")
    assert missing == set(NOT_ASKED)


def fits(method: str, path: tuple[str, ...], call: tuple[str, tuple[str, ...]]) -> bool:
    """Whether a call is of this route. What it is about, its first word, no call leaves open."""
    asks, parts = call
    return (asks, len(parts), parts[0]) == (method, len(path), path[0]) and all(
        ours in (part, ANY) for part, ours in zip(path[1:], parts[1:], strict=True)
    )

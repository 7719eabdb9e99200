"""The owner's API as an OpenAPI 3.1 document, made from its one table of routes. What is for the owner's terminal alone
is not in it: at the dashboard's address nobody may ask that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from sharegate import __version__
from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.routes import Json, Route
from sharegate.dashboard.shapes.gate import Problem
from sharegate.shares.api_tokens import MEANINGS

PROBLEM = "application/problem+json"
_REF = "#/components/schemas/{name}"
_ABOUT = """Shares, links, visitors, history and versions of one gate, for its owner and the owner's programs.

Programs send `Authorization: Bearer sgt_…` (`sharegate token create`). Moments are seconds since the epoch (UTC).
"""
_ID = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"}
_OF_THEM = "; in a browser, if they are an admin"
_WORDS = {
    304: "It is as it was (If-None-Match)",
    400: "The request cannot be understood; `field` names what is wrong",
    401: "Nobody is signed in, or the token does not count",
    403: "Not permitted: by what this one may do, by the rules, or in this state",
    404: "There is no such thing",
    409: "Several things fit, something changed meanwhile, or the same is being done just now",
    412: "What is to be changed is not as it was seen any more (If-Match)",
    413: "The body is larger than 1 MB",
    415: "The body is not application/json",
    422: "This Idempotency-Key was used for another request",
    429: "Too many wrong tokens; Retry-After says when to come again",
    503: "The records, or a Jupyter server that is needed, cannot be reached",
}


def document(routes: Iterable[Route]) -> Json:
    """Plain values."""
    shown = [route for route in routes if route.needs is not Only.TERMINAL]
    schemas, components = _schemas(shown)
    paths: dict[str, Json] = {}
    for route in shown:
        for path, word in route.addresses():
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, word, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "sharegate", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token of the API: sgt_…"},
            },
        },
        "security": [{"token": []}],
    }


def statuses(route: Route) -> list[int]:
    """What a route may answer but 200."""
    found = {400, 401, 403, 404, 409, 429, 503}
    found |= {304} if route.method == "GET" else set()
    found |= {413, 415} if route.method != "GET" else set()
    found |= {422} if route.creates else set()
    found |= {412} if route.tagged else set()
    return sorted(found)


def may_ask(route: Route) -> str:
    """In words."""
    return route.needs.value + (_OF_THEM if route.who is Who.ADMIN else "")


def _types(routes: Iterable[Route]) -> Iterator[type[Any]]:
    yield Problem
    for route in routes:
        yield from (each for each in (route.answer, route.query, _documented(route)) if each is not None)


def _documented(route: Route) -> type[Any] | None:
    return route.body


def _schemas(routes: list[Route]) -> tuple[dict[type[Any], Json], dict[str, Json]]:
    """Each type's reference, and the schemas by name. Fields for the terminal alone are left out."""
    types = list(dict.fromkeys(_types(routes)))
    found, components = msgspec.json.schema_components(types, ref_template=_REF)
    for route in routes:
        for each in (route.body, route.query):
            if each is not None:
                schema = components[_name(each, found)]
                for name in route.private:
                    schema.get("properties", {}).pop(name, None)
    return dict(zip(types, found, strict=True)), components


def _name(wanted: type[Any], refs: tuple[Json, ...]) -> str:
    name = wanted.__name__
    assert any(ref.get("$ref") == _REF.format(name=name) for ref in refs), name
    return name


def _operation(route: Route, path: str, word: str, schemas: dict[type[Any], Json]) -> Json:
    operation: Json = {
        "operationId": _operation_id(route, path),
        "summary": f"{route.summary} ({word})" if word else route.summary,
        "description": f"Who may: {may_ask(route)}.",
        "tags": [path.split("/")[3].partition(".")[0]],
        "parameters": list(_parameters(route, path)),
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        required = any(one.required for one in msgspec.structs.fields(route.body))
        operation["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": schemas[route.body]}},
        }
    return operation


def _operation_id(route: Route, path: str) -> str:
    parts = [part.strip("{}") for part in re.split(r"[/.]", path.removeprefix("/api/v1/"))]
    return "_".join([route.method.lower(), *parts]).replace("-", "_")


def _parameters(route: Route, path: str) -> Iterator[Json]:
    for name in re.findall(r"\{([^}]+)\}", path):
        yield {"name": name, "in": "path", "required": True, "schema": _ID}
    if route.query is not None:
        _, components = msgspec.json.schema_components([route.query])
        for name, schema in components[route.query.__name__]["properties"].items():
            if name not in route.private:
                yield {"name": name, "in": "query", "required": False, "schema": schema}
    if route.method == "GET":
        yield _header("If-None-Match", "The ETag of an answer that is known already.")
    if route.tagged:
        yield _header("If-Match", "The ETag of what is to be changed, as it was seen.")
    if route.creates:
        yield _header("Idempotency-Key", "Sent again within a day with the same body, the same is answered.")


def _header(name: str, words: str) -> Json:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": words}


def _responses(route: Route, schemas: dict[type[Any], Json]) -> Json:
    answer: Json = {
        "description": "Done" if route.method != "GET" else "What was asked for",
        "content": {"application/json": {"schema": schemas[route.answer]}},
    }
    if route.method == "GET":
        answer["headers"] = {"ETag": {"schema": {"type": "string"}}}
    found: Json = {"200": answer}
    for status in statuses(route):
        found[str(status)] = {"description": _WORDS.get(status, HTTPStatus(status).phrase)}
        if status != 304:
            found[str(status)]["content"] = {PROBLEM: {"schema": schemas[Problem]}}
    return found


def capabilities() -> list[str]:
    """The closed list, one line each."""
    return [f"| `{each.value}` | {MEANINGS[each]} |" for each in MEANINGS]

"""The served description of the API: complete, and true of what is answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from sharegate.dashboard.asking import Only
from sharegate.dashboard.openapi import document, statuses
from tests.dashboard.client import Program
from tests.dashboard.conftest import Office
from tests.dashboard.test_routes import EVERYTHING

METHODS = {"get", "post", "patch", "delete"}


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


async def test_every_route_is_described(office: Office) -> None:
    """But those for the terminal; each with words, who may, and all statuses."""
    described = (await office.ask("GET", "openapi.json"))[1]
    found = {(method.upper(), path): operation for method, path, operation in operations(described)}
    wanted = {
        (route.method, path): route
        for route in office.running.api.routes
        for path, _ in route.addresses()
        if route.needs is not Only.TERMINAL
    }
    assert set(found) == set(wanted)
    for key, operation in found.items():
        route = wanted[key]
        assert route.summary and operation["summary"].startswith(route.summary) and operation["operationId"]
        assert set(operation["responses"]) == {"200", *map(str, statuses(route))}
        assert route.needs.value in operation["description"]
        assert ("requestBody" in operation) == (route.body is not None)
    ids = [operation["operationId"] for operation in found.values()]
    assert len(ids) == len(set(ids))


async def test_each_address_reaches_the_route_that_describes_it(office: Office) -> None:
    """No address is answered by another row of the table."""
    api = office.running.api
    for route in api.routes:
        for path, _ in route.addresses():
            assert api.find(route.method, path.replace("{id}", "x"))[0] is route, path


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from _refs(one)
    elif isinstance(value, list):
        for one in value:
            yield from _refs(one)


async def test_the_description_is_whole(office: Office) -> None:
    """OpenAPI 3.1; each reference leads somewhere, each schema is one (2020-12), nothing private is told."""
    described = document(office.running.api.routes)
    schemas = described["components"]["schemas"]
    assert re.fullmatch(r"3\.1\.\d+", described["openapi"])
    assert {ref.removeprefix("#/components/schemas/") for ref in _refs(described)} <= set(schemas)
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for _, _, operation in operations(described):
        assert not {"to", "anchors", "root_dir"} & {one["name"] for one in operation["parameters"]}
    for name in ("AnchorBody", "NewServerBody"):
        assert not {"to", "root_dir"} & set(schemas[name]["properties"])


@pytest.mark.parametrize(
    "path", ["gate", "shares", "visits", "knocks", "asks", "alarms", "audit", "servers", "rules", "keys"]
)
async def test_real_answers_are_as_described(office: Office, path: str) -> None:
    """By the document as it is served, over HTTP (tests/dashboard/conftest.py checks all answers of all tests)."""
    await office.share(**{"for": ["Ann"]})
    program = Program(office, await office.token(*EVERYTHING))
    try:
        _, described = await program.ask("GET", "/api/v1/openapi.json")
        status, said = await program.ask("GET", f"/api/v1/{path}")
        schema = described["paths"][f"/api/v1/{path}"]["get"]["responses"]["200"]["content"]["application/json"][
            "schema"
        ]
        assert status == 200
        jsonschema.validate(said, {**schema, "components": described["components"]}, jsonschema.Draft202012Validator)
    finally:
        await program.close()

"""The running API, asked by a machine whatever its description permits and more: no fault, nothing undocumented."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.dashboard.client import Program
from tests.dashboard.conftest import Office
from tests.dashboard.test_routes import EVERYTHING

CHECKS = [
    *(not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance),
    response_schema_conformance,
]
LONGEST = 8000
EXAMPLES = settings(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def ask_everything(url: str, described: dict[str, Any], token: str, ids: dict[str, str]) -> Counter[int]:
    """How often which status was answered. Blocks."""
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=url)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    statuses: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in schemathesis.GenerationMode:

            @EXAMPLES
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case) -> None:
                group = case.path.split("/")[3]
                if group in ids and case.path_parameters:
                    case.path_parameters["id"] = ids[group]
                # What is longer the HTTP library refuses by itself, before it is a request.
                assume(len(str(case.as_transport_kwargs(base_url=url)["params"])) * 3 < LONGEST)
                statuses[case.call_and_validate(headers=headers, checks=CHECKS).status_code] += 1

            ask()
    return statuses


@pytest.mark.timeout(300)
@pytest.mark.parametrize("can", [EVERYTHING, ()], ids=["a token with everything", "nobody"])
async def test_nothing_is_a_fault_or_undocumented(office: Office, can: tuple[str, ...]) -> None:
    """Real ids where there are some, so that most verbs are reached; nobody gets nothing but refusals."""
    made = await office.share(**{"for": ["Ann"]})
    ids = {"shares": made["share"]["id"], "links": made["links"][0]["id"]}
    whole = await office.token(*EVERYTHING)
    program = Program(office, whole)
    _, described = await program.ask("GET", "/api/v1/openapi.json")
    await program.close()
    url = office.running.dashboard_url
    statuses = await asyncio.to_thread(ask_everything, url, described, whole if can else "", ids)
    assert sum(statuses.values()) > 300
    if can:
        assert min(statuses[200], statuses[304], statuses[400], statuses[404], statuses[412]) > 20, statuses
    else:
        # Some are asked with a token that the machine made up.
        assert set(statuses) <= {400, 401, 429} and statuses[401] > 100, statuses
    assert (await office.call("GET", "audit/verify"))["intact"]

"""Who a visitor is, as the gate tells the visitor's own page (`/api/me`)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gatehouse import Gatehouse, Inside

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


async def me(visitor: Inside) -> dict[str, Any]:
    reply = await visitor.ask("GET", "api/me")
    assert reply.status == 200
    said: dict[str, Any] = reply.json
    assert said["permissions"] == {"updatable_fields": []}
    return dict(said["identity"])


async def test_two_of_one_name_on_one_server_are_told_apart(gate: Gatehouse) -> None:
    """Also by links of two shares; the name is free again as soon as its visit was ended."""
    first = await gate.visit(await gate.share(**{"for": ["Nora"]}))
    second = await gate.visit(await gate.share(**{"for": ["nora"]}))
    assert [(await me(each))["display_name"] for each in (first, second, first)] == ["Nora", "nora (2)", "Nora"]
    assert (await me(second))["name"] == "nora (2)"
    assert (await me(second))["initials"] == "N"
    assert (await me(first))["username"] != (await me(second))["username"]
    await gate.call("POST", f"shares/{first.share['id']}/revoke")
    third = await gate.visit(await gate.share(**{"for": ["Nora"]}))
    assert [(await me(each))["display_name"] for each in (third, second)] == ["Nora", "nora (2)"]


async def test_attack_a_typed_name_is_quoted_and_never_the_owners(gate: Gatehouse) -> None:
    """Markup and marks of direction in it draw nothing; the owner's own name gets a number."""
    made = await gate.share(anyone=True, visits=5)
    typed = await gate.visit(made, name="Bo\u202e” <b>")
    assert (await me(typed))["display_name"] == "“Bo' <b>”"
    owner = (await me(await gate.visit(made, name=gate.running.config.owner)))["display_name"]
    assert owner == f"“{gate.running.config.owner}” (2)"

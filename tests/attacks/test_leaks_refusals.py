"""Refusals tell nothing: a sentence for each kind, and one answer for what is outside, hidden, linked or missing."""

import re

import pytest
import pytest_asyncio

from sharegate.errors import MEANINGS, Reason
from sharegate.prove import reading
from sharegate.visits.pages import refusal
from tests.attacks.ground import WORKSHOP, rows
from tests.attacks.secrets import search
from tests.gatehouse import Gatehouse, Inside, Reply

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anna(gate: Gatehouse) -> Inside:
    return await gate.visit(name="Anna")


@pytest.mark.parametrize("reason", list(Reason), ids=[reason.value for reason in Reason])
@pytest.mark.parametrize("html", [True, False], ids=["page", "JSON"])
async def test_refusals_of_every_kind_say_only_our_words(
    forbidden: dict[str, bytes], reason: Reason, html: bool
) -> None:
    """From 400 to 504: the public code and its sentence, and no detail."""
    answer = refusal(MEANINGS[reason], "abcdefgh", html)
    assert isinstance(answer.body, bytes)
    whole = answer.body + str(answer.headers).encode()

    assert answer.status == MEANINGS[reason].status
    assert not search(forbidden, reason.value, whole)
    if MEANINGS[reason].public != reason.value:
        assert reason.value.encode() not in whole


ROUTES = {**reading.READERS, "session": ("PUT", "api/collaboration/session/{place}")}
# JupyterLab's pages open at any name within: what is linked out is as missing there as what is not there.
PAGE_ROUTES = {
    "lab": ("GET", "lab/tree/{place}"),
    "doc": ("GET", "doc/tree/{place}"),
    "lab in a workspace": ("GET", "lab/workspaces/auto-0/tree/{place}"),
    "doc in a workspace": ("GET", "doc/workspaces/auto-0/tree/{place}"),
    "file browser": ("GET", "lab/tree/sub/shared?file-browser-path={place}"),
}
NOTEBOOK_ROUTES = {
    "tree": ("GET", "tree/{place}"),
    "notebooks": ("GET", "notebooks/{place}"),
    "edit": ("GET", "edit/{place}"),
}
# What a viewer cannot tell apart.
ELSEWHERE = {**rows(reading.PLACES, WORKSHOP), "at the top": "zqotter.ipynb"}
LINKED = {
    **rows(reading.LINKS, WORKSHOP),
    "linked beyond": "sub/shared/link_beyond.txt",
    "missing": "sub/shared/nothing.txt",
}


@pytest.mark.parametrize("navigating", [True, False], ids=["navigation", "request"])
@pytest.mark.parametrize("route", [*ROUTES, *PAGE_ROUTES, *NOTEBOOK_ROUTES])
async def test_refusals_are_one_answer_on_every_route(anna: Inside, route: str, navigating: bool) -> None:
    """Outside, hidden, linked out and missing: byte for byte the same but for the id. JupyterLab's page opens alike at
    what is linked out and at what is missing."""
    method, path = {**ROUTES, **PAGE_ROUTES, **NOTEBOOK_ROUTES}[route]
    gone = ELSEWHERE if route in PAGE_ROUTES else {**ELSEWHERE, **LINKED}
    for where in LINKED.values() if route in PAGE_ROUTES else ():
        assert (await anna.ask(method, path.replace("{place}", where))).status == 200, where
    answers: dict[tuple[int, str, bytes], list[str]] = {}
    for name, where in gone.items():
        fields = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"} if navigating else {}
        body = b'{"format":"text","type":"file"}' if method == "PUT" else b""
        reply = await anna.ask(method, path.replace("{place}", where), headers=fields, body=body)
        kept = sorted((key, value) for key, value in reply.headers if key.lower() != "date")
        answers.setdefault((reply.status, str(kept), _without_id(reply)), []).append(name)

    assert len(answers) == 1, {(*key[:1], key[2][:80]): names for key, names in answers.items()}
    assert next(iter(answers))[0] == 404


async def test_a_viewers_checkpoints_tell_nothing(anna: Inside) -> None:
    """The gate makes the list without asking: the same for what is there, missing or linked out; elsewhere is a 404."""
    for where in ("sub/shared/nb.ipynb", "sub/shared/nothing.txt", *rows(reading.LINKS, WORKSHOP).values()):
        reply = await anna.ask("GET", f"api/contents/{where}/checkpoints")
        assert (reply.status, reply.body) == (200, b"[]"), where
    for where in rows(reading.PLACES, WORKSHOP).values():
        assert (await anna.ask("GET", f"api/contents/{where}/checkpoints")).status == 404


def _without_id(reply: Reply) -> bytes:
    """The body with its one random id blanked."""
    if reply.header("Content-Type").startswith("application/json") and reply.body:
        error = reply.json["error"]
        assert len(error["id"]) == 8
        return reply.body.replace(error["id"].encode(), b"*")
    return re.sub(rb"(?<=[>\s\"])[a-z0-9]{8}(?=[<\s\"])", b"*", reply.body)

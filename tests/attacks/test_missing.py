"""Looking for what is not there: told to everybody in the same words, and no offence within the share."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import pytest_asyncio

from tests.gatehouse import Gatehouse, Inside, Reply
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

ELSEWHERE = {
    "secret/secret.txt": "outside_root",
    "sub/shared/.zqhidden.txt": "hidden_path",
    "sub/shared/link_there.txt": "link_out",
    "secret/never-was.txt": "outside_root",
    "sub": "outside_root",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(gate: Gatehouse) -> Inside:
    return await gate.visit()


def shown(reply: Reply) -> tuple[int, list[tuple[str, str]], bytes]:
    """A reply but for what differs between any two of the same answer: the date and the id of the refusal."""
    id = reply.json["error"]["id"]
    kept = [field for field in reply.headers if field[0].lower() != "date"]
    return reply.status, kept, reply.body.replace(id.encode(), b"")


@pytest.mark.parametrize("route", ["api/contents/", "files/"])
async def test_a_missing_file_within_the_share_is_no_denial(gate: Gatehouse, ann: Inside, route: str) -> None:
    """The trail keeps that it was asked for and not there; whoever looks elsewhere is denied, in the same words."""
    before = await gate.denials(ann.share["id"])
    missing = await ann.ask("GET", f"{route}sub/shared/renamed-away.txt")
    assert missing.status == 404 and missing.public == "not_found"
    assert await gate.denials(ann.share["id"]) == before
    (*_, event) = await gate.events(share=ann.share["id"])
    assert (event["action"], event["outcome"], event["status"], event["reason"]) == (
        "request.answered",
        "allowed",
        404,
        "not_found",
    )
    assert event["path"] == f"{route}sub/shared/renamed-away.txt" or event["path"] == "sub/shared/renamed-away.txt"

    for path, reason in ELSEWHERE.items():
        if (route, path) == ("api/contents/", "sub"):
            continue  # there it is shown the way to the share
        reply = await ann.ask("GET", route + path)
        assert shown(reply) == shown(missing), path
        (*_, event) = await gate.events(share=ann.share["id"])
        assert (event["outcome"], event["reason"]) == ("denied", reason), path

    reply = await ann.ask("GET", "api/contents/sub?type=file")
    assert shown(reply) == shown(missing)
    (*_, event) = await gate.events(share=ann.share["id"])
    assert (event["outcome"], event["reason"]) == ("denied", "not_found")


async def test_attack_changing_what_is_missing_is_denied(gate: Gatehouse, workshop: JupyterServer) -> None:
    """Only looking is free: a change of what is not there stays a denial."""
    ed = await gate.visit(await gate.share(role="edit", **{"for": ["Ed"]}), name="Ed")
    assert (await ed.ask("DELETE", "api/contents/sub/shared/never-was.txt")).status == 404
    assert await gate.denials(ed.share["id"]) == ["not_found"]


LINKED = ("link_there.txt", "linked_folder/zqotter.txt")
CHANGES = [
    ("PUT", {"type": "file", "format": "text", "content": "x"}),
    ("POST", {"type": "file"}),
    ("PATCH", {"path": "sub/shared/zz.txt"}),
    ("DELETE", None),
]


@pytest.fixture
def linked(workshop: JupyterServer) -> Iterator[None]:
    """A folder of the share that is a link out of it."""
    link = workshop.root / "sub" / "shared" / "linked_folder"
    link.symlink_to(workshop.root / "zqbeaver-folder")
    yield
    link.unlink()


@pytest.mark.parametrize("name", LINKED)
@pytest.mark.parametrize(("method", "body"), CHANGES, ids=[method for method, _ in CHANGES])
async def test_attack_a_viewer_tries_names_by_changing_them(
    ann: Inside, linked: None, method: str, body: object, name: str
) -> None:
    """Who may change nothing is told so, the same of what leads out and of what is not there."""
    data = b"" if body is None else json.dumps(body).encode()
    told = [
        await ann.ask(
            method, f"api/contents/sub/shared/{each}", headers={"Content-Type": "application/json"}, body=data
        )
        for each in (name, "never-was.txt")
    ]
    assert shown(told[0]) == shown(told[1])
    assert (told[0].status, told[0].public) == (403, "not_allowed")


PAGES = [
    *("lab/tree/sub/shared/{}", "doc/tree/sub/shared/{}", "lab/workspaces/auto-x/tree/sub/shared/{}"),
    "lab/tree/sub/shared?file-browser-path=/sub/shared/{}",
    *("tree/sub/shared/{}", "notebooks/sub/shared/{}", "edit/sub/shared/{}"),
]


@pytest.mark.parametrize("name", LINKED)
@pytest.mark.parametrize("address", PAGES)
async def test_attack_a_viewer_tries_names_by_opening_pages(
    ann: Inside, workshop: JupyterServer, linked: None, address: str, name: str
) -> None:
    """A page at a name that leads out is that of a name with nothing behind it, and holds nothing of what is there."""
    there, missing = [await ann.ask("GET", address.format(each)) for each in (name, "n" + name[1:])]
    assert there.status == missing.status == (200 if address.startswith(("lab", "doc")) else 404)
    if there.status == 404:
        assert shown(there) == shown(missing)
    else:
        assert len(there.body) == len(missing.body), "the two differ in the name and in a random value"
    assert b"zqbadger" not in there.body and str(workshop.root).encode() not in there.body

"""The API at the dashboard's address: problem documents, conditions, and what no client may send."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from sharegate.dashboard.shapes.gate import Problem
from tests.dashboard.client import Program, Signed
from tests.dashboard.conftest import Office
from tests.dashboard.test_routes import EVERYTHING

PROBLEM = "application/problem+json"


@pytest.fixture
async def program(office: Office) -> AsyncIterator[Program]:
    program = Program(office, await office.token(*EVERYTHING))
    yield program
    await program.close()


@pytest.fixture
async def page(office: Office) -> AsyncIterator[Signed]:
    page = Signed(office)
    await page.enter()
    yield page
    await page.close()


async def test_a_refusal_is_a_problem_that_names_its_field(office: Office, program: Program) -> None:
    """RFC 9457, with the members that the API's description has."""
    for method, path, body, status, field in (
        ("POST", "shares", {}, 400, "path"),
        ("POST", "shares", {"path": "week3", "expires": "soon"}, 400, "expires"),
        ("POST", "shares", {"path": "week3", "more": 1}, 400, "more"),
        ("POST", "shares", {"path": "week3", "role": "owner"}, 400, "role"),
        ("PATCH", "shares/nobody", {"name": "x"}, 404, ""),
        ("GET", "audit?limit=many", None, 400, "limit"),
        ("GET", "audit?limit=-1", None, 400, "limit"),
        ("GET", "audit?more=1", None, 400, "more"),
        ("GET", "shares?all=perhaps", None, 400, "all"),
        ("GET", "shares?all=1&all=0", None, 400, "all"),
        ("GET", "audit/export?format=xml", None, 400, "format"),
        ("POST", "shares/nobody/pause", {"why": 1}, 400, "why"),
        ("GET", "resolve?ref=nothing", None, 404, ""),
    ):
        answer, said = await program.whole(method, f"/api/v1/{path}", body)
        assert answer.content_type == PROBLEM and answer.headers["Cache-Control"] == "no-store"
        problem = msgspec.convert(said, Problem)
        assert (answer.status, problem.status, problem.field) == (status, status, field), said
        assert problem.type == "about:blank" and problem.title and problem.detail


async def test_an_ambiguous_name_comes_with_its_candidates(office: Office, program: Program) -> None:
    """409, and nothing is chosen."""
    for path in ("week3", "week4"):
        await office.share(path, name="Course")
    status, said = await program.ask("GET", "/api/v1/resolve", params={"ref": "Course"})
    assert status == 409 and len(said["candidates"]) == 2


async def test_attack_a_token_beside_a_cookie(office: Office, program: Program) -> None:
    """A browser sends cookies by itself: whose word counts is not certain, so nobody's does."""
    for cookie in ("sharegate-dashboard=x", "other=x"):
        status, said = await program.ask("GET", "/api/v1/me", headers={"Cookie": cookie})
        assert (status, said["code"]) == (400, "ambiguous_credential")


async def test_attack_a_browser_navigates_with_a_token(office: Office, program: Program) -> None:
    """Nor is anything of a page loaded with one; nor does a token open a page."""
    for headers in ({"Sec-Fetch-Mode": "navigate"}, {"Sec-Fetch-Dest": "document"}, {"Sec-Fetch-Dest": "script"}):
        status, said = await program.ask("GET", "/api/v1/me", headers=headers)
        assert (status, said["code"]) == (403, "not_for_browsers")
    async with program.http.get("/", headers=program.headers()) as answer:
        assert answer.status == 401


async def test_attack_another_site_asks_with_a_token(office: Office, program: Program) -> None:
    """The browser says that it is another site, or asks first whether it may."""
    status, said = await program.ask("GET", "/api/v1/me", headers={"Sec-Fetch-Site": "cross-site"})
    assert (status, said["code"]) == (421, "bad_host")
    status, said = await program.ask("GET", "/api/v1/me", headers={"Host": "evil.example"})
    assert (status, said["code"]) == (421, "bad_host")
    program.token = ""
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer, _ = await program.whole("OPTIONS", "/api/v1/shares", headers=preflight)
    assert answer.status in (401, 405) and not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_who_is_signed_in_is_told_so_without_the_pages_token(page: Signed) -> None:
    """`me` of a browser: its owner, until when, and nothing that a page has to show."""
    status, me = await page.ask("GET", "/api/v1/me")
    assert status == 200 and (me["kind"], me["name"]) == ("browser", "Olga")
    assert me["expires"] > 0 and page.headers()["X-CSRF-Token"] not in json.dumps(me)


async def test_what_is_known_already_is_not_sent_again(office: Office, program: Program) -> None:
    """304 with the same ETag until something has changed; lists and single records."""
    share = (await office.share())["share"]["id"]
    for path in ("/api/v1/shares", f"/api/v1/shares/{share}"):
        first, said = await program.whole("GET", path)
        mine = first.headers["ETag"]
        for have in (mine, f"W/{mine}", f'"x", {mine}', "*"):
            again, nothing = await program.whole("GET", path, headers={"If-None-Match": have})
            assert (again.status, nothing, again.headers["ETag"]) == (304, None, mine), have
        other, _ = await program.whole("GET", path, headers={"If-None-Match": '"x"'})
        assert other.status == 200
        await office.call("PATCH", f"shares/{share}", {"name": f"Other {path}"})
        changed, now = await program.whole("GET", path, headers={"If-None-Match": mine})
        assert changed.status == 200 and changed.headers["ETag"] != mine and now != said


async def test_a_head_is_a_get_without_a_body(office: Office, program: Program) -> None:
    """With the same ETag."""
    got, _ = await program.whole("GET", "/api/v1/shares")
    head, said = await program.whole("HEAD", "/api/v1/shares")
    assert head.status == 200 and said is None and head.headers["ETag"] == got.headers["ETag"]


@pytest.mark.parametrize("kind", ["share", "link"])
async def test_a_change_on_condition_is_made_only_on_what_was_seen(office: Office, program: Program, kind: str) -> None:
    """412 for each verb when the record is another one by now, and nothing is changed."""
    made = await office.share()
    id = made["share"]["id"] if kind == "share" else made["links"][0]["id"]
    path = f"/api/v1/{kind}s/{id}"
    seen = (await program.whole("GET", path))[0].headers["ETag"]
    status, _ = await program.ask("PATCH", path, {"name": "First"}, headers={"If-Match": seen})
    assert status == 200
    before = await office.everything()
    verbs = ["pause", "resume", "revoke", *(["replace"] if kind == "link" else [])]
    for method, where, body in (
        ("PATCH", path, {"name": "Second"}),
        *(("POST", f"{path}/{verb}", {}) for verb in verbs),
    ):
        status, said = await program.ask(method, where, body, headers={"If-Match": seen})
        assert (status, said["code"], said["field"]) == (412, "stale", "If-Match"), where
    assert await office.everything() == before
    now = (await program.whole("GET", path))[0].headers["ETag"]
    for verb in ("pause", "revoke"):
        status, _ = await program.ask(
            "POST", f"{path}/{verb}", {}, headers={"If-Match": "*" if verb == "revoke" else now}
        )
        assert status == 200


async def test_race_two_who_saw_the_same(office: Office, program: Program) -> None:
    """Of several changes of what was seen, one is made."""
    share = (await office.share())["share"]["id"]
    path = f"/api/v1/shares/{share}"
    seen = (await program.whole("GET", path))[0].headers["ETag"]
    asked = [program.ask("PATCH", path, {"name": f"Name {n}"}, headers={"If-Match": seen}) for n in range(8)]
    statuses = [status for status, _ in await asyncio.gather(*asked)]
    assert sorted(statuses) == [200] + [412] * 7
    assert (await office.actions()).count("share.changed") == 1


@pytest.mark.parametrize("said", ["x", '"x', "", '"a" "b"', '"' + "x" * 5000 + '"', "*, *"])
async def test_a_condition_that_is_none_is_refused(office: Office, program: Program, said: str) -> None:
    """Who sends one relies on it: it is never passed over."""
    share = (await office.share())["share"]["id"]
    status, refused = await program.ask("PATCH", f"/api/v1/shares/{share}", {"name": "x"}, headers={"If-Match": said})
    assert (status, refused["field"]) == (400, "If-Match")
    status, refused = await program.ask("POST", "/api/v1/shares", {"path": "week3"}, headers={"If-Match": '"x"'})
    assert (status, refused["field"]) == (400, "If-Match")


DEEP = b'{"a":' * 50_000 + b"1" + b"}" * 50_000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (10 << 20), 413),
        (b'{"path": "' + b"x" * (10 << 20) + b'"}', 413),
        (b"{", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (DEEP, 400),
        (b'{"path": "a", "path": "b"}', 400),
        (b'{"path": "week3", "expires": 1e999}', 400),
        (b'{"path": "week3", "visits": ' + b"9" * 5000 + b"}", 400),
        (b'{"path": "week3\\u0000"}', 400),
        (b'{"path": "\\ud800"}', 400),
        (b'{"path": "week3", "name": 7}', 400),
        (b'{"path": "week3", "for": "Ann"}', 400),
        (b'{"path": "week3", "server": {"a": [1]}}', 400),
        (b'{"path": "week3", "role": "\\u202eweiv"}', 400),
    ],
    ids=lambda value: value[:30].decode("latin-1") if isinstance(value, bytes) else str(value),
)
async def test_hostile_bodies_are_clear_refusals(office: Office, program: Program, body: bytes, status: int) -> None:
    """A problem each, and nothing is shared."""
    headers = program.headers() | {"Content-Type": "application/json"}
    async with program.http.post("/api/v1/shares", data=io.BytesIO(body), headers=headers) as answer:
        said = await answer.json(content_type=PROBLEM)
        assert answer.status == status and said["detail"] and said["status"] == status
    assert (await office.call("GET", "shares"))["shares"] == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_says_it_is_no_json_is_refused(program: Program, kind: str) -> None:
    """415: a form of another page cannot say that it is JSON."""
    headers = program.headers() | {"Content-Type": kind}
    async with program.http.post("/api/v1/shares", data=b'{"path": "week3"}', headers=headers) as answer:
        assert answer.status == 415 and (await answer.json(content_type=PROBLEM))["code"] == "not_json"


@pytest.mark.parametrize("name", ["\u202eevil", "a\nb", "Zo\u0308e\u200b"])
async def test_names_are_shown_without_what_hides_or_reorders(office: Office, program: Program, name: str) -> None:
    """They are cleaned, or refused by field."""
    body = {"path": str(office.folder / "week3"), "name": name, "for": [name]}
    status, said = await program.ask("POST", "/api/v1/shares", body)
    text = json.dumps(said)
    assert status in (200, 400) and not any(bad in text for bad in ("\\u202e", "\\n", "\\u200b"))


async def test_answers_come_in_no_page(program: Program) -> None:
    """Nothing that is answered runs, is sniffed, framed or kept."""
    for path in ("/api/v1/me", "/api/v1/nothing"):
        answer, _ = await program.whole("GET", path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_who_creates_with_a_key_creates_once(office: Office, program: Program, page: Signed) -> None:
    """The same answer again, for each asker by themselves; another request with the same key is 422."""
    body: dict[str, Any] = {"path": str(office.folder / "week3")}
    key = {"Idempotency-Key": "one"}
    first = await program.ask("POST", "/api/v1/shares", body, headers=key)
    assert first[0] == 200 and await program.ask("POST", "/api/v1/shares", body, headers=key) == first
    status, said = await program.ask("POST", "/api/v1/shares", {**body, "name": "other"}, headers=key)
    assert (status, said["code"], said["field"]) == (422, "key_reused", "Idempotency-Key")
    status, other = await page.ask("POST", "/api/v1/shares", body, headers=key)
    assert status == 200 and other["share"]["id"] != first[1]["share"]["id"]
    assert (await office.actions()).count("share.created") == 2
    for wrong in ("", "x" * 201, "a b"):
        status, said = await program.ask("POST", "/api/v1/shares", body, headers={"Idempotency-Key": wrong})
        assert (status, said["field"]) == (400, "Idempotency-Key"), wrong


async def test_attack_a_server_here_is_added_without_its_folder(office: Office, page: Signed) -> None:
    """Without its folder nothing would be looked at on the disk: links out of a share, keys inside it."""
    here = ("127.0.0.1", "127.9.9.9", "localhost", "a.localhost", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]")
    for url in (f"http://{host}:8888/" for host in here):
        status, said = await page.ask("POST", "/api/v1/servers", {"url": url})
        assert (status, said["code"], said["field"]) == (403, "server_here", "url")
    assert len((await office.call("GET", "servers"))["servers"]) == 1


@pytest.mark.parametrize("path", ["shares", "rosters/share", "snapshots"])
async def test_attack_a_path_without_end_is_not_looked_for(office: Office, program: Program, path: str) -> None:
    """Asking the disk about each part of it took minutes, in which nobody else was answered."""
    body = {"path": "/a" * 5000, **({"roster": "Ann"} if path.startswith("rosters") else {})}
    status, said = await program.ask("POST", f"/api/v1/{path}", body)
    assert (status, said["field"]) == (400, "path") and "longer" in said["detail"]


@pytest.mark.parametrize("number", ["9" * 4000, "-" + "9" * 4000, "1e999", "-1e999", "9" * 19])
async def test_attack_numbers_that_nothing_can_mean(office: Office, program: Program, number: str) -> None:
    """In each field of a link that takes a number, and of a share: refused, and the field is named."""
    made = await office.share(**{"for": ["Ann"]})
    share, link = made["share"]["id"], made["links"][0]["id"]
    before = await office.everything()
    for where, field in (
        *((f"links/{link}", name) for name in ("expires", "not_before", "visits", "devices")),
        *((f"shares/{share}", name) for name in ("expires",)),
    ):
        async with program.http.request(
            "PATCH",
            f"/api/v1/{where}",
            data=f'{{"{field}": {number}}}',
            headers={**program.headers(), "Content-Type": "application/json"},
        ) as answer:
            said = await answer.json(content_type=None)
        assert answer.status in (400, 403), (field, said)
        assert said["field"] == field or said["code"] == "expires_too_late", said
    assert await office.everything() == before


async def test_attack_json_in_other_encodings(office: Office, program: Program) -> None:
    """A body is UTF-8 without a mark, and nothing is guessed."""
    text = '{"name": "x"}'
    for body in (text.encode("utf-16"), text.encode("utf-32-le"), b"\xef\xbb\xbf{}", b'{"name": "\xff"}'):
        async with program.http.request(
            "POST", "/api/v1/shares", data=body, headers={**program.headers(), "Content-Type": "application/json"}
        ) as answer:
            said = await answer.json(content_type=None)
        assert (answer.status, said["field"]) == (400, "body"), body


async def test_attack_a_field_of_half_a_megabyte_is_not_said_back(office: Office, program: Program) -> None:
    """Its name is cut, as are names in all refusals."""
    made = await office.share(**{"for": ["Ann"]})
    for path in (f"shares/{made['share']['id']}", f"links/{made['links'][0]['id']}"):
        answer, said = await program.whole("PATCH", f"/api/v1/{path}", {"k" * 500_000: 1})
        assert answer.status == 400 and len(json.dumps(said)) < 1000

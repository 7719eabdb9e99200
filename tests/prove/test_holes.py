"""Each check of the suite finds a hole that is opened on purpose, in a real gate before a real server.

What is several rules deep in the gate is opened at each of them, or answered with what the server tells its owner.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sharegate import gate as gates
from sharegate.channels import frames, viewer
from sharegate.channels.frames import RawJson, RawSave
from sharegate.channels.interfaces import Verdict
from sharegate.confine import request as confining
from sharegate.confine import response
from sharegate.errors import MEANINGS, Denied, Meaning, Reason
from sharegate.lab.notebook import TREE
from sharegate.messages import Answer, Request, Response
from sharegate.paths import CanonicalPath, Place
from sharegate.policy.files import FileRules
from sharegate.prove.model import Check
from sharegate.shares.authenticate import Authenticator
from sharegate.shares.model import Grant
from sharegate.upstream.file_ids import UpstreamFileIds
from sharegate.upstream.roots import Roots
from sharegate.visits import refusals
from sharegate.visits.site import Site
from tests.gatehouse import raw
from tests.real.jupyter import JupyterServer

pytestmark = pytest.mark.real

Patch = pytest.MonkeyPatch
MEANINGS_BEFORE = {meaning.public: meaning.sentence for meaning in MEANINGS.values()}

Hole = Callable[[Patch, JupyterServer], None]


async def anything(*_: Any, **__: Any) -> None:
    """In place of a look that would refuse."""


def below(request: Request) -> str:
    """The target below the visit."""
    return request.target.partition("/~")[2].partition("/")[2]


def as_its_owner(patch: Patch, server: JupyterServer, when: Callable[[Request], str | None]) -> None:
    """What `when` names is answered as the server answers its owner: status, kind and body."""
    honest = gates.Gate._handle

    async def holed(self: gates.Gate, request: Request, act: gates.Act) -> Answer:
        asked = when(request)
        if asked is None:
            return await honest(self, request, act)
        body = await request.body.read(1 << 20)
        reply = await raw(server.port, request.method, f"/{asked}", {"Authorization": f"token {server.token}"}, body)
        return Response(reply.status, (("Content-Type", reply.header("Content-Type")),), reply.body)

    patch.setattr(gates.Gate, "_handle", holed)


def everywhere_is_inside(patch: Patch, server: JupyterServer) -> None:
    async def here(self: Roots, grant: Grant, upstream: object, path: tuple[str, ...]) -> tuple[str, ...]:
        return path

    patch.setattr(CanonicalPath, "place", lambda self, root: Place.INSIDE)
    patch.setattr(Roots, "inside", anything)
    patch.setattr(Roots, "real", here)


def dots_are_names(patch: Patch, server: JupyterServer) -> None:
    patch.setattr("sharegate.paths.check_segment", lambda segment: None)
    patch.setattr(CanonicalPath, "hidden", property(lambda self: False))
    patch.setattr(Roots, "inside", anything)


def outside_is_forbidden(patch: Patch, server: JupyterServer) -> None:
    patch.setitem(MEANINGS, Reason.OUTSIDE_ROOT, MEANINGS[Reason.CAPABILITY_MISSING])


def reasons_speak(patch: Patch, sentences: dict[Reason, str]) -> None:
    """A refusal says a sentence of its reason's own, where all that share a public code say the code's."""
    honest = refusals.refusal

    def holed(meaning: Meaning, *more: Any) -> Response:
        answer = honest(meaning, *more)
        own = MEANINGS_BEFORE[meaning.public]
        assert isinstance(answer.body, bytes)
        return Response(answer.status, answer.headers, answer.body.replace(own.encode(), meaning.sentence.encode()))

    for reason, sentence in sentences.items():
        patch.setitem(MEANINGS, reason, replace(MEANINGS[reason], sentence=sentence))
    patch.setattr(refusals, "refusal", holed)


def hidden_has_another_sentence(patch: Patch, server: JupyterServer) -> None:
    reasons_speak(patch, {Reason.HIDDEN_PATH: "This is hidden here."})


def refusals_quote(patch: Patch, server: JupyterServer) -> None:
    missing = [reason for reason, meaning in MEANINGS.items() if meaning.public == "not_found"]
    reasons_speak(patch, dict.fromkeys(missing, "It is not TOPSECRET."))


def links_are_followed(patch: Patch, server: JupyterServer) -> None:
    patch.setattr(Roots, "inside", anything)


def links_are_listed(patch: Patch, server: JupyterServer) -> None:
    async def every(self: Roots, grant: Grant, upstream: object, directory: object, names: list[str]) -> set[str]:
        return set(names)

    patch.setattr(Roots, "inside_names", every)


def siblings_are_listed(patch: Patch, server: JupyterServer) -> None:
    honest = response.answer_locally

    def told(name: str, setting: Any) -> bytes | None:
        answer = honest(name, setting)
        if answer is None:
            return None
        model = json.loads(answer)
        model["content"] = [*model["content"], {"name": "secret", "path": "secret", "type": "directory"}]
        return json.dumps(model).encode()

    patch.setattr("sharegate.answers.answer_locally", told)


def token_stays_in_the_page(patch: Patch, server: JupyterServer) -> None:
    from sharegate.lab import page

    honest, render = page.build_config, page.render_page

    def told(source: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {**honest(source, **more), "token": source["token"]}

    def rendered(source: Any, **more: Any) -> Any:
        return render(source, **{**more, "secrets_of_upstream": ()})

    patch.setattr(page, "build_config", told)
    patch.setattr("sharegate.lab.serve.render_page", rendered)


def a_path_stays_in_the_page(patch: Patch, server: JupyterServer) -> None:
    from sharegate.lab import page

    honest = page.build_config
    key = "userSettingsDir"
    patch.setattr(page, "build_config", lambda source, **more: {**honest(source, **more), key: source[key]})


def error_pages_pass(patch: Patch, server: JupyterServer) -> None:
    as_its_owner(patch, server, lambda request: "nope" if below(request).startswith("sgprove") else None)


def errors_pass(patch: Patch, server: JupyterServer) -> None:
    as_its_owner(patch, server, lambda request: below(request) if "type=notebook" in request.target else None)


def cookies_pass(patch: Patch, server: JupyterServer) -> None:
    from sharegate import answers

    honest = answers.response_headers

    def told(given: Any, *more: Any, **named: Any) -> tuple[tuple[str, str], ...]:
        return (*honest(given, *more, **named), *(("Set-Cookie", value) for value in given.all("Set-Cookie")))

    patch.setattr(answers, "response_headers", told)


def origins_pass(patch: Patch, server: JupyterServer) -> None:
    honest = gates.with_floor

    def told(answer: Response, floor: Any) -> Response:
        return honest(answer, (*floor, ("Access-Control-Allow-Origin", "*")))

    patch.setattr(gates, "with_floor", told)


def files_come_as_pages(patch: Patch, server: JupyterServer) -> None:
    from sharegate import answers

    honest = answers.response_headers

    def told(*given: Any, **named: Any) -> tuple[tuple[str, str], ...]:
        told = honest(*given, **named)
        return tuple((name, "" if name == "Content-Security-Policy" else value) for name, value in told)

    patch.setattr(answers, "response_headers", told)


def sessions_pass(patch: Patch, server: JupyterServer) -> None:
    body = {"path": "outside.txt", "name": "x", "type": "file", "kernel": {"name": "python3"}}
    running = json.dumps([{**body, "id": "some-session"}]).encode()

    def told(name: str, setting: Any) -> bytes | None:
        return running

    honest = gates.Gate._handle

    async def holed(self: gates.Gate, request: Request, act: gates.Act) -> Answer:
        if below(request) == "api/sessions":
            return Response(200, (("Content-Type", "application/json"),), running)
        return await honest(self, request, act)

    patch.setattr(gates.Gate, "_handle", holed)


def arguments_pass(patch: Patch, server: JupyterServer) -> None:
    honest = confining.check_arguments

    def told(given: dict[str, str], allowed: tuple[Any, ...]) -> Any:
        return honest({name: text for name, text in given.items() if name in {each.name for each in allowed}}, allowed)

    patch.setattr(confining, "check_arguments", told)


def no_cookie_is_enough(patch: Patch, server: JupyterServer) -> None:
    honest = Authenticator.by_cookie

    async def told(self: Authenticator, share: str, visit: str, cookies: list[str], peer: str) -> Grant:
        found = await self._store.visit(visit)
        if found is not None and not cookies:
            return await self._grant(found, peer)
        return await honest(self, share, visit, cookies, peer)

    patch.setattr(Authenticator, "by_cookie", told)


def programs_are_believed(patch: Patch, server: JupyterServer) -> None:
    def when(request: Request) -> str | None:
        program = request.target.startswith("/s/") and "~" not in request.target and "/-/" not in request.target
        return request.target.split("/", 3)[3] if program and "Authorization" in request.headers else None

    as_its_owner(patch, server, when)


def any_cookie_is_enough(patch: Patch, server: JupyterServer) -> None:
    honest = Authenticator.by_cookie

    async def told(self: Authenticator, share: str, visit: str, cookies: list[str], peer: str) -> Grant:
        found = await self._store.visit(visit)
        if found is not None and cookies:
            return await self._grant(found, peer)
        return await honest(self, share, visit, cookies, peer)

    patch.setattr(Authenticator, "by_cookie", told)


def any_origin_passes(patch: Patch, server: JupyterServer) -> None:
    patch.setattr(Site, "check_origin", lambda self, request: None)


def any_host_passes(patch: Patch, server: JupyterServer) -> None:
    patch.setattr(Site, "share", lambda self, headers: "")


def ranges_are_told(patch: Patch, server: JupyterServer) -> None:
    honest = gates.Gate._handle

    async def holed(self: gates.Gate, request: Request, act: gates.Act) -> Answer:
        there = below(request).startswith("files/") and (server.root / below(request).removeprefix("files/")).exists()
        if there and "Range" in request.headers:
            return Response(416, (("Content-Type", "text/plain"),), b"")
        return await honest(self, request, act)

    patch.setattr(gates.Gate, "_handle", holed)


def static_has_the_credential(patch: Patch, server: JupyterServer) -> None:
    def when(request: Request) -> str | None:
        return "static/nope.js" if re.search(r"/-/static/[^/]*/sgprove\w+\.js", request.target) else None

    as_its_owner(patch, server, when)


def workers_pass(patch: Patch, server: JupyterServer) -> None:
    patch.setattr(Site, "check_head", lambda self, headers: None)


def anything_is_indexed(patch: Patch, server: JupyterServer) -> None:
    def when(request: Request) -> str | None:
        return below(request) if below(request).startswith("api/collaboration/session/secret/") else None

    as_its_owner(patch, server, when)


def every_id_is_inside(patch: Patch, server: JupyterServer) -> None:
    async def told(self: UpstreamFileIds, upstream: str, file_id: str) -> str:
        return "sub/shared/notes.md"

    patch.setattr(UpstreamFileIds, "path_of", told)
    patch.setattr(UpstreamFileIds, "newest_path_of", told)


def hostile_frames_are_ignored(patch: Patch, server: JupyterServer) -> None:
    honest = viewer.ViewerGuard._judge

    def told(self: viewer.ViewerGuard, frame: frames.Frame, message: frames.Message) -> Verdict:
        try:
            return honest(self, frame, message)
        except Denied:
            return Verdict()

    patch.setattr(viewer.ViewerGuard, "_judge", told)


def saves_are_passed_on(patch: Patch, server: JupyterServer) -> None:
    honest = viewer.ViewerGuard._judge

    def told(self: viewer.ViewerGuard, frame: frames.Frame, message: frames.Message) -> Verdict:
        if isinstance(message, RawSave):
            answer = RawJson({"type": "save", "responseTo": message.id, "status": "success"})
            return Verdict(back=(frames.write(answer),))
        return honest(self, frame, message)

    patch.setattr(viewer.ViewerGuard, "_judge", told)


def pages_look_at_links(patch: Patch, server: JupyterServer) -> None:
    patch.setattr(gates, "view_of", lambda segments: TREE)


def a_body_may_name_anything(patch: Patch, server: JupyterServer) -> None:
    honest = confining._Confiner.judge

    def told(self: Any, key: str, path: CanonicalPath, *, ancestors: bool) -> None:
        if key.startswith("body."):
            self.paths[key] = path
        else:
            honest(self, key, path, ancestors=ancestors)

    patch.setattr(confining._Confiner, "judge", told)
    patch.setattr(Roots, "inside", anything)
    patch.setattr("sharegate.writing.judge.Writing._check_copy", anything)


def any_name_may_be_made(patch: Patch, server: JupyterServer) -> None:
    patch.setattr(FileRules, "group_of", lambda self, name: None)


def endings_are_forgotten(patch: Patch, server: JupyterServer) -> None:
    patch.setattr("sharegate.shares.authenticate.check_link", lambda link, now: None)
    patch.setattr("sharegate.shares.authenticate.check_visit", lambda visit, now: None)


VIEW: dict[Check, list[Hole]] = {
    Check.PLACES: [everywhere_is_inside, refusals_quote],
    Check.SPELLINGS: [dots_are_names],
    Check.ONE_ANSWER: [outside_is_forbidden, hidden_has_another_sentence, pages_look_at_links],
    Check.LINKS: [links_are_followed],
    Check.LISTINGS: [links_are_listed, siblings_are_listed],
    Check.PAGES: [token_stays_in_the_page, a_path_stays_in_the_page, error_pages_pass],
    Check.ERRORS: [errors_pass],
    Check.HEADERS: [cookies_pass, origins_pass, files_come_as_pages],
    Check.OWNERS_DOINGS: [sessions_pass],
    Check.QUERIES: [arguments_pass],
    Check.CREDENTIALS: [no_cookie_is_enough, programs_are_believed],
    Check.OTHER_VISITS: [any_cookie_is_enough],
    Check.OTHER_SITES: [any_origin_passes],
    Check.HOSTS: [any_host_passes],
    Check.CONDITIONS: [ranges_are_told],
    Check.STATIC: [static_has_the_credential, workers_pass],
    Check.SESSIONS: [anything_is_indexed],
    Check.ROOMS: [every_id_is_inside],
    Check.FRAMES: [hostile_frames_are_ignored, saves_are_passed_on],
    Check.ENDED: [endings_are_forgotten],
}
EDIT: dict[Check, list[Hole]] = {
    Check.WRITES: [everywhere_is_inside],
    Check.BODIES: [a_body_may_name_anything],
    Check.PLANTS: [any_name_may_be_made],
}
# Opened by a rule in the operator's own folder of policies.
RULES = {
    Check.ROUTES: """
rules:
  nbconvert-again:
    route: GET /nbconvert/script/sub/{path*}
    capability: files:read
    opaque: path
    headers: file
    answer: forward
    examples:
      view GET /nbconvert/script/sub/shared/nb.ipynb: allow
""",
    Check.CHANNELS: """
rules:
  debugger:
    route: WEBSOCKET /api/debugger/subscribe
    capability: rooms:read
    answer: local:events
    examples:
      view WEBSOCKET /api/debugger/subscribe: allow
""",
}
FLAT = [
    (check, hole, role) for role, table in (("view", VIEW), ("edit", EDIT)) for check in table for hole in table[check]
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("check", "hole", "role"), FLAT, ids=[f"{each[0]}: {each[1].__name__}" for each in FLAT])
async def test_a_hole_is_found(
    proving: Any, ground: JupyterServer, monkeypatch: Patch, check: Check, hole: Hole, role: str
) -> None:
    """By the check whose hole it is; what is told of it repeats nothing."""
    async with proving() as prover:
        hole(monkeypatch, ground)
        receipt = await prover.prove(check, role=role)

    assert check.value in {got.check for got in receipt.got_out}, receipt.got_out[:5]
    assert ground.token not in str(receipt.got_out) and "TOPSECRET" not in str(receipt.got_out)


@pytest.mark.asyncio
@pytest.mark.parametrize("check", RULES)
async def test_a_hole_in_the_policy_is_found(proving: Any, tmp_path: Path, check: Check) -> None:
    """A rule that somebody added."""
    (tmp_path / "policies" / "routes").mkdir(parents=True)
    (tmp_path / "policies" / "routes" / "more.yaml").write_text(RULES[check])
    async with proving(policy_dir=str(tmp_path / "policies")) as prover:
        receipt = await prover.prove(check)

    assert check.value in {got.check for got in receipt.got_out}, receipt.got_out[:5]


def test_every_check_has_a_hole() -> None:
    """A check that was never seen to find anything is none."""
    assert {*VIEW, *EDIT, *RULES} == set(Check)

"""Each route of the served description, asked once for something that there is: done, and answered as described."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis

from sharegate.audit.events import Action
from sharegate.prove import receipt as receipts
from tests.conftest import Clock
from tests.dashboard.client import Signed
from tests.dashboard.conftest import NO_MAIL_YET, SERVER, Office, opened
from tests.dashboard.test_alarms import DETAIL, happen
from tests.dashboard.test_schemathesis import CHECKS
from tests.dashboard.test_versions import PATH, Desk
from tests.dashboard.visitors import comes
from tests.notify.services import chat
from tests.prove.test_receipt import made as signed
from tests.real.mail import running_mail
from tests.visits.notebooks import Open

Json = dict[str, Any]
ROSTER = "name,email,team\nDi,di@example.org,red\n"


@pytest.fixture
async def office(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    (tmp_path / "copies").mkdir()
    told = tmp_path / "notify"
    with running_mail() as mail:
        monkeypatch.setitem(NO_MAIL_YET, "smtp_port", mail.port)
        async with chat() as room:
            told.write_text(room.url)
            told.chmod(0o600)
            settings = {"backup_dir": str(tmp_path / "copies"), "notify_file": str(told)}
            async with opened(tmp_path, clock, **settings) as office:
                (office.folder / "projects" / "red").mkdir(parents=True)
                yield office


class World:
    """Makes what a route is asked about: each time anew, since some of them end it."""

    def __init__(self, office: Office, desk: Desk) -> None:
        self.office = office
        self.desk = desk

    async def made(self) -> Json:
        return await self.office.share(**{"for": ["Ann"], "expires": self.office.clock() + 86400})

    async def share(self) -> str:
        return str((await self.made())["share"]["id"])

    async def link(self) -> str:
        return str((await self.made())["links"][0]["id"])

    async def visit(self) -> str:
        made = await self.made()
        await comes(self.office, made)
        return str((await self.office.call("GET", "visits", share=made["share"]["id"]))["visits"][0]["id"])

    async def knock(self) -> str:
        made = await self.made()
        ann = await comes(self.office, made)
        other = await ann.post("/join/knock", {"token": ann.token, "name": "Eve"}, Cookie="")
        assert other.status == 200, other.body
        return str(other.json["knock"])

    async def time(self) -> str:
        ann = await comes(self.office, await self.made())
        assert (await ann.post(ann.base + "-/time", {})).json["state"] == "waiting"
        return str((await self.office.call("GET", "times"))["times"][-1]["id"])

    async def report(self) -> str:
        ann = await comes(self.office, await self.made())
        assert (await ann.post(ann.base + "-/report", {"concern": "other"})).status == 200
        reports = (await self.office.call("GET", "reports"))["reports"]
        return str(next(one["id"] for one in reports if one["state"] == "open"))

    async def closed_report(self) -> str:
        id = await self.report()
        await self.office.call("POST", f"reports/{id}/close", {})
        return id

    async def alarm(self) -> str:
        await happen(self.office, Action.DOCUMENT_ALARM, "week3/a.ipynb", detail=DETAIL)
        return str((await self.office.call("GET", "alarms"))["alarms"][0]["id"])

    async def token(self) -> str:
        await self.office.token("shares:read")
        tokens = (await self.office.call("GET", "tokens"))["tokens"]
        return str(next(one["id"] for one in tokens if one["state"] == "active"))

    async def snapshot(self) -> str:
        await self.desk.documents.write(SERVER, PATH, "ann", lambda doc: None)
        return str((await self.office.call("GET", "snapshots"))["snapshots"][0]["id"])

    async def proof(self) -> str:
        begun = await self.office.call("POST", f"shares/{await self.share()}/prove", {"quick": True})
        return str(begun["proof"]["id"])

    async def server(self) -> str:
        return SERVER

    async def addressed_link(self) -> str:
        id = await self.link()
        await self.office.call("PATCH", f"links/{id}", {"email": "ann@example.org"})
        return id

    async def review(self) -> str:
        """What was looked at."""
        return str((await self.office.call("GET", "review"))["digest"])

    async def writer(self) -> str:
        """A visit that wrote in an open notebook."""
        return "ann"

    async def address(self) -> str:
        """Of a server that is not known yet."""
        store: Any = self.office.running.gate._store
        return str((await store.upstreams())[0].url.replace("127.0.0.1", "localhost"))

    async def receipt(self) -> str:
        """One that this gate signed."""
        ring: Any = self.office.running.api.proofs._ring
        return receipts.to_json(signed(ring)).decode()

    async def idle(self) -> str:
        """When nothing is done with the records any more."""
        async with asyncio.timeout(60):
            while (await self.office.call("GET", "store/work"))["work"]["state"] == "running":
                await asyncio.sleep(0.02)
        return ""

    async def other_server(self) -> str:
        store: Any = self.office.running.gate._store
        (here,) = [one for one in await store.upstreams() if one.id == SERVER]
        await store.put_upstream(msgspec.structs.replace(here, id="srv2222222", name="other"))
        return "srv2222222"

    async def ask(self) -> str:
        """A raised hand."""
        ann = await comes(self.office, await self.made())
        name, _, cookie = ann.cookies.partition("; ")[0].partition("=")
        assert name.startswith("sharegate-visit")
        share, visit = ann.base.split("/")[2], ann.base.split("/")[3].removeprefix("~")
        gate: Any = self.office.running.gate
        grant = await gate._authenticator.by_cookie(share, visit, [cookie], "127.0.0.1")
        hands: Any = self.office.running.api._asks._hands
        hands.notebooks = Open()
        hands.notebooks.cells = {PATH: {"8f0c": "6*7"}}
        return str(hands.ask(grant, PATH, "8f0c", "6*7").id)


# What an operation is asked about, where its path does not say so; and what is said with it. `$…` is made just before.
ABOUT = {
    "DELETE servers/{id}": "other_server",
    "POST reports/{id}/reopen": "closed_report",
    "POST links/{id}/send": "addressed_link",
    "POST review/pause": "share",
    "POST review/sign": "review",
    "POST visits/{id}/undo": "writer",
    "POST receipts/check": "receipt",
    "POST servers": "address",
    "POST store/copies": "idle",
    **dict.fromkeys(("GET resolve", "GET audit/lanes"), "share"),
}
KINDS = {
    "shares": "share",
    "links": "link",
    "visits": "visit",
    "knocks": "knock",
    "asks": "ask",
    "alarms": "alarm",
    "times": "time",
    "reports": "report",
    "proofs": "proof",
    "servers": "server",
    "snapshots": "snapshot",
    "tokens": "token",
}


def said(office: Office, id: str) -> dict[str, Json]:
    """Bodies."""
    week = str(office.folder / "week3")
    soon = office.clock() + 2 * 86400
    roster = {"roster": "name,email\nDi,di@example.org\n"}
    return {
        "POST shares": {"path": week, "for": ["Ann"]},
        "PATCH shares/{id}": {"message": "Hello"},
        "POST shares/{id}/links": {"name": "Bo"},
        "PATCH links/{id}": {"devices": 2},
        "POST rosters/read": roster,
        "POST rosters/share": {"path": week, **roster},
        "POST rosters/teams": {"each": str(office.folder / "projects" / "*"), "roster": ROSTER},
        "POST shares/{id}/roster": roster,
        "POST review/pause": {"shares": [id]},
        "POST review/sign": {"digest": id},
        "POST servers": {"url": f"{id}", "token": "t"},
        "POST snapshots": {"path": PATH, "server": SERVER},
        "POST receipts/check": {"receipt": json.loads(id) if id.startswith("{") else {}},
        "POST store/copies": {"name": "first"},
        "POST audit/erase": {"person": "Bo"},
        "POST visits/{id}/undo": {"preview": True},
        "POST tokens": {"name": "CI", "capabilities": ["shares:read"], "expires": soon},
        "POST mail/test": {"address": "olga@example.org"},
        "POST times/{id}/grant": {"expires": soon},
        "POST shares/{id}/prove": {"quick": True},
    }


# Done at a terminal alone on one computer: a server elsewhere would be needed.
REFUSED = {"POST servers": (403, "server_here")}
QUERIES = {
    "GET resolve": {"ref": "$"},
    "GET audit/lanes": {"share": "$"},
    "GET servers/{id}/reach": {"path": "week3"},
    "GET search": {"q": "Ann"},
    "GET search/export": {"q": "Ann"},
}


@pytest.mark.timeout(300)
async def test_each_route_does_what_it_is_for(office: Office) -> None:
    """As the owner in a browser: 200 for every operation of the document, with an answer that the document describes.
    A new route has to be given here what it needs."""
    world = World(office, await Desk(office).sit())
    person = Signed(office)
    await person.enter()
    _, described = await person.ask("GET", "/api/v1/openapi.json")
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=office.running.dashboard_url)
    missed = []
    for found in schema.get_all_operations():
        operation = found.ok()
        name = f"{operation.method.upper()} {operation.path}".replace("/api/v1/", "")
        about = ABOUT.get(name) or (KINDS[operation.path.split("/")[3]] if "{id}" in operation.path else "")
        id = await getattr(world, about)() if about else ""
        body = said(office, id).get(name, {})
        more: Json = {"body": body, "media_type": "application/json"} if operation.body else {}
        path = {"id": id} if "{id}" in operation.path else {}
        query = {key: value.replace("$", id) for key, value in QUERIES.get(name, {}).items()}
        case = operation.Case(path_parameters=path, query=query, **more)
        answer = await asyncio.to_thread(case.call_and_validate, headers=person.headers(), checks=CHECKS)
        if name in REFUSED:
            assert (answer.status_code, answer.json()["code"]) == REFUSED[name]
        elif answer.status_code != 200:
            missed.append((name, answer.status_code, answer.text[:300]))
    await person.close()
    assert missed == []
    assert (await office.call("GET", "audit/verify"))["intact"]

"""Two owners on one gate: from whose server is shared, and whose the share is then."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sharegate.dashboard.login import Viewer
from sharegate.upstream.model import Credential
from tests.conftest import Clock
from tests.dashboard.client import Program, Signed
from tests.dashboard.conftest import SERVER, Office, opened

OTTOS = "ottos45678"
CSV = "name,email,team\nAnn,ann@example.org,red\n"
OLGA = Viewer("Olga", owner="Olga")
OTTO = Viewer("Otto", owner="Otto")


async def given(office: Office, id: str, owner: str, folder: Path, name: str = "main") -> None:
    """A server of theirs at this folder."""
    (folder / "lab" / "red").mkdir(parents=True, exist_ok=True)
    (folder / "lab" / "a.md").write_text("a")
    store = office.running.gate._store  # type: ignore[attr-defined]
    (olgas,) = [one for one in await store.upstreams() if one.id == SERVER]
    theirs: dict[str, Any] = {"id": id, "name": name, "owner": owner, "root_dir": str(folder.resolve())}
    await store.put_upstream(msgspec.structs.replace(olgas, **theirs, token=Credential("theirs")))


@pytest.fixture
async def two(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """Olga's gate, where Otto has a server of the same name at another folder."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    async with opened(tmp_path, clock, share_hosts="localhost") as office:
        await given(office, OTTOS, "Otto", tmp_path / "otto")
        yield office


@contextlib.asynccontextmanager
async def entered(who: Program) -> AsyncIterator[Program]:
    if isinstance(who, Signed):
        await who.enter()
    try:
        yield who
    finally:
        await who.close()


def asked(server: str, path: str = "lab") -> list[tuple[str, dict[str, Any]]]:
    """Whatever makes something of a folder of a server."""
    people = {"roster": CSV, "prove": False}
    return [
        ("shares", {"path": path, "server": server, "for": ["Bo"]}),
        ("rosters/share", {"path": path, "server": server, **people}),
        ("rosters/teams", {"each": f"{path}/*", "server": server, **people}),
        ("snapshots", {"path": f"{path}/a.md", "server": server}),
    ]


async def test_a_share_is_its_servers_owners_whoever_makes_it(two: Office) -> None:
    """Otto, an admin, a program and the terminal all make Otto's share of Otto's server."""
    token = await two.token("shares:write")
    ada = Viewer("Ada", admin=True)
    for one in (OTTO, ada, token):
        async with entered(Program(two, one) if isinstance(one, str) else Signed(two, viewer=one)) as who:
            for verb, body in asked(OTTOS)[:3]:
                status, said = await who.ask("POST", f"/api/v1/{verb}", {**body, "role": "edit"})
                assert status in (200, 201), said
                made = [each["share"] for each in said["teams"]] if "teams" in said else [said["share"]]
                assert [each["owner"] for each in made] == ["Otto"], verb
    terminals = await two.call("POST", "shares", {"path": "lab", "server": OTTOS})
    assert terminals["share"]["owner"] == "Otto"
    assert (await two.share())["share"]["owner"] == "Olga"
    async with entered(Signed(two, viewer=OLGA)) as olga:
        _, said = await olga.ask("GET", "/api/v1/shares?all=1")
        assert [each["owner"] for each in said["shares"]] == ["Olga"]


async def test_attack_an_owner_shares_from_another_owners_server(two: Office) -> None:
    """By its id or its name: word for word what is answered for a server that there is not; nothing is made."""
    before = await two.everything()
    await given(two, "hers345678", "Otto", two.folder.parent / "otto2", "secret project")
    async with entered(Signed(two, viewer=OLGA)) as olga:
        for server in (OTTOS, "secret project"):
            for (verb, body), (_, missing) in zip(asked(server), asked("x" * len(server)), strict=True):
                status, said = await olga.ask("POST", f"/api/v1/{verb}", body)
                other, none = await olga.ask("POST", f"/api/v1/{verb}", missing)
                assert (status, said["code"]) == (other, none["code"]) == (404, "not_found"), verb
                assert said["detail"].replace(server, "") == none["detail"].replace("x" * len(server), ""), verb
        status, said = await olga.ask("GET", f"/api/v1/snapshots?server={OTTOS}&share=k7f2k7f2k7")
        assert (status, said["code"]) == (404, "not_found")
    after = await two.everything()
    assert (after["shares"], after["visits"]) == (before["shares"], before["visits"])


async def test_attack_names_of_another_owners_servers_are_asked_for(two: Office) -> None:
    """A name that several of Otto's servers have is nobody's for Olga; one that both have is her own. Admins, whose all
    of it is to see, are told which there are."""
    for id in ("twin345678", "twin456789"):
        await given(two, id, "Otto", two.folder.parent / id, "twin")
    async with entered(Signed(two, viewer=OLGA)) as olga:
        status, said = await olga.ask("POST", "/api/v1/shares", {"path": "lab", "server": "twin"})
        assert (status, said["code"]) == (404, "not_found") and "twin345678" not in str(said)
        status, said = await olga.ask("POST", "/api/v1/shares", {"path": "week3", "server": "main"})
        assert status in (200, 201) and said["share"]["server"] == SERVER
    async with entered(Signed(two, viewer=OTTO)) as otto:
        status, said = await otto.ask("POST", "/api/v1/shares", {"path": "lab", "server": "twin"})
        assert (status, said["code"]) == (409, "ambiguous") and "twin345678" in str(said)
    status, said = await two.ask("POST", "shares", {"path": "lab", "server": "main"})
    assert (status, said["error"]["code"]) == (409, "ambiguous")


async def test_a_path_alone_is_looked_for_on_ones_own_servers(two: Office) -> None:
    """Also where another owner's server lies deeper, and for whoever may share from all of them."""
    await given(two, "deep345678", "Otto", two.folder / "week3", "deep")
    path = str(two.folder / "week3" / "lab")
    async with entered(Signed(two, viewer=OTTO)) as otto:
        status, said = await otto.ask("POST", "/api/v1/shares", {"path": path})
        assert status in (200, 201), said
        assert (said["share"]["owner"], said["share"]["root"]) == ("Otto", "lab")
        outside = {"path": str(two.folder / "week4")}
        missing = {"path": str(two.folder.parent / "nobody")}
        for verb, more in (("shares", {}), ("rosters/share", {"roster": CSV})):
            status, said = await otto.ask("POST", f"/api/v1/{verb}", {**outside, **more})
            other, none = await otto.ask("POST", f"/api/v1/{verb}", {**missing, **more})
            assert (status, said["code"]) == (other, none["code"]), verb
            assert said["detail"].replace(outside["path"], "") == none["detail"].replace(missing["path"], "")
    terminals = await two.call("POST", "shares", {"path": path})
    assert (terminals["share"]["owner"], terminals["share"]["root"]) == ("Olga", "week3/lab")
    async with entered(Signed(two, viewer=Viewer("Nemo", owner="Nemo"))) as nemo:
        status, said = await nemo.ask("POST", "/api/v1/shares", {"path": "lab"})
        assert (status, said["code"]) == (400, "invalid"), "no server of theirs, as where there is none at all"


async def test_what_a_new_share_overlaps_with_is_told_of_ones_own_alone(two: Office) -> None:
    """A share that another owner has of the same folder, from before owners were told apart, is not shown."""
    olgas = (await two.share())["share"]["id"]
    await two.running.gate._store.change_share(olgas, owner="Otto")  # type: ignore[attr-defined]
    async with entered(Signed(two, viewer=OLGA)) as olga:
        _, said = await olga.ask("POST", "/api/v1/shares", {"path": "week3", "server": SERVER})
        assert (said["overlaps"], said["overlaps_more"]) == ([], 0)
    assert olgas in [one["id"] for one in (await two.share())["overlaps"]]

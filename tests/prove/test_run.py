"""Whole proofs of an intact gate before a real server: nothing gets out, and nothing is left behind."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sharegate.errors import Denied, Invalid, Reason, StoreUnavailable
from sharegate.prove import receipt as receipts
from sharegate.prove.model import Check
from sharegate.prove.suite import NEVER_TRIED
from sharegate.shares.model import Visit, VisitKind
from sharegate.upstream.discover import FoundServer
from sharegate.upstream.model import Credential, Upstream
from sharegate.visits.site import Site
from tests.gatehouse import gatehouse
from tests.prove.conftest import Prover
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

WRITING = {Check.BODIES, Check.PLANTS}
PATH_MODE = "scripts of a document: path mode gives all shares of this gate one origin"


def everything(root: Path) -> dict[str, str]:
    """Every file below a server's root and beside it by the digest of what it holds, without Jupyter's own records."""
    found = {}
    for top in (root, root.parent / "beyond"):
        for path in sorted(top.rglob("*")):
            if path.is_file() and ".jupyter" not in str(path) and ".ipynb_checkpoints" not in str(path):
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.mark.parametrize(
    ("role", "write"), [("view", False), ("edit", False), ("edit", True)], ids=["view", "edit", "edit and write"]
)
async def test_nothing_gets_out(prover: Prover, ground: JupyterServer, role: str, write: bool) -> None:
    """Of a folder: all checks were made, with hundreds of probes, and no file is another than before."""
    before = everything(ground.root)
    receipt = await prover.prove(role=role, write=write)

    assert receipt.got_out == ()
    assert {Check(name) for name in receipt.checks} == set(Check) - {Check.ONE_ANSWER} - (
        WRITING if role == "view" else set()
    )
    assert receipt.probes == sum(receipt.checks.values()) > 1000
    # nb.ipynb, data.csv, notes.md, page.html, deep.txt, the odd name and the link that stays inside.
    assert (receipt.files, receipt.more_files) == (7, False)
    assert receipt.server["jupyter_server"] and receipt.server["jupyterlab"]
    assert everything(ground.root) == before
    told = " ".join(receipt.not_covered)
    assert PATH_MODE in told and all(reason in told for reason in NEVER_TRIED)
    assert ("writes inside: the share is to view" in told) is (role == "view")
    assert ("only with --write" in told) is (role == "edit" and not write)
    assert "symbolic links" not in told


async def test_what_files_of_the_share_say_is_no_leak(prover: Prover, ground: JupyterServer) -> None:
    """A notebook may name a path of the disk, and a line may stand both inside and outside; the token is always one."""
    said = ground.root / "sub" / "shared" / "a_said.txt"
    said.write_text(f"Traceback: {ground.root}/sub/x.py\nTOPSECRET\n")
    try:
        assert (await prover.prove(Check.LISTINGS, Check.HEADERS)).got_out == ()
        said.write_text(f"The token is {ground.token}\n")
        told = await prover.prove(Check.LISTINGS)
    finally:
        said.unlink()
    assert {(got.check, got.what) for got in told.got_out} == {("listings", "holds the server's token")}


async def test_one_file(prover: Prover, ground: JupyterServer) -> None:
    """Of a single file: that one is reachable, its neighbours are not."""
    before = everything(ground.root)
    receipt = await prover.prove(path="sub/shared/data.csv", role="edit", quick=True)

    assert (receipt.got_out, receipt.files) == ((), 1)
    assert receipt.probes > 200 and receipt.quick
    assert "--quick left it out" in " ".join(receipt.not_covered)
    assert "it is no folder to put them in" in " ".join(receipt.not_covered)
    assert everything(ground.root) == before


async def test_its_visits_and_links_are_over_afterwards(prover: Prover) -> None:
    """Nothing of a proof can be used again, and the trail says that there was one and by which link it came."""
    made = await prover.house.share(**{"for": ["Ann"]})
    id = made["share"]["id"]
    receipt = await prover.again(id, Check.OTHER_VISITS)
    visits = (await prover.house.call("GET", "visits", None, share=id))["visits"]
    events = await prover.house.events(share=id)

    assert len(visits) == 2 and all(visit["state"] != "open" for visit in visits)
    proved = [event for event in events if event["action"] == "share.proved"]
    assert [event["outcome"] for event in proved] == ["allowed"]
    assert proved[0]["detail"] == f"{receipt.files} files, {receipt.probes} probes, 0 got out"
    assert [event["detail"] for event in events if event["action"] == "link.created"][-2:] == ["to prove the share"] * 2
    assert (await prover.house.call("GET", f"shares/{id}"))["share"]["links"][0]["state"] == "active"


async def test_the_end_of_what_it_made_is_recorded(prover: Prover) -> None:
    """Each link and visit of a proof is over in the records and in the history, which say why."""
    made = await prover.house.share(**{"for": ["Ann"]})
    id = made["share"]["id"]
    await prover.again(id, Check.OTHER_VISITS)
    store = prover.house.running.api.proofs._store
    visits = await store.visits(id)
    assert len(visits) == 2 and all(visit.ended and visit.ended_reason == "the share was proved" for visit in visits)
    events = await prover.house.events(share=id)
    ended = {event["visit"] for event in events if event["action"] == "visit.ended"}
    assert ended == {visit.id for visit in visits}
    revoked = {event["link"] for event in events if event["action"] == "link.revoked"}
    assert revoked == {visit.link for visit in visits}


async def test_a_link_that_cannot_be_ended_keeps_none_of_the_others_open(
    prover: Prover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is ended, and there is no receipt, for something is open yet."""
    made = await prover.house.share(**{"for": ["Ann"]})
    id = made["share"]["id"]
    proofs = prover.house.running.api.proofs
    revoke, asked = proofs._issuer.revoke_link, []

    async def first_fails(link: str) -> Any:
        asked.append(link)
        if len(asked) == 1:
            raise StoreUnavailable("away")
        return await revoke(link)

    monkeypatch.setattr(proofs._issuer, "revoke_link", first_fails)
    with pytest.raises(AssertionError, match="away"):
        await prover.again(id, Check.OTHER_VISITS)
    left = [link for link in await proofs._store.links(id) if link.id in asked]
    assert len(asked) == 2 and [link.revoked is None for link in left] == [True, False]
    assert await proofs.at_start() == 1


async def test_what_a_killed_gate_left_is_ended_at_the_next_start(prover: Prover) -> None:
    """Links of its own proofs and their visits; an owner's preview, and a proof that runs at another gate, go on."""
    made = await prover.house.share(**{"for": ["Ann"]})
    id = made["share"]["id"]
    proofs = prover.house.running.api.proofs
    issuer, store = proofs._issuer, proofs._store
    mine = await issuer.preview(id, proofs._name)
    others = [await issuer.preview(id), await issuer.preview(id, "Proof (another)")]
    visit = Visit(id="left", share=id, link=mine.id, number=1, kind=VisitKind.PREVIEW, created=1, expires=mine.expires)
    await store.open_visit(visit, seats=None)
    assert await proofs.at_start() == 1

    found = await store.link(mine.id), await store.visit("left")
    assert found[0] is not None and found[0].revoked and found[1] is not None and found[1].ended
    for other in others:
        link = await store.link(other.id)
        assert link is not None and link.revoked is None
    assert [event["actor"] for event in await prover.house.events(share=id, action="link.revoked")] == ["gate"]
    assert await proofs.at_start() == 0


async def test_a_visitor_who_is_inside_notices_nothing(prover: Prover, ground: JupyterServer) -> None:
    """A proof is beside everybody else: what they have open goes on."""
    made = await prover.house.share(role="edit", **{"for": ["Bo"]})
    bo = await prover.house.visit(made, name="Bo")
    proving = asyncio.create_task(prover.again(made["share"]["id"], Check.FRAMES, Check.ROOMS))
    statuses = set()
    while not proving.done():
        statuses.add((await bo.ask("GET", "api/contents/sub/shared/data.csv?content=1")).status)
        await asyncio.sleep(0)

    assert statuses == {200}
    assert (await proving).got_out == ()


async def test_the_owner_asks_and_is_told(prover: Prover) -> None:
    """Over the owner's API: it begins, tells how far it is, and ends with a receipt that this gate knows as its own."""
    made = await prover.house.share(**{"for": ["Ann"]})
    proof = (await prover.house.call("POST", f"shares/{made['share']['id']}/prove", {"quick": True}))["proof"]
    status, twice = await prover.house.running.api.call("POST", f"/api/v1/shares/{made['share']['id']}/prove", {}, {})
    assert (status, twice["error"]["code"]) == (403, "proof_running")
    async with asyncio.timeout(60):
        while proof["state"] == "running":
            proof = (await prover.house.call("GET", f"proofs/{proof['id']}"))["proof"]
            await asyncio.sleep(0.05)

    assert (proof["state"], list(proof["receipt"]["got_out"])) == ("done", [])
    assert proof["done"] >= proof["receipt"]["probes"] > 100
    assert "7 files reachable" in proof["words"][0] and proof["words"][0].endswith("0 got out.")
    checked = await prover.house.call("POST", "receipts/check", {"receipt": proof["receipt"]})
    assert checked["receipt"] == proof["receipt"]
    forged = {**proof["receipt"], "files": 8}
    status, answer = await prover.house.running.api.call("POST", "/api/v1/receipts/check", {}, {"receipt": forged})
    assert (status, answer["error"]["field"]) == (400, "receipt")


async def test_a_stopped_proof_leaves_no_visit(prover: Prover) -> None:
    """Whoever interrupts it ends its visit too, and there is no receipt."""
    made = await prover.house.share(**{"for": ["Ann"]})
    id = made["share"]["id"]
    proof = (await prover.house.call("POST", f"shares/{id}/prove", {}))["proof"]
    async with asyncio.timeout(30):
        while not (await prover.house.call("GET", "visits", None, share=id))["visits"]:
            await asyncio.sleep(0.01)
    stopped = (await prover.house.call("POST", f"proofs/{proof['id']}/stop"))["proof"]

    assert (stopped["state"], stopped["receipt"]) == ("failed", None)
    visits = (await prover.house.call("GET", "visits", None, share=id))["visits"]
    assert all(visit["state"] != "open" for visit in visits)


async def test_attack_a_receipt_into_a_share(prover: Prover, tmp_path: Path) -> None:
    """No place for it, also behind a link: visitors would read what was asked. Nothing is run."""
    made = await prover.house.share(**{"for": ["Ann"]})
    address = f"/api/v1/shares/{made['share']['id']}/prove"
    (upstream,) = await prover.house.running.api._upstreams.upstreams()
    shared = Path(upstream.root_dir, made["share"]["root"])
    assert shared.is_dir()
    (tmp_path / "way").symlink_to(shared)
    for to in (shared / "proof.json", shared / "new" / "proof.json", tmp_path / "way" / "proof.json"):
        status, answer = await prover.house.running.api.call("POST", address, {}, {"to": str(to)})
        assert (status, answer["error"]["field"]) == (400, "to")
        assert "inside the share" in answer["error"]["message"]
    status, answer = await prover.house.running.api.call("POST", address, {}, {"to": "proof.json"})
    assert (status, answer["error"]["field"]) == (400, "to")
    assert not (await prover.house.call("GET", "visits", None, share=made["share"]["id"]))["visits"]
    begun = await prover.house.call("POST", address.removeprefix("/api/v1/"), {"to": str(tmp_path / "p.json")})
    proof = begun["proof"]
    await prover.house.call("POST", f"proofs/{proof['id']}/stop")


@pytest.mark.parametrize("verb", ["pause", "revoke"])
async def test_a_share_that_nobody_can_enter_is_not_proved(prover: Prover, verb: str) -> None:
    """Refusing everybody proves nothing."""
    made = await prover.house.share(**{"for": ["Ann"]})
    await prover.house.call("POST", f"shares/{made['share']['id']}/{verb}")
    status, answer = await prover.house.running.api.call("POST", f"/api/v1/shares/{made['share']['id']}/prove", {}, {})

    assert (status, answer["error"]["code"]) == (403, "share_not_open")


async def test_a_gate_that_refuses_everything_is_not_proved(prover: Prover, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one honest answer there is no receipt, however much was refused."""

    def refuse(self: Site, request: Any) -> None:
        if "/~" in request.target:
            raise Denied(Reason.CROSS_SITE)

    monkeypatch.setattr(Site, "check_source", refuse)
    with pytest.raises(AssertionError, match="nothing can be proved"):
        await prover.prove(Check.PLACES)


async def test_a_server_whose_disk_is_not_seen(tmp_path: Path, ground: JupyterServer) -> None:
    """What cannot be tried there is named; that a link leads out is found by what it tells, where a link is known."""
    async with gatehouse(tmp_path, ground) as house:
        found = FoundServer(ground.url, Credential(ground.token), str(ground.root), ground.process.pid, os.getuid())
        known = (await house.call("GET", "servers"))["servers"][0]
        remote = Upstream(id=known["id"], name="far", owner="Olga", url=found.url, token=found.token)
        made = await house.share(**{"for": ["Ann"]})
        proofs = house.running.api.proofs

        async def far(id: str) -> Upstream:
            return remote

        proofs._directory = type("Directory", (), {"find": staticmethod(far)})()
        receipt = await Prover(house).again(made["share"]["id"], quick=True)

    assert "without a companion that sees its disk" in " ".join(receipt.not_covered)
    assert Check.LINKS.value not in receipt.checks


async def test_the_receipt_is_signed_and_names_no_path(prover: Prover, ground: JupyterServer) -> None:
    """By the key ring's active key, so that the gate's own key set verifies it; changed in any way it is no receipt."""
    receipt = await prover.prove(Check.HOSTS)
    jwks = prover.house.running.api.proofs._ring.jwks()
    key = receipts.key_from(json.dumps(jwks).encode(), receipt.kid)
    receipts.check(receipt, key)
    with pytest.raises(Invalid, match="altered"):
        receipts.check(msgspec.structs.replace(receipt, probes=receipt.probes + 1), key)
    text = receipts.to_json(receipt).decode()
    assert str(ground.root) not in text and "sub/shared" not in text and ground.token not in text

"""`prove` against a scripted gate: what is asked, printed, written and returned; and receipts that are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sharegate.prove import receipt as receipts
from sharegate.prove.model import Check, Finding
from sharegate.prove.run import Outcome, Wanted
from sharegate.shares.keys import KeyRing
from tests.cli.conftest import run
from tests.cli.scripted import ScriptedGate, error


def made(folder: Path, *findings: Finding) -> tuple[receipts.Receipt, dict[str, Any]]:
    """A receipt of a gate whose keys lie in `folder`, and that gate's key set."""
    ring = KeyRing.open(folder, 1.0)
    outcome = Outcome(17, False, {Check.PLACES: 412}, findings, ("symbolic links: none",), "http://127.0.0.1:1", 9.5)
    receipt = receipts.receipt(
        outcome,
        Wanted(edits=False),
        at=1_800_000_000.0,
        version="0.1.0",
        share="k7f2xxxxxx",
        upstream="srv",
        root="week3",
        role="view",
        server={},
        kid=ring.active,
        key=ring.signing_key(),
    )
    return receipt, ring.jwks()


def proof(state: str, receipt: receipts.Receipt | None = None, **more: Any) -> dict[str, Any]:
    told = {
        "id": "p2kd",
        "share": "k7f2xxxxxx",
        "state": state,
        "problem": "",
        "step": "asking",
        "done": 0,
        "total": 412,
        "receipt": receipts.plain(receipt) if receipt else None,
        "words": receipts.words(receipt) if receipt else [],
    }
    return {"proof": {**told, **more}}


@pytest.fixture
def proving(scripted: ScriptedGate, home: Path) -> ScriptedGate:
    scripted.knows("share", "k7f2xxxxxx", "k7f2", "week3")
    scripted.say("POST shares/k7f2xxxxxx/prove", proof("running"))
    scripted.say("GET proofs/p2kd", proof("done", made(home / "keys")[0]))
    return scripted


def test_a_proof_in_which_nothing_got_out(proving: ScriptedGate) -> None:
    """Exit code 0; the counts and what was not covered on stdout, how far it is on stderr."""
    ran = run("prove", "k7f2", "--quick")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [
        "share k7f2 (week3), 2027-01-15 08:00 UTC: 17 files reachable, 412 probes, 0 got out.",
        "Not covered: symbolic links: none",
    ]
    assert "asking, 0 of 412" in ran.err and "Signed with the key" in ran.err
    assert proving.sent("POST shares/k7f2xxxxxx/prove") == [{"quick": True, "write": False}]


def test_a_proof_in_which_something_got_out(proving: ScriptedGate, home: Path) -> None:
    """Exit code 1, with what it was; `--json` is the receipt."""
    leaked = made(home / "keys", Finding(Check.ROOMS, "document outside", "opened"))[0]
    proving.say("GET proofs/p2kd", proof("done", leaked))
    ran = run("prove", "k7f2")
    assert ran.code == 1 and "GOT OUT (rooms): document outside: opened" in ran.out
    ran = run("prove", "k7f2", "--json")
    assert ran.code == 1 and ran.document == receipts.plain(leaked)


def test_a_proof_that_could_not_be_run(proving: ScriptedGate) -> None:
    """Exit code 2, with why: not known is neither well nor broken."""
    proving.say("GET proofs/p2kd", proof("failed", problem="the gate does not answer"))
    ran = run("prove", "k7f2")
    assert ran.code == 2 and "could not be run: the gate does not answer" in ran.err and not ran.out
    proving.say("POST shares/k7f2xxxxxx/prove", error("share_not_open", "nobody can enter this share"), 403)
    assert run("prove", "k7f2").code == 2


def test_without_a_gate_nothing_can_be_proved(home: Path) -> None:
    """Exit code 2."""
    ran = run("prove", "k7f2")
    assert ran.code == 2 and "sharegate up" in ran.err


def test_the_receipt_goes_to_a_new_file(proving: ScriptedGate, home: Path) -> None:
    """Private, and never over another; a file that is there is said before anything is tried."""
    to = home / "proof.json"
    assert run("prove", "k7f2", "--to", str(to)).code == 0
    assert receipts.from_json(to.read_bytes()) == made(home / "keys")[0]
    assert to.stat().st_mode & 0o077 == 0
    ran = run("prove", "k7f2", "--to", str(to))
    assert ran.code == 2 and "exists already" in ran.err
    assert proving.sent("POST shares/k7f2xxxxxx/prove") == [{"quick": False, "write": False, "to": str(to)}]


def test_attack_a_receipt_into_a_shared_folder(proving: ScriptedGate, home: Path) -> None:
    """Refused by the gate before anything is tried, with exit code 2; a relative name is told as what it means."""
    refusal = {"error": {"code": "invalid", "message": "lies inside the share k7f2", "field": "to", "remedy": "Name"}}
    proving.say("POST shares/k7f2xxxxxx/prove", refusal, 400)
    ran = run("prove", "k7f2", "--to", "proof.json")
    assert ran.code == 2 and "lies inside the share k7f2" in ran.err
    assert proving.sent("POST shares/k7f2xxxxxx/prove")[0]["to"] == str(Path("proof.json").absolute())
    assert not Path("proof.json").exists()


def test_a_receipt_is_checked_with_a_key_set(home: Path) -> None:
    """Without any gate: 0 for a genuine one, 1 for an altered one or another gate's, 2 for what is no receipt."""
    receipt, jwks = made(home / "keys")
    file, keys = home / "proof.json", home / "jwks.json"
    file.write_bytes(receipts.to_json(receipt))
    keys.write_text(json.dumps(jwks))
    ran = run("prove", "--verify", str(file), "--jwks", str(keys))
    assert ran.code == 0 and ran.out.startswith("Genuine, of share k7f2xxxxxx at http://127.0.0.1:1, 2027-01"), ran.err
    assert run("prove", "--verify", str(file), "--jwks", str(keys), "--json").document["genuine"] is True

    file.write_text(file.read_text().replace('"files": 17', '"files": 18'))
    ran = run("prove", "--verify", str(file), "--jwks", str(keys))
    assert ran.code == 1 and "was altered" in ran.err
    file.write_text("{}")
    assert run("prove", "--verify", str(file), "--jwks", str(keys)).code == 2
    assert run("prove", "--verify", str(home / "none.json")).code == 2


def test_a_receipt_is_checked_by_the_gate(scripted: ScriptedGate, home: Path) -> None:
    """With its own keys, whether active or retired."""
    receipt, _ = made(home / "keys")
    file = home / "proof.json"
    file.write_bytes(receipts.to_json(receipt))
    scripted.say("POST receipts/check", {"receipt": receipts.plain(receipt), "words": []})
    assert run("prove", "--verify", str(file)).code == 0
    assert scripted.sent("POST receipts/check") == [{"receipt": receipts.plain(receipt)}]
    scripted.say("POST receipts/check", error("invalid", "another gate signed it", field="receipt"), 400)
    ran = run("prove", "--verify", str(file))
    assert ran.code == 1 and "another gate signed it" in ran.err


@pytest.mark.parametrize(
    "arguments", [(), ("k7f2", "--jwks", "x"), ("k7f2", "--verify", "README.md")], ids=["nothing", "key set", "both"]
)
def test_what_cannot_be_meant_is_said(scripted: ScriptedGate, arguments: tuple[str, ...]) -> None:
    """Exit code 2, and the gate is asked nothing."""
    ran = run("prove", *arguments)
    assert ran.code == 2 and "Error: " in ran.err
    assert not [call for call in scripted.calls if "prove" in call[0]]

"""`sharegate prove` as an owner runs it: a gate in its own process, a real JupyterLab, and the gate's own key set."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import run
from tests.cli.test_real import lab, staying
from tests.real.jupyter import JupyterServer

pytestmark = pytest.mark.real

__all__ = ["lab"]


def test_an_owner_proves_a_share_and_somebody_else_checks_the_receipt(lab: JupyterServer, home: Path) -> None:
    """One command makes the receipt; whoever has the gate's public keys can check it, and an altered one is told."""
    folder, receipt, jwks = str(lab.root / "sub" / "shared"), home / "proof.json", home / "jwks.json"
    with staying("up", folder) as (_, told):
        label = run("share", folder, "--for", "Ann", "--json").document["share"]["label"]
        ran = run("prove", label, "--quick", "--to", str(receipt))
        assert ran.code == 0, ran.out + ran.err
        assert "7 files reachable" in ran.out and " 0 got out." in ran.out and "--quick left it out" in ran.out
        assert run("prove", "--verify", str(receipt)).code == 0
        with urllib.request.urlopen(f"{told['dashboard_url']}/.well-known/jwks.json", timeout=30) as answer:
            jwks.write_bytes(answer.read())
        assert "attacked by its own gate" in run("audit", "show").out
    # Without the gate: by the key set, and by the keys on this computer.
    assert run("prove", "--verify", str(receipt), "--jwks", str(jwks)).code == 0
    assert run("prove", "--verify", str(receipt)).code == 0
    altered = json.loads(receipt.read_text()) | {"probes": 1}
    receipt.write_text(json.dumps(altered))
    assert run("prove", "--verify", str(receipt), "--jwks", str(jwks)).code == 1
    assert run("prove", "--verify", str(receipt)).code == 1
    assert run("prove", label).code == 2, "no gate runs any more"

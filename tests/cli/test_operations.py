"""The operator's commands on records without a gate: what they ask, print, exit with, and leave behind."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from sharegate import app
from sharegate.config import load
from sharegate.policy.load import builtin_policies
from sharegate.shares.model import Link, LinkKind, Share, Visit
from tests.cli.conftest import run


@pytest.fixture
def records(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A share with a link for Ann, who is in, and one for anyone; the rules are a file of the test's own."""
    rules = home / "policies" / "sharing.yaml"
    rules.parent.mkdir()
    rules.write_text((builtin_policies() / "sharing.yaml").read_text())
    monkeypatch.setenv("SHAREGATE_POLICY_DIR", str(rules.parent))

    async def fill() -> None:
        async with app.offline(load(None, os.environ, {})) as api:
            store: Any = api._store
            now = time.time()
            times = {"created": now, "expires": now + 86400}
            ann = Link(id="linkaaaa", share="shareaaaa", letter="a", name="Ann", **times)
            anyone = Link(id="linkbbbb", share="shareaaaa", letter="b", kind=LinkKind.OPEN, visits=5, **times)
            share = Share(id="shareaaaa", upstream="u", owner="Olga", root="week3", **times)
            await store.add_share(share, [ann, anyone])
            visit = Visit(id="visitaaaa", share=share.id, link=ann.id, number=0, name="Ann", **times)
            await store.open_visit(visit, seats=1)
            await api.call("POST", "/api/v1/rules/reload", {}, {})

    asyncio.run(fill())
    return rules


def test_rules_are_shown_then_asked_then_applied(records: Path) -> None:
    """`--dry-run` changes nothing, and without a terminal nothing is done unless `--yes` says so."""
    assert "fits the rules" in run("policy", "reload").out
    records.write_text(records.read_text().replace("anyone: true", "anyone: false"))
    seen = run("policy", "reload", "--dry-run")
    assert seen.code == 0 and "shar.b" in seen.out and "stops" in seen.out
    refused = run("policy", "reload")
    assert refused.code == 2 and "--yes" in refused.err
    done = run("policy", "reload", "--yes", "--json")
    assert done.code == 0 and done.document["stops"] == 1
    assert "paused" in run("list").out
    assert run("policy", "reload", "--json").document["consequences"] == []


def test_all_faults_of_the_rules_are_told(records: Path) -> None:
    """Each with file, line and remedy; the exit code is that of a usage error."""
    records.write_text(records.read_text().replace("anyone: true", "anyone: maybe").replace("[view, edit]", "[look]"))
    told = run("policy", "reload")
    assert told.code == 2 and told.err.count("sharing.yaml:") >= 2 and "look" in told.err
    document = run("policy", "reload", "--json").document
    assert len(document["errors"]) >= 2 and all("sharing.yaml" in one["field"] for one in document["errors"])


def test_keys_are_rotated(records: Path) -> None:
    """Plainly without a question; a stolen one is shown, asked for, and its links are printed anew."""
    before = run("list", "--urls", "--json").document["shares"][0]["links"][0]["url"]
    assert run("key", "rotate").code == 0
    states = [key["state"] for key in run("key", "list", "--json").document["keys"]]
    assert states == ["retired", "active"]
    seen = run("key", "rotate", "--compromised", "--dry-run")
    assert "2 links would have to be given out again" in seen.out and "1 visit would go on, 0 would end" in seen.out
    assert run("key", "rotate", "--compromised").code == 2
    assert run("key", "rotate", "--since", "1h").code == run("key", "rotate", "--replace").code == 2
    done = run("key", "rotate", "--compromised", "--since", "1h", "--replace", "--yes")
    assert done.code == 0 and done.out.count("/join#") == 2 and before not in done.out
    assert "1 visit ended" in done.out
    assert [key["state"] for key in run("key", "list", "--json").document["keys"]] == ["refused", "refused", "active"]


def test_somebody_is_forgotten(records: Path) -> None:
    """What would go is shown, what stays is said; then it is asked."""
    seen = run("audit", "erase", "--person", "ann", "--dry-run")
    assert seen.code == 0 and "is inside and is ended" in seen.out and "revoked" in seen.out
    assert "Not erased" in seen.err
    assert run("audit", "erase", "--person", "ann").code == 2
    assert "Ann" in run("list").out
    done = run("audit", "erase", "--person", "ann", "--yes", "--json")
    assert done.code == 0 and done.document["visits"] == 1
    assert "Ann" not in run("list", "--all").out
    assert run("audit", "erase", "--person", "ann", "--yes").code == 4
    assert run("audit", "erase").code == run("audit", "erase", "--person", "x", "--share", "y").code == 2
    assert run("audit", "verify").code == 0


def test_the_history_is_anchored_and_compared(records: Path, home: Path) -> None:
    """A file that was made for it, another that holds no anchor, and one that was altered."""
    file = home / "anchors.jsonl"
    assert run("audit", "anchor", "--to", str(file)).code == 0
    line = json.loads(run("audit", "anchor").out)
    assert set(line) == {"at", "heads", "key", "signature"}
    told = run("audit", "verify", "--anchors", str(file))
    assert told.code == 0 and "write all of it anew" in told.err
    assert run("audit", "verify", "--anchors", str(records)).code == 2
    file.write_text(file.read_text().replace('"signature":"', '"signature":"00'))
    assert run("audit", "verify", "--anchors", str(file)).code == 1
    assert run("audit", "anchor", "--to", "").code == 2


def test_what_leaves_when(records: Path) -> None:
    """The period of the settings, another one to look at, and letting go at once."""
    told = run("audit", "retention", "--json").document
    assert told["retention_days"] == 400 and told["due"] == 0
    assert "for 3 days" in run("audit", "retention", "--days", "3").out
    assert run("audit", "retention", "--now", "--json").document["erased"] == 0
    assert run("audit", "retention", "--now", "--days", "3").code == run("audit", "retention", "--days", "0").code == 2

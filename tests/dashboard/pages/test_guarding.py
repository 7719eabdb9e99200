"""Rules, keys and health as admins see them: what a change would end stands there before it is made."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sharegate import app, config
from sharegate.policy.load import builtin_policies
from sharegate.upstream.model import Credential, Upstream
from tests.conftest import Clock
from tests.dashboard.conftest import SECRET, SERVER, Office, silent_server
from tests.dashboard.pages.hostile import EVERYTHING
from tests.dashboard.pages.party import party
from tests.dashboard.pages.reading import Reader, foreign, reading, words
from tests.dashboard.test_records import over

USUAL = (builtin_policies() / "sharing.yaml").read_text()


@pytest.fixture
async def ruled(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """A gate whose rules stand in `policies/sharing.yaml`. Its server answers with nothing."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    folder = tmp_path / "root"
    (folder / "week3").mkdir(parents=True)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "sharing.yaml").write_text(USUAL)
    listening = await asyncio.start_server(silent_server, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    values = {"data_dir": str(tmp_path / "gate"), "gate_port": 0, "dashboard_port": 0, "owner": "Olga"}
    values["policy_dir"] = str(tmp_path / "policies")
    async with app.running(config.load(None, {}, values), now=clock) as running:
        server = Upstream(
            id=SERVER,
            name="main",
            owner="Olga",
            url=url,
            root_dir=str(folder.resolve()),
            pid=os.getpid(),
            uid=os.getuid(),
            token=Credential(SECRET),
        )
        await running.gate._store.put_upstream(server)  # type: ignore[attr-defined]  # as `up` records what it found
        yield Office(running, folder, clock)
    listening.close()


def _away(office: Office) -> Upstream:
    """A server that does not answer."""
    return Upstream(
        id="away234567",
        name="the other",
        owner="Olga",
        url="http://127.0.0.1:9/",
        root_dir=str(office.folder),
        pid=os.getpid(),
        uid=os.getuid(),
        token=Credential(SECRET),
    )


def write(office: Office, **changed: str) -> None:
    text = USUAL
    for name, value in changed.items():
        text, count = re.subn(rf"(?m)^(\s+{name}:).*$", rf"\1 {value}", text)
        assert count == 1
    (office.folder.parent / "policies" / "sharing.yaml").write_text(text)


async def test_what_new_rules_would_end_is_shown_first(ruled: Office) -> None:
    """The preview changes nothing; applied, it is what was shown."""
    await party(ruled)
    made = await ruled.share(anyone=True)
    before = await ruled.everything()
    write(ruled, anyone="false")
    async with reading(ruled) as reader:
        assert "A link may be for anyone who has it." in await reader.words("/admin/rules")
        source = await reader.get("/admin/rules?preview=1")
        assert "<del>A link may be for anyone who has it.</del>" in source
        assert "would stop 1 share, link or visit" in words(source) and made["share"]["links"][0]["label"] in source
        assert await ruled.everything() == before
        await ruled.call("POST", "rules/reload")
        told = await reader.words("/admin/rules?applied=1")
        assert "Every link is for one person." in told and "read again and applied" in told
        assert "end nothing" in await reader.words("/admin/rules?preview=1")


async def test_what_a_new_condition_would_end_is_shown_first(ruled: Office) -> None:
    """Links that may be used to edit and ask for nothing: the preview names each, with what becomes of it."""
    made = await ruled.share(role="edit", **{"for": ["Ann", "Bo"]})
    ann, bo = made["links"]
    await ruled.call("PATCH", f"links/{bo['id']}", {"passphrase": "between us all"})
    write(ruled, edit_asks_for="[recipient, passphrase]", anyone_max_expires="3d")
    async with reading(ruled) as reader:
        told = await reader.words("/admin/rules?preview=1")
        assert "A link by which people can edit asks for proof of one e-mail address or a passphrase." in told
        assert "A link for anyone lasts 3 days at most." in told
        assert ann["label"] in told and "can view only" in told and bo["label"] not in told
        assert (await ruled.call("GET", f"links/{ann['id']}"))["link"]["role"] is None
        await ruled.call("POST", "rules/reload")
    shared = (await ruled.call("GET", f"shares/{made['share']['id']}"))["share"]
    assert {one["id"]: one["role"] for one in shared["links"]} == {ann["id"]: "view", bo["id"]: None}
    body = {"path": str(ruled.folder / "week3"), "role": "edit", "for": ["Cy"]}
    status, answer = await ruled.ask("POST", "shares", body)
    assert (status, answer["error"]["code"]) == (403, "condition_required") and answer["error"]["remedy"]


async def test_rules_that_cannot_be_read_are_told(ruled: Office) -> None:
    """Each fault with its place; what is in force stays so."""
    write(ruled, max_visits="many")
    async with reading(ruled) as reader:
        told = await reader.words("/admin/rules?preview=1")
    assert "The files cannot be used" in told and "max_visits" in told and "Nothing has changed" in told


async def test_what_giving_up_keys_would_end_is_shown_first(office: Office) -> None:
    """Links, and the visits since a moment; who came before goes on."""
    await party(office)
    before = await office.everything()
    async with reading(office) as reader:
        told = await reader.words("/admin/keys")
        assert "active" in told and "A new key, from time to time" in told and "Giving up the keys" not in told
        told = await reader.words("/admin/keys?stolen=1&since=2027-01-15T08:00")
        assert "stop 2 links" in told and "end 3 visits" in told and "0 of 3 inside go on" in told
        told = await reader.words("/admin/keys?stolen=1&replace=1")
        assert "give each a new address: Ann , Cleo" in told and "end no visit" in told
        source = await reader.get("/admin/keys?stolen=1&replace=1&since=2027-01-15T08:00")
        assert """data-body='{"compromised": true, "digest": \"""" in source
        assert '"replace": true, "since": 1800000000.0}' in source
        assert await office.everything() == before
        await office.call("POST", "keys/rotate", {"compromised": True})
        told = await reader.words("/admin/keys")
        assert "refused" in told


@pytest.mark.parametrize("text", ["soon", "2100-01-01", "9" * 400, "<b>"])
async def test_a_theft_at_no_moment_is_told(office: Office, text: str) -> None:
    """Beside the form, and nothing is offered to be given up."""
    async with reading(office) as reader:
        source = await reader.get(f"/admin/keys?stolen=1&since={text}")
    assert 'role="alert"' in source and "data-body" not in source


async def test_health_tells_what_is_wrong_first(ruled: Office) -> None:
    """Checks, findings with their remedy, servers, and the records when somebody asks."""
    async with reading(ruled) as reader:
        await ruled.running.gate._store.put_upstream(_away(ruled))  # type: ignore[attr-defined]  # as `up` does
        told = await reader.words("/admin/health")
        assert "Records are written: yes" in told and "Keys sign: yes" in told
        findings = told.partition("What was found")[2]
        assert findings.startswith(" ! look the other does not answer") and "records are sound" not in told
        await ruled.call("POST", "store/check")
        assert (await over(ruled))["state"] == "done"
        assert "✓ The records are sound." in await reader.words("/admin/health")
        await ruled.call("POST", "store/copies", {"name": "one"})
        copied = await over(ruled)
        assert f"The copy is in {copied['copied']['to']} , and sound." in await reader.words("/admin/health")
        await ruled.call("POST", "store/copies", {"name": "one"})
        await over(ruled)
        told = await reader.words("/admin/health")
    assert "They were not copied" in told and "exists already" in told


async def test_the_settings_are_shown(office: Office) -> None:
    """Each with its value and what it means; and which were set."""
    async with reading(office) as reader:
        told = await reader.words("/admin/health")
    assert "owner Olga set How visitors see you" in told and "smtp_host 127.0.0.1 set" in told


@pytest.mark.parametrize("text", EVERYTHING.values(), ids=EVERYTHING)
async def test_attack_hostile_names_on_the_pages_of_admins(office: Office, text: str) -> None:
    """Of people, shares, folders and what was searched for: they are shown as text."""
    there = await party(office)
    folder = text.replace("/", "-").replace("\0", "").replace("\r\n", "")[:200]
    (office.folder / folder).mkdir()
    body = {"path": str(office.folder / folder), "name": text[:60], "for": [text]}
    status, _ = await office.ask("POST", "shares", body)
    assert status in (200, 400, 403)
    await there.came("Mallory", there.share["links"][1], shown=text, agent=text, address=text)
    async with reading(office) as reader:
        for path in ("/admin", "/admin/keys?stolen=1", "/admin/health", f"/history/kept?share={there.id}"):
            assert foreign(await reader.get(path)) == [], path
        for path in ("/admin/search", "/admin/keys", "/history/kept", "/admin/health"):
            await _asked(reader, path, text)


async def _asked(reader: Reader, path: str, text: str) -> None:
    given = dict.fromkeys(("q", "since", "stolen", "person", "check", "preview"), text)
    async with reader.http.get(path, params=given) as answer:
        source = await answer.text()
        assert answer.status in (200, 400, 414), (path, source[-500:])
    assert foreign(source) == [], path

"""The history as a whole: anchored, verified against its anchors, written out, and let go of when it is time."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sharegate import app, config
from sharegate.audit.chain import seal
from sharegate.audit.events import Action, AuditEvent
from sharegate.config import Config
from tests.conftest import Clock
from tests.dashboard.conftest import Office

DAY = 86400.0


async def busy(office: Office, times: int = 3) -> None:
    for number in range(times):
        await office.share(**{"for": [f"Ann {number}"]})


async def anchored(office: Office, file: Path) -> dict[str, Any]:
    return await office.call("POST", "audit/anchor", {"to": str(file)})


async def verified(office: Office, file: Path | None = None) -> dict[str, Any]:
    return await office.call("GET", "audit/verify", anchors=str(file) if file else "")


async def test_anchors_are_added_and_compared(office: Office, tmp_path: Path) -> None:
    """Each is a line of a private file; verifying says how far they reach, and what it cannot prove."""
    file = tmp_path / "anchors.jsonl"
    without = await verified(office)
    assert without["intact"] and without["anchors"] == 0 and "cannot show" in without["limits"]
    for number in range(3):
        await busy(office, 1)
        assert (await anchored(office, file))["to"] == str(file), number
    await busy(office, 2)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and len(file.read_text().splitlines()) == 3
    told = await verified(office, file)
    assert told["intact"] and (told["anchors"], told["unanchored"]) == (3, 4)
    assert "cannot be proved" in told["limits"] and "write all of it anew" in told["who"]


@dataclass
class Kept:
    """Records without a gate, and a file of anchors beside them."""

    config: Config
    anchors: Path

    async def record(self, times: int) -> None:
        async with app.offline(self.config) as api:
            for _ in range(times):
                assert (await api.call("POST", "/api/v1/rules/reload", {}, {}))[0] == 200

    async def anchor(self) -> None:
        async with app.offline(self.config) as api:
            assert (await api.call("POST", "/api/v1/audit/anchor", {}, {"to": str(self.anchors)}))[0] == 200

    async def verified(self, *, anchored: bool) -> dict[str, Any]:
        async with app.offline(self.config) as api:
            query = {"anchors": str(self.anchors)} if anchored else {}
            status, answer = await api.call("GET", "/api/v1/audit/verify", query)
        assert status == 200, answer
        return answer

    @contextlib.contextmanager
    def past_the_gate(self) -> Iterator[sqlite3.Connection]:
        """Whoever holds the file."""
        with contextlib.closing(sqlite3.connect(self.config.database, isolation_level=None)) as connection:
            for trigger in ("trail_is_kept", "trail_is_fixed"):
                connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            yield connection


@pytest.fixture
async def kept(tmp_path: Path) -> Kept:
    """Six entries, then an anchor."""
    made = Kept(config.load(None, {}, {"data_dir": str(tmp_path / "kept"), "owner": "Olga"}), tmp_path / "a.jsonl")
    await made.record(6)
    await made.anchor()
    return made


async def test_attack_a_cut_before_the_last_anchor(kept: Kept) -> None:
    """What is missing at the end is found up to the anchor; without it the shorter history looks whole."""
    with kept.past_the_gate() as connection:
        connection.execute("DELETE FROM trail WHERE seq > 4")
    assert (await kept.verified(anchored=False))["intact"], "this is what an anchor is for"
    told = await kept.verified(anchored=True)
    assert not told["intact"] and "cut off" in told["faults"][0]


async def test_a_cut_after_the_last_anchor_is_not_provable(kept: Kept) -> None:
    """And is said to be so."""
    await kept.record(4)
    with kept.past_the_gate() as connection:
        connection.execute("DELETE FROM trail WHERE seq > 8")
    told = await kept.verified(anchored=True)
    assert told["intact"] and told["unanchored"] == 2
    assert "none after them was cut off cannot be proved" in told["limits"]


async def test_attack_a_history_written_anew(kept: Kept) -> None:
    """A chain that fits in itself and is longer differs from an anchor, also when it was anchored anew since."""
    head, rows = (0, ""), []
    for number in range(30):
        event = AuditEvent(action=Action.GATE_STARTED, actor="gate", at=float(number))
        sealed = seal(event, writer="gate", seq=head[0] + 1, previous=head[1])
        head = (sealed.seq, sealed.digest)
        rows.append((sealed.writer, sealed.seq, sealed.previous, sealed.digest, sealed.body.decode(), b""))
    with kept.past_the_gate() as connection:
        connection.execute("DELETE FROM trail")
        connection.executemany(
            "INSERT INTO trail (writer, seq, previous, digest, body, personal) VALUES (?, ?, ?, ?, ?, ?)", rows
        )
    assert (await kept.verified(anchored=False))["intact"]
    for _ in range(2):
        told = await kept.verified(anchored=True)
        assert not told["intact"] and "rewritten" in told["faults"][0]
        await kept.anchor()


async def test_attack_altered_and_foreign_anchors(office: Office, tmp_path: Path) -> None:
    """An anchor that was changed, or that another gate signed, proves nothing and is told; a line that a crash cut off
    spoils no other; a file without any anchor is refused."""
    file, other = tmp_path / "anchors.jsonl", tmp_path / "other.jsonl"
    await busy(office)
    await anchored(office, file)
    good = file.read_text()
    loaded = config.load(None, {}, {"data_dir": str(tmp_path / "elsewhere"), "owner": "Eve"})
    async with app.offline(loaded) as api:
        assert (await api.call("POST", "/api/v1/audit/anchor", {}, {"to": str(other)}))[0] == 200
    for text, line in ((good.replace('"at":1', '"at":2', 1), 1), (good + other.read_text(), 2)):
        file.write_text(text)
        told = await verified(office, file)
        assert not told["intact"] and any("altered, or another gate" in fault for fault in told["faults"]), line
    file.write_text(good[:-40])
    await anchored(office, file)
    told = await verified(office, file)
    assert (told["intact"], told["anchors"], told["unreadable"]) == (True, 1, 1)
    for text in ("", "hello\n", "{}\n"):
        file.write_text(text)
        status, answer = await office.ask("GET", "audit/verify", anchors=str(file))
        assert (status, answer["error"]["field"]) == (400, "anchors"), text
    status, answer = await office.ask("GET", "audit/verify", anchors="/no/such/file")
    assert (status, answer["error"]["field"]) == (400, "anchors")


async def test_anchors_outlive_another_key(office: Office, tmp_path: Path) -> None:
    """What a retired or refused key signed before is still known as ours."""
    file = tmp_path / "anchors.jsonl"
    await anchored(office, file)
    for compromised in (False, True):
        await office.call("POST", "keys/rotate", {"compromised": compromised})
        await anchored(office, file)
    told = await verified(office, file)
    assert told["intact"] and told["anchors"] == 3


async def test_an_anchor_that_cannot_be_written_is_told(office: Office, tmp_path: Path) -> None:
    """Neither through a link nor into a folder."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for place in (tmp_path, tmp_path / "link", tmp_path / "no" / "file", Path("relative")):
        status, answer = await office.ask("POST", "audit/anchor", {"to": str(place)})
        assert (status, answer["error"]["field"]) == (400, "to"), place
    assert not (tmp_path / "elsewhere").exists()


async def test_a_gate_anchors_by_itself(tmp_path: Path, clock: Clock) -> None:
    """With `anchor_file` each start adds one, verifying compares with it unasked, and a place where nothing can be
    written keeps nobody out."""
    file = tmp_path / "anchors.jsonl"
    values = {"data_dir": str(tmp_path / "gate"), "gate_port": 0, "dashboard_port": 0, "owner": "Olga"}
    for number in (1, 2):
        async with app.running(config.load(None, {}, {**values, "anchor_file": str(file)}), now=clock) as running:
            async with asyncio.timeout(25):
                while not file.exists() or len(file.read_text().splitlines()) < number:
                    await asyncio.sleep(0.02)
            _, told = await running.api.call("GET", "/api/v1/audit/verify")
            assert told["intact"] and told["anchors"] == number
            assert await findings(running) == [f"The history is anchored in {file}"]
    nowhere = {**values, "anchor_file": str(tmp_path / "no" / "f")}
    async with app.running(config.load(None, {}, nowhere), now=clock) as running:
        assert (await running.api.call("GET", "/api/v1/audit/verify"))[1]["anchors"] == 0
        assert "is not anchored" in (await findings(running))[0]
    beside = {**values, "anchor_file": str(tmp_path / "gate" / "anchors")}
    async with app.running(config.load(None, {}, beside), now=clock) as running:
        assert "beside the records" in (await findings(running))[0]


async def findings(running: app.RunningGate) -> list[str]:
    """What `doctor` says of anchors."""
    _, answer = await running.api.call("GET", "/api/v1/doctor")
    return [each["what"] for each in answer["findings"] if each["what"].startswith(("The history", "Anchors"))]


async def exported(office: Office, form: str, **query: str) -> str:
    text, cursor = "", ""
    while True:
        answer = await office.call("GET", "audit/export", format=form, cursor=cursor, **query)
        text += "".join(answer["lines"])
        cursor = answer["next"]
        if not cursor:
            return text


async def test_the_whole_history_is_written_out_in_pages(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event once and in order, in both forms, with one header; filters are those of the other commands."""
    monkeypatch.setattr("sharegate.audit.whole._PAGE", 2)
    await busy(office, 4)
    made = await office.share(**{"for": ["=cmd()"]})
    lines = [json.loads(line) for line in (await exported(office, "jsonl")).splitlines()]
    rows = list(csv.DictReader(io.StringIO(await exported(office, "csv"))))
    (total,) = {len(lines), len(rows)}
    assert [line["seq"] for line in lines] == list(range(1, total + 1)) == [int(row["seq"]) for row in rows]
    assert all(line["digest"] and line["writer"] == "gate" for line in lines)
    share = made["share"]["id"]
    some = list(csv.DictReader(io.StringIO(await exported(office, "csv", share=share))))
    assert {row["share"] for row in some} == {share} and len(some) == 2
    assert some[-1]["name"] == "'=cmd()", "a spreadsheet runs nothing"
    assert (await exported(office, "csv", share="nowhere")).startswith("writer,seq,time,")
    for query in ({"format": "xml"}, {"cursor": "x:gate"}, {"cursor": "3"}):
        assert (await office.ask("GET", "audit/export", **query))[0] == 400


async def test_what_identifies_people_leaves_when_it_is_time(office: Office, clock: Clock) -> None:
    """It is shown before when it leaves; then the values are gone, the entries and the chain are not."""
    await busy(office, 2)
    clock.forward(10 * DAY)
    await busy(office, 1)
    told = await office.call("GET", "audit/retention")
    assert (told["retention_days"], told["entries"], told["due"], told["within_a_month"]) == (400, 3, 0, 0)
    assert told["first_leaves"] == pytest.approx(clock() + 390 * DAY)
    told = await office.call("GET", "audit/retention", days="11")
    assert (told["due"], told["within_a_day"], told["within_a_week"], told["within_a_month"]) == (0, 0, 2, 3)
    clock.forward(391 * DAY)
    assert (await office.call("GET", "audit/retention"))["due"] == 2
    status, answer = await office.ask("POST", "audit/retention")
    assert (status, answer["error"]["code"]) == (403, "clock_doubted"), "391 days in a moment"
    assert (await office.call("GET", "audit/retention"))["due"] == 2
    assert (await office.call("POST", "audit/retention", {"clock_is_right": True}))["erased"] == 2
    events = (await office.call("GET", "audit", action="link.created"))["events"]
    assert [event["name"] for event in events] == ["", "", "Ann 0"]
    told = await verified(office)
    assert told["intact"] and told["erased"] == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trail SET body = substr(body, 1, 20) WHERE seq = 2",
        "UPDATE trail SET body = replace(body, 'share.created', 'share.invented'), personal = x'00' WHERE seq = 2",
    ],
)
async def test_attack_one_entry_that_does_not_read(office: Office, statement: str) -> None:
    """It is told where it stands, and everything else is shown, written out, let go of and erased as before."""
    await office.share(**{"for": ["Ann Example"]})
    with contextlib.closing(sqlite3.connect(office.running.config.database)) as connection:
        connection.execute("DROP TRIGGER trail_is_fixed")
        connection.execute(statement)
        connection.commit()
    assert not (await office.call("GET", "audit/verify"))["intact"]
    shown = (await office.call("GET", "audit"))["events"]
    assert [event["seq"] for event in shown if event["action"] == "trail.unreadable"] == [2]
    lines = (await office.call("GET", "audit/export"))["lines"]
    assert [json.loads(line)["seq"] for line in lines] == [*range(1, len(lines) + 1)]
    for path in ("audit/retention", "audit/passed-on"):
        await office.call("GET", path)
    assert (await office.call("POST", "audit/erase", {"person": "Ann Example"}))["entries"] == 1
    assert "Ann Example" not in str((await office.call("GET", "audit"))["events"])


async def test_without_a_gate_the_same(tmp_path: Path) -> None:
    """Anchor, verify and export work on the records alone."""
    loaded = config.load(None, {}, {"data_dir": str(tmp_path / "gate"), "owner": "Olga"})
    async with app.offline(loaded) as api:
        await api.call("POST", "/api/v1/rules/reload", {}, {})
        status, made = await api.call("POST", "/api/v1/audit/anchor", {}, {})
        assert status == 200 and made["anchor"]["heads"]["gate"][0] == 1
        assert (await api.call("GET", "/api/v1/audit/verify"))[1]["intact"]
        assert (await api.call("GET", "/api/v1/audit/export"))[1]["events"] == 1

"""`share --roster`, `link add --roster` and `link send`, without a gate that runs, and with a real mail server."""

from __future__ import annotations

import csv
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import run
from tests.real.jupyter import JupyterServer
from tests.real.mail import MailServerHere, running_mail

CLASS = "name,email\nAnn Lee,ann@example.org\nBo,bo@example.org\n"


@pytest.fixture
def lecture(home: Path, jupyter: JupyterServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of a server that runs, with a lecture and two projects in it."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(jupyter.root.parent / "runtime"))
    folder = jupyter.root / "course"
    for name in ("lecture", "projects/red", "projects/blue"):
        (folder / name).mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServerHere]:
    with running_mail() as mail:
        for name, value in (
            *(("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", str(mail.port)), ("SMTP_SECURITY", "none")),
            ("MAIL_FROM", "share@example.org"),
        ):
            monkeypatch.setenv(f"SHAREGATE_{name}", value)
        yield mail


def table(file: Path) -> list[list[str]]:
    return list(csv.reader(file.read_text().splitlines()))


def roster(text: str = CLASS) -> str:
    file = Path.home() / "class.csv"
    file.write_text(text)
    return str(file)


def test_a_list_for_a_mail_merge(lecture: Path) -> None:
    """A file for its owner alone, never over another one; the same list again adds who is new."""
    out = Path.home() / "links.csv"
    made = run("share", str(lecture / "lecture"), "--roster", roster(), "--out", str(out))
    assert made.code == 0, made.err
    rows = table(out)
    assert rows[0] == ["name", "email", "link"] and [row[0] for row in rows[1:]] == ["Ann Lee", "Bo"]
    assert made.out.splitlines() == [row[2] for row in rows[1:]]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    twice = run("share", str(lecture / "lecture"), "--roster", roster(), "--out", str(out))
    assert twice.code == 2 and "--force" in twice.err
    more = roster(CLASS + "Cy,cy@example.org\n")
    again = run("share", str(lecture / "lecture"), "--roster", more, "--out", str(out), "--force")
    assert again.code == 0 and "1 new link; 2 had one" in again.err
    assert [row[0] for row in table(out)][1:] == ["Cy", "Ann Lee", "Bo"]
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".links")] == []


def test_faults_are_told_by_row(lecture: Path) -> None:
    """All together, nothing is made and no file is left."""
    out = Path.home() / "links.csv"
    bad = roster("name,email\nAnn,x\nBo,bo@example.org\nbo,\n")
    ran = run("share", str(lecture / "lecture"), "--roster", bad, "--out", str(out))
    assert ran.code == 2 and "row 2, email" in ran.err and not out.exists()
    assert run("list", "--json").document["shares"] == []


def test_links_are_sent_and_not_sent_twice(lecture: Path, mail: MailServerHere) -> None:
    """One that fails is told with its reason, and the command fails; asked again only that one is sent."""
    mail.refuses["ann@example.org"] = "450 come back later"
    ran = run("share", str(lecture / "lecture"), "--roster", roster(), "--send")
    assert ran.code == 1 and "1 sent, 1 not sent." in ran.out and "450 come back later" in ran.err
    assert mail.taken.pop().recipients == ["bo@example.org"]
    mail.refuses.clear()
    share = run("list", "--json").document["shares"][0]["label"]
    again = run("link", "send", share)
    assert again.code == 0 and "1 sent, 1 had theirs." in again.out, again.err
    assert mail.taken.pop().recipients == ["ann@example.org"]
    told = run("link", "send", share, "--json").document
    assert [one["outcome"] for one in told["sent"]] == ["already", "already"] and mail.taken == []


def test_a_share_for_each_team(lecture: Path) -> None:
    """What would be made is told first; what does not match is named, and needs a yes."""
    teams = roster("name,team\nAnn,red\nBo,blue\n")
    tried = run("share", "--each", str(lecture / "projects" / "*"), "--roster", teams, "--dry-run")
    assert tried.code == 0 and "Nothing was made." in tried.err and "team red" in tried.out
    (lecture / "projects" / "green").mkdir()
    asked = run("share", "--each", str(lecture / "projects" / "*"), "--roster", teams)
    assert asked.code == 2 and "Nobody is in the folder green" in asked.err and "--yes" in asked.err
    assert run("list", "--json").document["shares"] == []
    out = Path.home() / "links.csv"
    made = run("share", "--each", str(lecture / "projects" / "*"), "--roster", teams, "--out", str(out), "--yes")
    assert made.code == 0, made.err
    assert [row[:2] for row in table(out)] == [["team", "name"], ["red", "Ann"], ["blue", "Bo"]]


def test_a_list_is_looked_at_before_anything_is_made(lecture: Path) -> None:
    """For a folder and for a share; who has a link already is counted apart."""
    people = roster("name,email\nAnn,ann@example.org\nBo,\n")
    tried = run("share", str(lecture / "lecture"), "--roster", people, "--dry-run")
    rows = [line.split() for line in tried.out.splitlines()]
    assert tried.code == 0 and tried.err.endswith("Nothing was made.\n") and ["2", "Ann", "ann@example.org"] in rows
    assert run("list", "--json").document["shares"] == []
    run("share", str(lecture / "lecture"), "--for", "Ann")
    share = run("list", "--json").document["shares"][0]["label"]
    tried = run("link", "add", share, "--roster", people, "--dry-run")
    assert tried.code == 0 and "1 new link; 1 had one." in tried.err, tried.err
    assert run("link", "add", share, "--roster", people, "--dry-run", "--json").document["new"] == [3]
    assert len(run("list", "--json").document["shares"][0]["links"]) == 1
    assert run("link", "add", share, "--for", "Cy", "--dry-run").code == 2


def test_further_links(lecture: Path, mail: MailServerHere) -> None:
    """For one person, sent at once; for a list; with an address changed later."""
    run("share", str(lecture / "lecture"), "--for", "Ann")
    share = run("list", "--json").document["shares"][0]["label"]
    one = run("link", "add", share, "--for", "Cy", "--to", "cy@example.org", "--send")
    assert one.code == 0 and "1 sent." in one.out, one.err
    assert mail.taken.pop().recipients == ["cy@example.org"]
    many = run("link", "add", share, "--roster", roster("name\nann\nDi\n"), "--json").document
    assert [link["name"] for link in many["made"]] == ["Di"] and [link["name"] for link in many["known"]] == ["Ann"]
    none = run("link", "send", f"{share}.a")
    assert none.code == 2 and "--to" in none.err
    assert run("change", f"{share}.a", "--to", "ann@example.org").code == 0
    assert run("link", "send", f"{share}.a").code == 0
    assert mail.taken.pop().recipients == ["ann@example.org"]


@pytest.mark.parametrize(
    "options",
    [
        ("week3", "--roster", "x.csv", "--for", "Ann"),
        ("week3", "--roster", "x.csv", "--anyone"),
        ("week3", "--roster", "nowhere.csv"),
        ("week3", "--out", "x.csv"),
        ("week3", "--send"),
        ("week3", "--each", "projects/*", "--roster", "x.csv"),
        ("--each", "projects/*"),
        ("--each", "projects/*", "--roster", "x.csv", "--name", "Projects"),
        ("week3", "--dry-run"),
        (),
    ],
)
def test_options_that_do_not_go_together(home: Path, options: tuple[str, ...]) -> None:
    """Told before anything is asked."""
    assert run("share", *options).code == 2

"""Reading a roster: people, or all that is wrong with its rows."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Faults, Invalid
from sharegate.rosters.model import Roster
from sharegate.rosters.reading import MOST_PEOPLE, MOST_TEXT, read
from sharegate.shares.conditions import clean_email


def rows(roster: Roster) -> list[tuple[int, str, str]]:
    assert roster.faults == ()
    return [(person.row, person.name, person.email) for person in roster.people]


def wrong(roster: Roster) -> list[tuple[int, str]]:
    return [(fault.row, fault.field) for fault in roster.faults]


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("name,email\nAnn Lee,ann@example.org\n", [(2, "Ann Lee", "ann@example.org")]),
        ("\ufeffName;E-Mail\r\nAnn;ANN@Example.org\r\n", [(2, "Ann", "ann@example.org")]),
        ("E-mail address\tFull name\nann@example.org\tAnn\n", [(2, "Ann", "ann@example.org")]),
        ("First name,Surname,Mail\nAnn,Lee,\n", [(2, "Ann Lee", "")]),
        ("Vorname;Nachname;E-Mail\nJörg;Müß;j@example.org", [(2, "Jörg Müß", "j@example.org")]),
        ("Ann\n\n , \nBo\n", [(1, "Ann", ""), (4, "Bo", "")]),
        ("ann@example.org\nbo@example.org", [(1, "", "ann@example.org"), (2, "", "bo@example.org")]),
        ("bo@example.org;Bo\n", [(1, "Bo", "bo@example.org")]),
        ("Ann Lee <ann@example.org>\n", [(1, "Ann Lee", "ann@example.org")]),
        ('name,email\n"Lee, Ann\r\nthe second",a@example.org\nBo,b@example.org', [
            (2, "Lee, Ann the second", "a@example.org"),
            (3, "Bo", "b@example.org"),
        ]),
        ('name\n"Ann ""Annie"" Lee"\n', [(2, "Ann 'Annie' Lee", "")]),
        ("name,email,grade\nAnn,ann@example.org,1.0,and more\n", [(2, "Ann", "ann@example.org")]),
        ("name\n-Ann\n+Bo\n@Cy\n", [(2, "-Ann", ""), (3, "+Bo", ""), (4, "@Cy", "")]),
        ("sep=;\r\nname;email\r\nLee, Ann;ann@example.org\r\n", [(3, "Lee, Ann", "ann@example.org")]),
        ('"SEP=,",\nname,email\nAnn;Bo,a@example.org\n', [(3, "Ann;Bo", "a@example.org")]),
        ("sep=;\nAnn\nBo\n", [(2, "Ann", ""), (3, "Bo", "")]),
        ("name\nنور\n\u0646\u200c\u0627\n", [(2, "نور", ""), (3, "\u0646\u0627", "")]),
    ],
)  # fmt: skip
def test_what_people_have(text: str, people: list[tuple[int, str, str]]) -> None:
    """Commas, semicolons, tabs; with and without a heading; line breaks in quotes; empty rows."""
    assert rows(read(text)) == people


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", [(0, "")]),
        ("name,email\n", [(0, "")]),
        ("Lee, Ann\nMay, Bo\n", [(1, "")]),
        ("points,grade\n1,2\n", [(1, "")]),
        ("name,name\nAnn,Bo\n", [(1, "name")]),
        ("name,email\nAnn,ann@\nBo,\n,\n,x\n", [(2, "email"), (5, "email")]),
        ("name,email\nAnn,a@example.org\nann,A@example.org\n", [(3, "email")]),
        ("name,email\nAnn,a@example.org\nANN,b@example.org\nCy,a@example.org", [(4, "email"), (3, "name")]),
        ("name\n=HYPERLINK(1)\n＝1\n", [(2, "name"), (3, "name")]),
        ("name\nA\u202enn\nB\x07o\nC\u200by\n", [(2, "name"), (3, "name"), (4, "name")]),
        ("name\n\u3164\n", [(2, "name")]),
        (f"name\n{'n' * 61}\n", [(2, "name")]),
        (f"name\n{'n' * 2000}\n", [(2, "name")]),
        ('name,email\n"Ann,ann@example.org\nBo,\n', [(2, "")]),
        ('name\n"Ann" Lee\n', [(2, "")]),
        ("name\nAnn" + "," * 70 + "\n", [(2, "")]),
        ("name\n" + "\n".join(f"P{i}" for i in range(MOST_PEOPLE + 1)), [(0, "")]),
        ("x" * (MOST_TEXT + 1), [(0, "")]),
        ("name,account\nAnn,*\nBo,*@uni.example\nCy,group:staff\n", [(2, "account"), (3, "account"), (4, "account")]),
        ("name,account\nDi,sub:\nEd,ed\n", [(2, "account"), (3, "account")]),
        ("name,account\nAnn,=1\nBo,b\u202eo@uni.example\n", [(2, "account"), (3, "account")]),
        ("name,account\nAnn,ann@uni.example\nAnna,ANN@uni.example\n", [(3, "account")]),
        ("name,email,account\nAnn,a@x.example,sub:a\nAnn,a@x.example,sub:a\n", [(3, "email")]),
        ("account\nann@uni.example\n", [(1, "")]),
        ("sep=;\n", [(0, "")]),
        ("\ufeff <!DOCTYPE html><table><tr><td>name", [(0, "")]),
        ("<html>\n<td>Ann</td>\n", [(0, "")]),
        ("{\\rtf1\\ansi name\nAnn}", [(0, "")]),
        ('[{"name": "Ann"}]', [(0, "")]),
        ('{ "people": ["Ann"] }', [(0, "")]),
    ],
)
def test_attack_rows_that_are_refused(text: str, faults: list[tuple[int, str]]) -> None:
    """Each fault is told with its row and column, all together."""
    found = read(text)
    assert wrong(found) == faults
    assert all(fault.problem for fault in found.faults)
    with pytest.raises(Faults) as raised:
        found.check("roster")
    assert len(raised.value.faults) == len(faults)


def test_a_cell_without_end_is_told_as_one() -> None:
    """Not as a quotation mark alone: there may be none. What is too long for anything is not read further."""
    (fault,) = read(f"email\n{'x' * 1001}@example.org\n").faults
    assert (fault.row, fault.problem) == (2, "is longer than 1000 characters")
    for cell in ("x" * 200_000, '"' + "x" * 200_000 + '"'):
        (fault,) = read(f"name\nAnn\n{cell}\n").faults
        assert fault.row == 3 and "too long" in fault.problem


def test_teams_have_a_column() -> None:
    """Without one nobody knows whose folder is whose; a name of a folder is one name."""
    good = read("name;Group\nAnn;red\nBo;blue\nAnn;blue\n", teams=True)
    assert {team: [one.name for one in people] for team, people in good.teams.items()} == {
        "red": ["Ann"],
        "blue": ["Bo", "Ann"],
    }
    assert wrong(read("name\nAnn\n", teams=True)) == [(1, "team")]
    assert wrong(read("Ann,red\n", teams=True)) == [(1, "")]
    bad = "name,team\nAnn,\nBo,../up\nCy,a/b\nDi,.hidden\nEd,red\nEd,red\n"
    assert wrong(read(bad, teams=True)) == [(2, "team"), (3, "team"), (4, "team"), (5, "team"), (7, "name")]
    assert wrong(read("name,team\nEd,red\ned,red\n", teams=True)) == [(3, "name")]


def test_many_faults_are_counted() -> None:
    """The first are told one by one."""
    found = read("email\n" + "\n".join("x" for _ in range(200)))
    with pytest.raises(Faults) as raised:
        found.check("roster")
    assert len(raised.value.faults) == 51 and "150 more" in str(raised.value.faults[-1])


def test_what_was_not_looked_at_is_said() -> None:
    """With nothing in it that a terminal would obey."""
    found = read("name,Matr\u202e.Nr,Grade\nAnn,1,2\n", note="Read as cp1252.")
    assert found.notes == ("Read as cp1252.", "Columns that were not looked at: Matr�.Nr, Grade.")
    assert found.columns == ("name",)


NAMES = st.text(st.characters(whitelist_categories=("Lu", "Ll", "Lo"), max_codepoint=0x2FF), min_size=1, max_size=20)


@given(st.lists(NAMES, min_size=1, max_size=30, unique_by=lambda name: name.casefold()), st.sampled_from(",;\t"))
def test_what_a_program_writes_is_read(names: list[str], delimiter: str) -> None:
    """Whatever the names and the delimiter: as many people, in their order."""
    written = io.StringIO()
    sheet = csv.writer(written, delimiter=delimiter)
    sheet.writerow(["name", "email"])
    sheet.writerows([name, f"p{at}@example.org"] for at, name in enumerate(names))
    found = read(written.getvalue())
    if not found.faults:  # names that only differ in what cleaning takes away are one
        assert [one.email for one in found.people] == [f"p{at}@example.org" for at in range(len(names))]
    assert {fault.field for fault in found.faults} <= {"name"}


@given(st.text(max_size=400), st.booleans())
def test_attack_whatever_is_sent(text: str, teams: bool) -> None:
    """No text makes it fail; who comes out of it is clean, and with a fault there is a row or a reason."""
    found = read(text, teams=teams)
    for person in found.people:
        assert "\n" not in person.name and not person.name.startswith(("=", "＝"))
        assert not person.email or clean_email(person.email) == person.email
        assert person.name or person.email
    if not found.people:
        assert found.faults


def test_a_fault_repeats_no_address_in_full_length() -> None:
    """A cell of a megabyte is cut."""
    (fault,) = read("email\n" + "x" * 900 + "\n").faults
    assert len(fault.problem) < 200
    assert isinstance(fault.invalid("roster"), Invalid)


def test_accounts_of_people() -> None:
    """One person's each, in the gate's form; a subject keeps its letters, and two that differ in capitals are two."""
    read_of = read("Name;Konto\nAnn;Ann@UNI.example\nBo; sub:Bo-1\nBob;sub:bo-1\nCy;\n")
    assert read_of.faults == () and read_of.columns == ("name", "account")
    assert [person.account for person in read_of.people] == ["ann@uni.example", "sub:Bo-1", "sub:bo-1", ""]
    assert "sub:Bo-1" not in repr(read_of.people[1])

"""Which versions are told to owners as bad or too old."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from sharegate.upstream.advisories import Advisory, Known, concerns, known, normal

LISTED = Known(
    advisories=(
        Advisory("some-package", ">=4.0.0,<4.1.1", "CVE-1", "one thing"),
        Advisory("some-package", "<4.2", "CVE-2", "another thing"),
    ),
    oldest={"some-package": "4.1"},
)


def serious(version: str) -> list[str]:
    return [one.what for one in concerns({"Some_Package": version}, LISTED) if one.serious]


@pytest.mark.parametrize(
    ("version", "ids"),
    [
        ("3.9", {"CVE-2"}),
        ("4.0.0", {"CVE-1", "CVE-2"}),
        ("4.1.1", {"CVE-2"}),
        ("4.2", set()),
        ("4.2.0", set()),
        ("4.10", set()),
        ("4.2rc1", {"CVE-2"}),
        ("4.2.dev0", {"CVE-2"}),
        ("4.1.1rc1", {"CVE-1", "CVE-2"}),
        ("4.2+us1", set()),
        ("4.1.1.post1", {"CVE-2"}),
        ("4.0.0+us1", {"CVE-1", "CVE-2"}),
        ("1!0", set()),
        ("v4.0.1", {"CVE-1", "CVE-2"}),
    ],
)
def test_versions_are_compared_as_versions(version: str, ids: set[str]) -> None:
    """Ten comes after two, a candidate of the fixed release is not fixed, a local part changes nothing."""
    assert set(re.findall(r"CVE-\d", " ".join(serious(version)))) == ids


def test_one_concern_names_all_and_the_version_that_mends_all() -> None:
    """Somebody who follows the remedy once is done."""
    (told,) = [one for one in concerns({"some.package": "4.0.1"}, LISTED) if one.serious]
    assert "CVE-1: one thing; CVE-2: another thing" in told.what
    assert told.remedy.startswith("pip install 'some-package>=4.2'")


def test_what_is_older_than_tried_is_told() -> None:
    """An old version without a hole is a word, no alarm."""
    old = [one for one in concerns({"some-package": "4.0"}, Known((), {"some-package": "4.1"}))]
    assert [(one.serious, "4.1 and newer" in one.what) for one in old] == [(False, True)]
    assert concerns({"some-package": "4.1"}, Known((), {"some-package": "4.1"})) == []


@given(st.text(max_size=100))
def test_attack_a_version_that_is_none(text: str) -> None:
    """Whatever a server says its version is, it is told or compared, never echoed raw and never an error."""
    told = concerns({"some-package": text, text: "1"}, LISTED)
    assert all(re.fullmatch(r"[ -~]*", one.what + one.remedy) for one in told)
    assert told or Version(text) >= Version("4.2")


def test_the_list_can_be_compared_and_is_complete() -> None:
    """Each entry has a range of < and >= with an end, a published identifier, and a name as packages are called."""
    for one in known().advisories:
        assert {part.operator for part in SpecifierSet(one.affected)} <= {"<", ">="}
        assert Version(one.fixed)
        assert re.fullmatch(r"CVE-20\d\d-\d{4,6}|GHSA(-[0-9a-z]{4}){3}", one.id)
        assert normal(one.package) == one.package
        assert one.what and not one.what.endswith(".")
    assert {"jupyter-server", "jupyterlab", "notebook", "nbconvert", "tornado"} <= {
        one.package for one in known().advisories
    }


@pytest.mark.parametrize(
    ("package", "version", "bad"),
    [
        ("jupyter_server", "2.17.0", True),
        ("jupyter_server", "2.20.0", True),
        ("jupyter_server", "2.21.1", False),
        # What JupyterLab 4.5.10 mends was mended in 4.6.2 anew.
        ("jupyterlab", "4.4.10", True),
        ("jupyterlab", "4.5.10", False),
        ("jupyterlab", "4.6.1", True),
        ("jupyterlab", "4.6.2", False),
        ("notebook", "7.5.5", True),
        ("notebook", "7.5.6", False),
        ("nbconvert", "7.17.0", True),
        ("nbconvert", "7.17.1", False),
        ("jupyter_core", "5.8.0", True),
        ("jupyter_core", "5.8.1", False),
        ("tornado", "6.5.7", True),
        ("tornado", "6.5.8", False),
    ],
)
def test_a_real_version(package: str, version: str, bad: bool) -> None:
    """The last version with a hole is named; the first without, and those that are tried with, are not."""
    assert any(one.serious for one in concerns({package: version})) is bad


def test_the_oldest_agree_with_what_is_installed_for_tests() -> None:
    """The lower bounds of the extra `lab` are the versions below which the gate warns."""
    from pathlib import Path

    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for package in ("jupyterlab", "jupyter-collaboration"):
        bound = re.search(rf'"{package}>=([0-9.]+)"', text)
        assert bound is not None
        assert Version(bound[1]) == Version(known().oldest[package])

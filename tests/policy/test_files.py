"""Which files run by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Faults
from sharegate.policy.load import builtin_policies, load_policies

RULES = load_policies().files


@pytest.mark.parametrize(
    "name",
    [
        *(
            "ipykernel_launcher.py",
            "x.pyc",
            "x.pth",
            "_x.cpython-311-x86_64-linux-gnu.so",
            "libx.so.1",
            "x.dll",
            "x.pyd",
        ),
        *("__init__.py", "__init__", "conftest.py", "sitecustomize", "usercustomize.py", "x.egg-info", "x.dist-info"),
        *("Makefile", "GNUmakefile", "rules.mk", "setup.cfg", "setup.py", "pyproject.toml", "tox.ini", "pytest.ini"),
        *("noxfile.py", "package.json", "environment.yml", "postBuild", "start", "apt.txt", "requirements.txt"),
        *("requirements-dev.txt", "Dockerfile", "Dockerfile.prod", "run.sh", "x.desktop", "x.ipy", "startup.jl"),
        *("jupyter_server_config.json", "jupyter_config.py", "ipython_config.py", "ipython_kernel_config.json"),
        *(
            "index.html.j2",
            "conf.json",
            "kernel.json",
            "disp.m",
            "Project.toml",
            "entry_points.txt",
            "webpack.config.js",
        ),
    ],
)
def test_what_a_program_loads_by_its_name(name: str) -> None:
    """Each of these runs or steers a program that starts in the folder."""
    assert RULES.runs_by_itself(name)
    assert RULES.group_of(name) in {group.id for group in RULES.groups}


@pytest.mark.parametrize(
    "name",
    [
        *("nb.ipynb", "data.csv", "notes.md", "page.html", "picture.png", "setup.md", "python.txt", "py", "my.python"),
        *("x.py.txt", "startup.txt", "starting", "report.pdf", "table.json", "script.R", "analysis.jl", "x.yaml"),
        *(
            "Untitled.ipynb",
            "untitled.txt",
            "untitled.md",
            "Untitled Folder",
            "inner",
            "tasks.md",
            "so",
            "requirements.md",
        ),
    ],
)
def test_what_people_work_with_is_not_on_the_list(name: str) -> None:
    """Notebooks, texts, data and pictures, and names that only look like one of the list."""
    assert not RULES.runs_by_itself(name)


@pytest.mark.parametrize(
    "name",
    [
        *("X.PY", "MAKEFILE", "x.\uff50\uff59", "x\uff0epy", "x.py.", "x.py ", "x.py. .", "x.py:stream", "x.p\u200by"),
        *("ma\u212aefile", "x.py::$DATA", "\ufeffmakefile", "DOCKERFILE.", "x.\u24df\u24e8"),
    ],
)
def test_attack_other_spellings(name: str) -> None:
    """Case, Unicode forms, what is invisible, dots and spaces at the end, and parts of a file make no other name."""
    assert RULES.runs_by_itself(name)


@given(st.text(max_size=20), st.sampled_from(["", ".", " ", ". ", "\u200b"]), st.booleans())
def test_no_prefix_makes_a_module_harmless(stem: str, end: str, upper: bool) -> None:
    """Whatever stands before it, `.py` at the end of a name is a module."""
    name = f"{stem}.{'PY' if upper else 'py'}{end}"
    assert RULES.runs_by_itself(name)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("files: {}", "no group of names"),
        ("files: {a: {why: x}}", "lacks 'names'"),
        ("files: {a: {names: [x.py]}}", "lacks 'why'"),
        ("files: {a: {why: '', names: [x.py]}}", "does not say why"),
        ("files: {a: {why: x, names: []}}", "names nothing"),
        ("files: {a: {why: x, names: ['*']}}", "is no name"),
        ("files: {a: {why: x, names: ['*. ']}}", "is no name"),
        ("files: {a: {why: x, names: ['a/b']}}", "is no name"),
        ("files: {a: {why: x, names: ['[ab].py']}}", "is no name"),
        ("files: {a: {why: x, names: [x, x]}}", "'x' twice"),
        ("files: {a: {why: x, names: {x: y}}}", "must be a list"),
        ("files: {a: {why: x, names: [x], more: y}}", "has no 'more'"),
        ("files: [x]", "must be a mapping"),
        ("names: [x]", "has no 'names'"),
    ],
)
def test_faults_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    """Wrong, missing, unknown and meaningless entries are refused with file and line."""
    (tmp_path / "files.yaml").write_text(text + "\n")
    with pytest.raises(Faults, match=sentence) as raised:
        load_policies(extra=tmp_path)
    assert all(fault.field.startswith(f"{tmp_path}/files.yaml:") for fault in raised.value.faults)


def test_an_operator_replaces_the_list(tmp_path: Path) -> None:
    """By a file of the same name; the built-in one names its reasons."""
    assert "why:" in (builtin_policies() / "files.yaml").read_text()
    (tmp_path / "files.yaml").write_text("files: {house: {why: Our tool runs it., names: [run.me, '*.run']}}\n")
    rules = load_policies(extra=tmp_path).files

    assert rules.group_of("Run.ME") == rules.group_of("x.run") == "house"
    assert rules.group_of("x.py") is None

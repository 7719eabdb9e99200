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


BY_TOOL = {
    "Python's tools": (
        "matplotlibrc pylintrc .pylintrc pytest.toml tox.toml nose2.cfg pixi.toml uv.lock fabric.yaml fabfile.py"
    ),
    "Jupyter": "jupytext.toml jupytext.yml voila.json overrides.json profile_default",
    "LaTeX and pages": "latexmkrc .latexmkrc mkdocs.yml mkdocs.yaml _quarto.yml _quarto-web.yml _config.yml book.toml",
    "builds": (
        "SConstruct SConscript wscript meson.build build.rs Cargo.toml Taskfile.yml taskfile.dist.yaml Rakefile x.bzl"
    ),
    "builds of Java and Ruby": (
        "build.xml build.gradle.kts build.sbt x.gemspec Guardfile Brewfile Makefile.am configure"
    ),
    "builds by folder": "BUILD BUILD.bazel WORKSPACE MODULE.bazel Earthfile Tiltfile Vagrantfile",
    "JavaScript": (
        "gulpfile.js gulpfile.babel.js Gruntfile.coffee bunfig.toml deno.jsonc pnpm-lock.yaml babel.config.json"
    ),
    "JavaScript's settings": (
        "vite.config.ts rollup.config.mjs eslint.config.js svelte.config.js next.config.mts karma.conf.js"
    ),
    "workflows": (
        "nextflow.config main.nf x.smk dvc.yaml MLproject dbt_project.yml _targets.R lefthook.yml lefthook-local.yml"
    ),
    "statistics": (
        "autoexec.sas profile.do x.mlib Rprofile Rprofile.site Renviron.site app.R startup_ijulia.jl "
        "Manifest-v1.11.toml"
    ),
    "mathematics": "startup.m scilab.ini x.pro init.sage maxima-init.mac rootlogon.C x.lua",
    "environments": (
        "activate.d mise.toml mise.local.toml devcontainer.json flake.nix x.nix Procfile.dev requirements-dev.in"
    ),
    "containers": "docker-compose.yml compose.override.yaml api.dockerfile Apptainer.def main.tf ansible.cfg",
    "editors and repositories": "x.code-workspace x.sublime-project Session.vim HEAD",
    "clicks": "x.exe x.vbs x.hta desktop.ini autorun.inf x.terminal",
}


@pytest.mark.parametrize("names", BY_TOOL.values(), ids=BY_TOOL.keys())
def test_attack_what_a_tool_reads_without_being_told(names: str) -> None:
    """Names by which programs of other languages, builds and editors run what lies in the folder."""
    assert [name for name in names.split() if not RULES.runs_by_itself(name)] == []


DATA = (
    "data.toml config.yaml params.yaml meta.yaml recipe.yaml settings.json datapackage.json schema.xml head.csv "
    "index.html style.css plot.js script.js page.ts paper.tex refs.bib thesis.sty thesis.cls chapter.Rmd chapter.qmd "
    "README.md LICENSE CHANGES notes.org main.R model.stan query.sql main.c main.cpp main.java main.rs main.go "
    "script.jl analysis.do analysis.sas model.nb build.md build.log workspace.md singularity.md cargo.csv tasks.yaml "
    "stars.reg run1.scf table.targets trec.run data.db archive.zip data.tar.gz cells.node.csv model.pkl x.parquet x.h5 "
    "project lectures exercises solutions week3 src data output results figures templates docs app server"
)


@pytest.mark.parametrize("name", DATA.split())
def test_data_prose_and_scripts_stay_possible(name: str) -> None:
    """What a class hands in: texts, data, pictures, and scripts that run only when somebody says so."""
    assert not RULES.runs_by_itself(name)


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

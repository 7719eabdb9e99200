"""What is installed at a server, and what `doctor` says of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sharegate.dashboard.advisories import Advisories
from sharegate.errors import Denied, Reason
from sharegate.messages import Headers
from sharegate.upstream.installed import Installed, installed, of_prefix, of_process
from sharegate.upstream.interfaces import Incoming, Outgoing
from sharegate.upstream.model import Upstream

HERE = Upstream(id="u", name="week3", owner="Ann", url="http://127.0.0.1:1/")


def plant(prefix: Path, **versions: str) -> Path:
    for name, version in versions.items():
        place = prefix / "lib" / "python3.11" / "site-packages" / f"{name}-{version}.dist-info"
        place.mkdir(parents=True)
        (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return prefix


def process(proc: Path, *words: str) -> Path:
    (proc / "7").mkdir(parents=True)
    (proc / "7" / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")
    return proc


def test_this_environment() -> None:
    """The interpreter that runs the tests has what it has."""
    assert of_prefix(Path(sys.prefix))["jupyter-server"].startswith("2.")


@pytest.mark.parametrize("words", [("bin/python", "bin/jupyter-lab"), ("/usr/bin/env7", "bin/jupyter-lab")])
def test_a_process_tells_its_environment(tmp_path: Path, words: tuple[str, str]) -> None:
    """By its interpreter, or by the script that it runs, links not followed (a virtual environment is made of them)."""
    prefix = plant(tmp_path / "env", jupyter_server="2.20.0", JupyterLab="4.4.0")
    absolute = [word if word.startswith("/") else str(prefix / word) for word in words]
    found = of_process(7, process(tmp_path / "proc", *absolute))
    assert found == {"jupyter-server": "2.20.0", "jupyterlab": "4.4.0"}


@pytest.mark.parametrize("words", [(), ("python",), ("/nowhere/bin/python", "-m"), ("/bin", "\0"), ("/x/y/python",)])
def test_a_process_that_tells_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    """What cannot be told is empty, never an error."""
    assert of_process(7, process(tmp_path, *words)) == {}
    assert of_process(8, tmp_path) == {}


def test_half_an_installation_is_passed_over(tmp_path: Path) -> None:
    """Metadata without a name or version says nothing; the rest is still seen."""
    prefix = plant(tmp_path, jupyterlab="4.4.0")
    (prefix / "lib/python3.11/site-packages/broken-1.dist-info").mkdir()
    (prefix / "lib/python3.11/site-packages/empty-1.dist-info").mkdir()
    (prefix / "lib/python3.11/site-packages/empty-1.dist-info/METADATA").write_text("")
    assert of_prefix(prefix) == {"jupyterlab": "4.4.0"}


class Says:
    """A forwarder to a server that answers so."""

    def __init__(self, **answers: bytes) -> None:
        self.answers = answers
        self.asked: list[tuple[str, bool]] = []

    async def forward(self, upstream: Upstream, outgoing: Outgoing) -> Incoming:
        self.asked.append((outgoing.path, outgoing.credential))
        if not self.answers:
            raise Denied(Reason.UPSTREAM_AWAY)
        body = self.answers.get(outgoing.path)

        async def stream() -> AsyncIterator[bytes]:
            yield body or b""

        async def close() -> None:
            return None

        return Incoming(200 if body is not None else 404, Headers(), stream, close)

    async def connect(self, upstream: Upstream, outgoing: Outgoing) -> Any:
        raise NotImplementedError


@pytest.mark.asyncio
async def test_a_server_elsewhere_is_asked() -> None:
    """The API and the pages tell three versions; the token goes only with the pages."""
    server = Says(api=b'{"version":"2.19.0"}', lab=b'{"appVersion": "4.4.1","token":"x"}', tree=b"nothing")
    assert await installed(server, HERE) == Installed({"jupyter-server": "2.19.0", "jupyterlab": "4.4.1"}, False)
    assert server.asked == [("api", False), ("lab", True), ("tree", True)]


@pytest.mark.asyncio
@pytest.mark.parametrize("api", [b"", b"{", b"[]", b'{"version":1}', b"\xff"])
async def test_attack_an_api_that_says_nonsense(api: bytes) -> None:
    """What is no version is left out."""
    assert await installed(Says(api=api), HERE) == Installed({}, False)


class Store:
    async def upstreams(self) -> list[Upstream]:
        return [HERE]

    async def put_upstream(self, upstream: Upstream) -> None:
        raise NotImplementedError


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("seen", "levels", "words"),
    [
        (None, ["note"], "could not be looked at"),
        (Installed({"jupyter-server": "2.17.0"}, True), ["warn"], "CVE-2026-35397"),
        (Installed({"jupyter-server": "2.21.1"}, True), ["ok"], "No hole that the gate knows of"),
        (Installed({"jupyter-server": "2.21.1"}, False), ["note"], "The others were not looked at"),
        (Installed({"jupyterlab": "4.3.9", "jupyter-server": "2.21.1"}, True), ["warn", "note"], "older than"),
        (Installed({"jupyter-server": "2.17.0"}, False), ["warn", "note"], "not looked at"),
    ],
)
async def test_what_the_doctor_says(seen: Installed | None, levels: list[str], words: str) -> None:
    """Holes warn with a remedy; what was not seen is said; only a whole look is called clean."""

    async def look(upstream: Upstream) -> Installed | None:
        return seen

    found = await Advisories(Store(), look, lambda upstream: "").findings()  # type: ignore[arg-type]
    assert [finding["level"] for finding in found] == levels
    assert words in " ".join(finding["what"] for finding in found)
    assert all(finding["remedy"] for finding in found if finding["level"] == "warn")


async def test_a_server_of_another_computer_is_its_gates_to_look_at() -> None:
    """Its process there has the number of another one here."""

    async def look(upstream: Upstream) -> Installed | None:
        raise AssertionError("looked")

    assert await Advisories(Store(), look, lambda upstream: "another").findings() == []  # type: ignore[arg-type]

"""Tests of upstream/discover.py and upstream/probe.py."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sharegate.errors import Denied, Reason
from sharegate.upstream.discover import (
    FoundServer,
    as_upstream,
    holding,
    parse_server_file,
    running_servers,
    runtime_directories,
    same_server,
)
from sharegate.upstream.forward import AiohttpForwarder
from sharegate.upstream.listening import Listening, judge
from sharegate.upstream.model import Credential, Upstream
from sharegate.upstream.probe import Probe, probe, probe_url
from tests.real.jupyter import JupyterServer, running_jupyter
from tests.upstream.scripted import SECRET, ok, saying, scripted


def info(**changes: Any) -> dict[str, Any]:
    """What jupyter_server writes."""
    facts = {
        "base_url": "/",
        "hostname": "localhost",
        "password": False,
        "pid": os.getpid(),
        "port": 8888,
        "root_dir": "/tmp",
        "secure": False,
        "sock": "",
        "token": "t" * 48,
        "url": "http://localhost:8888/",
        "version": "2.21.1",
    }
    return {**facts, **changes}


def write(directory: Path, facts: object, *, pid: object = None, mode: int = 0o600) -> Path:
    directory.mkdir(exist_ok=True)
    name = f"jpserver-{os.getpid() if pid is None else pid}.json"
    path = directory / name
    path.write_text(json.dumps(facts))
    path.chmod(mode)
    return path


@pytest.mark.real
def test_the_running_server_is_found_as_it_is(jupyter: JupyterServer) -> None:
    """Address, token, real root, process and user are those of the real server, and its port is really its own."""
    (found,) = running_servers([jupyter.root.parent / "runtime"])
    assert found == FoundServer(
        jupyter.url,
        Credential(jupyter.token),
        str(jupyter.root.resolve()),
        jupyter.process.pid,
        os.getuid(),
        found.version,
    )
    assert judge(as_upstream(found, id="u", name="n", owner="o")) is Listening.OURS
    assert jupyter.token not in repr(found)


@pytest.mark.real
async def test_probing_tells_version_token_and_collaboration(
    patient: AiohttpForwarder, jupyter: JupyterServer, tmp_path: Path
) -> None:
    """A server with jupyter-collaboration, a wrong token, and a server without it are told apart."""
    good = await probe_url(patient, jupyter.url, jupyter.token)
    assert good == Probe(good.version, admitted=True, collaboration=True)
    assert good.version.startswith("2.")
    assert not (await probe_url(patient, jupyter.url, "wrong")).admitted
    with running_jupyter(tmp_path, base_url="/user/ann/", collaboration=False, lab=False) as other:
        assert await probe_url(patient, other.url, other.token) == Probe(good.version, True, False)
        (found,) = running_servers([tmp_path / "runtime"])
        assert found.url == other.url


async def test_what_is_no_jupyter_server_gets_no_token(forwarder: AiohttpForwarder) -> None:
    """The token is sent only after `/api` has answered as Jupyter does."""
    async with scripted(saying(ok(b"<html>hello"))) as server:
        with pytest.raises(Denied) as denied:
            await probe(forwarder, server.upstream)
        assert denied.value.reason is Reason.UPSTREAM_BAD_ANSWER
        assert SECRET.encode() not in b"".join(server.heads)


@pytest.mark.parametrize(
    ("environment", "platform", "directories"),
    [
        ({"HOME": "/h"}, "linux", ["/h/.local/share/jupyter/runtime"]),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x"}, "linux", ["/x/jupyter/runtime"]),
        ({"HOME": "/h", "JUPYTER_RUNTIME_DIR": "/r"}, "linux", ["/r", "/h/.local/share/jupyter/runtime"]),
        ({"HOME": "/h", "JUPYTER_DATA_DIR": "/d"}, "linux", ["/d/runtime", "/h/.local/share/jupyter/runtime"]),
        (
            {"HOME": "/h"},
            "darwin",
            ["/h/Library/Jupyter/runtime", "/h/Library/Application Support/jupyter/runtime"],
        ),
        ({"HOME": "/h", "JUPYTER_RUNTIME_DIR": "not/absolute"}, "linux", ["/h/.local/share/jupyter/runtime"]),
    ],
)
def test_runtime_directories_are_jupyters(environment: dict[str, str], platform: str, directories: list[str]) -> None:
    """In Jupyter's order, the defaults after what variables name."""
    assert [str(path) for path in runtime_directories(environment, platform)] == directories


def test_the_default_directory_is_what_jupyter_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compared with jupyter_core itself."""
    from jupyter_core.paths import jupyter_runtime_dir

    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [str(path) for path in runtime_directories()] == [jupyter_runtime_dir()]
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "d"))
    assert str(runtime_directories()[0]) == jupyter_runtime_dir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "r"))
    assert str(runtime_directories()[0]) == jupyter_runtime_dir()


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "http://localhost:8888/"),
        ({"hostname": "127.0.0.1", "base_url": "/user/ann/"}, "http://127.0.0.1:8888/user/ann/"),
        ({"hostname": "0.0.0.0"}, "http://127.0.0.1:8888/"),
        ({"hostname": ""}, "http://127.0.0.1:8888/"),
        ({"hostname": "::"}, "http://[::1]:8888/"),
        ({"hostname": "::1", "secure": True}, "https://[::1]:8888/"),
        ({"extra": [1]}, "http://localhost:8888/"),
    ],
)
def test_the_address_is_built_from_the_parts(changes: dict[str, Any], url: str) -> None:
    """The `url` field, which may hold anything, is not used."""
    data = json.dumps(info(**changes, url="http://evil/")).encode()
    found = parse_server_file(f"jpserver-{os.getpid()}.json", data)
    assert found is not None and found.url == url


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 0},
        {"port": 65536},
        {"port": "8888"},
        {"pid": 1},
        {"root_dir": "relative"},
        {"root_dir": None},
        {"hostname": "evil/@x"},
        {"base_url": "/a b/"},
        {"base_url": "/?x=/"},
        {"sock": "/run/x.sock"},
        {"token": 5},
        {"hostname": "user:pw@h"},
    ],
)
def test_a_file_that_says_something_odd_is_no_server(changes: dict[str, Any]) -> None:
    """Nothing is guessed."""
    assert parse_server_file(f"jpserver-{os.getpid()}.json", json.dumps(info(**changes)).encode()) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'"x"', b"null"])
def test_a_half_written_file_is_no_server(data: bytes) -> None:
    """A server that is just starting is found in the next round."""
    assert parse_server_file("jpserver-1.json", data) is None


def test_a_file_of_a_running_process_is_found_and_of_a_dead_one_not(tmp_path: Path) -> None:
    """Files that a killed server left behind are passed over, and left alone."""
    write(tmp_path, info())
    dead = 2**22 + 9
    left = write(tmp_path, info(pid=dead), pid=dead)
    assert [one.pid for one in running_servers([tmp_path])] == [os.getpid()]
    assert left.exists()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_attack_a_file_that_others_may_write_is_not_believed(tmp_path: Path, mode: int) -> None:
    """Somebody else could have put their own address and process into it."""
    write(tmp_path, info(), mode=mode)
    assert running_servers([tmp_path]) == []


def test_attack_a_directory_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    """Somebody else could put a file of ours there by renaming."""
    place = tmp_path / "runtime"
    write(place, info())
    place.chmod(0o777)
    assert running_servers([place]) == []


def test_attack_links_and_devices_are_not_followed(tmp_path: Path) -> None:
    """A symbolic link, a pipe and a directory under a server's name are passed over without hanging."""
    real = write(tmp_path / "a", info())
    place = tmp_path / "b"
    place.mkdir()
    (place / f"jpserver-{os.getpid()}.json").symlink_to(real)
    os.mkfifo(place / "jpserver-7.json")
    (place / "jpserver-8.json").mkdir()
    (place / "jpserver-9.json").write_bytes(b"x" * 100_000)
    assert running_servers([place]) == []


def test_a_record_has_a_real_root_whoever_found_the_server(tmp_path: Path) -> None:
    """Also one that was told by a path that is a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    record = as_upstream(found(tmp_path / "link"), id="u", name="n", owner="o")
    assert record.root_dir == os.path.realpath(tmp_path / "real")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_attack_a_file_of_another_user_is_not_believed(tmp_path: Path) -> None:
    """Even when its content is perfect."""
    os.chown(write(tmp_path, info()), 12345, -1)
    assert running_servers([tmp_path]) == []


def found(root: Path | str, **changes: Any) -> FoundServer:
    facts = {"url": "http://127.0.0.1:1/", "token": Credential("t"), "pid": 1, "uid": os.getuid(), **changes}
    return FoundServer(root_dir=str(root), **facts)


def test_the_deepest_root_that_holds_a_path_wins(tmp_path: Path) -> None:
    """Whole segments and real paths are compared."""
    (tmp_path / "home" / "project" / "data").mkdir(parents=True)
    (tmp_path / "home" / "project2").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home" / "project")
    home, project = found(tmp_path / "home"), found(tmp_path / "home" / "project")
    servers = [home, project]
    assert holding(tmp_path / "home" / "project" / "data", servers) is project
    assert holding(tmp_path / "home" / "project", servers) is project
    assert holding(tmp_path / "link" / "data", servers) is project
    assert holding(tmp_path / "home" / "project2", servers) is home
    assert holding(tmp_path, servers) is None
    assert holding(tmp_path, [found("/")]) is not None


def test_the_same_server_has_the_same_root_and_user() -> None:
    """Port, token and process may change; root and user may not, and a remote server is never matched."""

    def record(**changes: Any) -> Upstream:
        facts = {"url": "http://127.0.0.1:9/", "root_dir": "/srv/a", "pid": 7, "uid": 5, **changes}
        return Upstream(id="u", name="n", owner="o", **facts)

    again = found("/srv/a", uid=5)
    assert same_server(record(), again)
    assert not same_server(record(uid=6), again)
    assert not same_server(record(root_dir="/srv/ab"), again)
    assert not same_server(record(root_dir="/srv"), again)
    assert not same_server(record(root_dir="", url="https://hub/"), found("", uid=5))
    assert same_server(record(uid=-1), found("/srv/a"))
    assert not same_server(record(uid=-1), found("/srv/a", uid=os.getuid() + 1))

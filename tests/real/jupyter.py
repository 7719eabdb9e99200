"""A real jupyter-server with jupyter-collaboration on loopback, for tests. Nothing here is imported by the product."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
from packaging.version import Version

from tests.real.certificates import Pair

# The name of an environment variable: the interpreter whose Jupyter is started, for tests with other versions of it. It
# does not begin like the settings of the gate, which are taken from there too.
OTHER_PYTHON = "JUPYTER_UNDER_TEST"
# What servers do without; its modules say why.
LEAN = Path(__file__).parent / "lean"


@dataclass
class JupyterServer:
    """A running server. `root` is its root directory, `url` its base URL (ends in a slash). `certificate` is
    what it shows, if it speaks https."""

    url: str
    token: str
    root: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    certificate: Pair | None = None

    def get(self, path: str) -> bytes:
        """Ask the server directly, with its token."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        trust = self.certificate.trusted() if self.certificate is not None else None
        with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
            return answer.read()

    def put(self, path: str, body: object) -> bytes:
        """Write as the owner does, directly and with the token."""
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers, method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())


def python() -> str:
    """The interpreter whose Jupyter is started."""
    return os.environ.get(OTHER_PYTHON) or sys.executable


@cache
def version_of(package: str) -> Version:
    """Which version of a package the servers run."""
    ask = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    return Version(subprocess.run([python(), "-c", ask, package], capture_output=True, text=True, check=True).stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def plant(root: Path) -> None:
    """What the tests share and hide: `sub/shared` is what gets shared, everything else must stay unseen."""
    shared = root / "sub" / "shared"
    for directory in (shared / "inner", root / "secret", root / "sub" / "shared2", shared / ".hid"):
        directory.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# Shared notebook", id="cell-title"),
        nbformat.v4.new_code_cell("print(6*7)", id="cell-code"),
        nbformat.v4.new_code_cell("x = 'second'", id="cell-second"),
    ]
    nbformat.write(notebook, shared / "nb.ipynb")
    nbformat.write(notebook, root / "secret" / "private.ipynb")
    (shared / "data.csv").write_text("a,b\n1,2\n")
    (shared / "notes.md").write_text("shared notes\n")
    (shared / "page.html").write_text("<script>document.title='ran'</script>")
    (shared / "inner" / "deep.txt").write_text("deep\n")
    (shared / "name with space & ünicode.txt").write_text("odd name\n")
    (shared / ".hidden.txt").write_text("hidden inside\n")
    (shared / ".hid" / "x.txt").write_text("hidden dir\n")
    (root / "secret" / "secret.txt").write_text("TOPSECRET\n")
    (root / "sub" / "shared2" / "sibling.txt").write_text("SIBLINGSECRET\n")
    (root / "outside.txt").write_text("OUTSIDESECRET\n")
    outside_root = root.parent / "beyond"
    outside_root.mkdir(exist_ok=True)
    (outside_root / "beyond.txt").write_text("BEYONDSECRET\n")
    links = {
        "link_in.txt": shared / "data.csv",
        "link_secret.txt": root / "secret" / "secret.txt",
        "link_beyond.txt": outside_root / "beyond.txt",
        "link_dir": root / "secret",
        "link_dir_beyond": outside_root,
    }
    for name, target in links.items():
        with contextlib.suppress(FileExistsError):
            (shared / name).symlink_to(target)


@contextlib.contextmanager
def running_jupyter(
    home: Path,
    *,
    port: int = 0,
    token: str = "",
    base_url: str = "/",
    collaboration: bool = True,
    lab: bool = True,
    certificate: Pair | None = None,
    ip: str = "127.0.0.1",
) -> Iterator[JupyterServer]:
    """Start a server whose HOME, configuration and data lie under `home`; its root is `home/root`. Stops it by pid.
    With a certificate it speaks https. `ip` is the address at which it listens."""
    root = home / "root"
    root.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    token = token or secrets.token_hex(24)
    environment = {
        **os.environ,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_TOKEN": token,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(LEAN), os.environ.get("PYTHONPATH", "")))),
    }
    log = home / "jupyter.log"
    command = [
        python(),
        "-m",
        "jupyterlab" if lab else "jupyter_server",
        "--no-browser",
        "--allow-root",
        f"--ip={ip}",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.base_url={base_url}",
        f"--ServerApp.root_dir={root}",
    ]
    if certificate is not None:
        command += [f"--ServerApp.certfile={certificate.certificate}", f"--ServerApp.keyfile={certificate.key}"]
    if not collaboration:
        command.append("--LabApp.collaborative=False")
        off = {"ServerApp": {"jpserver_extensions": {"jupyter_server_ydoc": False, "jupyter_server_fileid": False}}}
        # The page's half is installed for every server of this Python.
        page = {
            "disabledExtensions": {"@jupyter/docprovider-extension": True, "@jupyter/collaboration-extension": True}
        }
        (home / "config" / "labconfig").mkdir(parents=True, exist_ok=True)
        (home / "config" / "jupyter_server_config.json").write_text(json.dumps(off))
        (home / "config" / "labconfig" / "page_config.json").write_text(json.dumps(page))
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=root, start_new_session=True)
    scheme = "https" if certificate is not None else "http"
    server = JupyterServer(f"{scheme}://{ip}:{port}{base_url}", token, root, port, process, log, certificate)
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError(f"jupyter ended: {log.read_text()[-2000:]}")
            with contextlib.suppress(OSError):
                server.get("api/status")
                break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"jupyter did not answer: {log.read_text()[-2000:]}")
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextlib.contextmanager
def planted_jupyter(home: Path) -> Iterator[JupyterServer]:
    """A running server of what `plant` makes."""
    (home / "root").mkdir()
    plant(home / "root")
    with running_jupyter(home) as server:
        yield server

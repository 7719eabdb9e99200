"""Starting a JupyterLab with collaboration for a folder, for `sharegate up` and `sharegate demo`."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sharegate.errors import Denied, Invalid, Unreachable
from sharegate.upstream.discover import FoundServer
from sharegate.upstream.forward import AiohttpForwarder
from sharegate.upstream.listening import Listening, who_listens
from sharegate.upstream.model import Credential
from sharegate.upstream.probe import probe_url

_REMEDY = "Install them with: pip install 'sharegate[lab]'"
_PACKAGES = {"jupyterlab": "jupyterlab", "jupyter_server_ydoc": "jupyter-collaboration"}
_TAIL = 4000

Progress = Callable[[str], None]


@dataclass(slots=True)
class RunningLab:
    """A JupyterLab that we started: leader of a process group of its own. `root` is a real path."""

    url: str
    token: Credential
    root: Path
    port: int
    process: asyncio.subprocess.Process = field(repr=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def found(self) -> FoundServer:
        """As discover.running_servers would describe it."""
        return FoundServer(self.url, self.token, str(self.root), self.pid, os.getuid())

    async def stop(self, *, patience: float = 10.0) -> None:
        """Ask it to stop, with its kernels; after `patience` seconds kill the group. Idempotent."""
        await _stop(self.process, patience)

    async def ended(self) -> int:
        """Wait until it has ended by itself; its exit code."""
        return await self.process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        # The whole group has ended already.
        pass


async def _stop(process: asyncio.subprocess.Process, patience: float) -> None:
    if process.returncode is not None:
        # Its number may be somebody else's by now.
        return
    try:
        # Only to the server: it then saves open documents and ends its kernels in order.
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(patience):
            await process.wait()
    except (ProcessLookupError, TimeoutError):
        # Ended in between, or does not listen: both are settled by what follows.
        pass
    _signal(process, signal.SIGKILL)
    await process.wait()


async def missing_packages(python: str = sys.executable) -> list[str]:
    """Which of the needed packages that Python cannot import, by the names that pip knows."""
    program = f"import importlib.util as u\nfor n in {tuple(_PACKAGES)!r}:\n if u.find_spec(n) is None: print(n)"
    try:
        process = await asyncio.create_subprocess_exec(
            python, "-I", "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        raise Invalid("python", f"{python} cannot be started") from None
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise Invalid("python", f"{python} does not work")
    return [_PACKAGES[name] for name in out.decode().split()]


def _without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """Kernels inherit it, and what is in it for the gate (the store's password) is for no notebook."""
    return {name: value for name, value in environment.items() if not name.upper().startswith("SHAREGATE_")}


def _folder(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    if not real.is_dir():
        raise Invalid("path", f"{path} is no folder")
    return real


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _port_taken(port: int) -> bool:
    with socket.socket() as probe:
        # As the server itself does: a port that is only cooling down can be used.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _tail(log: IO[bytes], secret: str) -> str:
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - _TAIL))
    return log.read().decode("utf-8", "replace").replace(secret, "…").strip()


async def start_lab(
    root: Path,
    *,
    port: int | None = None,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = (),
    progress: Progress = lambda _: None,
    patience: float = 90.0,
) -> RunningLab:
    """Start JupyterLab on 127.0.0.1 and return when it answers and admits our token.

    The token is random and passed by the environment: argv is readable by every user. `environment` replaces
    os.environ; of both, what is named SHAREGATE_… stays with the gate. `progress` is told sentences for people. Raises
    Invalid (packages missing, port taken, no such folder) before anything is started, Unreachable when the server ends
    or does not answer within `patience` seconds.
    """
    real = _folder(root)
    if missing := await missing_packages(python):
        raise Invalid("python", f"{' and '.join(missing)} not installed for {python}", _REMEDY)
    if port is not None and _port_taken(port):
        raise Invalid("port", f"{port} is in use", "Name another one, or leave it out.")
    number = port or _free_port()
    token = secrets.token_hex(24)
    command = [
        python,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={number}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={real}",
        # Over whatever the owner's configuration says: the address has to be the one we wait at.
        "--ServerApp.base_url=/",
        *(["--allow-root"] if os.getuid() == 0 else []),
        *arguments,
    ]
    progress("Starting JupyterLab")
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**_without_ours(os.environ if environment is None else environment), "JUPYTER_TOKEN": token},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=real,
            # Ctrl-C in our terminal is ours to answer; the group is ended as one.
            start_new_session=True,
        )
        try:
            url = await _answering(process, number, token, log, progress, patience)
        except BaseException:
            await _stop(process, 5.0)
            raise
    progress("JupyterLab is running")
    return RunningLab(url, Credential(token), real, number, process)


async def _answering(
    process: asyncio.subprocess.Process, port: int, token: str, log: IO[bytes], progress: Progress, patience: float
) -> str:
    url = f"http://127.0.0.1:{port}/"
    start = time.monotonic()
    told = 0
    async with AiohttpForwarder() as forwarder:
        while True:
            waited = time.monotonic() - start
            if process.returncode is not None:
                raise Unreachable(f"JupyterLab ended with code {process.returncode}:\n{_tail(log, token)}")
            if waited > patience:
                raise Unreachable(f"JupyterLab did not answer within {patience:.0f} s:\n{_tail(log, token)}")
            if waited - told >= 5:
                told = int(waited)
                progress(f"Waiting for JupyterLab to answer ({told} s)")
            # The token goes to nobody else who might have taken the port meanwhile.
            verdict = await asyncio.to_thread(
                who_listens, "127.0.0.1", port, pid=process.pid, uids=frozenset({os.getuid()})
            )
            if verdict in (Listening.OURS, Listening.UNKNOWN):
                try:
                    answer = await probe_url(forwarder, url, token)
                except Denied:
                    # Not up yet, or not fully: asked again until the patience ends.
                    pass
                else:
                    if not answer.admitted:
                        raise Unreachable(
                            "JupyterLab takes another token than ours: its configuration sets IdentityProvider.token"
                        )
                    return url
            await asyncio.sleep(0.1)

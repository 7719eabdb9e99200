"""A real configurable-http-proxy (JupyterHub's) in front of a gate. Nothing here is imported by the product."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.real.certificates import Pair
from tests.real.jupyter import free_port
from tests.real.process import running_program

PROGRAM = "configurable-http-proxy"
_ROOT = Path(__file__).parents[2]


@dataclass
class ConfigurableHttpProxy:
    """A running proxy; every path goes to the gate."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path


def executable() -> str | None:
    """Where the proxy is, on PATH or where scripts/programs puts it; None when it is not installed."""
    found = shutil.which(PROGRAM)
    if found is not None:
        return found
    main = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    # A second work tree of this repository has no .venv of its own.
    for place in (_ROOT, Path(main).parent):
        program = place / ".venv" / "peers" / "node_modules" / ".bin" / PROGRAM
        if program.exists():
            return str(program)
    return None


@contextlib.contextmanager
def running_chp(
    folder: Path, upstream_port: int, *, port: int = 0, tls: Pair | None = None, upstream_tls: Pair | None = None
) -> Iterator[ConfigurableHttpProxy]:
    """The proxy in front of whoever listens on `upstream_port`; with `tls` it presents this certificate, with
    `upstream_tls` it speaks TLS to the gate too and trusts that authority."""
    program = executable()
    assert program is not None, "configurable-http-proxy is not installed"
    folder.mkdir(parents=True, exist_ok=True)
    port, api = port or free_port(), free_port()
    scheme = "http" if upstream_tls is None else "https"
    command = [
        program,
        *("--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1", "--api-port", str(api)),
        *("--default-target", f"{scheme}://127.0.0.1:{upstream_port}", "--log-level", "info"),
    ]
    if tls is not None:
        command += ["--ssl-cert", str(tls.certificate), "--ssl-key", str(tls.key)]
    environment = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16)}
    if upstream_tls is not None:
        environment["NODE_EXTRA_CA_CERTS"] = str(upstream_tls.ca)
    log = folder / "chp.log"
    with running_program(command, log, [port, api], environment) as process:
        yield ConfigurableHttpProxy(port, process, log)

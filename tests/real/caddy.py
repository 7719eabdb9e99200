"""A real Caddy in front of a gate, with the configuration that we hand out. Nothing here is imported by the product."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.real.certificates import Pair
from tests.real.jupyter import free_port
from tests.real.nginx import substituted
from tests.real.process import running_program

SITE = Path(__file__).parents[2] / "deploy" / "caddy" / "Caddyfile"

# What concerns the whole program: nothing but the site listens, and it fetches nothing by itself.
_GLOBAL = """\
{{
	admin off
	auto_https disable_redirects
	http_port {plain}
	https_port {port}
	default_bind 127.0.0.1
	skip_install_trust
}}
"""


@dataclass
class Caddy:
    """A running Caddy; `port` speaks TLS."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path


def executable() -> str | None:
    """Where Caddy is; None when it is not installed."""
    return shutil.which("caddy")


@contextlib.contextmanager
def running_caddy(
    folder: Path, upstream_port: int, *, tls: Pair, port: int = 0, name: str = "share.example.org"
) -> Iterator[Caddy]:
    """Caddy with deploy/caddy/Caddyfile in front of whoever listens on `upstream_port`, for `name` and all below."""
    program = executable()
    assert program is not None, "Caddy is not installed"
    folder.mkdir(parents=True, exist_ok=True)
    port, plain = port or free_port(), free_port()
    replaced = {
        "/etc/ssl/share.example.org.pem": str(tls.certificate),
        "/etc/ssl/share.example.org-key.pem": str(tls.key),
        "share.example.org, *.share.example.org {": f"{name}:{port}, *.{name}:{port} {{",
        "127.0.0.1:8870": f"127.0.0.1:{upstream_port}",
    }
    site = folder / "Caddyfile"
    site.write_text(_GLOBAL.format(plain=plain, port=port) + substituted(SITE.read_text(), replaced))
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
    log = folder / "caddy.log"
    command = [program, "run", "--config", str(site), "--adapter", "caddyfile"]
    with running_program(command, log, [port], {**os.environ, **homes}) as process:
        yield Caddy(port, process, log)

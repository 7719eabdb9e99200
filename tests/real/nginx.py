"""A real nginx in front of a gate, with the configuration that we hand out. Nothing here is imported by the product."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.real.certificates import Pair
from tests.real.jupyter import free_port
from tests.real.process import running_program

SITE = Path(__file__).parents[2] / "deploy" / "nginx" / "sharegate.conf"

# What stands around a site in /etc/nginx/nginx.conf, as one process that stays in the foreground.
_MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
worker_processes 1;
{account}
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server_tokens off;
    include {folder}/site.conf;
}}
"""


@dataclass
class Nginx:
    """A running nginx: `port` speaks TLS (plain http when it was started without), `plain` sends on to it."""

    port: int
    plain: int
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def access_log(self) -> str:
        return (self.folder / "access.log").read_text()

    @property
    def error_log(self) -> str:
        return (self.folder / "error.log").read_text()


def executable() -> str | None:
    """Where nginx is; None when it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def running_nginx(
    folder: Path,
    upstream_port: int,
    *,
    port: int = 0,
    tls: Pair | None = None,
    upstream_tls: Pair | None = None,
    name: str = "share.example.org",
    change: Mapping[str, str] | None = None,
) -> Iterator[Nginx]:
    """nginx with deploy/nginx/sharegate.conf in front of whoever listens on `upstream_port`, for `name` and all below.

    With `tls` it presents this certificate, without it speaks plain http. With `upstream_tls` it speaks TLS to the gate
    too and checks that certificate. `change` replaces lines of the configuration, each of which must be there.
    """
    program = executable()
    assert program is not None, "nginx is not installed"
    folder.mkdir(parents=True, exist_ok=True)
    port, plain = port or free_port(), free_port()
    replaced = {
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "server 127.0.0.1:8870;": f"server 127.0.0.1:{upstream_port};",
        "https://$host$request_uri": f"https://$host:{port}$request_uri",
        "/var/log/nginx/sharegate.log": f"{folder}/access.log",
        "share.example.org *.share.example.org": f"{name} *.{name}",
        **_front(port, tls),
        **(_behind(upstream_tls, name) if upstream_tls is not None else {}),
        **(change or {}),
    }
    (folder / "site.conf").write_text(substituted(SITE.read_text(), replaced))
    main = folder / "nginx.conf"
    # As root its worker would become somebody who may not write here.
    account = "user root;" if folder.owner() == "root" else ""
    main.write_text(_MAIN.format(folder=folder, account=account))
    command = [program, "-p", str(folder), "-c", str(main), "-e", str(folder / "error.log")]
    with running_program(command, folder / "out.log", [port, plain]) as process:
        yield Nginx(port, plain, process, folder)


def substituted(text: str, replaced: Mapping[str, str]) -> str:
    """The text with each of these in its place; one that is not there fails the test."""
    for old, new in replaced.items():
        assert old in text, f"{SITE.name} does not say {old!r} any more"
        text = text.replace(old, new)
    return text


def _front(port: int, tls: Pair | None) -> dict[str, str]:
    if tls is None:
        return {
            "listen 443 ssl http2;": f"listen 127.0.0.1:{port};",
            "ssl_certificate     /etc/letsencrypt/live/share.example.org/fullchain.pem;": "",
            "ssl_certificate_key /etc/letsencrypt/live/share.example.org/privkey.pem;": "",
        }
    return {
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "/etc/letsencrypt/live/share.example.org/fullchain.pem": str(tls.certificate),
        "/etc/letsencrypt/live/share.example.org/privkey.pem": str(tls.key),
    }


def _behind(pair: Pair, name: str) -> dict[str, str]:
    """As docs/reach.md says it for a gate with a certificate of its own."""
    return {
        "proxy_pass http://sharegate;": (
            "proxy_pass https://sharegate;\n"
            f"        proxy_ssl_name {name};\n"
            "        proxy_ssl_server_name on;\n"
            "        proxy_ssl_verify on;\n"
            f"        proxy_ssl_trusted_certificate {pair.ca};"
        )
    }

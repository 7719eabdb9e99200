"""A malicious owner's server: the same script served as an extension, as a notebook's output and as a file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary

from tests.real.certificates import Pair

SCRIPT = (Path(__file__).parent / "evil.js").read_text()
# Each carrier's own name for the script, in the window that it runs in.
EXTENSION, OUTPUT, FILE, PAGE = "evilExtension", "evilOutput", "evilFile", "evilPage"


def script(name: str) -> str:
    return SCRIPT.replace("window.EVIL", f"window.{name}")


def plant_extension(home: Path) -> None:
    """A prebuilt JupyterLab extension whose entry runs the script as soon as it loads."""
    folder = home / "data" / "labextensions" / "evil"
    (folder / "static").mkdir(parents=True)
    build = {"load": "static/remoteEntry.0123456789abcdef.js", "extension": "./extension"}
    facts = {"name": "evil", "version": "1.0.0", "jupyterlab": {"extension": True, "outputDir": ".", "_build": build}}
    (folder / "package.json").write_text(json.dumps(facts))
    container = (
        "(window._JUPYTERLAB = window._JUPYTERLAB || {}).evil ="
        " { init() {}, get: async () => () => ({ __esModule: true, default:"
        " { id: 'evil:plugin', autoStart: true, activate() {} } }) };"
    )
    (folder / "static" / "worker.js").write_text("self.addEventListener('fetch', () => {});\n")
    (folder / "static" / "remoteEntry.0123456789abcdef.js").write_text(script(EXTENSION) + container)


def plant_files(home: Path, folder: Path) -> None:
    """A web page, a service worker, and a notebook that its owner trusts, with the script in an output."""
    (folder / "evil.html").write_text(f"<!doctype html><title>evil</title><script>{script(FILE)}</script>")
    (folder / "worker.js").write_text("self.addEventListener('fetch', () => {});\n")
    book = nbformat.v4.new_notebook()
    html = f"<p>evil output</p><script>{script(OUTPUT)}</script>"
    output = nbformat.v4.new_output("display_data", data={"text/html": html, "text/plain": "evil"})
    book.cells = [nbformat.v4.new_code_cell("1", id="cell-evil", outputs=[output], execution_count=1)]
    nbformat.write(book, folder / "evil.ipynb")
    (home / "data").mkdir(exist_ok=True)
    notary = NotebookNotary(data_dir=str(home / "data"))
    notary.sign(nbformat.read(folder / "evil.ipynb", as_version=4))
    notary.store.close()


@contextlib.asynccontextmanager
async def tls_in_front(port: int, pair: Pair, gate_port: int) -> AsyncIterator[None]:
    """Passes bytes between TLS on `port` and the gate, and nothing else."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while part := await reader.read(65536):
                writer.write(part)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, before = await asyncio.open_connection("127.0.0.1", gate_port)
        await asyncio.gather(carry(reader, before), carry(behind, writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)
    try:
        yield
    finally:
        server.close()

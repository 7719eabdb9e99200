"""What an editor sends by the contents API, and how it is looked at."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import nbformat

from sharegate.policy.load import builtin_policies
from tests.attacks.test_escapes import SECRETS
from tests.gatehouse import Inside, Reply
from tests.real.jupyter import JupyterServer

ROOT = "sub/shared"


def policies_that_hand_out(folder: Path, *roles: str) -> Path:
    """A policy directory with these roles handed out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("roles.yaml", "sharing.yaml"):
        text = (builtin_policies() / name).read_text()
        text = text.replace("available: false", "available: true")
        (folder / name).write_text(text.replace("roles: [view]", f"roles: [{', '.join(roles)}]"))
    return folder


def snapshot(root: Path) -> dict[str, bytes | str]:
    """Every file, folder and link of the server's root and beside it, hidden ones too, without Jupyter's own."""
    found: dict[str, bytes | str] = {}
    for top in (root, root.parent / "beyond"):
        for path in sorted(top.rglob("*")):
            name = str(path.relative_to(root.parent))
            if ".ipynb_checkpoints" in name or ".jupyter" in name or ".db" in name:
                continue
            found[name] = f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes() if path.is_file() else "/"
    return found


async def ask(who: Inside, method: str, target: str, body: object = None) -> Reply:
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return await who.ask(method, target, headers={"Content-Type": "application/json"} if data else None, body=data)


async def contents(who: Inside, method: str, path: str, body: object = None) -> Reply:
    """The contents API below the share."""
    return await ask(who, method, f"api/contents/{ROOT}/{path}".rstrip("/"), body)


def check_refused(reply: Reply, server: JupyterServer, *codes: str) -> None:
    """Refused with one of the public codes, and nothing is told."""
    assert reply.status >= 400, (reply.status, reply.body[:300])
    assert reply.public in codes, (reply.public, reply.body[:300])
    everything = reply.body + str(reply.headers).encode()
    for secret in (*SECRETS, server.token.encode(), str(server.root).encode(), b"Traceback", b"Errno"):
        assert secret not in everything


def text(content: str) -> dict[str, Any]:
    return {"type": "file", "format": "text", "content": content}


def notebook(*cells: Any, **metadata: Any) -> dict[str, Any]:
    made = nbformat.v4.new_notebook(metadata=metadata)
    made.cells = list(cells)
    # Not nbformat.writes: it takes out `trusted` by itself.
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


def cell(source: str = "1", *, html: str = "", **metadata: Any) -> Any:
    made = nbformat.v4.new_code_cell(source, metadata=metadata, id=nbformat.corpus.words.generate_corpus_id())
    if html:
        made.outputs = [nbformat.v4.new_output("display_data", {"text/html": html})]
    return made


EVIL = notebook(cell(html="<script>steal()</script>", trusted=True))


async def upload(who: Inside, path: str, data: bytes, size: int = 0) -> list[Reply]:
    """As JupyterLab's file browser uploads: base64, in parts when it is large."""
    size = size or len(data)
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    replies = []
    for number, part in enumerate(parts, 1):
        body: dict[str, Any] = {"type": "file", "format": "base64", "content": base64.b64encode(part).decode()}
        body["name"] = path.rpartition("/")[2]
        if len(parts) > 1:
            body["chunk"] = -1 if number == len(parts) else number
        replies.append(await contents(who, "PUT", path, body))
    return replies


async def put_whole(who: Inside, path: str, made: dict[str, Any]) -> Reply:
    return await contents(who, "PUT", path, {"type": "notebook", "format": "json", "content": made})

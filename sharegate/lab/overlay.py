"""What a visit keeps for itself: workspaces (layout) and settings. The owner's are neither shown nor touched.

Both are small named blobs in the store, bounded per visit. A workspace is JupyterLab's own JSON, kept as it is; a
setting is what the visitor changed, laid over the schema's defaults and under what the role enforces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

from sharegate.errors import Denied, Reason
from sharegate.lab.synthetic import json_answer, json_bytes, no_content
from sharegate.messages import Response
from sharegate.shares.model import Grant, Role, RootKind

WORKSPACE = "workspace"
SETTINGS = "settings"
MAX_WORKSPACES = 20
MAX_WORKSPACE_BYTES = 1 << 20
MAX_SETTINGS = 200
MAX_SETTINGS_BYTES = 256 << 10
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}\Z")
_PLUGIN = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@._/-]{0,120}:[A-Za-z0-9._-]{1,80}\Z")
MAX_DEPTH = 60

# For every visitor: the server must not be asked to call out, and no tool may nag about what is not theirs.
ENFORCED: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"},
    "@jupyterlab/filebrowser-extension:browser": {"showHiddenFiles": False},
    "@jupyterlab/docmanager-extension:plugin": {"renameUntitledFileOnSave": False},
}
# No kernel may start, so nothing may ask for one.
ENFORCED_EDIT: dict[str, dict[str, Any]] = {
    "@jupyterlab/notebook-extension:tracker": {
        "autoStartDefaultKernel": False,
        "enableKernelInitNotification": False,
        "kernelShutdown": False,
        "recordTiming": False,
    },
}
ENFORCED_VIEW: dict[str, dict[str, Any]] = {
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False, "renameUntitledFileOnSave": False},
    "@jupyterlab/notebook-extension:tracker": {
        "autoStartDefaultKernel": False,
        "enableKernelInitNotification": False,
        "kernelShutdown": False,
        "recordTiming": False,
        "showEditorForReadOnlyMarkdown": False,
    },
    "@jupyterlab/completer-extension:manager": {"autoCompletion": False},
}


class OverlayStore(Protocol):
    """The part of ShareStore that this module uses."""

    async def overlay(self, visit: str, kind: str) -> dict[str, bytes]: ...

    async def put_overlay(
        self, visit: str, kind: str, name: str, data: bytes | None, *, items: int, total_bytes: int
    ) -> None: ...


class Overlays:
    """Answers for `/lab/api/workspaces…` and the visitor's half of `/lab/api/settings…`.

    Every method may raise Denied(`bad_body`, `overlay_limit`) or StoreUnavailable; nothing has changed then.
    """

    def __init__(self, store: OverlayStore) -> None:
        self._store = store

    async def workspaces(self, grant: Grant) -> Response:
        """`GET /lab/api/workspaces`."""
        kept = await self._store.overlay(grant.visit.id, WORKSPACE)
        values = [json.loads(data) for data in kept.values()]
        return json_answer({"workspaces": {"ids": list(kept), "values": values}})

    async def workspace(self, grant: Grant, name: str) -> Response:
        """`GET /lab/api/workspaces/<name>`: what the visit stored, else an empty layout in the shared folder."""
        kept = await self._store.overlay(grant.visit.id, WORKSPACE)
        if name in kept:
            return json_answer(json.loads(kept[name]))
        return json_answer(first_workspace(grant, name))

    async def put_workspace(self, grant: Grant, name: str, body: bytes) -> Response:
        """`PUT /lab/api/workspaces/<name>`."""
        _check(_NAME, name, "workspace name")
        value = _object(body)
        if not isinstance(value.get("data"), dict):
            raise Denied(Reason.BAD_BODY, "a workspace has data")
        clean = {"data": value["data"], "metadata": {"id": name}}
        data = json_bytes(clean)
        await self._store.put_overlay(
            grant.visit.id, WORKSPACE, name, data, items=MAX_WORKSPACES, total_bytes=MAX_WORKSPACE_BYTES
        )
        return no_content()

    async def delete_workspace(self, grant: Grant, name: str) -> Response:
        """`DELETE /lab/api/workspaces/<name>`: the visit's own layout starts afresh."""
        await self._store.put_overlay(
            grant.visit.id, WORKSPACE, name, None, items=MAX_WORKSPACES, total_bytes=MAX_WORKSPACE_BYTES
        )
        return no_content()

    async def put_settings(self, grant: Grant, plugin: str, body: bytes) -> Response:
        """`PUT /lab/api/settings/<plugin>` with `{"raw": "<JSON with comments>"}`."""
        _check(_PLUGIN, plugin, "plugin name")
        raw = _object(body).get("raw")
        if not isinstance(raw, str):
            raise Denied(Reason.BAD_BODY, "settings have raw text")
        data = json_bytes(read_settings(raw))
        await self._store.put_overlay(
            grant.visit.id, SETTINGS, plugin, data, items=MAX_SETTINGS, total_bytes=MAX_SETTINGS_BYTES
        )
        return no_content()

    async def settings(self, grant: Grant, upstream: bytes) -> Response:
        """Answer `GET /lab/api/settings[/<plugin>]` from the upstream's answer: schemas stay, the owner's own values
        go, the visitor's come. Raises Denied(`upstream_bad_answer`)."""
        kept = await self._store.overlay(grant.visit.id, SETTINGS)
        mine = {plugin: json.loads(data) for plugin, data in kept.items()}
        return json_answer(visitor_settings(upstream, mine, grant.role))


def first_workspace(grant: Grant, name: str) -> dict[str, Any]:
    """An empty layout with the file browser in the shared folder; the address says which document opens."""
    data: dict[str, Any] = {}
    if grant.share.kind is RootKind.DIRECTORY:
        data["file-browser-filebrowser:cwd"] = {"path": grant.share.root}
    return {"data": data, "metadata": {"id": name}}


def enforced(plugin: str, role: Role) -> dict[str, Any]:
    by_role = {Role.VIEW: ENFORCED_VIEW, Role.EDIT: ENFORCED_EDIT}.get(role, {})
    return by_role.get(plugin) or ENFORCED.get(plugin, {})


def visitor_settings(upstream: bytes, mine: Mapping[str, Mapping[str, Any]], role: Role) -> dict[str, Any]:
    """Rebuild a settings answer (one plugin, or `{"settings": [...]}`) from id, schema and version alone."""
    try:
        value = json.loads(upstream)
    except (ValueError, RecursionError):
        raise Denied(Reason.UPSTREAM_BAD_ANSWER, "settings are no JSON") from None
    if isinstance(value, dict) and isinstance(value.get("settings"), list) and "id" not in value:
        return {"settings": [_one(entry, mine, role) for entry in value["settings"]]}
    return _one(value, mine, role)


def _one(entry: Any, mine: Mapping[str, Mapping[str, Any]], role: Role) -> dict[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise Denied(Reason.UPSTREAM_BAD_ANSWER, "settings without an id")
    plugin = entry["id"]
    if "schema" not in entry:  # asked for the ids only
        return {"id": plugin}
    own = {**mine.get(plugin, {}), **enforced(plugin, role)}
    schema = entry["schema"] if isinstance(entry["schema"], dict) else {}
    # A value for a key that the installed schema does not know would make the plugin's settings invalid as a whole.
    known = schema.get("properties")
    if isinstance(known, dict) and schema.get("additionalProperties") is False:
        own = {key: value for key, value in own.items() if key in known}
    version = entry.get("version")
    return {
        "id": plugin,
        "schema": schema,
        "version": version if isinstance(version, str) and len(version) <= 40 else "",
        "raw": json.dumps(own, ensure_ascii=False, indent=2) if own else "{}",
        "settings": own,
        "last_modified": None,
        "created": None,
    }


def read_settings(raw: str) -> dict[str, Any]:
    """Read JupyterLab's annotated JSON (comments, trailing commas); Denied(`bad_body`) for what is no object then."""
    bare = _without_comments(raw)
    return _object(bare.encode("utf-8", "replace")) if bare.strip() else {}


def _without_comments(raw: str) -> str:
    """Drop comments and trailing commas outside strings. One pass: the text is a visitor's, and a pattern that looks
    for the end of a string again and again would be slow on purpose-made text."""
    kept: list[str] = []
    at, end = 0, len(raw)
    comma = -1  # where in `kept` the last comma stands when only white space came after it
    while at < end:
        char = raw[at]
        if char == "/" and raw[at + 1 : at + 2] == "/":
            at = _find(raw, "\n", at)
            continue
        if char == "/" and raw[at + 1 : at + 2] == "*":
            at = _find(raw, "*/", at + 2) + 2
            continue
        if char == '"':
            start, at = at, at + 1
            while at < end and raw[at] != '"':
                at += 2 if raw[at] == "\\" else 1
            at += 1
            kept.append(raw[start:at])
            comma = -1
            continue
        if char in "}]" and comma >= 0:
            kept[comma] = ""
        if char == ",":
            comma = len(kept)
        elif not char.isspace():
            comma = -1
        kept.append(char)
        at += 1
    return "".join(kept)


def _find(raw: str, what: str, start: int) -> int:
    found = raw.find(what, start)
    return len(raw) if found < 0 else found


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
        # NaN and infinity are no JSON: the page could not read its own settings any more.
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        raise Denied(Reason.BAD_BODY, "not JSON") from None
    if not isinstance(value, dict):
        raise Denied(Reason.BAD_BODY, "not a JSON object")
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [part for whole in level for part in _parts(whole)]
        if not level:
            return value
    raise Denied(Reason.BAD_BODY, f"nested deeper than {MAX_DEPTH}")


def _parts(whole: Any) -> list[Any]:
    parts = whole.values() if isinstance(whole, dict) else whole
    return [part for part in parts if isinstance(part, dict | list)]


def _check(shape: re.Pattern[str], value: str, what: str) -> None:
    if not shape.match(value):
        raise Denied(Reason.BAD_BODY, f"not a {what}")

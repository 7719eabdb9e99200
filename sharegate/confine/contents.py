"""What a visitor sees of the contents API: models through an allow-list, listings without what lies elsewhere."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from sharegate.confine.answer import Raw, read_list, read_object, read_value, text_of, unusable
from sharegate.confine.request import Confined, place_of
from sharegate.errors import Denied, Reason
from sharegate.paths import CanonicalPath, Place
from sharegate.shares.model import Capability, Grant, RootKind

# (directory, names) → which of them really lie inside the root.
InsideNames = Callable[[tuple[str, ...], list[str]], Awaitable[set[str]]]

_TYPES = ("directory", "file", "notebook")
_FORMATS = ("json", "text", "base64")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,120}\Z")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,20}(?:Z|[+-][0-9]{2}:[0-9]{2})\Z")
_HASH = re.compile(r"[A-Za-z0-9+/=_-]{1,256}\Z")


class Setting(msgspec.Struct, frozen=True):
    """For whom an answer is written anew. `upstream_base` is the path of the upstream's base URL (both slashes)."""

    grant: Grant
    confined: Confined
    method: str
    upstream_base: str
    inside_names: InsideNames

    @property
    def reading(self) -> bool:
        return self.method in ("GET", "HEAD")

    def place(self, path: CanonicalPath) -> Place:
        return place_of(path, self.grant.root, self.grant.share.kind)


async def filter_contents(model: dict[str, Raw], setting: Setting) -> dict[str, Any]:
    """A model of the contents API (jupyter_server services/contents) for a visitor.

    The path of what was read is the path that was asked for, that of what was written lies inside the root; the
    answer is unusable otherwise. Raises Denied(`root_changed`) when the root is not the kind of thing it was.
    """
    path = _path_of(model)
    asked = setting.confined.path
    if path is None or asked is None or path.hidden or setting.place(path) is not Place.INSIDE:
        raise unusable("a model of something outside the root")
    if setting.reading and path.segments != asked.segments:
        raise unusable("a model of something else than was asked for")
    shown = _shown(model, path, setting.grant)
    if path.segments == setting.grant.root.segments:
        was_file = setting.grant.share.kind is RootKind.FILE
        if was_file is (shown["type"] == "directory"):
            raise Denied(Reason.ROOT_CHANGED, "a directory where a file was shared, or the reverse")
    content = model.get("content")
    if content is None or bytes(content) == b"null":
        shown["content"] = None
    elif shown["type"] == "directory":
        shown["content"] = await _listing(content, path, setting)
    else:
        shown["content"] = content
    return shown


def ancestor_listing(setting: Setting) -> dict[str, Any]:
    """A directory on the way to the root, showing only the next step. The upstream is not asked.

    Its dates are the share's: those of the real directory tell when other files in it come and go.
    """
    path, root = setting.confined.path, setting.grant.root
    if path is None or setting.place(path) is not Place.ANCESTOR or not setting.reading:
        raise Denied(Reason.OUTSIDE_ROOT, "not on the way to the root")
    if setting.confined.fields.get("type") not in (None, "", "directory"):
        raise Denied(Reason.NOT_FOUND, "a directory is asked for as a file")
    step = CanonicalPath(root.segments[: len(path.segments) + 1])
    kind = "directory"
    if step.segments == root.segments and setting.grant.share.kind is RootKind.FILE:
        kind = "notebook" if step.name.endswith(".ipynb") else "file"
    shown = _synthetic(path, "directory", setting.grant)
    if setting.confined.fields.get("content") not in (False, 0, "0", "false"):
        shown["format"] = "json"
        shown["content"] = [_synthetic(step, kind, setting.grant)]
    return shown


async def _listing(content: Raw, directory: CanonicalPath, setting: Setting) -> list[dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {}
    for item in read_list(content):
        model = read_object(item)
        path = _path_of(model)
        # What cannot be named in a request, or claims to lie elsewhere, is no entry of this directory.
        if path is None or path.hidden or path.segments[:-1] != directory.segments or not path.segments:
            continue
        # A name that was not UTF-8 cannot be asked for either (answer.py).
        if "\ufffd" in path.name:
            continue
        if read_value(model.get("type", Raw(b"null"))) in _TYPES:
            entries[path.name] = {**_shown(model, path, setting.grant), "content": None}
    inside = await setting.inside_names(directory.segments, list(entries))
    return [entry for name, entry in entries.items() if name in inside]


def _path_of(model: dict[str, Raw]) -> CanonicalPath | None:
    try:
        path = CanonicalPath.from_body(text_of(model, "path"))
    except Denied as denied:
        if denied.reason is Reason.BAD_PATH:
            return None
        raise
    return path


def _shown(model: dict[str, Raw], path: CanonicalPath, grant: Grant) -> dict[str, Any]:
    """The allow-list. A value that does not look as Jupyter writes it becomes null, which Jupyter writes as well."""
    kind = text_of(model, "type")
    if kind not in _TYPES:
        raise unusable("a model of an unknown type")

    def take(name: str, shape: re.Pattern[str]) -> str | None:
        value = read_value(model[name]) if name in model else None
        return value if isinstance(value, str) and shape.match(value) else None

    size = read_value(model["size"]) if "size" in model else None
    form = read_value(model["format"]) if "format" in model else None
    shown: dict[str, Any] = {
        "name": path.name,
        "path": str(path),
        "last_modified": take("last_modified", _MOMENT),
        "created": take("created", _MOMENT),
        "format": form if form in _FORMATS else None,
        "mimetype": take("mimetype", _MEDIA_TYPE),
        "size": size if isinstance(size, int) and not isinstance(size, bool) else None,
        "writable": grant.allows(Capability.CONTENTS_WRITE)
        and read_value(model.get("writable", Raw(b"false"))) is True,
        "type": kind,
    }
    for name in ("hash", "hash_algorithm"):
        if name in model:
            shown[name] = take(name, _HASH)
    return shown


def _synthetic(path: CanonicalPath, kind: str, grant: Grant) -> dict[str, Any]:
    moment = datetime.fromtimestamp(grant.share.created, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "name": path.name,
        "path": str(path),
        "last_modified": moment,
        "created": moment,
        "format": None,
        "mimetype": None,
        "size": None,
        "writable": False,
        "type": kind,
        "content": None,
    }

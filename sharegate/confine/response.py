"""What of an upstream's answer reaches a visitor: one function per `filter:<name>` of the route table.

`page` and `settings` are written by lab, where the visit's own values are; `files` is streamed, only its head is looked
at (headers.py); `room` and `kernel` are channels.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from sharegate.confine.answer import Raw, read_object, read_value, text_of, unusable, write
from sharegate.confine.contents import Setting, ancestor_listing, filter_contents
from sharegate.errors import Denied
from sharegate.paths import CanonicalPath, Place

MIB = 1 << 20
# How much of an answer is read into memory, in bytes. Notebooks with pictures are large.
ANSWER_LIMITS: Mapping[str, int] = {
    "contents": 128 * MIB,
    "kernelspecs": MIB,
    "session": MIB // 16,
    "translations": 8 * MIB,
}

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_WORD = re.compile(r"[A-Za-z0-9_.+-]{1,64}\Z")
_KERNEL_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
_LOGO = re.compile(r"logo-[A-Za-z0-9]{1,16}\Z")
_FORMATS = ("json", "text", "base64")


async def filter_answer(name: str, data: bytes, setting: Setting) -> bytes:
    """Write an answer (status 200 or 201) anew. Raises Denied(`upstream_bad_answer`) for what is not as expected."""
    wanted = FILTERS.get(name)
    if wanted is None:
        # A rule names a filter that this version does not have: fails closed.
        raise unusable(f"no filter is called {name!r}")
    return write(await wanted(data, setting))


def answer_locally(name: str, setting: Setting) -> bytes | None:
    """The answer that a filter gives without the upstream: directories above the root. None where it must be asked."""
    if name == "contents" and setting.confined.place is Place.ANCESTOR:
        return write(ancestor_listing(setting))
    return None


async def _contents(data: bytes, setting: Setting) -> Any:
    return await filter_contents(read_object(data), setting)


async def _session(data: bytes, setting: Setting) -> Any:
    return document_session(read_object(data), setting.confined.fields)


def document_session(model: dict[str, Raw], asked: Mapping[str, Any]) -> dict[str, str]:
    """jupyter-collaboration's answer to `PUT /api/collaboration/session/<path>`: `format`, `type`, `fileId`,
    `sessionId`. Format and type are those that were asked for: a file has one room, not several that overwrite each
    other."""
    shown = {name: text_of(model, name) for name in ("format", "type", "fileId", "sessionId")}
    if not (_ID.match(shown["fileId"]) and _ID.match(shown["sessionId"])):
        raise unusable("a session with an id that is none")
    if any(name in asked and asked[name] != shown[name] for name in ("format", "type")):
        raise unusable("a session of another format or type than was asked for")
    if shown["format"] not in _FORMATS or not _WORD.match(shown["type"]):
        raise unusable("a session of an unknown format or type")
    return shown


async def _kernelspecs(data: bytes, setting: Setting) -> Any:
    """All of them, or the one that was asked for."""
    model = read_object(data)
    bases = (setting.upstream_base, setting.grant.base)
    if "kernelspecs" not in model:
        return kernelspec(model, *bases)
    specs = {
        name: kernelspec(read_object(item), *bases)
        for name, item in read_object(model["kernelspecs"]).items()
        if _KERNEL_NAME.match(name)
    }
    default = text_of(model, "default")
    return {"default": default if default in specs else next(iter(specs), ""), "kernelspecs": specs}


def kernelspec(model: dict[str, Raw], upstream_base: str, visit_base: str) -> dict[str, Any]:
    """Name, language and logo. `argv`, `env` and metadata (absolute paths, at times secrets) stay with the owner;
    JupyterLab insists on an `argv` and never reads it."""
    name = text_of(model, "name")
    if not _KERNEL_NAME.match(name):
        raise unusable("a kernel with a name that is none")
    spec = read_object(model.get("spec", Raw(b"{}")))
    shown: dict[str, Any] = {
        "argv": [],
        "env": {},
        "display_name": text_of(spec, "display_name")[:200],
        "language": text_of(spec, "language")[:100],
        "metadata": {},
    }
    if "interrupt_mode" in spec and (mode := read_value(spec["interrupt_mode"])) in ("signal", "message"):
        shown["interrupt_mode"] = mode
    resources: dict[str, str] = {}
    for key, value in read_object(model.get("resources", Raw(b"{}"))).items():
        address = _below(read_value(value), upstream_base) if _LOGO.match(key) else None
        if address is not None:
            resources[key] = visit_base + address
    return {"name": name, "spec": shown, "resources": resources}


def _below(address: Any, base: str) -> str | None:
    """The path of an absolute-path URL below `base`, encoded anew; None for anything else."""
    if not isinstance(address, str):
        return None
    try:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not parts.path.startswith(base):
            return None
        return CanonicalPath.parse("/" + parts.path[len(base) :]).encoded
    except (ValueError, Denied):
        # Not an address, or one with two readings: the logo is missing, nothing else.
        return None


async def _translations(data: bytes, setting: Setting) -> Any:
    """The texts; the message beside them may quote an error of the server's."""
    texts = read_value(read_object(data).get("data", Raw(b"{}")))
    return {"data": texts if isinstance(texts, dict) else {}, "message": ""}


Filter = Callable[[bytes, Setting], Awaitable[Any]]
FILTERS: Mapping[str, Filter] = {
    "contents": _contents,
    "kernelspecs": _kernelspecs,
    "session": _session,
    "translations": _translations,
}

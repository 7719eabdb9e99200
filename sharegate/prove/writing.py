"""Rows: every known way to write outside, or to plant something. All of them must be refused.

Whatever would come into being has the ground's mark in its name, so that it is found afterwards, and nothing that
exists is named as what would be overwritten, moved or deleted: a hole must not cost the owner a file.
"""

from __future__ import annotations

from collections.abc import Iterator

from sharegate.prove.ground import Ground
from sharegate.prove.model import Answer, Check, Probe

_JSON = (("Content-Type", "application/json"),)
TEXT: dict[str, object] = {"type": "file", "format": "text", "content": "sharegate prove"}

# Templates of the address, and where it would come into being: relative to the server's root, or "" where that cannot
# be looked at.
ELSEWHERE: dict[str, tuple[str, str]] = {
    "dot segments": ("{root}/{up:../}{mark}.txt", "{mark}.txt"),
    "encoded dots": ("{root}/{up:%2e%2e/}{mark}.txt", "{mark}.txt"),
    "encoded slashes": ("{root}/{up:..%2f}{mark}.txt", "{mark}.txt"),
    "through a folder that does not exist": ("{root}/{mark}/../{up:../}{mark}.txt", "{mark}.txt"),
    "plain path at the top": ("{mark}.txt", "{mark}.txt"),
    "plain path outside": ("{there_folder}/{mark}.txt", "{there_folder}/{mark}.txt"),
    "longer name than the root's": ("{root}{mark}", "{root}{mark}"),
    "double encoding": ("{root}/{up:%252e%252e/}{mark}.txt", ""),
    "backslashes": ("{root}/{up:..%5c}{mark}.txt", ""),
    "fullwidth dots": ("{root}/{up:%ef%bc%8e%ef%bc%8e/}{mark}.txt", ""),
    "overlong UTF-8": ("{root}/{up:%c0%ae%c0%ae/}{mark}.txt", ""),
    "contents drive": ("RTC:{there_folder}/{mark}.txt", ""),
    "absolute path": ("/tmp/{mark}", ""),  # noqa: S108 -- tried, not used
    "NUL": ("{there_folder}/{mark}%00.txt", ""),
    "through a link to a folder": ("{link_folder}/{mark}.txt", "{link_folder}/{mark}.txt"),
}
# With the contents API's methods. What exists is not touched, so nothing is deleted here.
METHODS: dict[str, tuple[str, object]] = {
    "PUT": ("PUT", TEXT),
    "PUT folder": ("PUT", {"type": "directory"}),
    "PUT part": ("PUT", {**TEXT, "chunk": 1}),
    "PUT base64": ("PUT", {"type": "file", "format": "base64", "content": "eA=="}),
}
FOLDERS = {
    "plain folder outside": "{there_folder}",
    "dot segments": "{root}/{up:../}{there_folder}",
    "encoded slashes": "{root}/{up:..%2f}{there_folder}",
    "folder that does not exist": "{mark}",
    "through a link": "{link_folder}",
}
MAKING: dict[str, object] = {
    "checked by its ending": {"type": "file", "ext": ".{mark}"},
    "folder": {"type": "directory"},
}

# What is made inside by naming something outside; the server chooses the name of what it makes.
COPIES: dict[str, object] = {
    "copy of a file outside": {"copy_from": "{there}"},
    "copy through dots": {"copy_from": "{root}/{up:../}{there}"},
    "copy by an absolute path": {"copy_from": "/{there}"},
    "copy of a folder outside": {"copy_from": "{there_folder}"},
    "copy of the root's sibling": {"copy_from": "{beside}"},
    "copy of a hidden file": {"copy_from": "{hidden}"},
    "copy through a link": {"copy_from": "{link_file}"},
    "copy below a linked folder": {"copy_from": "{link_below}"},
    "copy of a drive": {"copy_from": "RTC:{there}"},
    "ending that leaves the folder": {"type": "file", "ext": "/{up:../}../{mark}.txt"},
    "ending with a separator": {"type": "file", "ext": "/{mark}"},
    "ending with dots": {"type": "file", "ext": ".."},
    "type that nobody knows": {"type": "link"},
}
# What is moved does not exist: a hole tells itself by another refusal than that of a place outside.
BODIES: dict[str, tuple[str, str, object]] = {
    "path given twice": ("PATCH", "{within}{mark}.txt", b'{"path":"{within}{mark}.md","path":"{there}.md"}'),
    "unknown field": ("PATCH", "{within}{mark}.txt", {"path": "{within}{mark}.md", "type": "file"}),
    "no path": ("PATCH", "{within}{mark}.txt", {}),
    "path that is no text": ("PATCH", "{within}{mark}.txt", {"path": 7}),
    "copy in a save": ("PUT", "{within}{mark}.txt", {**TEXT, "copy_from": "{there}"}),
    "name with a separator": ("PUT", "{within}{mark}.txt", {**TEXT, "name": "../{mark}.md"}),
    "two contents": ("PUT", "{within}{mark}.txt", b'{"type":"file","format":"text","content":"a","content":{"a":1}}'),
    "content of another kind": ("PUT", "{within}{mark}.txt", {"type": "file", "format": "text", "content": {"a": 1}}),
    "not JSON": ("PUT", "{within}{mark}.txt", b"{"),
    "a list": ("PUT", "{within}{mark}.txt", b"[]"),
    "part without the first": ("PUT", "{within}{mark}.txt", {**TEXT, "chunk": 2}),
    "lone surrogate": ("PUT", "{within}{mark}.txt", b'{"type":"file","format":"text","content":"\\ud800"}'),
}

# Names that a program loads by itself (policies/files.yaml holds them all), and hidden ones.
PLANTS = {
    "module": "{mark}.py",
    "module in capitals": "{mark}.PY",
    "module with a dot behind": "{mark}.py.",
    "compiled module": "{mark}.pyc",
    "library": "{mark}.so",
    "path of modules": "{mark}.pth",
    "stream of a name": "{mark}.py::$DATA",
    "hidden file": ".{mark}",
    "hidden folder": ".{mark}/x.txt",
    "hidden behind an invisible character": "%e2%80%8c.{mark}",
    "checkpoint": ".ipynb_checkpoints/{mark}-checkpoint.ipynb",
}


def probes(ground: Ground, *, edits: bool) -> Iterator[Probe]:
    """Everything of this module that this ground has. For who only views, nothing inside is named."""
    for name, (place, made) in ELSEWHERE.items():
        target, stands = ground.fill(f"api/contents/{place}"), ground.fill(made)
        for what, (method, value) in METHODS.items():
            body = ground.body(value)
            if target is not None and body is not None:
                where = (stands,) if stands else ()
                probe = _probe(Check.WRITES, f"{name}, {what}", method, target, body, where, quick=what == "PUT")
                yield probe
    for name, place in FOLDERS.items():
        for what, value in MAKING.items():
            target, body = ground.fill(f"api/contents/{place}"), ground.body(value)
            if target is not None and body is not None:
                yield _probe(Check.WRITES, f"{name}, {what}", "POST", target, body)
    if not edits:
        return
    base = ground.fill("api/contents/{base}")
    for name, value in COPIES.items():
        body = ground.body(value)
        if base is not None and body is not None:
            stand = (f"{ground.mark}.txt", f"{ground.within}{ground.mark}")
            yield _probe(Check.BODIES, name, "POST", base, body, stand, quick=True)
    for name, (method, place, value) in BODIES.items():
        target, body = ground.fill(f"api/contents/{place}"), ground.body(value)
        if target is not None and body is not None:
            stand = (f"{ground.within}{ground.mark}.txt", f"{ground.within}{ground.mark}.md")
            yield _probe(Check.BODIES, name, method, target, body, stand)
    for name, place in PLANTS.items():
        target, body = ground.fill(f"api/contents/{{within}}{place}"), ground.body(TEXT)
        if target is not None and body is not None:
            stands = f"{ground.within}{place.replace('{mark}', ground.mark)}"
            yield _probe(Check.PLANTS, name, "PUT", target, body, (stands,), quick=True)


def _probe(
    check: Check,
    name: str,
    method: str,
    target: str,
    body: bytes,
    made: tuple[str, ...] = (),
    *,
    quick: bool = False,
) -> Probe:
    return Probe(check, name, method, target, Answer.REFUSED, _JSON, body, made=made, quick=quick)

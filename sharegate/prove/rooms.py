"""Rows: live documents and all other live connections. Messages are few, each ends the connection that it came by."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sharegate.prove.addresses import NEW_ID
from sharegate.prove.ground import Ground
from sharegate.prove.model import Answer, Check, Probe
from sharegate.prove.wire import BINARY, TEXT, frame

_JSON = (("Content-Type", "application/json"),)

# The server would give each of these an id for ever.
NOWHERE = {
    "missing file inside": "{within}{mark}.md",
    "missing folder inside": "{within}{mark}/a.md",
    "missing file outside": "{there_folder}/{mark}.md",
    "file outside": "{there}",
    "sibling with the same prefix": "{beside}",
    "the root itself": "{base}",
    "hidden file": "{hidden}",
    "file in a hidden folder": "{hidden_below}",
    "link to a file outside": "{link_file}",
    "through a linked folder": "{link_below}",
    "contents drive": "RTC:{file}",
    "history database": ".jupyter_ystore.db",
}
KINDS = (("text", "file"), ("json", "notebook"), ("json", "directory"))
TWO_READINGS = {
    "dot segments": "{root}/{up:../}{there}",
    "encoded dots and slashes": "{root}%2F{up:..%2F}{there_slashed}",
    "above the root": "..%2F{mark}%2Fout.txt",
    "absolute": "%2Fetc%2Fpasswd",
    "double encoding": "{root}/{up:%252e%252e/}{there}",
    "NUL": "{file}%00",
    "empty segment": "{root}//{mark}.md",
}
BODIES: dict[str, bytes] = {
    "no body": b"",
    "no fields": b"{}",
    "no type": b'{"format":"json"}',
    "unknown field": b'{"format":"json","type":"notebook","path":"/etc/passwd"}',
    "field twice": b'{"format":"json","type":"notebook","type":"file"}',
    "unknown format": b'{"format":"bogus","type":"notebook"}',
    "list": b"[]",
    "number": b'{"format":1,"type":2}',
    "deep": b'{"format":' + b"[" * 5000 + b"]" * 5000 + b',"type":"notebook"}',
    "not UTF-8": b'{"format":"json","type":"\xff"}',
}

# `{id}`: the id of a document inside, `{away}` of one outside.
NAMES_NOT_FOUND = {
    "unknown id": f"json:notebook:{NEW_ID}",
    "no known type": "text:bogus:{id}",
    "no known id": "text:file:bad",
    "no pair": "::{id}",
    "folder as a room": "text:directory:{id}",
    "id in capitals": "json:notebook:{ID}",
    "transient": "{mark}",
    "transient with a colon": "JupyterLab:{mark}",
    "everybody in small letters": "jupyterlab:globalawareness",
    "more colons": "text:file:{id}:x",
    "space": "text:file:{id}%20",
    "outside, as text": "text:file:{away}",
    "outside, as a notebook": "json:notebook:{away}",
    "outside, as base64": "base64:file:{away}",
    "outside, without a pair": "::{away}",
    "outside, with an encoded colon": "text%3Afile%3A{away}",
}
NAMES_REFUSED = {
    "double path": "text:file:{id}/json:notebook:{away}",
    "folder before": "x/y/text:file:{away}",
    "encoded double path": "text:file:{id}%2Ftext:file:{away}",
    "dots": "x/../text:file:{away}",
    "NUL": "text:file:{away}%00",
    "double encoding": "text%253Afile%253A{away}",
}
PLAIN = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")

CHANNELS = {
    "kernel": f"api/kernels/{NEW_ID}/channels",
    "kernel by a session": f"api/kernels/{NEW_ID}/channels?session_id=x",
    "terminal": "terminals/websocket/1",
    "language server": "lsp/ws/python",
    "any loopback port": "proxy/1/",
    "files": "files/{there}",
    "contents": "api/contents/{there}",
    "debugger": "api/debugger/subscribe",
}

STEP = b"\0\0\1\0"
SAVE = b"\2\4save\x07"
# What a page would hear when its save was passed on begins like this.
SAVED = b'"status":"success"'
# Each must end the connection. None of them is well formed, so that a hole changes no document; the longest is what the
# largest honest message is.
HOSTILE: dict[str, bytes] = {
    "text": frame(TEXT, b"hello"),
    "empty": frame(BINARY),
    "unknown kind": frame(BINARY, b"\x7d\0"),
    "kind in two bytes": frame(BINARY, b"\x80\0\0\1\0"),
    "length without an end": frame(BINARY, b"\0\0" + b"\xff" * 64),
    "length longer than the message": frame(BINARY, b"\0\2\x7f\0"),
    "something behind the message": frame(BINARY, STEP + b"\0"),
    "update that is none": frame(BINARY, b"\0\2\4\xff\xff\xff\xff"),
    "awareness that is none": frame(BINARY, b"\1\4\xff\xff\xff\xff"),
    "words of the server": frame(BINARY, b'\2\x13{"type":"conflict"}'),
    "larger than is taken": frame(BINARY, b"\0\2" + b"\0" * 70_000),
    "unmasked": b"\x82\x01\3",
    "reserved bits": frame(BINARY, STEP, first=0xC2),
    "unknown opcode": frame(BINARY, STEP, first=0x83),
    "continuation of nothing": frame(BINARY, STEP, first=0x80),
    "fragmented ping": frame(BINARY, b"x", first=0x09),
    "no WebSocket at all": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}
QUICK_HOSTILE = ("text", "kind in two bytes", "unmasked")


def sessions(ground: Ground) -> Iterator[Probe]:
    missing = ground.fill("api/collaboration/session/{within}{mark}.txt") or ""
    for name, place in NOWHERE.items():
        target = ground.fill(f"api/collaboration/session/{place}")
        for form, kind in KINDS:
            if target is not None:
                body = json.dumps({"format": form, "type": kind}).encode()
                told = f"{name} as {kind}"
                quick = kind == "file"
                yield Probe(Check.SESSIONS, told, "PUT", target, Answer.GONE, _JSON, body, missing=missing, quick=quick)
    for name, place in TWO_READINGS.items():
        target = ground.fill(f"api/collaboration/session/{place}")
        if target is not None:
            body = b'{"format":"text","type":"file"}'
            yield Probe(Check.SESSIONS, name, "PUT", target, Answer.REFUSED, _JSON, body)
    target = ground.fill("api/collaboration/session/{file}")
    for name, body in BODIES.items():
        if target is not None:
            yield Probe(Check.SESSIONS, f"body: {name}", "PUT", target, Answer.REFUSED, _JSON, body)


def names(ground: Ground, inside_id: str) -> Iterator[Probe]:
    """Rooms by every other name than that of a document inside. `inside_id` may be empty."""
    missing = f"api/collaboration/room/text:file:{NEW_ID}"
    rows = [(name, room, Answer.GONE) for name, room in NAMES_NOT_FOUND.items()]
    rows += [(name, room, Answer.REFUSED) for name, room in NAMES_REFUSED.items()]
    for name, room, answer in rows:
        needs_inside = "{id}" in room or "{ID}" in room
        if needs_inside and not inside_id:
            continue
        away = [id for _, id in ground.outside_ids] if "{away}" in room else [""]
        for number, id in enumerate(away):
            named = room.format(id=inside_id, ID=inside_id.upper(), away=id, mark=ground.mark)
            told = f"{name}, {number + 1}" if number else name
            target = f"api/collaboration/room/{named}"
            yield Probe(Check.ROOMS, told, "GET", target, answer, missing=missing, upgrade=True, quick=number == 0)
    for number, (pair, id) in enumerate(ground.outside_ids):
        target = f"api/collaboration/room/{pair}:{id}"
        told = f"document outside {number + 1}"
        yield Probe(Check.ROOMS, told, "GET", target, Answer.GONE, missing=missing, upgrade=True, quick=True)
        for method in PLAIN:
            yield Probe(Check.ROOMS, f"{told}, {method} without an upgrade", method, target)


def channels(ground: Ground) -> Iterator[Probe]:
    for name, template in CHANNELS.items():
        target = ground.fill(template)
        if target is not None:
            yield Probe(Check.CHANNELS, name, "GET", target, Answer.REFUSED, upgrade=True, quick=True)

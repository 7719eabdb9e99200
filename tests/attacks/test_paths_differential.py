"""A fuzz of raw targets: whatever is answered lies inside, and no planted secret is ever in an answer.

The grammar mixes real names inside and outside with every re-spelling that some reader might undo. What the gate says
is compared with the disk, not with a second parser.
"""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharegate.errors import MEANINGS
from tests.gatehouse import Gatehouse, Inside, Reply

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

SECRETS = (b"TOPSECRET", b"SIBLINGSECRET", b"OUTSIDESECRET", b"BEYONDSECRET", b"hidden inside", b"hidden dir")
NAMES = ("beyond.txt", "outside.txt", "sibling.txt", "secret.txt", "private.ipynb", ".hidden.txt", ".hid")
PUBLIC = {meaning.public for meaning in MEANINGS.values()}

REAL = [
    "sub/shared/data.csv",
    "sub/shared/nb.ipynb",
    "sub/shared/inner/deep.txt",
    "sub/shared/name with space & ünicode.txt",
    "sub/shared/link_in.txt",
    "sub/shared",
    "sub/shared/inner",
    "sub/shared/link_secret.txt",
    "sub/shared/link_beyond.txt",
    "sub/shared/link_dir/secret.txt",
    "sub/shared/link_dir_beyond/beyond.txt",
    "sub/shared/.hidden.txt",
    "sub/shared/.hid/x.txt",
    "sub/shared2/sibling.txt",
    "secret/secret.txt",
    "secret/private.ipynb",
    "outside.txt",
    "../beyond/beyond.txt",
    "sub",
    "",
]
TRICKS = [
    *(
        "..",
        ".",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "..%2f..",
        "..%5c..",
        "..\\..",
        "%00",
        "%0a",
        "%09",
        "%c0%ae%c0%ae",
    ),
    *(
        "..;",
        "..%3b",
        "...",
        "%ef%bc%8e%ef%bc%8e",
        "~",
        "~root",
        "%7e",
        "RTC:",
        "C:",
        "",
        "%20",
        "%2f",
        "%5c",
        "%",
        "%zz",
    ),
    *(
        "checkpoints",
        "trust",
        "nb.ipynb%2fcheckpoints",
        "%63heckpoints",
        "?",
        "#",
        "%3f",
        "%23",
        "%25",
        "sub",
        "shared",
    ),
    *("shared2", "secret", "secret.txt", "link_dir", ".hid", "SUB", "Shared", "shared.", "shared%20", "shar%65d"),
]
ROUTES = [
    "api/contents/",
    "files/",
    "lab/tree/",
    "doc/tree/",
    "api/contents",
    "files",
    "static/",
    "static/lab/",
    "view/",
]
ROUTES += ["lab/api/themes/", "lab/extensions/", "kernelspecs/", "nbconvert/html/", "api/collaboration/session/", ""]
QUERIES = [
    "",
    "",
    "?content=1",
    "?content=1&type=file",
    "?content=1&format=base64",
    "?type=directory",
    "?download=1",
    "?1690",
]


def respelled(draw: st.DrawFn, text: str) -> str:
    """Some characters in percent-encoding, of either case, some twice."""
    out = []
    for char in text:
        how = draw(st.sampled_from("pppppppppppxXd")) if char != "/" else draw(st.sampled_from("pppppppx"))
        raw = char.encode()
        if how == "p" and raw.isascii() and char not in " %":
            out.append(char)
        elif how == "d":
            out += [f"%25{byte:02x}" for byte in raw]
        else:
            out += [f"%{byte:02X}" if how == "X" else f"%{byte:02x}" for byte in raw]
    return "".join(out)


@st.composite
def targets(draw: st.DrawFn) -> str:
    """A raw target below the visit: a route, and a path made of real names, tricks and re-spellings."""
    route = draw(st.sampled_from(ROUTES))
    base = draw(st.sampled_from(REAL))
    parts = base.split("/") if base else []
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(parts)))
        if parts and draw(st.booleans()) and at < len(parts):
            parts[at] = respelled(draw, parts[at])
        else:
            parts.insert(at, draw(st.sampled_from(TRICKS)))
    joint = draw(st.sampled_from(["/"] * 6 + ["%2f", "%2F", "//", "\\", "/./"]))
    path = joint.join(part if part.isascii() and " " not in part else respelled(draw, part) for part in parts)
    return draw(st.sampled_from(["", "", "", "./", "%2e/", "/"])) + route + path + draw(st.sampled_from(QUERIES))


def judge(root: Path, target: str, reply: Reply) -> None:
    whole = reply.body + str(reply.headers).encode()
    assert not any(secret in whole for secret in SECRETS), target
    assert not any(name.encode() in whole for name in NAMES) or _echoes(reply), target
    if reply.status >= 400:
        assert reply.json["error"]["code"] in PUBLIC, target
        return
    assert reply.status in (200, 201, 302), (target, reply.status)
    bare = target.partition("?")[0].lstrip("./")
    if bare.startswith("api/contents") and reply.body != b"[]":
        model = reply.json
        where = root / model["path"]
        on_the_way = model["path"] in ("", "sub")
        inside = where.resolve().is_relative_to(root / "sub" / "shared")
        assert on_the_way or inside, target
        hidden = any(part.startswith(".") for part in model["path"].split("/"))
        assert not hidden and ".." not in model["path"], target
        if isinstance(model["content"], list):
            for entry in model["content"]:
                assert on_the_way or (root / entry["path"]).resolve().is_relative_to(root / "sub" / "shared"), target
    elif bare.startswith("files"):
        texts = {
            path.read_bytes()
            for path in (root / "sub" / "shared").rglob("[!.]*")
            if path.is_file() and not path.is_symlink()
        }
        assert reply.body in texts, target


def _echoes(reply: Reply) -> bool:
    """A page may name what it was asked for; only pages of places inside are made, and a missing file is one."""
    return b"jupyter-config-data" in reply.body


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batch=st.lists(targets(), min_size=25, max_size=25))
def _fuzz(loop: asyncio.AbstractEventLoop, gate: Gatehouse, ann: Inside, batch: list[str]) -> None:
    for target in batch:
        method = "PUT" if "session" in target else "GET"
        body = json.dumps({"format": "text", "type": "file"}).encode() if method == "PUT" else b""
        reply = asyncio.run_coroutine_threadsafe(ann.ask(method, target, body=body), loop).result(60)
        judge(gate.jupyter.root, target, reply)


async def test_attack_whatever_is_answered_lies_inside(gate: Gatehouse, ann: Inside) -> None:
    """1,500 targets: none finds a spelling that the gate reads inside and the server outside."""
    await asyncio.to_thread(_fuzz, asyncio.get_running_loop(), gate, ann)


async def test_the_fuzz_reaches_what_is_inside(gate: Gatehouse, ann: Inside) -> None:
    """Plain and re-spelled names inside are read, so the fuzz is not a test of refusals alone."""
    for target in ("files/sub/shared/data.csv", "files/s%75b/shared/d%61ta.csv", "files/sub%2fshared/data.csv"):
        reply = await ann.ask("GET", target)
        assert (reply.status, reply.body) == (200, b"a,b\n1,2\n")
        judge(gate.jupyter.root, target, reply)

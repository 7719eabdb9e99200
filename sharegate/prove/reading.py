"""Rows: every known way to read what lies outside, is hidden or linked out, as templates of ground.py.

tests/attacks/test_escapes.py says which of them a server without a gate follows.
"""

from __future__ import annotations

from collections.abc import Iterator

from sharegate.prove.ground import Ground
from sharegate.prove.model import Answer, Check, Probe

# Two readings, or a reading that some disk or handler has: refused, in whatever words.
SPELLINGS = {
    "dot segments": "{root}/{up:../}{there}",
    "encoded dot": "{root}/%2e/{up:../}{there}",
    "encoded dots": "{root}/{up:%2e%2e/}{there}",
    "mixed case encoded dots": "{root}/{up:%2E./}{there}",
    "encoded slashes": "{root}/{up:..%2f}{there_slashed}",
    "encoded slash at the end of a dot segment": "{root}/{up:%2e%2e%2f}{there}",
    "through a folder that does not exist": "{root}/{mark}/../{up:../}{there}",
    "above the server's root": "{root}/{up:../}../{mark}/{mark}.txt",
    "sibling through dots": "{root}/{up:../}{beside}",
    "absolute path": "/etc/passwd",
    "encoded absolute path": "%2fetc%2fpasswd",
    "absolute path behind two slashes": "//etc/passwd",
    "double encoding": "{root}/{up:%252e%252e/}{there}",
    "backslashes": "{root}/{up:..\\}{there_back}",
    "encoded backslashes": "{root}/{up:..%5c}{there}",
    "fullwidth dots": "{root}/{up:%ef%bc%8e%ef%bc%8e/}{there}",
    "overlong UTF-8": "{root}/{up:%c0%ae%c0%ae/}{there}",
    "path parameters": "{root}/{up:..;/}{there}",
    "parameters behind the root": "{root};/{up:../}{there}",
    "share of a network": "%5c%5c127.0.0.1%5cc$%5cWindows%5cwin.ini",
    "Windows drive with backslashes": "C:%5cWindows%5cwin.ini",
    "NUL": "{there}%00.txt",
    "empty segment": "{root}//{mark}",
    "empty segment at the beginning": "/{there}",
    "one dot": "{root}/./{up:../}{there}",
    "encoded fragment": "{root}/%23/../{up:../}{there}",
    "raw bytes": "{root}/\udcff/{up:../}{there}",
    "query within": "{root}%3f/{up:../}{there}",
}
# One reading, which leads outside or to something hidden: the same answer as for what is missing.
PLACES = {
    "plain path outside": "{there}",
    "encoded separators all through": "{there_slashed}",
    "missing file outside": "{there_folder}/{mark}.txt",
    "missing folder outside": "{mark}/{mark}.txt",
    "sibling with the same prefix": "{beside}",
    "longer name than the root's": "{root}x",
    "trailing dot": "{there_folder}./{mark}.txt",
    "trailing space": "{there_folder}%20/{mark}.txt",
    "contents drive": "RTC:{there}",
    "Windows drive": "C:/{there}",
    "hidden file inside": "{hidden}",
    "hidden file in a hidden folder": "{hidden_below}",
    "missing hidden file inside": "{within}.{mark}.txt",
    "hidden behind an invisible character": "{within}%e2%80%8c.{mark}",
    "encoded hidden file": "{within}%2e{mark}.txt",
    "collaboration's history database": ".jupyter_ystore.db",
    "collaboration's sessions": ".jupyter/collaboration_sessions.json",
    "keys of the owner": ".ssh/id_ed25519",
    "history of the owner": ".bash_history",
    "configuration of Jupyter": ".jupyter/jupyter_server_config.py",
    "repository inside": "{within}.git/config",
    "checkpoints as files": "{within}.ipynb_checkpoints/{mark}-checkpoint.ipynb",
}
LINKS = {
    "link to a file": "{link_file}",
    "file through a linked folder": "{link_below}",
    "missing file through a linked folder": "{link_folder}/{mark}.txt",
    "linked folder": "{link_folder}",
    "encoded separators through a linked folder": "{link_folder_slashed}%2f{mark}.txt",
}
# How a place is asked for. `{place}` is the row's path.
READERS = {
    "contents": ("GET", "api/contents/{place}?content=1"),
    "contents without content": ("GET", "api/contents/{place}?content=0"),
    "contents as a notebook": ("GET", "api/contents/{place}?type=notebook&content=1"),
    "contents as a folder": ("GET", "api/contents/{place}?type=directory&content=1"),
    "contents with a hash": ("GET", "api/contents/{place}?content=0&hash=1"),
    "files": ("GET", "files/{place}"),
    "files, head only": ("HEAD", "files/{place}"),
    "download": ("GET", "files/{place}?download=1"),
    "reading page": ("GET", "-/read/{place}"),
}
# Addresses of which some answer for every place alike, made by the gate.
OTHER_READERS = {
    "checkpoints": ("GET", "api/contents/{place}/checkpoints"),
    "conversion": ("GET", "nbconvert/html/{place}"),
    "conversion that imports": ("GET", "nbconvert/script/{place}"),
    "trust": ("POST", "api/contents/{place}/trust"),
    "view": ("GET", "view/{place}"),
    "picture": ("GET", "-/picture/{place}"),
    "picture of a notebook": ("GET", "-/picture/{place}?of=0123456789abcdef0123456789abcdef"),
    "page": ("GET", "lab/tree/{place}"),
    "single document": ("GET", "doc/tree/{place}"),
    "Notebook, folder": ("GET", "tree/{place}"),
    "Notebook, notebook": ("GET", "notebooks/{place}"),
    "Notebook, text": ("GET", "edit/{place}"),
}
# JupyterLab's pages, which are the same whatever stands at a name within.
WITHOUT_A_LOOK = ("page", "single document")
QUICK_READERS = ("contents", "files")

# -- folders and routes that shadow each other -----------------------------------------------------------------------

SHADOWED = ("checkpoints", "%63heckpoints", "check%70oints", "trust", "%74rust")
BELOW = ("{place}/{name}", "{place}%2f{name}")

# -- conditions and ranges -------------------------------------------------------------------------------------------

CONDITIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "any version": (("If-None-Match", "*"),),
    "no version": (("If-Match", '"x"'),),
    "first byte": (("Range", "bytes=0-0"),),
    "beyond every end": (("Range", "bytes=9999999999-"),),
    "since the future": (("If-Modified-Since", "Wed, 01 Jan 2070 00:00:00 GMT"),),
    "unless changed since long ago": (("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),),
}
CONDITIONAL = {"outside": "{there}", "hidden": "{hidden}", "linked out": "{link_file}", "sibling": "{beside}"}


def probes(ground: Ground) -> Iterator[Probe]:
    """Everything of this module that this ground has."""
    missing = f"{{within}}{ground.mark}.txt"
    for check, rows, answer in (
        (Check.SPELLINGS, SPELLINGS, Answer.REFUSED),
        (Check.PLACES, PLACES, Answer.GONE),
        (Check.LINKS, LINKS, Answer.GONE),
    ):
        for name, place in rows.items():
            yield from _by_readers(ground, check, name, place, missing, answer)
    for name, place in {**PLACES, **LINKS}.items():
        check = Check.LINKS if name in LINKS else Check.PLACES
        for reader, (method, target) in OTHER_READERS.items():
            asked, gone = ground.fill(target.replace("{place}", place)), ""
            answer = Answer.NOTHING if reader == "checkpoints" else Answer.REFUSED
            if name in LINKS and reader in WITHOUT_A_LOOK:
                answer, gone = Answer.ALIKE, ground.fill(target.replace("{place}", missing)) or ""
            if asked is not None:
                yield Probe(check, f"{name}, {reader}", method, asked, answer, missing=gone)
    yield from _shadowed(ground)
    yield from _conditional(ground, missing)


def _by_readers(ground: Ground, check: Check, name: str, place: str, missing: str, answer: Answer) -> Iterator[Probe]:
    for reader, (method, target) in READERS.items():
        asked, gone = ground.fill(target.replace("{place}", place)), ground.fill(target.replace("{place}", missing))
        if asked is None or gone is None:
            continue
        yield Probe(check, f"{name}, {reader}", method, asked, answer, missing=gone, quick=reader in QUICK_READERS)


def _shadowed(ground: Ground) -> Iterator[Probe]:
    for name in SHADOWED:
        for below in BELOW:
            for place in ("{there_folder}", "{there}"):
                asked = ground.fill("api/contents/" + below.replace("{place}", place).replace("{name}", name))
                if asked is not None:
                    yield Probe(Check.SPELLINGS, f"{asked}, a route's name", "GET", asked, Answer.REFUSED)


def _conditional(ground: Ground, missing: str) -> Iterator[Probe]:
    gone = ground.fill(f"files/{missing}") or ""
    for where, place in CONDITIONAL.items():
        asked = ground.fill(f"files/{place}")
        if asked is None:
            continue
        for name, fields in CONDITIONS.items():
            for method in ("GET", "HEAD"):
                yield Probe(
                    Check.CONDITIONS, f"{name}, {where}, {method}", method, asked, Answer.GONE, fields, missing=gone
                )

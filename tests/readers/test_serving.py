"""`-/read` and `-/picture` of a real server, as a browser asks for them."""

from __future__ import annotations

import asyncio
import html
import re
from pathlib import Path

import pytest

from sharegate.readers import serving
from sharegate.reading import pictures
from tests.gatehouse import Gatehouse, Inside, Reply, gatehouse
from tests.readers.sample import code as cell
from tests.readers.sample import course, notebook, png, printed, words, written
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

PLACE = "-/read/sub/shared"


def text(reply: Reply) -> str:
    assert reply.status == 200, (reply.status, reply.body[:300])
    assert reply.header("Content-Type") == "text/html; charset=utf-8"
    return html.unescape(reply.body.decode())


def stamp(reply: Reply) -> str:
    return re.findall(r'data-stamp="([0-9a-f]{16})"', reply.body.decode())[0]


async def test_a_notebook_a_folder_a_text_and_a_picture_have_pages(house: Gatehouse, ann: Inside) -> None:
    """What a phone needs to find its way and read: links up, to each entry, and to JupyterLab."""
    page = text(await ann.ask("GET", f"{PLACE}/week3.ipynb"))
    for words_ in ("Week 3: oxygen in the bay", "Up to <bdi>shared</bdi>", "This output needs JupyterLab", "shared by"):
        assert words_ in page
    assert f'href="{ann.base}lab/tree/sub/shared/week3.ipynb"' in page
    listing = text(await ann.ask("GET", PLACE))
    assert f'href="{ann.base}-/read/sub/shared/name%20with%20space%20&%20%C3%BCnicode.txt"' in listing
    assert f'href="{ann.base}-/read/sub/shared/inner"' in listing and "Up to" not in listing
    for hidden in (".hidden.txt", "link_secret.txt", "link_beyond.txt", "link_dir"):
        assert hidden not in listing
    assert "shared notes" in text(await ann.ask("GET", f"{PLACE}/notes.md"))
    assert "a,b\n1,2" in text(await ann.ask("GET", f"{PLACE}/data.csv"))
    assert f'src="{ann.base}-/picture/sub/shared/plot.png"' in text(await ann.ask("GET", f"{PLACE}/plot.png"))


async def test_a_file_of_html_is_shown_as_its_text(ann: Inside) -> None:
    """Attack: what would run in a browser is read, not run."""
    reply = await ann.ask("GET", f"{PLACE}/page.html")
    assert b"<script>document.title" not in reply.body and b"&lt;" in reply.body


async def test_the_page_may_run_our_scripts_alone(ann: Inside) -> None:
    """Its policy names one folder for scripts, one for pictures, and nothing of another site."""
    reply = await ann.ask("GET", f"{PLACE}/week3.ipynb")
    policy = dict(part.strip().split(" ", 1) for part in reply.header("Content-Security-Policy").split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    script = re.findall(r'<script type="module" src="([^"]+)"', reply.body.decode())
    folder = policy["script-src"]
    assert len(script) == 1 and f"{ann.origin}{script[0]}".startswith(folder) and folder.endswith("/")
    assert "/-/static/" in folder and "'self'" not in folder + policy["img-src"] + policy["style-src"]
    assert policy["img-src"].split()[0] == f"{ann.origin}{ann.base}-/picture/"
    kept = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    assert {name: reply.header(name) for name in kept} == kept
    served = await ann.gate.raw("GET", script[0], {"Host": ann.host})
    assert served.status == 200 and served.header("Content-Type").startswith("text/javascript")


async def test_what_is_read_is_recorded(house: Gatehouse, ann: Inside) -> None:
    """As for the contents API: who, which file, and that it was allowed."""
    await ann.ask("GET", f"{PLACE}/week3.ipynb")
    await ann.ask("GET", "-/read/secret/private.ipynb")
    events = await house.events(share=ann.share["id"])
    read = [event for event in events if event["rule"] == "read-page"]
    assert {(event["path"], event["outcome"], event["reason"]) for event in read} == {
        ("sub/shared/week3.ipynb", "allowed", ""),
        ("-/read/secret/private.ipynb", "denied", "outside_root"),
    }


async def test_above_the_shared_folder_is_the_way_to_it(ann: Inside) -> None:
    """And nothing else; dates and names of what lies beside stay unseen."""
    for place, step in (("-/read", "sub"), ("-/read/", "sub"), ("-/read/sub", "shared")):
        page = text(await ann.ask("GET", place))
        assert page.count("<li>") == 1 and f"<bdi>{step}</bdi></a>" in page


async def test_pictures_are_served_by_what_they_are(ann: Inside, shared: Path) -> None:
    """Type by the first bytes, nosniff, sandboxed; under the name of a picture anything else is not found."""
    reply = await ann.ask("GET", "-/picture/sub/shared/plot.png")
    assert (reply.status, reply.header("Content-Type"), reply.body) == (200, "image/png", png())
    assert reply.header("X-Content-Type-Options") == "nosniff" and "sandbox" in reply.header("Content-Security-Policy")
    again = await ann.ask("GET", "-/picture/sub/shared/plot.png", headers={"If-None-Match": reply.header("ETag")})
    assert again.status == 304
    no_pictures = {"svg.png": b"<svg onload='x'/>", "page.gif": b"<script>x</script>", "p.svg": b"<svg/>"}
    for name, content in no_pictures.items():
        (shared / name).write_bytes(content)
        refused = await ann.ask("GET", f"-/picture/sub/shared/{name}")
        (shared / name).unlink()
        assert (refused.status, refused.public) == (404, "not_found")


async def test_pictures_within_a_notebook_are_the_notebooks_alone(house: Gatehouse, ann: Inside, shared: Path) -> None:
    """By digest, from that notebook as it was shown or as it is; from another, or another share, not found."""
    page = text(await ann.ask("GET", f"{PLACE}/week3.ipynb"))
    address = re.findall(rf'src="{re.escape(ann.base)}(-/picture/sub/shared/week3.ipynb\?of=[0-9a-f]+)"', page)[0]
    reply = await ann.ask("GET", address)
    assert (reply.header("Content-Type"), reply.body) == ("image/png", png())
    assert (await ann.ask("GET", address.replace("week3", "nb"))).status == 404
    # Nobody has looked at it before, in this share.
    bob = await house.visit(name="Bob")
    assert (await bob.ask("GET", address)).body == png()
    inner = await house.visit(await house.share("sub/shared/inner", **{"for": ["Eve"]}))
    assert (await inner.ask("GET", address)).status == 404
    (shared / "gone.ipynb").write_bytes(written(course()))
    text(await ann.ask("GET", f"{PLACE}/gone.ipynb"))
    (shared / "gone.ipynb").unlink()
    assert (await ann.ask("GET", address.replace("week3", "gone"))).status == 404


async def test_a_picture_that_was_taken_out_is_shown_for_a_moment_only(
    house: Gatehouse, ann: Inside, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was just drawn has what it shows; after that it comes out of the notebook as it is. Of a notebook
    that stays as it was, a picture is not looked for again."""
    readers = house.running.gate._answers._readers  # type: ignore[attr-defined]
    later = 0.0
    monkeypatch.setattr(readers, "_pace", lambda: later)
    drawn: list[str] = []
    keep = readers._keep
    monkeypatch.setattr(readers, "_keep", lambda *said: (drawn.append(str(said[1])), keep(*said)))
    (shared / "taken.ipynb").write_bytes(written(course()))
    page = text(await ann.ask("GET", f"{PLACE}/taken.ipynb"))
    address = re.findall(rf'src="{re.escape(ann.base)}(-/picture/sub/shared/taken.ipynb\?of=[0-9a-f]+)"', page)[0]
    later = serving.KEPT_SECONDS * 100
    assert (await ann.ask("GET", address)).body == png() and len(drawn) == 1
    text(await ann.ask("GET", f"{PLACE}/taken.ipynb"))
    (shared / "taken.ipynb").write_bytes(written(notebook(words("nothing of it is left"))))
    assert (await ann.ask("GET", address)).body == png()
    later += serving.KEPT_SECONDS
    assert (await ann.ask("GET", address)).status == 404
    (shared / "taken.ipynb").unlink()


async def test_attack_a_link_out_is_no_picture(ann: Inside, shared: Path, house: Gatehouse) -> None:
    """A symbolic link to a picture outside, and a notebook that points to it, tell what a missing one tells."""
    (shared / "out.png").symlink_to(house.jupyter.root / "secret" / "plot.png")
    (shared / "points.ipynb").write_bytes(written(notebook(words("![x](out.png) ![y](../../secret/plot.png)"))))
    try:
        linked, missing = [await ann.ask("GET", f"-/picture/sub/shared/{name}.png") for name in ("out", "no-such")]
        assert linked.status == missing.status == 404
        assert {**linked.json["error"], "id": ""} == {**missing.json["error"], "id": ""}
        page = text(await ann.ask("GET", f"{PLACE}/points.ipynb"))
        assert "/secret/" not in page and '-/picture/sub/shared/out.png"' in page
    finally:
        (shared / "out.png").unlink()
        (shared / "points.ipynb").unlink()


async def test_what_is_not_there_or_no_notebook_is_told(ann: Inside, shared: Path) -> None:
    """A missing file is not found; broken JSON is shown as text; a file of bytes is offered for download."""
    assert (await ann.ask("GET", f"{PLACE}/missing.ipynb")).public == "not_found"
    (shared / "broken.ipynb").write_text('{"cells": [<script>')
    (shared / "bytes.bin").write_bytes(bytes(range(256)))
    (shared / "bytes.ipynb").write_bytes(bytes(range(256)))
    try:
        page = text(await ann.ask("GET", f"{PLACE}/broken.ipynb"))
        assert "not a notebook that can be read" in page and '{"cells": [' in page
        for name in ("bytes.bin", "bytes.ipynb"):
            page = text(await ann.ask("GET", f"{PLACE}/{name}"))
            assert "no text and no picture" in page and f'download="{name}"' in page
    finally:
        for name in ("broken.ipynb", "bytes.bin", "bytes.ipynb"):
            (shared / name).unlink()


async def test_what_is_large_is_cut_or_not_read(ann: Inside, shared: Path) -> None:
    """Ten megabytes of text are cut with a sentence; more is not asked of the server at all."""
    cases = {
        "long.txt": (b"x" * serving.LARGEST_TEXT, "This is only the beginning."),
        "longer.txt": (b"x" * (serving.LARGEST_TEXT + 1), "too large to be read here"),
        "large.png": (png() + b"x" * pictures.LARGEST, "too large to be read here"),
        "cells.ipynb": (written(notebook(*[words("x")] * 100_000)), "more cells are not shown here"),
        "output.ipynb": (written(notebook(cell("x", printed("y" * 5_000_000)))), "This is only the beginning."),
    }
    for name, (content, sentence) in cases.items():
        (shared / name).write_bytes(content)
        try:
            reply = await ann.ask("GET", f"{PLACE}/{name}")
            assert sentence in text(reply) and len(reply.body) < 5_000_000
        finally:
            (shared / name).unlink()
    assert (await ann.ask("GET", "-/picture/sub/shared/large.png")).status == 404


async def test_who_waits_hears_of_what_was_saved(ann: Inside, shared: Path) -> None:
    """With `after` the answer comes when the file was written, and is the new page."""
    file = shared / "followed.md"
    file.write_text("before\n")
    try:
        before = await ann.ask("GET", f"{PLACE}/followed.md")
        waiting = asyncio.create_task(ann.ask("GET", f"{PLACE}/followed.md?after={stamp(before)}"))
        await asyncio.wait({waiting}, timeout=0.5)
        assert not waiting.done()
        file.write_text("after that\n")
        assert "after that" in text(await waiting)
        old = await ann.ask("GET", f"{PLACE}/followed.md?after={'0' * 16}")
        assert "after that" in text(old)
    finally:
        file.unlink()
    assert (await ann.ask("GET", f"{PLACE}/followed.md?after={'0' * 16}")).public == "not_found"


async def test_attack_what_is_waited_for_becomes_a_link_out(ann: Inside, shared: Path, house: Gatehouse) -> None:
    """A file that is replaced by a link while somebody waits is not read through it."""
    file = shared / "replaced.txt"
    file.write_text("before\n")
    try:
        before = await ann.ask("GET", f"{PLACE}/replaced.txt")
        waiting = asyncio.create_task(ann.ask("GET", f"{PLACE}/replaced.txt?after={stamp(before)}"))
        await asyncio.wait({waiting}, timeout=0.3)
        file.unlink()
        file.symlink_to(house.jupyter.root / "secret" / "secret.txt")
        reply = await waiting
    finally:
        file.unlink()
    assert (reply.status, reply.public) == (404, "not_found") and b"TOPSECRET" not in reply.body


async def test_attack_the_shared_folder_becomes_another_while_somebody_waits(house: Gatehouse, shared: Path) -> None:
    """What stands in its place was not shared: its words are not told, and the share waits for its owner."""
    root, away = shared.parent / "swapped", shared.parent / "moved away"
    root.mkdir()
    (root / "note.txt").write_text("before\n")
    made = await house.share("sub/swapped", **{"for": ["Ann"]})
    ann = await house.visit(made)
    places = house.running.gate._answers._readers._following._places  # type: ignore[attr-defined]
    try:
        before = await ann.ask("GET", "-/read/sub/swapped/note.txt")
        waiting = asyncio.create_task(ann.ask("GET", f"-/read/sub/swapped/note.txt?after={stamp(before)}"))
        async with asyncio.timeout(25):
            while not [place for place in places if place[0] == made["share"]["id"] and places[place].seen]:
                await asyncio.sleep(0.01)
        root.rename(away)
        root.mkdir()
        (root / "note.txt").write_text("words that nobody shared\n")
        reply = await waiting
    finally:
        for folder in (root, away):
            (folder / "note.txt").unlink()
            folder.rmdir()
    assert reply.status in (403, 404) and b"nobody shared" not in reply.body
    shares = (await house.call("GET", "shares"))["shares"]
    assert [one["state"] for one in shares if one["id"] == made["share"]["id"]] == ["suspended"]
    await house.call("POST", f"shares/{made['share']['id']}/revoke")


async def test_the_end_of_a_visit_ends_the_waiting(house: Gatehouse, shared: Path) -> None:
    """At once, and nothing of what was saved since is told."""
    eve = await house.visit(name="Eve")
    before = await eve.ask("GET", f"{PLACE}/notes.md")
    waiting = asyncio.create_task(eve.ask("GET", f"{PLACE}/notes.md?after={stamp(before)}"))
    await asyncio.wait({waiting}, timeout=0.3)
    assert not waiting.done()
    await house.call("POST", f"shares/{eve.share['id']}/revoke")
    async with asyncio.timeout(25):
        reply = await waiting
    assert reply.status == 403 and b"shared notes" not in reply.body


async def test_the_page_is_in_the_readers_language(ann: Inside) -> None:
    """Its own words, not those of the notebook."""
    reply = await ann.ask("GET", f"{PLACE}/week3.ipynb", headers={"Accept-Language": "de-AT"})
    page = text(reply)
    assert '<html lang="de" dir="ltr">' in page and "In JupyterLab öffnen" in page and "oxygen in the bay" in page
    assert reply.header("Vary") == "Accept-Language"


async def test_programs_have_the_contents_instead(house: Gatehouse) -> None:
    """The pages are for browsers; a program is told so."""
    program = await house.program()
    for place in ("-/read/sub/shared/nb.ipynb", "-/picture/sub/shared/plot.png"):
        assert (await program.ask("GET", place)).public == "not_for_browsers"


async def test_a_shared_file_is_read_alone(house: Gatehouse) -> None:
    """Its folder lists nothing but the file, and what lies beside it is not found."""
    bo = await house.visit(await house.share("sub/shared/week3.ipynb", **{"for": ["Bo"]}))
    page = text(await bo.ask("GET", f"{PLACE}/week3.ipynb"))
    assert "oxygen" in page and "Up to" not in page and "-/read/sub/shared/notes.md" not in page
    assert text(await bo.ask("GET", PLACE)).count("<li>") == 1
    assert (await bo.ask("GET", f"{PLACE}/notes.md")).public == "not_found"


async def test_a_gate_that_stops_keeps_nobody_waiting(tmp_path: Path, library: JupyterServer) -> None:
    """Whoever waits hears that nothing changed, rather than being waited for until the gate's patience is over."""
    async with gatehouse(tmp_path, library) as house:
        bo = await house.visit(name="Bo")
        before = await bo.ask("GET", f"{PLACE}/notes.md")
        waiting = asyncio.create_task(bo.ask("GET", f"{PLACE}/notes.md?after={stamp(before)}"))
        await asyncio.wait({waiting}, timeout=0.5)
    assert (await waiting).status == 204

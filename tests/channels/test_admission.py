"""Which rooms a visitor may watch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.channels.admission import Admissions, RoomName, legal_pairs
from sharegate.errors import Denied, Reason
from sharegate.paths import CanonicalPath

ID = "0b8f4a52-7c1d-4e7a-9a57-3f0c2f1f6a01"
OTHER = "0b8f4a52-7c1d-4e7a-9a57-3f0c2f1f6a02"
ROOT = CanonicalPath(("sub", "shared"))
NOTEBOOK = ROOT.join("nb.ipynb")
TEXT = ROOT.join("notes.md")
PICTURE = ROOT.join("plot.png")


class Moving:
    """File ids of a server whose files the test moves."""

    def __init__(self, **paths: str | None) -> None:
        self.paths: dict[str, str | None] = {ID: "sub/shared/nb.ipynb", **paths}
        self.asked: list[tuple[str, str]] = []

    async def path_of(self, upstream: str, file_id: str) -> str | None:
        self.asked.append((upstream, file_id))
        return self.paths.get(file_id)


def path(text: str) -> CanonicalPath:
    return CanonicalPath.from_body(text)


def reason(caught: pytest.ExceptionInfo[Denied]) -> Reason:
    return caught.value.reason


def test_a_room_is_one_exact_segment() -> None:
    """Format, type and a version 4 uuid in lower case."""
    name = RoomName.parse(f"json:notebook:{ID}")
    assert (name.format, name.type, name.file_id) == ("json", "notebook", ID)
    assert str(name) == f"json:notebook:{ID}"


@pytest.mark.parametrize(
    "segment",
    [
        "",
        ID,
        "JupyterLab:globalAwareness",
        f"json%3Anotebook%3A{ID}",
        f"json:notebook:{ID.upper()}",
        f"json:notebook:{ID} ",
        f"json:notebook:{ID}\n",
        f" json:notebook:{ID}",
        f"json:notebook:{ID}:x",
        f"json:notebook:{ID}/json:notebook:{OTHER}",
        f"text:bogus:{ID}",
        f"text:directory:{ID}",
        f"::{ID}",
        "json:notebook:",
        "json:notebook:0b8f4a52-7c1d-1e7a-9a57-3f0c2f1f6a01",  # not version 4
        "json:notebook:sub/shared/nb.ipynb",
        "json:notebook:" + "a" * 36,
        "json:notebook:" + "٣" * 8 + ID[8:],
        "a" * 32,
    ],
)
def test_attack_other_spellings_are_no_room(segment: str) -> None:
    """Prefixes, doubled names, bare hex names of forks, transient rooms, encodings: nothing of that exists."""
    with pytest.raises(Denied) as caught:
        RoomName.parse(segment)
    assert reason(caught) is Reason.ROOM_UNKNOWN


@given(st.text(max_size=80))
def test_attack_a_name_that_is_parsed_is_spelled_the_same(segment: str) -> None:
    """There is no second spelling of a room."""
    try:
        assert str(RoomName.parse(segment)) == segment
    except Denied as denied:
        assert denied.reason is Reason.ROOM_UNKNOWN  # noqa: PT017 -- both ways are right


def test_legal_pairs_follow_the_name() -> None:
    """A notebook is JSON, text is text, and only what may be binary may be base64."""
    assert legal_pairs(NOTEBOOK) == legal_pairs(ROOT.join("NB.IPYNB")) == (("json", "notebook"),)
    assert legal_pairs(TEXT) == legal_pairs(ROOT.join("Makefile")) == (("text", "file"),)
    assert legal_pairs(PICTURE) == (("text", "file"), ("base64", "file"))


async def test_a_room_of_a_file_inside_the_root_is_admitted() -> None:
    """After its session was seen; the id is asked anew."""
    rooms, ids = Admissions(), Moving()
    rooms.learn("up", NOTEBOOK, "json", "notebook", ID)
    admission = await rooms.admit("up", ROOT, f"json:notebook:{ID}", ids)
    assert admission.path == NOTEBOOK and str(admission.room) == f"json:notebook:{ID}"
    assert ids.asked == [("up", ID)]


async def test_a_share_of_one_file_admits_that_file_only() -> None:
    """The root may be the file itself."""
    ids = Moving(**{OTHER: "sub/shared/other.ipynb"})
    assert (await Admissions().admit("up", NOTEBOOK, f"json:notebook:{ID}", ids)).path == NOTEBOOK
    with pytest.raises(Denied) as caught:
        await Admissions().admit("up", NOTEBOOK, f"json:notebook:{OTHER}", ids)
    assert reason(caught) is Reason.ROOM_LEFT_ROOT


async def test_a_page_may_come_back_after_the_gate_forgot_its_session() -> None:
    """A restarted gate decides by where the id points and by the file's name."""
    admission = await Admissions().admit("up", ROOT, f"json:notebook:{ID}", Moving())
    assert admission.path == NOTEBOOK


async def test_attack_an_id_that_the_server_does_not_know() -> None:
    """A guessed id is no room."""
    with pytest.raises(Denied) as caught:
        await Admissions().admit("up", ROOT, f"json:notebook:{OTHER}", Moving())
    assert reason(caught) is Reason.ROOM_UNKNOWN


@pytest.mark.parametrize(
    "where",
    [
        "secret/private.ipynb",
        "sub/shared2/nb.ipynb",
        "sub/nb.ipynb",
        "sub/shared/../../secret/private.ipynb",
        "../outside/out.ipynb",
        "/etc/passwd",
        "/sub/shared/nb.ipynb",
        "sub//shared/nb.ipynb",
        "sub/shared/.hid/nb.ipynb",
        "sub/shared/.hidden.ipynb",
        "",
        ".",
        "sub/shared/%2e%2e/nb.ipynb",
    ],
)
async def test_attack_ids_of_files_that_are_not_in_the_share(where: str) -> None:
    """The server makes ids for anything; also for a path that was learnt as inside before."""
    rooms = Admissions()
    rooms.learn("up", NOTEBOOK, "json", "notebook", ID)
    with pytest.raises(Denied) as caught:
        await rooms.admit("up", ROOT, f"json:notebook:{ID}", Moving(**{ID: where}))
    assert reason(caught) is Reason.ROOM_LEFT_ROOT


async def test_attack_a_file_that_was_moved_out_is_noticed() -> None:
    """An admitted room is asked about again: moved within the root it stays, moved out, hidden or forgotten it ends."""
    rooms, ids = Admissions(), Moving()
    admission = await rooms.admit("up", ROOT, f"json:notebook:{ID}", ids)
    ids.paths[ID] = "sub/shared/inner/renamed.ipynb"
    assert await rooms.recheck(admission, ROOT, ids) == ROOT.join("inner", "renamed.ipynb")
    for gone in ("secret/nb.ipynb", "sub/shared/.nb.ipynb", None):
        ids.paths[ID] = gone
        with pytest.raises(Denied) as caught:
            await rooms.recheck(admission, ROOT, ids)
        assert reason(caught) is Reason.ROOM_LEFT_ROOT


async def test_the_disk_is_asked_about_links() -> None:
    """What looks inside may be a symbolic link to the outside: the caller's check decides, at both moments."""

    async def inside(_: CanonicalPath) -> None:
        raise Denied(Reason.LINK_OUT)

    rooms, ids = Admissions(), Moving()
    admission = await rooms.admit("up", ROOT, f"json:notebook:{ID}", ids)
    for asking in (
        rooms.admit("up", ROOT, f"json:notebook:{ID}", ids, inside=inside),
        rooms.recheck(admission, ROOT, ids, inside=inside),
    ):
        with pytest.raises(Denied) as caught:
            await asking
        assert reason(caught) is Reason.LINK_OUT


async def test_a_server_that_cannot_be_asked_admits_nobody() -> None:
    """Fails closed."""

    class Away:
        async def path_of(self, upstream: str, file_id: str) -> str | None:
            raise Denied(Reason.UPSTREAM_AWAY)

    with pytest.raises(Denied) as caught:
        await Admissions().admit("up", ROOT, f"json:notebook:{ID}", Away())
    assert reason(caught) is Reason.UPSTREAM_AWAY


@pytest.mark.parametrize("room", ["text:file", "base64:file", "text:notebook", "json:file"])
async def test_attack_a_notebook_has_one_room(room: str) -> None:
    """A second room of the same file would overwrite the first."""
    with pytest.raises(Denied) as caught:
        await Admissions().admit("up", ROOT, f"{room}:{ID}", Moving())
    assert reason(caught) is Reason.ROOM_FORMAT


async def test_attack_the_session_decides_between_two_legal_rooms() -> None:
    """A picture may be opened as text or as base64, but not as both at a time."""
    rooms, ids = Admissions(), Moving(**{ID: str(PICTURE)})
    rooms.learn("up", PICTURE, "base64", "file", ID)
    admission = await rooms.admit("up", ROOT, f"base64:file:{ID}", ids)
    with pytest.raises(Denied) as caught:
        await rooms.admit("up", ROOT, f"text:file:{ID}", ids)
    assert reason(caught) is Reason.ROOM_FORMAT
    with rooms.watched(admission):
        assert rooms.session_body_for("up", PICTURE) == {"format": "base64", "type": "file"}
        for asking in (
            lambda: rooms.session_body_for("up", PICTURE, "text", "file"),
            lambda: rooms.learn("up", PICTURE, "text", "file", ID),
        ):
            with pytest.raises(Denied) as caught:
                asking()
            assert reason(caught) is Reason.ROOM_FORMAT
    rooms.learn("up", PICTURE, "text", "file", ID)
    assert (await rooms.admit("up", ROOT, f"text:file:{ID}", ids)).room.format == "text"


async def test_attack_two_admissions_race_for_different_rooms() -> None:
    """Both were admitted before either was open: only the first is let in."""
    rooms, ids = Admissions(), Moving(**{ID: str(PICTURE)})
    one = await rooms.admit("up", ROOT, f"base64:file:{ID}", ids)
    other = await rooms.admit("up", ROOT, f"text:file:{ID}", ids)
    with rooms.watched(one):
        with pytest.raises(Denied) as caught, rooms.watched(other):
            pass
        assert reason(caught) is Reason.ROOM_FORMAT
    with rooms.watched(other):
        pass


def test_session_bodies_are_the_files_own() -> None:
    """Asked for what is legal it is that, asked for nothing it is the usual, else it is refused."""
    rooms = Admissions()
    assert rooms.session_body_for("up", NOTEBOOK) == {"format": "json", "type": "notebook"}
    assert rooms.session_body_for("up", NOTEBOOK, "json", "notebook") == {"format": "json", "type": "notebook"}
    assert rooms.session_body_for("up", PICTURE, "base64", "file") == {"format": "base64", "type": "file"}
    for where, format, type in [
        (NOTEBOOK, "text", "file"),
        (TEXT, "json", "notebook"),
        (TEXT, "base64", "file"),
        (TEXT, "text", "directory"),
        (TEXT, "text", ""),
    ]:
        with pytest.raises(Denied) as caught:
            rooms.session_body_for("up", where, format, type)
        assert reason(caught) is Reason.ROOM_FORMAT


def test_attack_a_session_answer_with_a_foreign_id_is_not_learnt() -> None:
    """What would later be a part of an address is checked before it is kept."""
    for format, type, id in [("json", "notebook", "../x"), ("json:notebook", "x", ID), ("json", "x", ID)]:
        with pytest.raises(Denied):
            Admissions().learn("up", NOTEBOOK, format, type, id)


async def test_memory_is_bounded_and_keeps_what_is_watched() -> None:
    """The oldest are forgotten, never a file that is being watched."""
    rooms = Admissions(remembered=10)
    rooms.learn("up", PICTURE, "base64", "file", ID)
    admission = await rooms.admit("up", ROOT, f"base64:file:{ID}", Moving(**{ID: str(PICTURE)}))
    with rooms.watched(admission):
        for number in range(200):
            rooms.learn("up", TEXT, "text", "file", f"0b8f4a52-7c1d-4e7a-9a57-{number:012x}")
        assert len(rooms._files) == 10
        assert rooms.session_body_for("up", PICTURE) == {"format": "base64", "type": "file"}


def test_the_same_id_on_two_servers_is_two_files() -> None:
    """Servers that share a data directory share ids."""
    rooms = Admissions()
    rooms.learn("one", PICTURE, "base64", "file", ID)
    rooms.learn("two", PICTURE, "text", "file", ID)
    assert {key[0]: seen.pair[0] for key, seen in rooms._files.items()} == {"one": "base64", "two": "text"}

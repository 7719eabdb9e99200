"""The one reading of a request path."""

import posixpath
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Denied, Reason
from sharegate.paths import CanonicalPath, Place, split_target

ROOT = CanonicalPath(("sub", "shared"))

ATTACKS = {
    "dot segments": "/files/sub/shared/../../secret",
    "encoded dots": "/files/sub/shared/%2e%2e/%2e%2e/secret",
    "encoded slashes around dots": "/files/sub/shared/..%2f..%2fsecret",
    "one dot": "/files/./sub",
    "encoded one dot": "/files/%2e/sub",
    "empty segment": "/files//etc/passwd",
    "two slashes at the end": "/files//",
    "leading double slash is an authority to some readers": "//evil.example/x",
    "encoded empty segment": "/files/%2f/etc",
    "double encoding": "/files/%252e%252e/secret",
    "double encoded slash": "/files/a%252fb",
    "backslash": "/files/..\\secret",
    "encoded backslash": "/files/..%5csecret",
    "NUL": "/files/a%00b",
    "newline": "/files/a%0ab",
    "DEL": "/files/a%7fb",
    "C1 control": "/files/a%c2%85b",
    "right-to-left override": "/files/%e2%80%aegpj.exe",
    "overlong UTF-8 dot": "/files/%c0%ae%c0%ae/secret",
    "lone continuation byte": "/files/%80",
    "surrogate": "/files/%ed%a0%80",
    "broken escape": "/files/%zz",
    "escape cut short": "/files/%2",
    "no leading slash": "files",
    "absolute form": "http://evil.example/files",
    "asterisk form": "*",
    "raw space": "/files/a b",
    "raw non-ASCII": "/files/ü",
    "segment of 256 bytes": "/files/" + "a" * 256,
    "target of 9000 bytes": "/" + "a/" * 4500,
}


@pytest.mark.parametrize("target", ATTACKS.values(), ids=ATTACKS.keys())
def test_attack_spellings_are_refused(target: str) -> None:
    """What two readers could understand differently is no path at all."""
    with pytest.raises(Denied) as caught:
        CanonicalPath.parse(target)

    assert caught.value.reason is Reason.BAD_PATH


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("/", ()),
        ("/a", ("a",)),
        ("/a/", ("a",)),
        ("/a/b%20c", ("a", "b c")),
        ("/sub%2Fshared%2Fnb.ipynb", ("sub", "shared", "nb.ipynb")),
        ("/%C3%BC", ("ü",)),
        ("/100%25", ("100%",)),
        ("/a;b=c", ("a;b=c",)),
        ("/...", ("...",)),
    ],
)
def test_ordinary_paths_are_read(raw: str, segments: tuple[str, ...]) -> None:
    """An encoded slash separates, as it does upstream; everything else is decoded once."""
    assert CanonicalPath.parse(raw).segments == segments


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=6))
def test_what_passes_is_encoded_so_that_it_reads_back_the_same(segments: list[str]) -> None:
    """parse(encoded(x)) == x, and a reader that decodes and normalises sees the same segments."""
    try:
        raw = "/" + "/".join(quote(segment, safe="") for segment in segments)
    except UnicodeEncodeError:
        return
    try:
        path = CanonicalPath.parse(raw)
    except Denied:
        return
    again = CanonicalPath.parse("/" + path.encoded)

    assert again.segments == path.segments
    assert posixpath.normpath("/" + unquote(path.encoded)) == "/" + "/".join(path.segments)


@given(st.text(alphabet="/.%2efFcC5aAbB\\;~0", max_size=40))
def test_no_spelling_of_tricks_normalises_to_another_place(text: str) -> None:
    """Whatever parses, a POSIX reader that decodes it once ends at the very same segments."""
    try:
        path = CanonicalPath.parse("/" + text)
    except Denied:
        return

    assert [part for part in posixpath.normpath(unquote("/" + text)).split("/") if part] == list(path.segments)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("sub", "shared"), Place.INSIDE),
        (("sub", "shared", "x"), Place.INSIDE),
        (("sub",), Place.ANCESTOR),
        ((), Place.ANCESTOR),
        (("sub", "shared2"), Place.OUTSIDE),
        (("sub", "share"), Place.OUTSIDE),
        (("Sub", "shared"), Place.OUTSIDE),
        (("secret",), Place.OUTSIDE),
    ],
)
def test_whole_segments_are_compared(path: tuple[str, ...], place: Place) -> None:
    """`shared2` and `share` are not inside `shared`."""
    assert CanonicalPath(path).place(ROOT) is place


def test_a_body_path_may_have_one_leading_slash() -> None:
    """Jupyter's clients send both spellings; two slashes are an empty segment."""
    assert CanonicalPath.from_body("/sub/x").segments == ("sub", "x")
    with pytest.raises(Denied):
        CanonicalPath.from_body("//sub")


def test_a_percent_sign_in_a_body_is_a_character() -> None:
    """A body is not percent-decoded, so an escape there would be a second layer for a reader that decodes."""
    with pytest.raises(Denied):
        CanonicalPath.from_body("a%2e%2e/b")


@pytest.mark.parametrize("name", [".git", ".jupyter_ystore.db", ".hid"])
def test_dotfiles_are_hidden_at_any_depth(name: str) -> None:
    """Hidden is hidden, in the middle of a path too."""
    assert CanonicalPath(("sub", name, "x")).hidden
    assert not CanonicalPath(("sub", "x" + name)).hidden


def test_a_fragment_in_a_target_is_refused() -> None:
    """No browser sends one; some servers cut there, some do not."""
    with pytest.raises(Denied):
        split_target("/a#b")
    assert split_target("/a?b=c?d") == ("/a", "b=c?d")

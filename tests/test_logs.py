"""No secret reaches the log, and nobody writes a line of it but the gate."""

import io
import json
import logging
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sharegate.logs import FORMATS, ScrubbingFormatter, configure, scrubbed

JWT = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJzaGFyZWdhdGUifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
RAW = "2629b9d4d7c9475bc4516caae25eacd115c75f86d819ec92"

# How secrets stand in what is logged; `{}` is the secret.
PLACES = (
    "GET /join#{} HTTP/1.1",
    "POST /x?token={}&y=1",
    "https://share.example.org/api?y=1&access_token={}",
    "GET /api/contents?%74oken=1&token={}#top",
    "next=%2Fapi%3Ftoken%3D{}%26x",
    "Authorization: token {}",
    "authorization: Bearer {}",
    "Authorization: Basic {}",
    "'Authorization': 'Bearer {}'",
    "('Authorization', 'token {}')",
    "(b'cookie', b'sharegate-visit={}')",
    "headers={{'Cookie': 'sharegate-visit={}; sharegate-browser={}'}}",
    "Cookie: a=b; __Host-sharegate-visit-k7f2k7f2k7={}; c=d",
    "__Host-sharegate-browser={}",
    "Set-Cookie: sharegate-visit={}; Path=/s/x/",
    "Got more than 8190 bytes when reading: b'sharegate-dashboard={}; a=b'",
    "sharegate-dashboard-signing={}; __Host-sharegate-signing={}",
    "sharegate-signed={}",
    "b'cookie: {}'",
    '{{"token": "{}"}}',
    "{{'token': '{}'}}",
    "code={}",
    "redis://gate:{}@127.0.0.1:6379/0 refused",
    "rediss://:{}@store.example.org",
    "password={}",
    "_xsrf={}",
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", [JWT, RAW, "ABCD2345"])
def test_secrets_are_scrubbed_in_path_query_header_and_body(place: str, secret: str) -> None:
    """Whatever the spelling."""
    if place.startswith("GET /join#") and secret != JWT:
        pytest.skip("a fragment is a share token")
    assert secret not in scrubbed(place.format(secret, secret))


def test_a_token_of_the_api_leaves_only_its_id() -> None:
    """By which the history names it."""
    secret = "abcdEFGH1234567890abcdEFGH1234567890abcdEFG_-"
    assert scrubbed(f"asked with sgt_22223333bb_{secret} just now") == "asked with sgt_22223333bb_[secret] just now"


@pytest.mark.parametrize(
    "line",
    [
        "fault while answering <Request GET /s/k7f2k7f2k7/~vvvvvvvvvv/lab from 127.0.0.1>",
        "server u2345 was found again at http://127.0.0.1:8888/",
        "module sharegate.upstream.forward failed",
        "a basic authentication scheme, a bearer token of somebody",
        "redis://127.0.0.1:6379/0 refused",
        "JupyterLab takes another token than ours: its configuration sets IdentityProvider.token",
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    """Scrubbing does not make logs unreadable."""
    assert scrubbed(line) == line


def logged(
    style: str, known: tuple[str, ...], message: str, *arguments: object, error: BaseException | None = None
) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ScrubbingFormatter(style, lambda: known))
    logger = logging.Logger("sharegate.test")
    logger.addHandler(handler)
    logger.error(message, *arguments, exc_info=error)
    return stream.getvalue()


def raised(text: str) -> BaseException:
    """A chain of exceptions with this in the text of each, in a note and in the source line's frame."""
    try:
        try:
            raise KeyError(text)
        except KeyError as inner:
            inner.add_note(f"noted {text}")
            raise ValueError(f"could not ask {text}") from inner
    except ValueError as error:
        return error


@pytest.mark.parametrize("style", FORMATS)
@given(
    secret=st.text("ABCDEFGHJKabcdefghjk0123456789-_.~+/=", min_size=12, max_size=60).filter(
        lambda text: len(set(text)) > 5
    ),
    place=st.sampled_from(PLACES),
    before=st.text(max_size=20),
)
def test_a_secret_that_the_process_holds_is_in_no_entry(style: str, secret: str, place: str, before: str) -> None:
    """In the message, its arguments, the logger's exception, what caused that, and notes on it; alone or in a place."""
    words = place.format(secret, secret)
    error = raised(words)
    text = logged(style, (secret,), before + "%s and %r", words, [secret], error=error)
    text += logged(style, (secret,), words.replace("%", "%%"), error=KeyError(secret))
    assert secret not in text
    assert secret not in json.dumps(text)
    assert "ValueError" in text


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("place", [place for place in PLACES if not place.startswith("GET /join#")])
def test_tracebacks_are_scrubbed_of_what_nobody_told(style: str, place: str) -> None:
    """By how it stands there alone."""
    text = logged(style, (), "fault", error=raised(place.format(RAW, RAW)))
    assert RAW not in text
    assert "Traceback" in text and "KeyError" in text


@pytest.mark.parametrize("style", FORMATS)
@given(said=st.text(), caught=st.text())
@example(said="x\n[I 2026-01-01 00:00:00.000 sharegate app:1] the owner let Eve in", caught="\r\x1b[2Jgone\u2028")
def test_attack_no_stranger_writes_an_entry(style: str, said: str, caught: str) -> None:
    """A message stays on its line, whatever is in it, and what follows it is set in; no terminal is told anything."""
    text = logged(style, (), "asked for %s", said, error=ValueError(caught))
    first, *rest = text.removesuffix("\n").split("\n")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]", text)
    if style == "json":
        assert rest == []
        assert json.loads(first)["logger"] == "sharegate.test"
    else:
        assert first.startswith("[E ") and "asked for" in first
        assert all(line.startswith("    ") for line in rest)
        assert len([line for line in text.split("\n") if line.startswith("[")]) == 1


def test_the_styles() -> None:
    """As JupyterHub writes its entries; or as an object with a time that sorts."""
    hub = logged("hub", (), "the gate is closed")
    assert re.fullmatch(
        r"\[E \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} sharegate\.test test_logs:\d+\] the gate is closed\n", hub
    )
    entry = json.loads(logged("json", (), "asked %s", "ünicode"))
    assert set(entry) == {"at", "level", "logger", "where", "message"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["at"])
    assert (entry["level"], entry["message"]) == ("error", "asked ünicode")


def test_a_fault_of_the_log_itself_loses_nothing() -> None:
    """A format string that does not fit, and secrets that cannot be told, leave an entry all the same."""
    assert "%d and more" in logged("hub", (), "%d and more", "no number")

    def broken() -> tuple[str, ...]:
        raise RuntimeError("closed")

    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, f"token={RAW}", (), None)
    text = ScrubbingFormatter("hub", broken).format(record)
    assert "token=[secret]" in text and RAW not in text


def test_warnings_of_python_go_the_same_way() -> None:
    """`configure` takes over the root of all loggers, and returns whom to tell of secrets."""
    root, handlers, level = logging.getLogger(), list(logging.getLogger().handlers), logging.getLogger().level
    stream = io.StringIO()
    try:
        configure("info", stream, "json").known = lambda: ["hunter2hunter2"]
        logging.getLogger("aiohttp.server").info("asked with hunter2hunter2")
        logging.getLogger("x").debug("not told")
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(level)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["asked with [secret]"]

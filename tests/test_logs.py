"""No secret reaches the log."""

import io
import logging

import pytest

from sharegate.logs import ScrubbingFormatter, scrubbed

JWT = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJzaGFyZWdhdGUifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
RAW = "2629b9d4d7c9475bc4516caae25eacd115c75f86d819ec92"


@pytest.mark.parametrize(
    "line",
    [
        f"GET /join#{JWT}",
        f"POST /x?token={RAW}&y=1",
        f"Authorization: token {RAW}",
        f"'Authorization': 'Bearer {JWT}'",
        f"headers={{'Cookie': 'sharegate-visit={RAW}; sharegate-browser={RAW}'}}",
        f"Set-Cookie: sharegate-visit={RAW}; Path=/s/x/",
        f"b'cookie: {RAW}'",
        f'{{"token": "{RAW}"}}',
        "code=ABCD2345",
    ],
)
def test_secrets_are_scrubbed_in_path_query_header_and_body(line: str) -> None:
    """Whatever the spelling."""
    shown = scrubbed(line)

    assert JWT not in shown
    assert RAW not in shown
    assert "ABCD2345" not in shown


@pytest.mark.parametrize(
    "line",
    [
        "fault while answering <Request GET /s/k7f2k7f2k7/~vvvvvvvvvv/lab from 127.0.0.1>",
        "server u2345 was found again at http://127.0.0.1:8888/",
        "module sharegate.upstream.forward failed",
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    """Scrubbing does not make logs unreadable."""
    assert scrubbed(line) == line


def test_arguments_and_exceptions_are_scrubbed_too() -> None:
    """The finished line is looked at, with its stack trace."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ScrubbingFormatter())
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError(f"token={RAW}")
    except ValueError:
        logger.exception("asked %s", f"/join#{JWT}")

    assert RAW not in stream.getvalue()
    assert JWT not in stream.getvalue()
    assert "ValueError" in stream.getvalue()

"""What the setting `store` may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Invalid
from sharegate.store_url import StoreUrl


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("redis://127.0.0.1", StoreUrl("redis", "127.0.0.1")),
        ("redis://[::1]:6380/2", StoreUrl("redis", "::1", 6380, database=2)),
        ("rediss://gate:p%40ss%23@redis.example.org/", StoreUrl("rediss", "redis.example.org", username="gate")),
        ("redis://:only@redis", StoreUrl("redis", "redis")),
        ("unix:///run/redis/r.sock", StoreUrl("unix", port=0, path="/run/redis/r.sock")),
        ("unix:///r%20s.sock?db=3", StoreUrl("unix", port=0, path="/r s.sock", database=3)),
        ("unix://gate@/r.sock", StoreUrl("unix", port=0, path="/r.sock", username="gate")),
    ],
)
def test_addresses_are_read(text: str, read: StoreUrl) -> None:
    """Host, port, database, name and socket; read again from what is shown, they are the same."""
    found = StoreUrl.parse(text)
    assert found.with_password("") == read
    assert StoreUrl.parse(str(found).replace(" ", "%20")) == read


def test_the_password_is_read_and_not_shown() -> None:
    """With its encoded signs; neither `str` nor `repr` has it."""
    url = StoreUrl.parse("rediss://gate:p%40ss%23@redis.example.org")
    assert url.password == "p@ss#"
    assert "ss#" not in str(url) + repr(url)


@pytest.mark.parametrize(
    "text",
    [
        *("", "sqlite:///x", "http://h", "redis:", "redis://", "redis:///0", "redis://h/one", "redis://h/0?db=1"),
        *("redis://h:port", "redis://h:99999", "redis://h#x", "redis://u:se#cret@h", "unix://", "unix://run/r.sock"),
        *("unix:///r.sock?timeout=1", "unix:///r.sock?db=x", "redis://h h", "redis://[::1", "redis://h/99999"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """By the name of the setting, and without what was written: a password may be in it."""
    with pytest.raises(Invalid) as refused:
        StoreUrl.parse(text)
    assert refused.value.field == "store"
    assert "cret" not in str(refused.value)


@given(st.text(max_size=60) | st.builds("redis://{}".format, st.text(max_size=40)))
def test_no_text_is_a_traceback(text: str) -> None:
    """It is read or refused."""
    try:
        StoreUrl.parse(text)
    except Invalid:
        pass

"""How addresses are written, in both modes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.paths import CanonicalPath
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.model import ALPHABET

PATH_MODE = GateAddresses.at("https://share.example.org/")
HOSTS = GateAddresses.at("https://share.example.org", "share.example.org")
ON_THIS_COMPUTER = GateAddresses.at("http://127.0.0.1:8870", "localhost")
ids = st.text(alphabet=ALPHABET, min_size=4, max_size=40)


@pytest.mark.parametrize(
    ("gate", "origin", "base", "cookie", "path", "secure"),
    [
        (PATH_MODE, "https://share.example.org", "/s/k7f2/", "sharegate-visit", "/s/k7f2/~v9/", True),
        (GateAddresses.at("http://[::1]:80"), "http://[::1]", "/s/k7f2/", "sharegate-visit", "/s/k7f2/~v9/", False),
        (HOSTS, "https://k7f2.share.example.org", "/", "__Host-sharegate-visit-v9", "/", True),
        (ON_THIS_COMPUTER, "http://k7f2.localhost:8870", "/", "__Host-sharegate-visit-v9", "/", True),
        (
            GateAddresses.at("http://10.0.0.1:81", "lab.lan"),
            "http://k7f2.lab.lan:81",
            "/",
            "sharegate-visit-v9",
            "/",
            False,
        ),
    ],
)
def test_the_addresses_of_a_share(
    gate: GateAddresses, origin: str, base: str, cookie: str, path: str, secure: bool
) -> None:
    """Origin, base, door and cookies of one share and visit, written from one place."""
    share = gate.of("k7f2")

    assert (share.origin, share.base, share.visit("v9")) == (origin, base, f"{base}~v9/")
    assert share.link("a.b.c") == f"{origin}/join#a.b.c"
    assert share.static("d1") == f"{base}-/static/d1/"
    place = share.visit_cookie("v9")
    assert (place.name, place.path, place.secure) == (cookie, path, secure)
    assert share.browser_cookie.secure is secure
    # What a browser demands of the prefix: Secure, and the path of all.
    for each in (place, share.browser_cookie):
        assert not each.name.startswith("__Host-") or (each.secure and each.path == "/")


@pytest.mark.parametrize(
    ("gate", "host", "whose"),
    [
        (PATH_MODE, "share.example.org", ""),
        (PATH_MODE, "k7f2.share.example.org", None),
        (HOSTS, "share.example.org", ""),
        (HOSTS, "k7f2.share.example.org", "k7f2"),
        (HOSTS, "nobody-s.share.example.org", "nobody-s"),
        (HOSTS, "k7f2.share.example.org.", None),
        (HOSTS, "k7f2.share.example.org:443", None),
        (HOSTS, "k7f2.share.example.org:8870", None),
        (HOSTS, "a.k7f2.share.example.org", None),
        (HOSTS, ".share.example.org", None),
        (HOSTS, "k7f2..share.example.org", None),
        (HOSTS, "-k7f2.share.example.org", None),
        (HOSTS, "k7_f2.share.example.org", None),
        (HOSTS, "k7f2.example.org", None),
        (HOSTS, "k7f2share.example.org", None),
        (HOSTS, "", None),
        (ON_THIS_COMPUTER, "127.0.0.1:8870", ""),
        (ON_THIS_COMPUTER, "k7f2.localhost:8870", "k7f2"),
        (ON_THIS_COMPUTER, "k7f2.localhost", None),
        (ON_THIS_COMPUTER, "localhost:8870", None),
        (ON_THIS_COMPUTER, "k7f2.127.0.0.1:8870", None),
    ],
)
def test_whose_host_is_asked(gate: GateAddresses, host: str, whose: str | None) -> None:
    """The gate's own, a share's, or nobody's: compared whole, port and all."""
    assert gate.share_at(host) == whose


@given(share=ids, gate=st.sampled_from([HOSTS, ON_THIS_COMPUTER]))
def test_every_share_is_found_at_its_own_host_only(share: str, gate: GateAddresses) -> None:
    """What is written for a share is read as that share."""
    host = gate.of(share).origin.partition("://")[2]

    assert gate.share_at(host) == share
    assert gate.of(share).origin != gate.origin


@given(share=ids, visit=ids, rest=st.lists(ids, max_size=4), gate=st.sampled_from([PATH_MODE, HOSTS, ON_THIS_COMPUTER]))
def test_inside_the_gate_a_path_is_one_of_path_mode(
    share: str, visit: str, rest: list[str], gate: GateAddresses
) -> None:
    """The same visit is the same path, whichever way its address is written, and is found again in it."""
    address = gate.of(share).visit(visit) + "/".join(rest)
    asked = CanonicalPath.parse(address)

    assert gate.inner(asked, share if gate.share_hosts else "").segments == ("s", share, f"~{visit}", *rest)
    assert gate.visit_in(address + "?x=~1", share if gate.share_hosts else "") == (share, visit)


@pytest.mark.parametrize("path", ["/", "/join", "/join/about", "/join/static/d1/door.js", "/robots.txt"])
def test_the_door_is_at_the_root_of_every_host(path: str) -> None:
    """It is no part of a share, on whichever host it is asked."""
    asked = CanonicalPath.parse(path)

    for share in ("", "k7f2"):
        assert HOSTS.inner(asked, share) == asked


def test_attack_a_door_below_a_share() -> None:
    """`/s/<share>/join` is no door in path mode, and `/s/<other>/…` on a share's host is no other share's address."""
    assert PATH_MODE.inner(CanonicalPath.parse("/s/k7f2/join"), "").segments == ("s", "k7f2", "join")
    inner = HOSTS.inner(CanonicalPath.parse("/s/b5c6/~v9/lab"), "k7f2")
    assert inner.segments == ("s", "k7f2", "s", "b5c6", "~v9", "lab")
    assert HOSTS.visit_in("/s/b5c6/~v9/lab", "k7f2") is None


@pytest.mark.parametrize("address", ["", "/", "join", "/s/k7f2", "/s/k7f2/v9/lab", "x/~v9/", "/x/k7f2/~v9/"])
def test_what_is_no_address_of_a_visit(address: str) -> None:
    """Nothing is guessed."""
    assert PATH_MODE.visit_in(address) is None

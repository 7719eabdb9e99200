"""Immutable static addresses and the cache behind them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Denied, Reason
from sharegate.lab.static import Asset, OwnAssets, StaticCache, static_answer, upstream_path
from sharegate.messages import Headers
from sharegate.shares.addresses import GateAddresses

SHARE = GateAddresses("http://127.0.0.1:8870").of("k7f2")


@pytest.mark.parametrize(
    "path",
    [
        "static/lab/main.1f2e.js",
        "static/notebook/main.1f2e.js",
        "static/favicons/favicon.ico",
        "lab/extensions/@jupyter/docprovider-extension/static/remoteEntry.1.js",
        "lab/api/themes/@jupyterlab/theme-light-extension/index.css",
    ],
)
def test_known_roots_are_static(path: str) -> None:
    """What JupyterLab serves without authentication keeps its path."""
    assert upstream_path(tuple(path.split("/"))) == path


@pytest.mark.parametrize(
    "path", ["", "static", "static/lab", "lab", "lab/tree/x", "lab/api/settings/x", "api/contents", "files/x.js", "x"]
)
def test_attack_other_routes_under_the_static_address(path: str) -> None:
    """Nothing else of the upstream is reached without a credential."""
    with pytest.raises(Denied) as caught:
        upstream_path(tuple(path.split("/")))

    assert caught.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("A.CSS", "text/css; charset=utf-8"),
        ("x.html", "application/octet-stream"),
    ],
)
def test_the_name_decides_the_type(name: str, kind: str) -> None:
    """A file is what its name says, and never a page."""
    answer = static_answer(Asset.of(name, b"x"), Headers())

    assert dict(answer.headers)["Content-Type"] == kind
    assert dict(answer.headers)["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in dict(answer.headers)["Content-Security-Policy"]


def test_caching() -> None:
    """The present build may be kept for a year, another one not at all; a known file is not sent again."""
    asset = Asset.of("a.js", b"body")

    assert "immutable" in dict(static_answer(asset, Headers()).headers)["Cache-Control"]
    assert dict(static_answer(asset, Headers(), immutable=False).headers)["Cache-Control"] == "no-store"
    assert static_answer(asset, Headers([("If-None-Match", f'"x", W/{asset.etag}')])).status == 304
    assert static_answer(asset, Headers([("If-None-Match", '"x"')])).body == b"body"
    assert static_answer(asset, Headers(), head=True).body == b""


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 70)), max_size=40))
def test_the_cache_never_holds_more_than_its_limit(puts: list[tuple[str, int]]) -> None:
    """Whatever is put in, the bytes kept stay within the limit and are the ones put last."""
    cache = StaticCache(100)
    latest: dict[str, bytes] = {}
    for name, size in puts:
        latest[name] = bytes(size)
        cache.put("u", "d", name, latest[name])
        kept = {key: cache.get("u", "d", key) for key in latest}

        assert sum(len(asset.body) for asset in kept.values() if asset) <= 100
        assert all(asset.body == latest[key] for key, asset in kept.items() if asset)


def test_the_oldest_goes_first_and_one_too_large_is_not_kept() -> None:
    """A file that is used stays; a giant does not empty the cache."""
    cache = StaticCache(10)
    cache.put("u", "d", "a", b"1234")
    cache.put("u", "d", "b", b"1234")
    cache.get("u", "d", "a")
    cache.put("u", "d", "c", b"1234")
    cache.put("u", "d", "giant", bytes(11))

    assert [name for name in ("a", "b", "c", "giant") if cache.get("u", "d", name)] == ["a", "c"]


def test_attack_one_upstreams_file_under_another() -> None:
    """Two servers never share a file, even with equal names and digests."""
    cache = StaticCache()
    cache.put("evil", "d", "static/lab/main.js", b"evil")

    assert cache.get("good", "d", "static/lab/main.js") is None


def test_own_assets() -> None:
    """page.js and its modules are found under their digest and nowhere else."""
    own = OwnAssets()

    assert own.address(SHARE, "page.js") == f"/s/k7f2/-/static/{own.digest}/-/page.js"
    for name in OwnAssets.NAMES:
        asset = own.find(own.digest, ("-", name))
        assert asset is not None and asset.body
    assert own.find("0" * 20, ("-", "page.js")) is None
    assert own.find(own.digest, ("-", "page.py")) is None
    assert own.find(own.digest, ("-", "..", "page.py")) is None
    with pytest.raises(KeyError):
        own.address(SHARE, "other.js")

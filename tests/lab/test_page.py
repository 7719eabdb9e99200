"""The visitor's page: what is read of the upstream's, what is written, and what never gets through."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sharegate.errors import Denied, Reason
from sharegate.lab.config import Addresses
from sharegate.lab.page import Page, PageSource, read_page, render_page, script_json
from sharegate.language.catalogue import languages
from sharegate.shares.model import Grant, Role, RootKind
from tests.lab.people import grant
from tests.real.jupyter import JupyterServer

TOKEN = "3f9c1e5b7a2d4860b1c3e5f7a9d0b2c4e6f8a0b1c2d3e4f5"
PATH = "/home/ann/private"
BASE = "/user/ann/"
BUNDLE = "static/lab/main.efd36b46f3b45eb8.js?v=efd36b46f3b45eb8"
GRANT = grant()
ADDRESSES = Addresses(GRANT.base, f"/s/{GRANT.share.id}/-/static/0123456789abcdef0123/")
DOC = {"name": "@jupyter/docprovider-extension", "load": "static/remoteEntry.92fd08dfcd7aa1ad.js"}
OTHER = {"name": "owners-own", "load": "static/remoteEntry.92fd08dfcd7aa1ad.js", "extension": "./extension"}


def upstream_page(config: Any, extra: str = "") -> bytes:
    return (
        f'<html><head><script id="jupyter-config-data" type="application/json">{json.dumps(config)}</script>'
        f'<link rel="icon" href="{BASE}static/favicons/favicon.ico" class="idle favicon">'
        f'<script defer src="{BASE}{BUNDLE}"></script>{extra}</head><body><script>alert(1)</script></body></html>'
    ).encode()


def rendered(config: dict[str, Any], who: Grant = GRANT, **more: Any) -> tuple[Page, dict[str, Any]]:
    source = read_page(upstream_page(config), BASE)
    page = render_page(
        source,
        grant=who,
        addresses=ADDRESSES,
        page_script=ADDRESSES.static + "-/page.js",
        page_style=ADDRESSES.static + "-/page.css",
        **{
            "origin": "https://gate.example",
            "tree_path": "sub/shared/nb.ipynb",
            "secrets_of_upstream": (TOKEN,),
            **more,
        },
    )
    return page, config_of(page.body)


def config_of(html: bytes) -> dict[str, Any]:
    found = re.search(r'<script id="jupyter-config-data" type="application/json">(.*?)</script>', html.decode())
    assert found is not None
    value: dict[str, Any] = json.loads(found[1])
    return value


PLANTED = st.sampled_from([TOKEN, PATH, f"file://{PATH}", f"x{TOKEN}y", f"~{PATH}/x", f"{PATH}/main.js"])
UPSTREAM_KEYS = """
    token baseUrl appVersion notebookVersion disabledExtensions federated_extensions disableRTC rootUri serverRoot
    untracked_message_types mode treePath workspace extensionManager news hubUser shareUrl preferredPath
""".split()  # noqa: SIM905 -- a list of this length reads better as words
KEYS = st.one_of(
    st.sampled_from(UPSTREAM_KEYS),
    st.text(max_size=12),
    PLANTED,
)
EXTENSION = st.fixed_dictionaries(
    {"name": st.one_of(st.just(DOC["name"]), PLANTED), "load": st.one_of(st.just(DOC["load"]), PLANTED)},
    optional={key: PLANTED for key in ("extension", "style", "mimeExtension", "entrypoints", "path")},
)
VALUES = st.recursive(
    st.one_of(PLANTED, st.booleans(), st.none(), st.integers(), st.text(max_size=8), EXTENSION),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=12,
)


class TestLeaks:
    @given(config=st.dictionaries(KEYS, VALUES, max_size=10), own=st.booleans(), role=st.sampled_from(list(Role)))
    @example(config={"disabledExtensions": [TOKEN, PATH]}, own=False, role=Role.VIEW)
    @example(config={"federated_extensions": [{**OTHER, "name": TOKEN}]}, own=True, role=Role.VIEW)
    @example(config={"federated_extensions": [{**DOC, "style": PATH, "path": TOKEN}]}, own=False, role=Role.EDIT)
    @example(config={"disabledExtensions": [PATH, f"x:{PATH}"], "appVersion": PATH}, own=True, role=Role.VIEW)
    @example(
        config={"federated_extensions": [{**OTHER, "name": PATH}, {**OTHER, "load": PATH}]}, own=True, role=Role.RUN
    )
    @example(config={"untracked_message_types": [PATH], "notebookVersion": PATH}, own=False, role=Role.RUN)
    @example(config={"untracked_message_types": [TOKEN, PATH], "appVersion": TOKEN}, own=False, role=Role.RUN)
    def test_attack_secret_planted_anywhere(self, config: dict[str, Any], own: bool, role: Role) -> None:
        """Wherever the configuration holds the token or a path of the server, the page does not, or there is none."""
        try:
            page, _ = rendered(config, grant(role, own_extensions=own))
        except Denied as refusal:
            if refusal.reason is not Reason.UPSTREAM_BAD_ANSWER:
                raise
            return

        assert TOKEN.encode() not in page.body
        assert PATH.encode() not in page.body

    def test_attack_token_in_the_shape_of_a_script_name(self) -> None:
        """A token that looks like a content hash is caught by the last check."""
        config = {"federated_extensions": [{**DOC, "load": f"static/remoteEntry.{TOKEN}.js"}]}
        with pytest.raises(Denied) as caught:
            rendered(config)

        assert caught.value.reason is Reason.UPSTREAM_BAD_ANSWER

    def test_only_named_keys_are_there(self) -> None:
        """A key that nobody named is left out, and the mathjax and hub addresses with it."""
        _, config = rendered({"fullMathjaxUrl": "https://cdn.example/MathJax.js", "hubUser": "ann", "surprise": "x"})

        assert not {"fullMathjaxUrl", "hubUser", "surprise", "serverRoot", "userSettingsDir"} & set(config)
        assert "cdn.example" not in json.dumps(config)

    def test_the_token_is_empty(self) -> None:
        """JupyterLab is told that it needs no token."""
        assert rendered({"token": TOKEN})[1]["token"] == ""

    def test_repr_of_a_source_shows_no_configuration(self) -> None:
        """A page source in a log shows no secret."""
        assert TOKEN not in repr(read_page(upstream_page({"token": TOKEN}), BASE))


class TestAddresses:
    def test_every_address_lies_under_the_visit_or_the_static_address(self) -> None:
        """All full URLs are the gate's."""
        _, config = rendered({})
        full = {key: value for key, value in config.items() if key.startswith("full")}

        assert len(full) >= 7
        assert all(value.startswith((ADDRESSES.base, ADDRESSES.static)) for value in full.values())
        assert config["baseUrl"] == ADDRESSES.base

    def test_relative_static_address_resolves(self) -> None:
        """The address that JupyterLab joins to its base URL leads to the static one."""
        import posixpath

        assert posixpath.normpath(ADDRESSES.base + ADDRESSES.static_from_base) + "/" == ADDRESSES.static

    def test_digest_follows_the_build(self) -> None:
        """Another bundle, version or extension is another static address; another token is not."""
        config = {"appVersion": "4.6.6", "federated_extensions": [DOC], "token": "a"}
        digest = read_page(upstream_page(config), BASE).digest
        newer = read_page(upstream_page({**config, "appVersion": "4.6.7"}), BASE).digest
        other = read_page(upstream_page({**config, "federated_extensions": [DOC, OTHER]}), BASE).digest
        same = read_page(upstream_page({**config, "token": "b"}), BASE).digest

        assert len({digest, newer, other}) == 3
        assert digest == same


class TestRoles:
    def test_view_has_no_tools_that_change_or_run(self) -> None:
        """What a viewer cannot use is switched off, and what the owner switched off stays off."""
        _, config = rendered({"disabledExtensions": ["owners-extension:plugin", 7, PATH], "terminalsAvailable": True})
        off = config["disabledExtensions"]

        assert {"owners-extension:plugin", "@jupyterlab/terminal-extension", "@jupyterlab/launcher-extension"} <= set(
            off
        )
        assert "@jupyterlab/javascript-extension" in off
        assert config["notebookStartsKernel"] is False
        assert config["terminalsAvailable"] is False

    def test_run_may_start_kernels(self) -> None:
        """A role that runs keeps the tools for it."""
        _, config = rendered({}, grant(Role.RUN))

        assert config["notebookStartsKernel"] is True
        assert "@jupyterlab/console-extension" not in config["disabledExtensions"]
        assert "@jupyterlab/terminal-extension" in config["disabledExtensions"]

    @pytest.mark.parametrize("own", [False, True])
    def test_the_owners_script_only_where_allowed(self, own: bool) -> None:
        """A third party's extension loads, and outputs run script, only with own_extensions."""
        page, config = rendered({"federated_extensions": [DOC, OTHER]}, grant(own_extensions=own))
        names = [entry["name"] for entry in config["federated_extensions"]]
        policy = dict(page.headers)["Content-Security-Policy"]

        assert ("owners-own" in names) is own
        assert ("@jupyterlab/javascript-extension" in config["disabledExtensions"]) is not own
        assert ("script-src 'self' 'unsafe-inline'" in policy) is own

    def test_a_single_file_opens_alone(self) -> None:
        """A share of a file is single-document whatever the address says, and has no home folder."""
        _, config = rendered({"preferredPath": "/"}, grant(kind=RootKind.FILE, root="sub/shared/nb.ipynb"))

        assert config["mode"] == "single-document"
        assert "preferredPath" not in config


class TestLanguage:
    def test_what_we_say_is_in_the_visitors_language(self) -> None:
        """The page hands its script the sentences of that language; JupyterLab's page stays in its own."""
        page, _ = rendered({}, language=languages()["de"])
        found = re.search(rb'<script id="sharegate-words" type="application/json">(.*?)</script>', page.body)
        assert found is not None
        words = json.loads(found[1])
        assert (words["language"], words["dir"]) == ("de", "ltr")
        assert words["sentences"]["lab.by"] == "geteilt von {who}"
        assert "<title>shared · geteilt von Ann</title>" in page.body.decode()
        assert b'<html lang="en">' in page.body and ("Vary", "Accept-Language") in page.headers


class TestMarkup:
    def test_attack_closing_the_script_element(self) -> None:
        """A name with markup in it stays inside the JSON and the title."""
        evil = "</script><script>alert(1)</script><!--\u2028"
        page, config = rendered({}, grant(name=evil, owner=evil), tree_path=f"sub/shared/{evil}")

        assert config["treePath"] == f"sub/shared/{evil}"
        assert page.body.count(b"<script") == 5
        assert b"alert(1)</script>" not in page.body

    @given(st.recursive(st.text(), lambda inner: st.lists(inner, max_size=3)))
    def test_script_json_is_json_and_holds_no_markup(self, value: Any) -> None:
        """Whatever is written reads back equal and has no character that HTML would act on."""
        text = script_json(value)

        assert not set("<>&\u2028\u2029") & set(text)
        assert json.loads(text) == json.loads(json.dumps(value).encode("utf-8", "replace"))

    def test_policy_names_the_static_address_only(self) -> None:
        """Script comes from the nonce or the static address, never from the share's files, and nothing frames it."""
        page, _ = rendered({})
        policy = dict(item.split(" ", 1) for item in dict(page.headers)["Content-Security-Policy"].split("; "))

        assert policy["script-src"] == (
            f"'nonce-{page.nonce}' 'unsafe-eval' https://gate.example/s/{GRANT.share.id}/-/static/"
        )
        assert policy["connect-src"] == "'self' wss://gate.example"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["object-src"] == "'none'"
        assert policy["worker-src"] == "'none'"
        assert dict(page.headers)["Cache-Control"] == "no-store"
        assert page.body.count(f'nonce="{page.nonce}"'.encode()) == 2

    def test_two_pages_have_two_nonces(self) -> None:
        """A nonce is used once."""
        assert rendered({})[0].nonce != rendered({})[0].nonce

    @pytest.mark.parametrize(
        "origin", ["gate.example", "https://gate.example/", "https://a; script-src *", "https://a b"]
    )
    def test_attack_policy_injection_by_origin(self, origin: str) -> None:
        """Only a bare origin gets into the policy."""
        with pytest.raises(ValueError, match="no origin"):
            rendered({}, origin=origin)


class TestReading:
    @pytest.mark.parametrize(
        "html",
        [
            b"",
            b"<html></html>",
            b"\xff\xfe",
            upstream_page([]),
            upstream_page("x"),
            upstream_page({}) + upstream_page({}),
            upstream_page({}).replace(b"main.", b"other."),
            upstream_page({}).replace(BASE.encode() + b"static/lab", b"https://evil.example/static/lab"),
            upstream_page({}).replace(b"static/lab/main", b"files/main"),
            upstream_page({}).replace(b"{}</script>", b"{</script>"),
            upstream_page({}).replace(b"{}</script>", b"[" * 200_000 + b"</script>"),
            upstream_page({}) + b" " * (1 << 20),
        ],
        ids=lambda html: str(len(html)),
    )
    def test_anything_else_is_no_page(self, html: bytes) -> None:
        """A page that is not JupyterLab's is an unusable answer, not a guess."""
        with pytest.raises(Denied) as caught:
            read_page(html, BASE)

        assert caught.value.reason is Reason.UPSTREAM_BAD_ANSWER

    def test_collaboration_is_seen(self) -> None:
        """The page knows whether documents are live: installed, not switched off, not disabled."""

        def live(**config: Any) -> bool:
            return read_page(upstream_page({"federated_extensions": [DOC], **config}), BASE).collaboration

        assert live()
        assert not live(federated_extensions=[])
        assert not live(disableRTC=True)
        assert not live(disabledExtensions=["@jupyter/docprovider-extension"])


@pytest.mark.real
@pytest.mark.parametrize(
    "address", ["lab/tree/sub/shared/nb.ipynb", "doc/tree/sub/shared/nb.ipynb", "lab/tree/sub/shared"]
)
def test_the_real_page_leaks_nothing(jupyter: JupyterServer, address: str) -> None:
    """Of a real JupyterLab's page neither the token nor a directory of the machine is left."""
    html = jupyter.get(address)
    assert jupyter.token.encode() in html, "the upstream's page has the token: else this test proves nothing"
    source = read_page(html, "/")
    page = render_page(
        source,
        grant=GRANT,
        addresses=Addresses(GRANT.base, f"/s/{GRANT.share.id}/-/static/{source.digest}/"),
        origin="http://127.0.0.1:8787",
        page_script="/s/k7f2bcdfgh/-/static/x/-/page.js",
        page_style="/s/k7f2bcdfgh/-/static/x/-/page.css",
        tree_path="sub/shared/nb.ipynb",
        secrets_of_upstream=(jupyter.token,),
    )
    config = config_of(page.body)
    text = page.body.decode()

    assert isinstance(source, PageSource)
    assert source.collaboration
    for leak in (jupyter.token, str(jupyter.root), str(jupyter.root.parent), "/share/jupyter", "cdnjs", "_xsrf"):
        assert leak not in text
    absolute = [value for value in json.dumps(config).split('"') if value.startswith(("/", "file:", "~"))]
    known = ("/s/k7f2bcdfgh/", "/lab", "/doc", "file:///-")
    assert [value for value in absolute if not value.startswith(known)] == []

"""Notebook 7's pages: where each address leads, what their configuration says, and where a share begins."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Denied, Reason
from sharegate.lab.config import Addresses
from sharegate.lab.notebook import KINDS, NOTEBOOK_PAGES, View, leads_to, view_of
from sharegate.lab.page import read_page, render_page
from sharegate.lab.serve import LabServer
from sharegate.messages import Headers, Request, Response
from sharegate.paths import CanonicalPath
from sharegate.shares.model import FrontEnd, Grant, Role, RootKind
from sharegate.upstream.interfaces import Incoming
from sharegate.upstream.model import Credential, Upstream
from tests.lab.people import grant
from tests.lab.test_page import BASE, BUNDLE, TOKEN, config_of, upstream_page

NOTEBOOK_BUNDLE = BUNDLE.replace("static/lab/", "static/notebook/")
STATIC = Addresses("/s/k7f2bcdfgh/~vstbcdfgh2/", "/s/k7f2bcdfgh/-/static/0123456789abcdef0123/")
HERE = CanonicalPath(("sub", "shared"))
FILE = HERE.join("a b.ipynb")
UPSTREAM = Upstream(
    id="u1", url=f"http://127.0.0.1:8888{BASE}", token=Credential(TOKEN), root_dir="/r", name="r", owner="Ann"
)


def notebook_page(config: object) -> bytes:
    return upstream_page(config).replace(BUNDLE.encode(), NOTEBOOK_BUNDLE.encode())


@pytest.mark.parametrize(
    ("page", "path", "kind", "leads"),
    [
        ("tree", HERE, "directory", ""),
        ("tree", FILE, "notebook", "notebooks/sub/shared/a%20b.ipynb"),
        ("tree", FILE, "file", "files/sub/shared/a%20b.ipynb"),
        ("notebooks", HERE, "directory", "tree/sub/shared"),
        ("notebooks", FILE, "notebook", ""),
        ("edit", HERE, "directory", "tree/sub/shared"),
        ("edit", FILE, "file", ""),
    ],
)
def test_an_address_leads_where_notebooks_own_does(page: str, path: CanonicalPath, kind: str, leads: str) -> None:
    """A folder has the tree, a notebook its page, any other file at /tree the file itself."""
    assert leads_to(View(page), grant().share, path, kind) == leads


@given(page=st.sampled_from(NOTEBOOK_PAGES), kind=st.sampled_from(sorted(KINDS)), file=st.booleans())
def test_no_address_leads_in_a_circle(page: str, kind: str, file: bool) -> None:
    """However a share is cut, following what an address says ends at a page or at the file itself."""
    share = grant(kind=RootKind.FILE, root=str(FILE)).share if file else grant().share
    path = FILE
    for _ in range(3):
        leads = leads_to(View(page), share, path, kind)
        if not leads or leads.startswith("files/"):
            return
        page = leads.partition("/")[0]
        kind = "directory" if page == "tree" else ("notebook" if kind == "directory" else kind)
    raise AssertionError(f"{page} of a {kind} goes round")


@pytest.mark.parametrize(
    ("share", "landing"),
    [
        ({}, "lab/tree/sub/shared"),
        ({"page": FrontEnd.NOTEBOOK}, "tree/sub/shared"),
        ({"page": FrontEnd.NOTEBOOK, "open_file": "sub/shared/a b.ipynb"}, "notebooks/sub/shared/a%20b.ipynb"),
        ({"page": FrontEnd.NOTEBOOK, "open_file": "sub/shared/x.md"}, "edit/sub/shared/x.md"),
        ({"page": FrontEnd.NOTEBOOK, "kind": RootKind.FILE, "root": "x/N.IPYNB"}, "notebooks/x/N.IPYNB"),
        ({"kind": RootKind.FILE, "root": "x/n.ipynb"}, "doc/tree/x/n.ipynb"),
    ],
)
def test_where_a_visit_begins(share: dict[str, object], landing: str) -> None:
    """The share says whose pages its visitors begin with, and one file has its own page."""
    assert grant(**share).share.landing == landing


@pytest.mark.parametrize("page", NOTEBOOK_PAGES)
@pytest.mark.parametrize("role", [Role.VIEW, Role.EDIT])
def test_what_a_page_is_told(page: str, role: Role) -> None:
    """The kind of page is set by the gate, its script is Notebook's, and what the role cannot do is off."""
    told = {"notebookPage": "consoles", "token": TOKEN, "appVersion": "7.6.5"}
    source = read_page(notebook_page(told), BASE, "notebook")
    answer = render_page(
        source,
        grant=grant(role),
        addresses=STATIC,
        origin="https://gate.example",
        page_script="/p.js",
        page_style="/p.css",
        tree_path="sub/shared/nb.ipynb",
        view=View(page),
        secrets_of_upstream=(TOKEN,),
    )
    config, off = config_of(answer.body), set(config_of(answer.body)["disabledExtensions"])

    assert config["notebookPage"] == page
    assert config["fullStaticUrl"] == STATIC.static + "static/notebook"
    assert config["treePath"] == ("sub/shared/nb.ipynb" if page == "tree" else "")
    assert f'data-notebook="{page}"'.encode() in answer.body
    assert (STATIC.static + NOTEBOOK_BUNDLE).encode() in answer.body
    assert {"@jupyter-notebook/terminal-extension", "@jupyter-notebook/console-extension"} <= off
    assert ("@jupyter-notebook/tree-extension:new" in off) is (role is Role.VIEW)


def test_attack_a_page_of_the_other_front_end() -> None:
    """A page whose main script is not the one that belongs to the address is no page."""
    for html, app in ((notebook_page({}), "lab"), (upstream_page({}), "notebook")):
        with pytest.raises(Denied) as caught:
            read_page(html, BASE, app)
        assert caught.value.reason is Reason.UPSTREAM_BAD_ANSWER


class Server:
    """An upstream as LabServer asks it: `answers` by path; what was asked is kept."""

    def __init__(self, answers: dict[str, tuple[int, bytes]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(
        self, upstream: Upstream, path: str, *, credential: bool, query: tuple[tuple[str, str], ...] = ()
    ) -> Incoming:
        self.asked.append(path)
        status, body = self.answers.get(path, (404, b""))

        async def stream() -> AsyncIterator[bytes]:
            yield body

        async def close() -> None:
            return None

        return Incoming(status, Headers(), stream, close)


DIRECTORY = (200, b'{"type":"directory"}')
BOTH = {"lab": (200, upstream_page({})), "tree": (200, notebook_page({})), "api/contents/sub/shared": DIRECTORY}


async def page(server: Server, who: Grant, address: str) -> Response:
    return await LabServer(server, lambda _: TOKEN).page(who, UPSTREAM, tuple(address.split("/")), HERE)


@pytest.mark.asyncio
async def test_a_server_without_notebook() -> None:
    """Its addresses are not found; a share that begins with Notebook goes to JupyterLab then."""
    server = Server({key: value for key, value in BOTH.items() if key != "tree"})
    with pytest.raises(Denied) as caught:
        await page(server, grant(), "tree/sub/shared")
    assert caught.value.reason is Reason.NOT_FOUND
    who = grant(page=FrontEnd.NOTEBOOK)
    answer = await page(server, who, "tree/sub/shared")
    assert (answer.status, dict(answer.headers)["Location"]) == (302, who.base + "lab/tree/sub/shared")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, b"<html>token"), Reason.NOT_FOUND),
        ((500, b""), Reason.UPSTREAM_BAD_ANSWER),
        ((302, b""), Reason.UPSTREAM_BAD_ANSWER),
        ((200, b"{"), Reason.UPSTREAM_BAD_ANSWER),
        ((200, b"[]"), Reason.UPSTREAM_BAD_ANSWER),
        ((200, b'{"type":"socket"}'), Reason.UPSTREAM_BAD_ANSWER),
        ((200, b'{"type":["file"]}'), Reason.UPSTREAM_BAD_ANSWER),
    ],
)
async def test_what_is_no_thing_has_no_page(answer: tuple[int, bytes], reason: Reason) -> None:
    """Where the server says nothing clear about a path, no page is made for it."""
    with pytest.raises(Denied) as caught:
        await page(Server({**BOTH, "api/contents/sub/shared": answer}), grant(), "tree/sub/shared")
    assert caught.value.reason is reason


@pytest.mark.asyncio
async def test_files_of_both_front_ends_are_kept() -> None:
    """A page of one front end does not make the other's files new, and a restarted gate still knows both."""
    script = "static/notebook/" + "main.efd36b46f3b45eb8.js"
    server = Server({**BOTH, script: (200, b"x"), "static/lab/main.efd36b46f3b45eb8.js": (200, b"y")})
    for order in (("lab", "tree"), ("tree", "lab"), ()):
        lab = LabServer(server, lambda _: TOKEN)
        for address in order:
            await lab.page(grant(), UPSTREAM, (address,), HERE)
        for body, app in ((notebook_page({}), "notebook"), (upstream_page({}), "lab")):
            digest = read_page(body, BASE, app).digest
            segments = (digest, "static", app, "main.efd36b46f3b45eb8.js")
            request = Request("GET", "/x", Headers(), "127.0.0.1")

            async def known() -> Upstream:
                return UPSTREAM

            answer = await lab.static(grant().share, known, segments, request)
            assert "immutable" in dict(answer.headers)["Cache-Control"], (order, app)


@pytest.mark.asyncio
async def test_attack_made_up_digests_ask_for_pages_once() -> None:
    """Addresses that a stranger makes up do not make the server write its pages again and again."""
    server = Server({"lab": BOTH["lab"]})
    lab = LabServer(server, lambda _: TOKEN)

    async def known() -> Upstream:
        return UPSTREAM

    for number in range(5):
        segments = (f"{number:020x}", "static", "lab", "x.js")
        with pytest.raises(Denied):
            await lab.static(grant().share, known, segments, Request("GET", "/x", Headers(), "::1"))
    assert server.asked.count("lab") == 1
    assert server.asked.count("tree") == 1


def test_addresses_of_other_pages_are_no_notebook() -> None:
    """Only its three pages are Notebook's; what is made up is JupyterLab's."""
    assert [view_of((name,)).app for name in ("lab", "doc", "tree", "edit", "notebooks", "consoles")] == [
        *("lab", "lab", "notebook", "notebook", "notebook", "lab"),
    ]
    assert json.loads(json.dumps(View("edit").facts))["notebookPage"] == "edit"

"""Rows: addresses that no visitor has, what pages and errors tell, arguments, credentials, requests from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from sharegate.prove.ground import Ground
from sharegate.prove.model import Answer, Check, Probe

_JSON = (("Content-Type", "application/json"),)
_PAGE = (("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Accept", "text/html"))
NEW_ID = "00000000-0000-4000-8000-000000000000"

ROUTES: dict[str, tuple[str, str]] = {
    "nbconvert runs code in the server": ("GET", "nbconvert/script/{notebook}"),
    "nbconvert of a notebook": ("GET", "nbconvert/html/{notebook}"),
    "nbconvert of a posted body": ("POST", "nbconvert/html"),
    "file id of a path": ("GET", "api/fileid/id?path={there}"),
    "path of a file id": ("GET", f"api/fileid/path?id={NEW_ID}"),
    "resolve any path of the disk": ("GET", "api/resolvePath?path=/etc/passwd&kernel=x"),
    "fork of a room": ("PUT", "api/collaboration/fork/{mark}"),
    "timeline of a document": ("GET", "api/collaboration/timeline/{notebook}?format=json&type=notebook"),
    "timeline of a document outside": ("GET", "api/collaboration/timeline/{there}?format=text&type=file"),
    "undo on a fork": ("PUT", "api/collaboration/undo_redo/{mark}?action=undo&steps=1&forkRoom=y"),
    "trust a notebook": ("POST", "api/contents/{within}{mark}.ipynb/trust"),
    "view handler": ("GET", "view/{file}"),
    "classic redirect": ("GET", "api/notebooks/{notebook}"),
    "console": ("GET", "consoles/{base}"),
    "terminal page": ("GET", "terminals/1"),
    "fall-through page with the token": ("GET", "lab/{mark}/at/all"),
    "template 404 with the token": ("GET", "{mark}"),
    "metrics": ("GET", "metrics"),
    "login": ("GET", "login?next=//evil.example"),
    "logout": ("GET", "logout"),
    "plugins": ("GET", "lab/api/plugins"),
    "extensions": ("GET", "lab/api/extensions"),
    "licences": ("GET", "lab/api/licenses/"),
    "listings": ("GET", "lab/api/listings/@jupyterlab/extensionmanager-extension/listings.json"),
    "a loopback port": ("GET", "proxy/1/"),
    "an absolute loopback port": ("GET", "proxy/absolute/1/"),
    "a port of another computer": ("GET", "proxy/127.0.0.1:1/"),
    "a language server": ("GET", "lsp/ws/python"),
    "a kernel": ("GET", f"api/kernels/{NEW_ID}"),
    "a session": ("GET", f"api/sessions/{NEW_ID}"),
    "a terminal": ("GET", "api/terminals/1"),
    "events as a request": ("GET", "api/events/subscribe"),
    "rename oneself": ("PATCH", "api/me"),
    "API specification": ("GET", "api/spec.yaml"),
    "repositories": ("GET", "git/{within}status"),
    "the hub's own": ("GET", "hub/api/user"),
    "the same route in capitals": ("GET", "API/contents/{base}"),
    "a dot before the route": ("GET", "api/./contents/{base}"),
    "two slashes before the route": ("GET", "/api/contents/{base}"),
    "method that answers without a login": ("OPTIONS", "api/contents/{base}"),
    "TRACE": ("TRACE", "api/contents/{base}"),
    "unknown method": ("PROPFIND", "api/contents/{base}"),
    "lower-case method": ("get", "api/contents/{base}"),
    "HEAD of a listing": ("HEAD", "api/contents/{base}"),
    "unknown method of the body": ("QUERY", "api/contents/{base}"),
}
# What must not be tried on somebody's running server: a hole would stop it, install into it or start programs on it.
NOT_TRIED = (
    *("api/shutdown", "lab/api/extensions (POST)", "lab/api/plugins (POST)", "lab/api/build (POST)"),
    *("api/kernels (POST)", "api/sessions (POST)", "api/terminals (POST)", "api/events (POST)"),
)

PAGES = {
    "lab": "lab",
    "lab with a tree": "lab/tree/{root}",
    "doc with a tree": "doc/tree/{file}",
    "workspace": "lab/workspaces/auto-0",
    "workspace with a tree": "lab/workspaces/auto-0/tree/{root}",
    "place outside": "lab/tree/{there}",
    "place outside in a document": "doc/tree/{there}",
    "place outside in a workspace": "lab/workspaces/auto-0/tree/{there}",
    "place outside by an argument": "lab/tree/{root}?file-browser-path={there}",
    "fall-through of lab": "lab/{mark}",
    "notebook 7 tree": "tree",
    "notebook 7": "notebooks/{notebook}",
    "editor": "edit/{file}",
    "console": "consoles/{base}",
    "terminal": "terminals/1",
    "missing page": "{mark}",
    "hidden file": "files/{hidden}",
    "folder as a file": "files/{base}",
    "missing script": "static/{mark}.js",
    "missing lab script": "static/lab/{mark}.js",
    "missing extension": "lab/extensions/{mark}.js",
    "missing theme": "lab/api/themes/{mark}/index.css",
    "missing logo": "kernelspecs/python3/logo-99x99.png",
    "missing kernel": "kernelspecs/{mark}/logo-64x64.png",
    "double slash": "api/contents//{mark}",
    "bad room": "api/collaboration/room/text:file:{mark}",
    "token in the query": "?token={mark}",
    "licences without a slash": "lab/api/licenses",
    "trailing slash": "lab/",
    "trailing slash of a folder": "api/contents/{within}",
    "trailing slash of a file": "files/{file}/",
    "trailing slash of what is not there": "{mark}/",
}

ERRORS: dict[str, str] = {
    "no notebook": "api/contents/{file}?type=notebook&content=1",
    "no notebook, through a link": "api/contents/{link_file}?type=notebook&content=1",
    "folder as a notebook": "api/contents/{base}?type=notebook",
    "folder as a file": "api/contents/{base}?type=file&content=1",
    "format of another kind": "api/contents/{file}?format=json&content=1",
    "hash of a folder": "api/contents/{base}?content=1&hash=1",
    "missing file": "api/contents/{within}{mark}.txt",
    "missing folder": "api/contents/{within}{mark}/x",
    "missing kernel": "api/kernelspecs/{mark}",
    "missing settings": "lab/api/settings/@jupyterlab/{mark}:x",
    "missing translation": "lab/api/translations/{mark}",
}

# Lists that are empty for every visitor, whatever the owner does.
EMPTY = {"sessions": "api/sessions", "kernels": "api/kernels", "terminals": "api/terminals"}
DOINGS = {
    "status": "api/status",
    "who one is": "api/me",
    "workspaces": "lab/api/workspaces",
    "a workspace": "lab/api/workspaces/default",
    "settings": "lab/api/settings",
    "kernel kinds": "api/kernelspecs",
    "configuration": "api/config/notebook",
    "translations": "lab/api/translations",
}

ANSWERS = {
    "listing": "api/contents/{base}",
    "file": "files/{file}",
    "page": "lab",
    "kernel kinds": "api/kernelspecs",
    "translations": "lab/api/translations",
    "status": "api/status",
    "missing": "files/{within}{mark}.txt",
}

QUERIES = {
    "token in the query": "api/contents/{base}?token={mark}",
    "encoded token in the query": "api/contents/{base}?%74oken={mark}",
    "unknown argument": "api/contents/{base}?{mark}=1",
    "method in the query": "api/contents/{base}?_method=DELETE",
    "unknown type": "api/contents/{base}?type={mark}",
    "unknown format": "api/contents/{base}?format={mark}",
    "argument twice": "api/contents/{base}?content=1&content=0",
    "path in an argument": "api/contents/{base}?content=1&path=/{there}",
    "kernel in an argument": "api/contents/{base}?kernel=x",
    "broken encoding": "api/contents/{base}?content=%zz",
    "the root's path in an argument": "api/contents/{there}?path=/{root}/",
}

OTHER_SITES: dict[str, tuple[str, ...]] = {
    "no origin": ("",),
    "another site": ("http://evil.example",),
    "null": ("null",),
    "longer name": ("{origin}.evil.example",),
    "name behind an at sign": ("{scheme}://evil.example@{authority}",),
    "with a slash": ("{origin}/",),
    "two in one": ("{origin}, {origin}",),
    "other scheme": ("ftp://{authority}",),
    "other port": ("{scheme}://{host}:1",),
    "in capitals": ("{ORIGIN}",),
}
CHANGING: dict[str, tuple[str, str]] = {
    "workspace": ("PUT", "lab/api/workspaces/{mark}"),
    "session": ("PUT", "api/collaboration/session/{file}"),
    "report": ("POST", "api/security/csp-report"),
    "leaving": ("POST", "-/leave"),
    "device": ("POST", "-/device"),
}
SOCKETS = {
    "the page's own": "-/live",
    "everybody": "api/collaboration/room/JupyterLab:globalAwareness",
    "events": "api/events/subscribe",
}
FETCHED: dict[str, tuple[tuple[str, str], ...]] = {
    "other site": (("Sec-Fetch-Site", "cross-site"),),
    "without a mode": (("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")),
    "same site is not same origin": (("Sec-Fetch-Site", "same-site"),),
    "embedded": (("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")),
    "service worker": (("Service-Worker", "script"),),
}
HOSTS = {
    "another name": "evil.example",
    "longer name": "{authority}.evil.example",
    "no name": "",
    "name behind an at sign": "evil.example@{authority}",
}
# As the server would take them. `{secret}` is its token; it goes to the gate, which knows it.
CREDENTIALS: dict[str, tuple[tuple[str, str], ...]] = {
    "server's token": (("Authorization", "token {secret}"),),
    "server's token as a bearer": (("Authorization", "Bearer {secret}"),),
    "server's token in small letters": (("authorization", "token {secret}"),),
    "server's token behind another": (("Authorization", "token {mark}"), ("Authorization", "token {secret}")),
    "a password": (("Authorization", "Basic OnRva2Vu"),),
    "made-up pair against forgery": (("Cookie", "_xsrf={mark}"), ("X-XSRFToken", "{mark}")),
    "cookie of another case": (("Cookie", "Sharegate-Visit={mark}"),),
    "made-up cookie": (("Cookie", "sharegate-visit={mark}"),),
    "nothing": (),
}
SPOOFED: tuple[tuple[str, str], ...] = (
    ("X-Forwarded-User", "root"),
    ("X_Forwarded_User", "root"),
    ("Remote-User", "root"),
    ("X-Forwarded-Uri", "/join"),
    ("X-Original-URL", "/join"),
    ("X-HTTP-Method-Override", "GET"),
    ("X-Rewrite-URL", "/join"),
    ("User-Agent", "GoogleHC/1.0"),
)


def probes(ground: Ground, origin: str) -> Iterator[Probe]:
    """Everything of this module that this ground has. `origin` is the visit's, as a browser writes it."""
    for name, (method, template) in ROUTES.items():
        body = b"{}" if method in ("POST", "PUT", "PATCH") else b""
        fields = _JSON if body else ()
        yield from _row(ground, Check.ROUTES, name, template, method=method, body=body, fields=fields, quick=not body)
    for name, template in PAGES.items():
        yield from _row(ground, Check.PAGES, name, template, answer=Answer.ANY, quick=name == "lab")
        yield from _row(ground, Check.PAGES, f"{name}, as a page", template, answer=Answer.ANY, fields=_PAGE)
    for name, template in ERRORS.items():
        yield from _row(ground, Check.ERRORS, name, template, answer=Answer.ANY, quick=True)
    for name, target in EMPTY.items():
        yield Probe(Check.OWNERS_DOINGS, name, "GET", target, Answer.EMPTY, quick=True)
    for name, target in DOINGS.items():
        yield Probe(Check.OWNERS_DOINGS, name, "GET", target, Answer.ANY)
    for name, template in ANSWERS.items():
        for from_where in (origin, "http://evil.example", "null"):
            fields = (("Origin", from_where),)
            told = f"{name}, asked from {from_where}"
            yield from _row(ground, Check.HEADERS, told, template, answer=Answer.ANY, fields=fields, quick=True)
    for name, template in QUERIES.items():
        yield from _row(ground, Check.QUERIES, name, template, quick=True)
    yield from _elsewhere(ground, origin)


def _row(
    ground: Ground,
    check: Check,
    name: str,
    template: str,
    *,
    method: str = "GET",
    answer: Answer = Answer.REFUSED,
    fields: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    quick: bool = False,
) -> Iterator[Probe]:
    target = ground.fill(template)
    if target is not None:
        yield Probe(check, name, method, target, answer, fields, body, quick=quick)


def _elsewhere(ground: Ground, origin: str) -> Iterator[Probe]:
    scheme, _, authority = origin.partition("://")
    host = authority.rpartition(":")[0] or authority
    named = {"origin": origin, "ORIGIN": origin.upper(), "scheme": scheme, "authority": authority, "host": host}
    for name, (spelled,) in OTHER_SITES.items():
        field = (("Origin", spelled.format_map(named)),)
        for what, (method, template) in CHANGING.items():
            target = ground.fill(template)
            if target is not None:
                body = b'{"data":{},"metadata":{}}'
                told = (*_JSON, *field)
                yield Probe(Check.OTHER_SITES, f"{name}, {what}", method, target, Answer.REFUSED, told, body)
        for what, target in SOCKETS.items():
            yield Probe(
                Check.OTHER_SITES, f"{name}, {what}", "GET", target, Answer.REFUSED, field, upgrade=True, quick=True
            )
    for name, fields in FETCHED.items():
        yield Probe(Check.OTHER_SITES, name, "GET", f"api/contents/{ground.fill('{base}') or ''}", fields=fields)
    for name, spelled in HOSTS.items():
        host_field = (("Host", spelled.format_map(named)),)
        yield Probe(Check.HOSTS, name, "GET", "api/me", Answer.REFUSED, host_field, quick=True)
        yield Probe(Check.HOSTS, f"{name}, at the door", "GET", "/join", Answer.REFUSED, host_field, bare=True)


# Where programs ask, with a share token. `{link}` is that of the link that the visit came by.
PROGRAMS: dict[str, tuple[tuple[str, str], ...]] = {
    "link's token": (("Authorization", "token {link}"),),
    "link's token as a bearer": (("Authorization", "Bearer {link}"),),
    "server's token": (("Authorization", "token {secret}"),),
    "no token": (),
}


def programs(ground: Ground, base: str, *, link: str, token: str, clients: bool) -> Iterator[Probe]:
    """At the addresses for programs, which lie beside the visit's. A share that programs may use is confined for them
    too."""
    beside = base.rpartition("~")[0]
    for name, fields in PROGRAMS.items():
        told = tuple((key, value.format(secret=token, link=link)) for key, value in fields)
        for what, template in (("inside", "{base}"), ("outside", "{there}"), ("by dots", "{root}/{up:../}{there}")):
            place = ground.fill(template) or ""
            opens = clients and what == "inside" and "{link}" in str(fields)
            answer = Answer.ANY if opens else Answer.REFUSED
            target = f"{beside}api/contents/{place}?content=1"
            yield Probe(Check.CREDENTIALS, f"program, {name}, {what}", "GET", target, answer, told, bare=True)
    place = ground.fill("{there}") or ""
    target = f"{beside}files/{place}?token={link}"
    yield Probe(Check.CREDENTIALS, "program, link's token in the query", "GET", target, bare=True)


def credentials(ground: Ground, token: str) -> Iterator[Probe]:
    """Other credentials than the visit's cookie, alone and beside it. They are few: the gate counts strangers."""
    target = f"api/contents/{ground.fill('{base}') or ''}?content=0"
    for name, fields in CREDENTIALS.items():
        told = tuple((key, value.format(secret=token, mark=ground.mark)) for key, value in fields)
        yield Probe(Check.CREDENTIALS, f"{name}, alone", "GET", target, Answer.REFUSED, told, bare=True, quick=True)
        if told and told[0][0].lower() == "authorization":
            yield Probe(Check.CREDENTIALS, f"{name}, beside the cookie", "GET", target, Answer.REFUSED, told)
    yield Probe(Check.CREDENTIALS, "names of others", "GET", target, Answer.REFUSED, SPOOFED, bare=True)
    if token:
        yield Probe(Check.CREDENTIALS, "server's token in the query", "GET", f"{target}&token={token}", bare=True)

"""The one HTML page that a visitor's JupyterLab starts from.

The upstream's page is read for three facts (its configuration, its main script, its icons) and thrown away; the page
that goes out is written here. So nothing in it can come from a field that nobody thought of.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from typing import Any

from sharegate.errors import Denied, Reason
from sharegate.lab.config import COLLABORATION_EXTENSIONS, Addresses, build_config
from sharegate.lab.notebook import LAB, View
from sharegate.language.catalogue import ENGLISH, Language
from sharegate.shares.model import Grant, RootKind

MAX_PAGE = 1 << 20
_BUNDLES = {
    app: re.compile(rf"static/{app}/main\.[0-9a-f]{{8,64}}\.js(?:\?v=[0-9a-f]{{8,64}})?\Z")
    for app in ("lab", "notebook")
}
_ICON = re.compile(r"static/favicons/[a-z0-9-]{1,60}\.(?:ico|png|svg)\Z")
_HOST = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?\Z")


@dataclass(frozen=True, slots=True)
class PageSource:
    """What an upstream's page says. `bundle` and `icons` are relative to the upstream's base URL.

    The configuration holds the upstream's token: it never leaves `render_page` but through an allow-list.
    """

    config: Mapping[str, Any] = field(repr=False)
    bundle: str
    icon: str
    busy_icon: str

    @property
    def digest(self) -> str:
        """Names this build of JupyterLab with its extensions: 20 hexadecimal digits, the same for every visit.

        Every script name below it carries a content hash, so what it names never changes.
        """
        facts = [self.bundle, self.icon, self.busy_icon, str(self.config.get("appVersion"))]
        facts += [f"{entry.get('name')} {entry.get('load')}" for entry in self._federated]
        return hashlib.sha256("\n".join(facts).encode("utf-8", "replace")).hexdigest()[:20]

    @property
    def collaboration(self) -> bool:
        """Whether documents are shared live (jupyter-collaboration is installed and on)."""
        needed = COLLABORATION_EXTENSIONS[0]
        off = self.config.get("disabledExtensions")
        installed = any(entry.get("name") == needed for entry in self._federated)
        switched_off = isinstance(off, list) and needed in off
        return installed and not switched_off and self.config.get("disableRTC") is not True

    @property
    def _federated(self) -> list[dict[str, Any]]:
        entries = self.config.get("federated_extensions")
        return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is sent. `nonce` is in its CSP and on its own script tags."""

    body: bytes
    headers: tuple[tuple[str, str], ...]
    nonce: str


def read_page(html: bytes, upstream_base: str, app: str = "lab") -> PageSource:
    """Read an upstream's /lab, /doc or (`app` is `notebook`) /tree page. `upstream_base` is the path of its base URL,
    with both slashes.

    Raises Denied(`upstream_bad_answer`) unless there is exactly one configuration and one main script, and both lie
    where JupyterLab and Notebook put them.
    """
    if len(html) > MAX_PAGE:
        raise _unusable("page too large")
    try:
        text = html.decode("utf-8")
    except UnicodeDecodeError:
        raise _unusable("page is not UTF-8") from None
    reader = _Reader()
    reader.feed(text)
    reader.close()
    if len(reader.configs) != 1:
        raise _unusable(f"{len(reader.configs)} page configurations")
    try:
        config = json.loads(reader.configs[0])
    except (ValueError, RecursionError):
        raise _unusable("page configuration is no JSON") from None
    if not isinstance(config, dict):
        raise _unusable("page configuration is no object")
    bundles = [found for found in (_below(upstream_base, src, _BUNDLES[app]) for src in reader.scripts) if found]
    if len(bundles) != 1:
        raise _unusable(f"{len(bundles)} main scripts")
    icons = [found for found in (_below(upstream_base, href, _ICON) for href in reader.icons) if found]
    idle = next((icon for icon in icons if "busy" not in icon), "static/favicons/favicon.ico")
    busy = next((icon for icon in icons if "busy" in icon), "static/favicons/favicon-busy-1.ico")
    return PageSource(config, bundles[0], idle, busy)


def render_page(
    source: PageSource,
    *,
    grant: Grant,
    addresses: Addresses,
    origin: str,
    page_script: str,
    page_style: str,
    tree_path: str,
    workspace: str = "default",
    view: View = LAB,
    language: Language = ENGLISH,
    secrets_of_upstream: tuple[str, ...] = (),
    nonce: str = "",
) -> Page:
    """Write the visitor's page.

    `origin` is the gate's own (`https://gate.example`); `page_script` and `page_style` are absolute paths of our own
    assets; `tree_path` is confined already; `language` is that of what we say there. Raises
    Denied(`upstream_bad_answer`) when one of `secrets_of_upstream` (the raw token) is in what was written: the last
    check, which nothing should ever reach.
    """
    single = view.single or view.notebook or grant.share.kind is RootKind.FILE
    mode = "single-document" if single else "multiple-document"
    nonce = nonce or base64.b64encode(secrets.token_bytes(18)).decode()
    config = build_config(
        source.config, grant=grant, addresses=addresses, tree_path=tree_path, workspace=workspace, mode=mode, view=view
    )
    visit = visit_facts(grant, base=addresses.base, collaboration=source.collaboration, mode=mode)
    static = addresses.static
    # Notebook's own style sheets go by it.
    page_kind = f' data-notebook="{view.name}"' if view.notebook else ""
    classes = f"jp-ThemedContainer sharegate-{grant.role.value} sharegate-{grant.share.kind.value}"
    owner = grant.share.owner or language.say("word.owner")
    title = escape(language.say("lab.title", share=grant.share.name or grant.share.root_path.name, who=owner))
    words = {"language": language.tag, "dir": language.dir, "sentences": language.below(*SAID)}
    html = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">
<script id="jupyter-config-data" type="application/json">{script_json(config)}</script>
<script id="sharegate-visit" type="application/json">{script_json(visit)}</script>
<script id="sharegate-words" type="application/json">{script_json(words)}</script>
<link rel="icon" type="image/x-icon" href="{escape(static + source.icon)}" class="idle favicon">
<link rel="" type="image/x-icon" href="{escape(static + source.busy_icon)}" class="busy favicon">
<link rel="stylesheet" href="{escape(page_style)}">
<script nonce="{nonce}" type="module" src="{escape(page_script)}"></script>
<script nonce="{nonce}" defer src="{escape(static + source.bundle)}"></script>
</head><body class="{classes}"{page_kind}></body></html>
"""
    for secret in secrets_of_upstream:
        if secret and secret in html:
            raise _unusable("a secret of the server was in the page")
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", content_security_policy(grant, addresses, origin, nonce)),
        *PAGE_HEADERS,
    )
    return Page(html.encode(), headers, nonce)


# What page.js says: tables of the catalogue. The page itself is in JupyterLab's language.
SAID = ("word", "lab", "closed", "time", "report")
PAGE_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Vary", "Accept-Language"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    # Hosts of one site may else share a process, where a hostile page could try to read its neighbours' memory.
    ("Origin-Agent-Cluster", "?1"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=(), serial=()"),
    ("X-Robots-Tag", "noindex, nofollow"),
)


def content_security_policy(grant: Grant, addresses: Addresses, origin: str, nonce: str) -> str:
    """The policy of a visitor's page.

    Script comes from the static address only, so a file of the share never runs as script. `unsafe-eval` is what
    JupyterLab's schema validator needs, inline style what its editors need. With `own_extensions` the owner's outputs
    may run script, which is what the owner asked for.
    """
    if not _HOST.match(origin):
        raise ValueError(f"no origin: {origin!r}")
    static = origin + addresses.static[: addresses.static.index("/-/static/") + len("/-/static/")]
    web_socket = "ws" + origin.removeprefix("http")
    script = f"'nonce-{nonce}' 'unsafe-eval' {static}"
    if grant.share.own_extensions:
        script = "'self' 'unsafe-inline' 'unsafe-eval' blob:"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {script}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' data: blob:",
            f"connect-src 'self' {web_socket}",
            "frame-src 'self' blob:",
            "worker-src 'none'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def visit_facts(grant: Grant, *, base: str, collaboration: bool, mode: str) -> dict[str, Any]:
    """What page.js knows before its first word with the gate. Nothing here is secret to the visitor."""
    share = grant.share
    return {
        "base": base,
        "owner": share.owner,
        "role": grant.role.value,
        "kind": share.kind.value,
        "name": share.name or share.root_path.name,
        "root": share.root,
        "visitor": grant.visit.name or grant.link.name,
        "expires": grant.expires,
        "collaboration": collaboration,
        "mode": mode,
    }


def script_json(value: Any) -> str:
    """JSON that is safe inside a script element (HTML ends the element at `</script` wherever it stands)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    # A lone surrogate cannot be sent as UTF-8.
    return text.encode("utf-8", "replace").decode()


class _Reader(HTMLParser):
    """Collects the configuration, script addresses and icons; everything else is ignored."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.configs: list[str] = []
        self.scripts: list[str] = []
        self.icons: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if tag == "script" and facts.get("id") == "jupyter-config-data":
            self.configs.append("")
            self._inside = True
        elif tag == "script" and facts.get("src"):
            self.scripts.append(facts["src"] or "")
        elif tag == "link" and "favicon" in (facts.get("class") or ""):
            self.icons.append(facts.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.configs[-1] += data


def _below(base: str, address: str, shape: re.Pattern[str]) -> str:
    """`address` relative to the upstream's base when it has the shape, else nothing."""
    rest = address.removeprefix(base)
    return rest if address.startswith(base) and shape.match(rest) else ""


def _unusable(detail: str) -> Denied:
    return Denied(Reason.UPSTREAM_BAD_ANSWER, detail)

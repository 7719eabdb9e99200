"""A co-owner's page, rendered: everything stands in it, because from an opaque origin it could load nothing of ours."""

from __future__ import annotations

import base64
import secrets
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sharegate.language.catalogue import ENGLISH, Language, languages
from sharegate.messages import Response
from sharegate.visits.coowners.standing import Coowner
from sharegate.visits.pages.assets import INK
from sharegate.visits.pages.render import HEADERS, Words

SUBPROTOCOL = "sharegate-coowner"
_ASSETS = Path(__file__).parent / "assets"
# With the sandbox the page belongs to nobody's origin, and a browser cuts it off from whoever opened it by that; with
# `same-origin` beside it, browsers show an error instead of the page (HTML, section 7.4.5: sandboxed navigations).
_OTHERS = frozenset({"Content-Security-Policy", "Cross-Origin-Opener-Policy"})


def page(coowner: Coowner, *, key: str, origin: str, language: Language = ENGLISH) -> Response:
    """The page with its key. `origin` is where it may open its one connection."""
    nonce = base64.b64encode(secrets.token_bytes(18)).decode()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            f"style-src 'nonce-{nonce}'",
            f"connect-src ws{origin.removeprefix('http')}",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "sandbox allow-scripts",
        )
    )
    told = {"key": key, "protocol": SUBPROTOCOL, "share": coowner.share.name, "owner": coowner.share.owner}
    handed = language.below("coowner", "role")
    script = _text("desk.js")
    return _answer("desk.html", language, 200, policy, nonce=nonce, script=script, style=_style(), words=handed, **told)


def elsewhere_page(address: str, language: Language = ENGLISH) -> Response:
    """For who comes from another site, by a link in a mail perhaps: one more click, on this one."""
    return _closed("elsewhere", language, address=address)


def unsafe_page(language: Language = ENGLISH) -> Response:
    """For a browser that does not say how it asks: an old one, or any over plain http from another computer."""
    return _closed("unsafe", language, address="")


def _closed(why: str, language: Language, *, address: str) -> Response:
    nonce = base64.b64encode(secrets.token_bytes(18)).decode()
    allowed = f"default-src 'none'; style-src 'nonce-{nonce}'"
    policy = f"{allowed}; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    return _answer("closed.html", language, 403, policy, nonce=nonce, style=_style(), why=why, address=address)


def _answer(template: str, language: Language, status: int, policy: str, **values: object) -> Response:
    text = _environment(language.tag.lower()).get_template(template).render(**values)
    kept = [field for field in HEADERS if field[0] not in _OTHERS]
    return Response(status, (("Content-Security-Policy", policy), *kept), text.encode())


def _style() -> str:
    return INK.read_text() + _text("desk.css")


@cache
def _text(name: str) -> str:
    """A file of ours, as it stands: no word of anybody else's is in it."""
    return (_ASSETS / name).read_text()


@cache
def _environment(tag: str) -> Environment:
    made = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = Words(languages()[tag])
    made.globals.update(language=languages()[tag], t=words.sentence, bdi=words.bdi)
    return made

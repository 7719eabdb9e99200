"""Markdown as a page that holds nothing but text, pictures of the share, and links that were looked at.

HTML in it is shown as it was written. Formulas stay as they were written, too, in a frame of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape
from mdit_py_plugins.dollarmath import dollarmath_plugin

from sharegate.reading.code import code
from sharegate.reading.links import Links, elsewhere

# Characters of one text: what is longer is shown as it was written, since some texts take the square of their length to
# read. Blocks within blocks are read to this depth.
LARGEST = 50_000
_DEEPEST = 20
# Characters of all addresses in one text. What is written once can be meant many thousand times (reference links).
ADDRESSES = 200_000
# What every formula begins with that was drawn.
MARK = '<code class="formula'


@cache
def _parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST, "linkify": False, "typographer": False})
    made.enable(["table", "strikethrough"])
    # "from $5 to $6" is no formula.
    made.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    # What is no address is judged when it is drawn, so that its words stay.
    made.validateLink = _any_link  # type: ignore[method-assign]
    made.renderer = _Renderer(made)
    return made


def _any_link(url: str) -> bool:
    return True


class _Renderer(RendererHTML):
    """The library's, but for what leads somewhere: `env` has what it may lead to. Every attribute that is drawn is
    written here, so that none comes from a text."""

    def __init__(self, parser: MarkdownIt) -> None:
        super().__init__(parser)
        drawn: dict[str, Any] = {
            "link_open": self.link_open,
            "link_close": self.link_close,
            "image": self.image,
            "fence": self.fence,
            "code_block": self.fence,
            "math_inline": self.math_inline,
            "math_inline_double": self.math_block,
            "math_block": self.math_block,
            "html_inline": self.words,
            "html_block": self.words,
            "table_open": self.wide,
            "table_close": self.narrow,
            "th_open": self.aligned,
            "td_open": self.aligned,
        }
        self.rules.update(drawn)

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        links: Links = env["links"]
        address = _address(tokens[idx], "href", env)
        target = links.leads_to(address)
        env.setdefault("open", []).append(bool(target))
        if not target:
            return '<span class="nowhere">'
        if elsewhere(address):
            return str(_away(target))
        return str(Markup('<a href="{}">').format(target))

    def link_close(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return "</a>" if env.setdefault("open", []) and env["open"].pop() else "</span>"

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        links: Links = env["links"]
        address = _address(tokens[idx], "src", env)
        words = self.renderInlineAsText(tokens[idx].children or [], options, env)
        attached: Mapping[str, str] = env["attachments"]
        if address.startswith("attachment:"):
            digest = attached.get(address.removeprefix("attachment:"), "")
            source = links.output(digest) if digest else ""
        else:
            inside = links.inside(address)
            source = links.picture(inside) if inside is not None else ""
        if source:
            return str(Markup('<img src="{}" alt="{}" loading="lazy">').format(source, words))
        # Nothing is fetched from elsewhere: whoever is there would learn who reads what, and when.
        inner = Markup('<span class="picture-elsewhere">{}</span>').format(words or address[:200])
        if elsewhere(address) and not env.get("open"):
            return str(_away(address) + inner + Markup("</a>"))
        return str(inner)

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        words = tokens[idx].info.split()
        inner = code(tokens[idx].content.rstrip("\n"), words[0] if words else "")
        return str(Markup('<pre class="code" tabindex="0">{}</pre>\n').format(inner))

    def math_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return str(Markup('<code class="formula">{}</code>').format(tokens[idx].content))

    def math_block(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return str(Markup('<code class="formula block">{}</code>\n').format(tokens[idx].content.strip("\n")))

    def wide(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        """What is wider than the page is moved within it, also by keyboard."""
        return '<div class="wide" tabindex="0">\n<table>\n'

    def narrow(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return "</table>\n</div>\n"

    def aligned(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        """A style of its own is no attribute that the page allows."""
        side = str(tokens[idx].attrs.get("style", "")).removeprefix("text-align:")
        return f'<{tokens[idx].tag} class="{side}">' if side in ("left", "center", "right") else f"<{tokens[idx].tag}>"

    def words(self, tokens: Sequence[Token], idx: int, options: Any, env: MutableMapping[str, Any]) -> str:
        return str(escape(tokens[idx].content))


def _address(token: Token, name: str, env: MutableMapping[str, Any]) -> str:
    """Where a link or picture leads, as it was written; "" when the text has named too much by then."""
    address = str(token.attrs.get(name, ""))
    env["addresses"] -= len(address)
    return address if env["addresses"] >= 0 else ""


def _away(address: str) -> Markup:
    """The beginning of a link to another site, which learns nothing of where it was read."""
    return Markup('<a href="{}" rel="noopener noreferrer nofollow" referrerpolicy="no-referrer">').format(address)


def markdown(text: str, links: Links, attachments: Mapping[str, str] | None = None) -> Markup:
    """The text as HTML. `attachments` are digests of the cell's own pictures, by name."""
    if len(text) > LARGEST:
        return as_written(text)
    env: dict[str, Any] = {"links": links, "attachments": attachments or {}, "addresses": ADDRESSES}
    return Markup(_parser().render(text, env))  # noqa: S704 -- html is off, and what leads somewhere is drawn above


def as_written(text: str) -> Markup:
    """The text itself."""
    return Markup('<pre class="code" tabindex="0">{}</pre>').format(text)

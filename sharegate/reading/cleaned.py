"""HTML that a program wrote (a table of pandas), with nothing left in it but what is text and table."""

from __future__ import annotations

import re

import nh3
from markupsafe import Markup

# Characters. A reader needs no larger table; JupyterLab has it.
LARGEST = 400_000
# A parser builds a tree of what is open; ten thousand tables within each other cost stack, and no reader wants them.
DEEPEST = 60
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# What is never closed, and what often is not.
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
    | {"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option"}
)
_TAGS = {
    *("table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption", "colgroup", "col"),
    *("p", "div", "span", "br", "hr", "b", "strong", "i", "em", "u", "s", "small", "sub", "sup", "code", "pre", "kbd"),
    *("ul", "ol", "li", "dl", "dt", "dd", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "a", "details", "summary"),
}
_ATTRIBUTES = {"td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}, "a": {"href"}, "ol": {"start"}}
_WITH_CONTENT = {"script", "style", "title", "template", "noscript", "iframe", "textarea", "select", "svg", "math"}


def cleaned(html: str) -> Markup | None:
    """The HTML through an allow-list of elements and attributes: no script, style, class, id, form, picture or frame;
    links only to other sites. None when it is too large, too deep, or nothing of it is left."""
    if len(html) > LARGEST or _too_deep(html):
        return None
    kept = nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags=_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        strip_comments=True,
        link_rel="noopener noreferrer nofollow",
        url_schemes={"http", "https"},
        attribute_filter=_kept,
    )
    said = re.sub(r"<[^>]*>|\s", "", kept)
    return Markup(kept) if said else None  # noqa: S704 -- cleaned


def _kept(tag: str, name: str, value: str) -> str | None:
    """A link that is no whole address would lead somewhere below the visit."""
    return None if name == "href" and not re.match(r"https?://[^/\\]", value, re.IGNORECASE) else value


def _too_deep(html: str) -> bool:
    depth = 0
    for closing, name in _TAG.findall(html):
        if name.lower() in _VOID:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        if depth > DEEPEST:
            return True
    # Rows and cells that nobody closes stand beside each other; tables within them were counted above.
    return False

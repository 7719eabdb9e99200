"""HTML that a program wrote (a table of pandas), with nothing left in it but what is text and table."""

from __future__ import annotations

import re
from collections import Counter

import nh3
from markupsafe import Markup

# Characters. A reader needs no larger table; JupyterLab has it.
LARGEST = 400_000
# A parser builds a tree of what is open; ten thousand tables within each other cost stack, and no reader wants them.
DEEPEST = 60
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# Elements that are opened. A reader needs no larger table of cells, either.
MOST_ELEMENTS = 20_000
# Where one of these is left open, a parser writes it anew into each paragraph that follows (HTML, "reconstruct the
# active formatting elements"): a few hundred, told apart by an attribute, become many millions. Without attributes it
# keeps three of a name. What no page shows anyway is taken out before.
_SAID_WITH_MORE = re.compile(r"<(b|code|em|i|s|small|strong|u)[\s/][^>]*(?:>|\Z)", re.IGNORECASE)
_UNSHOWN = re.compile(r"</?(?:big|font|nobr|strike|tt)(?=[\s/>])[^>]*(?:>|\Z)", re.IGNORECASE)
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
    if len(html) > LARGEST:
        return None
    # Something stands where they stood, so that what was around them is no new one.
    html = _SAID_WITH_MORE.sub(r"<\1>", _UNSHOWN.sub("<wbr>", html))
    if _too_deep(html):
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
    return Markup(kept) if said and len(kept) <= 2 * LARGEST else None  # noqa: S704 -- cleaned


def _kept(tag: str, name: str, value: str) -> str | None:
    """A link that is no whole address would lead somewhere below the visit."""
    return None if name == "href" and not re.match(r"https?://[^/\\]", value, re.IGNORECASE) else value


def _too_deep(html: str) -> bool:
    """Or too many. What is closed without having been opened closes nothing."""
    opened: Counter[str] = Counter()
    depth = elements = 0
    for closing, given in _TAG.findall(html):
        name = given.lower()
        elements += not closing
        if name not in _VOID and (not closing or opened[name]):
            step = -1 if closing else 1
            opened[name] += step
            depth += step
        if depth > DEEPEST or elements > MOST_ELEMENTS:
            return True
    # Rows and cells that nobody closes stand beside each other; tables within them were counted above.
    return False

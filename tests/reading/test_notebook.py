"""A notebook as a reader sees it, also one that was written against whoever reads it."""

from __future__ import annotations

import base64
import itertools
import re
from html.parser import HTMLParser
from typing import Any

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sharegate.paths import CanonicalPath
from sharegate.reading import notebook as reading
from sharegate.reading.cleaned import LARGEST, MOST_ELEMENTS, cleaned
from sharegate.reading.links import Links
from sharegate.reading.markdown import ADDRESSES, _parser, markdown
from sharegate.reading.markdown import LARGEST as LONGEST_TEXT
from sharegate.reading.notebook import Output, Sheet, read
from sharegate.shares.model import RootKind
from tests.readers.sample import TABLE, code, course, notebook, png, printed, shown, words

FOLDER = CanonicalPath(("sub", "shared"))
LINKS = Links("/s/x/~v/", FOLDER, RootKind.DIRECTORY, FOLDER.join("nb.ipynb"), FOLDER)
PICTURE = base64.b64encode(png(4, 4)).decode()

ELEMENTS = {
    *("a", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div", "dl", "dt"),
    *("em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "small", "span"),
    *("strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul"),
}
ATTRIBUTES = {
    *("alt", "class", "colspan", "href", "loading", "referrerpolicy", "rel", "rowspan", "scope", "src", "start"),
    "tabindex",
}


class _Judge(HTMLParser):
    """Fails for an element, an attribute or an address that no page may have."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, (tag, name)
            if name == "src":
                assert (value or "").startswith("/s/x/~v/-/picture/sub/shared"), value
            if name == "href":
                assert re.match(r"(?:/s/x/~v/-/read/sub/shared(?:/|\Z)|https?://|mailto:|#)", value or ""), value
                if re.match(r"https?:", value or ""):
                    assert "noopener" in dict(attrs)["rel"]  # type: ignore[operator]


def judged(sheet: Sheet) -> Sheet:
    """The same, after every piece of HTML was looked at."""
    for cell in sheet.cells:
        for body in (cell.body, *(output.body for output in cell.outputs)):
            _Judge().feed(str(body))
        for output in cell.outputs:
            assert output.picture == "" or output.picture.startswith(LINKS.base)
    return sheet


def cells(*given: dict[str, Any]) -> Sheet:
    return judged(read(notebook(*given), LINKS))


def output(*given: dict[str, Any]) -> Output:
    """The first output of a cell."""
    return cells(code("x", *given)).cells[0].outputs[0]


def test_a_week_of_a_course_is_read() -> None:
    """Words, code with colours, a table, a picture, a trace with colours, and what only JupyterLab can show."""
    sheet = judged(read(course(), LINKS))
    first, table, profile, picture, error, chart = sheet.cells
    assert '<a href="/s/x/~v/-/read/sub/shared/notes.md">notes.md</a>' in first.body
    assert 'href="https://example.org/paper" rel="noopener noreferrer nofollow"' in first.body
    assert '<span class="hl-kn">import</span>' in table.body and table.count == "1"
    assert "<th>station</th>" in table.outputs[0].body and "style" not in table.outputs[0].body
    assert r'<code class="formula">\partial O_2 / \partial z</code>' in profile.body
    assert '<td class="right">60 m</td>' in profile.body
    assert picture.outputs[0].kind == "picture" and len(sheet.pictures) == 1
    assert '<span class="ansi-red">KeyError</span>' in error.outputs[1].body and "\x1b" not in error.outputs[1].body
    assert chart.outputs[0].needs_lab and "Chart of 4 casts" in chart.outputs[0].body


SCRIPTS = {
    "script": "<script>owned()</script>",
    "handler": '<img src=x onerror="owned()">',
    "javascript link": "[x](javascript:owned())",
    "javascript link with a line break": "[x](java\nscript:owned())",
    "javascript link in entities": "[x](&#106;avascript:owned())",
    "javascript link, encoded": "[x](javascript%3Aowned())",
    "vbscript": "[x](vbscript:owned)",
    "data link": "[x](data:text/html,<script>owned()</script>)",
    "data picture": "![x](data:image/svg+xml,<svg onload=owned()>)",
    "remote picture": "![x](https://evil.example/p.png)",
    "remote picture without a scheme": "![x](//evil.example/p.png)",
    "remote picture, backslashes": r"![x](\\evil.example/p.png)",
    "absolute path": "![x](/etc/passwd)",
    "outside": "![x](../secret/secret.png) [y](../../outside.txt) [z](../shared2/sibling.txt)",
    "outside, encoded": "![x](%2e%2e/secret/secret.png) [y](..%2f..%2foutside.txt) [z](%252e%252e/x)",
    "hidden": "![x](.hidden.png) [y](.hid/x.txt) [z](inner/.git/config)",
    "another visit": "[x](/s/y/~w/-/leave) ![y](/s/x/~v/-/leave)",
    "link title": '[x](notes.md "a\\" onmouseover=owned()")',
    "quotes in an address": "[x](<a\"onmouseover='owned()'.md>) ![y](<a\"onerror='owned()'.png>)",
    "quotes in a picture's words": '![" onerror="owned()](plot.png)',
    "reference": "[x]\n\n[x]: javascript:owned()",
    "autolink": "<javascript:owned()> <https://ok.example>",
    "language of a fence": '```"><script>owned()</script>\nx\n```',
    "attachment": "![x](attachment:no.png) ![y](attachment:../../secret)",
    "formula": "$<script>owned()</script>$ and\n\n$$\n</code><script>owned()</script>\n$$",
    "style in a table": "|a|\n|:-:|\n|b|",
    "comment": "<!-- <script>owned()</script> -->",
    "control characters": "\x00\x1b[31m\u202ereversed",
}


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_attack_words_become_no_script_and_lead_nowhere_else(text: str) -> None:
    """As a cell, as an output, with attachments: what is left are words."""
    sheet = cells(words(text), code("x", shown({"text/markdown": text})), words(text, attachments={"no.png": 3}))
    body = str(sheet.cells[0].body)
    assert "evil.example/p.png" not in "".join(re.findall(r'src="([^"]*)"', body))


HTML = {
    "script": "<td>1</td><script>owned()</script>",
    "handlers": "<table onclick=owned()><tr><td onmouseover=owned()>x</td></tr></table>",
    "style": "<style>body{display:none}</style><p style='position:fixed'>x</p>",
    "frame": "<iframe src=https://evil.example></iframe><p>x</p>",
    "form": "<form action=https://evil.example><input name=password><button>Log in</button></form><p>x</p>",
    "svg": "<svg><script>owned()</script><a href=javascript:owned()>x</a></svg><p>x</p>",
    "math": "<math><mtext><table><mglyph><style><img src=x onerror=owned()></style></table></mtext></math><p>x</p>",
    "links": '<a href="javascript:owned()">x</a><a href=" java\tscript:owned()">y</a><a href="data:x">z</a>',
    "relative link": '<a href="../../secret/secret.txt">x</a><a href="//evil.example">y</a>',
    "picture": "<img src=https://evil.example/p.png><p>x</p>",
    "base": "<base href=https://evil.example><meta http-equiv=refresh content=0;url=https://evil.example><p>x</p>",
    "class and id": "<p id=state class=note>x</p>",
    "noscript": "<noscript><p title='</noscript><img src=x onerror=owned()>'>x</p></noscript>y",
    "template": "<template><script>owned()</script></template>x",
    "unfinished": "<p>x<script>owned()",
    "mutation": "<p><svg></p><style><a id='</style><img src=1 onerror=owned()>'>",
}


@pytest.mark.parametrize("html", HTML.values(), ids=HTML.keys())
def test_attack_html_of_an_output_becomes_text_and_tables(html: str) -> None:
    """Nothing runs, nothing is fetched, nothing looks like the page's own."""
    made = cells(code("x", shown({"text/html": html, "text/plain": "plain"}))).cells[0].outputs[0]
    assert made.kind in ("html", "text")
    if made.kind == "html":
        body = str(made.body)
        assert "evil.example/p.png" not in body and "class" not in body and "id=" not in body
        assert [href for href in re.findall(r'href="([^"]*)"', body) if not re.match("https?://", href)] in ([], [""])


@given(st.text(st.sampled_from("<>/\"'=&;:[]()!`$\\ \nabijs-#*_|x1")), st.sampled_from(["words", "html", "code"]))
def test_attack_whatever_is_written_stays_text(text: str, kind: str) -> None:
    """No spelling makes an element or an attribute that a page may not have."""
    if kind == "words":
        cells(words(text))
    elif kind == "html":
        cells(code("x", shown({"text/html": text, "text/plain": text})))
    else:
        cells(code(text, printed(text)))


DEEP = {
    "tables": "<table><tr><td>" * 10_000,
    "boxes": "<div>" * 50_000,
    "mixed": "<ul><li><b>" * 10_000,
    "formatting": "".join(f"<b x={number}>" for number in range(58)) + "<p>x" * 60_000,
    "rows": "<tr>" * 90_000,
    "larger than is read": "<p>x</p>" * 100_000,
}


@pytest.mark.parametrize("html", DEEP.values(), ids=DEEP.keys())
def test_attack_html_within_html_does_not_fell_the_gate(html: str) -> None:
    """What is nested ten thousand deep is told in words; the process stands."""
    made = output(shown({"text/html": html, "text/plain": "plain"}))
    assert made.kind in ("html", "text")


OPEN = {
    "with attributes": "<p>" + "".join(f'<b class="x{number}"></u>' for number in range(50)),
    "that no page shows": "<p>" + "".join(f'<tt class="x{number}"></u>' for number in range(50)),
    "in capitals": "<p>" + "".join(f"<FONT\ncolor={number}></u>" for number in range(50)),
    "without": "<p>" + "<em><i><b><strong><code>" * 3,
    "a link": "<p><a href='https://example.org/'>",
}


@pytest.mark.parametrize("begin", OPEN.values(), ids=OPEN.keys())
def test_attack_what_is_left_open_is_not_written_anew_in_each_paragraph(
    begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty kilobytes would become many millions; the parser sees no element of those that multiply."""
    seen: list[str] = []

    def watched(html: str, **how: Any) -> str:
        seen.append(html)
        return clean(html, **how)

    clean = nh3.clean
    monkeypatch.setattr(nh3, "clean", watched)
    made = cleaned(begin + "<p>x" * 18_000)
    assert made is None or len(made) <= 2 * LARGEST
    assert not re.search(r"<(?:tt|font|b\s)", "".join(seen), re.IGNORECASE)
    monkeypatch.setattr(nh3, "clean", clean)
    # No reader wants so many elements, and each is work.
    assert cleaned("<br>" * MOST_ELEMENTS + "x") is not None and cleaned("<br>" * (MOST_ELEMENTS + 1) + "x") is None
    # What closes nothing makes nothing less deep.
    assert cleaned("<table><tr><td></i></i></i>" * 61 + "x") is None
    assert cleaned("<b title='x'>bold</b> <TT>and</TT> <em class='y'>so</em> <br><i/>on</i> <base> a<wbr>b") == (
        "<b>bold</b> and <em>so</em> <br><i>on</i>  ab"
    )
    assert cleaned("<b class=x>a</b>" * 200) == "<b>a</b>" * 200


LONG = {
    "quotations": ">" * 100_000,
    "stars": "*a " * 60_000,
    "brackets": "[" * 100_000,
    "links": "[a](" * 40_000,
    "lists": "".join(" " * 2 * depth + "- a\n" for depth in range(300)),
    "dollars": "$a" * 80_000,
    "table": "|a" * 20_000 + "\n" + "|-" * 20_000 + "\n" + "|b" * 10_000,
    "backticks": "".join("`" * length + " " for length in range(1, 500)),
    "references": "".join(f"[{number}]: b\n" for number in range(20_000)),
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_attack_words_that_take_long_to_read(text: str) -> None:
    """One cell of them and a hundred: what takes too long is shown as it was written, and nothing is lost."""
    ticking = iter(range(10**9))
    sheet = judged(read(notebook(*[words(text[:40_000])] * 30), LINKS, lambda: float(next(ticking))))
    assert len(sheet.cells) == 30 and 'class="code"' in sheet.cells[-1].body
    cells(words(text))


LENGTHY = {
    "links": "[a]: http://e.example/" + "x" * 1900 + "\n\n" + "[a]" * 15_000,
    "links within": "[a]: " + "x/" * 700 + "\n\n" + "[a]" * 15_000,
    "pictures": "[a]: " + "x/" * 700 + "\n\n" + "![a]" * 11_000,
    "pictures elsewhere": "[a]: http://e.example/" + "x" * 1900 + "\n\n" + "![a]" * 11_000,
    "short links": "[a]: http://e\n\n" + "[a]" * 15_000,
    "colours": "\x1b[1ma\x1b[3ma" * 4_000,
}


@pytest.mark.parametrize("text", LENGTHY.values(), ids=LENGTHY.keys())
def test_attack_words_that_become_many_more(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that is written once and meant thousands of times: one text stays within a few of its sizes, however
    often it stands in a notebook the page does, and the words are all there."""
    asked: list[str] = []

    class Watched(Links):
        def inside(self, address: str) -> CanonicalPath | None:
            asked.append(address)
            return super().inside(address)

    links = Watched(LINKS.base, LINKS.root, LINKS.kind, LINKS.path, LINKS.folder)
    once = read(notebook(words(text)), links, lambda: 0.0).cells[0].body
    assert len(once) < 4_000_000 and once.count("a") >= 8_000
    assert sum(len(address) for address in asked) <= ADDRESSES
    monkeypatch.setattr(reading, "ALL", 200_000)
    each = code("x", printed(text), shown({"text/markdown": text}))
    page = read(notebook(*[words(text)] * 20, *[each] * 20), LINKS, lambda: 0.0)
    drawn = sum(len(cell.body) + sum(len(made.body) for made in cell.outputs) for cell in page.cells)
    assert drawn <= reading.DRAWN * reading.ALL + len(once) and len(page.cells) + page.cut == 40 and page.cut > 0


def test_attack_a_text_that_takes_the_square_of_its_length_is_shown_as_it_was_written() -> None:
    """Up to a size it is read; beyond it stays what it is, in a cell and in an output of a program."""
    short, long = "*x* " + "a" * (LONGEST_TEXT - 4), "*x* " + "a" * (LONGEST_TEXT - 3)
    assert str(markdown(short, LINKS)).startswith("<p><em>x</em>")
    assert str(markdown(long, LINKS)) == f'<pre class="code" tabindex="0">{long}</pre>'
    assert "<em>" not in str(cells({"cell_type": "markdown", "source": long}).cells[0].body)


def test_attack_html_in_a_text_is_words_among_words() -> None:
    """No block of it ends what is read: what stands in it is read as a text, and nothing of it reaches the page as it
    was written, also where a parser would let it through."""
    assert str(markdown("<div>\n*x*\n</div>", LINKS)) == "<p>&lt;div&gt;\n<em>x</em>\n&lt;/div&gt;</p>\n"
    lenient = MarkdownIt("commonmark", {"html": True})
    tokens = lenient.parse("a <b onclick=x> c\n\n<script>y</script>\n")
    drawn = _parser().renderer.render(tokens, _parser().options, {"links": LINKS, "attachments": {}})
    assert "html_block" in {token.type for token in tokens}
    assert "<b" not in drawn and "<script" not in drawn and "&lt;script&gt;" in drawn and "&lt;b onclick" in drawn


def test_html_of_an_output_up_to_a_size() -> None:
    """As it came, and as it is written out again; larger is none."""
    around = len("<p></p>")
    assert cleaned("<p>" + "x" * (LARGEST - around) + "</p>") is not None
    assert cleaned("<p>" + "x" * (LARGEST - around + 1) + "</p>") is None
    assert cleaned("<p>" + "&" * (LARGEST - around) + "</p>") is None
    hidden = "".join(f"<{name}>hidden</{name}>" for name in ("style", "title", "template", "noscript", "textarea"))
    assert cleaned(f"<p>a</p>{hidden}<svg><desc>hidden</desc></svg>") == "<p>a</p>", "what no page shows is no text"


def test_when_the_time_is_over_everything_is_shown_as_it_was_written() -> None:
    """Code without colours, Markdown of an output as its text, and HTML in words."""
    outputs = shown({"text/markdown": "*x*"}), shown({"text/html": "<b>x</b>", "text/plain": "plain"})
    given = notebook(code("for x in y: pass", *outputs), words("*x*"))
    for late in (False, True):
        moments = itertools.chain([0.0], itertools.repeat(9.0 if late else 1.0))
        first, second = judged(read(given, LINKS, moments.__next__)).cells
        drawn = ("<span" in first.body, "<em>" in first.outputs[0].body, "<em>" in second.body)
        assert drawn == ((False,) * 3 if late else (True,) * 3)
        table = first.outputs[1]
        assert (table.kind, str(table.body)) == (("text", "plain") if late else ("html", "<b>x</b>"))


def test_attack_html_of_outputs_that_is_more_than_a_page_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts like text: what there is no room for any more is told in words."""
    monkeypatch.setattr(reading, "ALL", 3000)
    html = "<p>" + "x" * 993 + "</p>"
    outputs = [shown({"text/html": html, "text/plain": "plain"}) for _ in range(4)]
    kinds = [one.kind for one in cells(code("", *outputs)).cells[0].outputs]
    assert kinds == ["html", "html", "text", "text"]


def test_attack_a_link_of_an_output_that_reaches_back() -> None:
    """Whoever is there learns nothing of the page it was in, and holds no window, whatever the output asks for."""
    said = cleaned('<a href="https://example.org/" rel="opener" target="_blank" onclick="x()">x</a>')
    assert said == '<a href="https://example.org/" rel="noopener noreferrer nofollow">x</a>'
    for address in ("ftp://example.org/", "mailto:a@example.org", "//example.org/", "https:/x", "javascript:x()"):
        assert cleaned(f'<a href="{address}">x</a>') == '<a rel="noopener noreferrer nofollow">x</a>', address


def test_attack_more_elements_than_a_browser_draws() -> None:
    """Tables of single digits and letters in turn bold and not: short to send, and a tab would stand still for them."""
    table = shown({"text/html": "<table>" + "<tr><td>1" * 9000 + "</table>"})
    letters = printed("\x1b[1ma\x1b[3mb" * 4000)
    for each in (table, letters):
        page = read(notebook(*[code("x", each)] * 60), LINKS, lambda: 0.0)
        elements = sum(output.body.count("<") for cell in page.cells for output in cell.outputs) / 2
        assert 100_000 < elements < reading.ALL / reading.ELEMENT + 30_000


def test_a_hundred_thousand_cells_are_cut() -> None:
    """With how many are not shown; the pages of the first ones come all the same."""
    sheet = cells(*[words(f"cell {number}") for number in range(100_000)])
    assert len(sheet.cells) == reading.CELLS and sheet.cut == 100_000 - reading.CELLS


def test_what_is_long_is_cut_and_said_to_be() -> None:
    """A cell, an output, many outputs, and a page of them."""
    sheet = cells(
        code("y" * (reading.CELL + 1), printed("z" * (reading.OUTPUT + 1)), *[printed("w")] * reading.OUTPUTS)
    )
    only = sheet.cells[0]
    assert only.cut and only.outputs[0].cut and only.more and len(only.outputs) == reading.OUTPUTS
    whole = cells(*[code("y" * reading.CELL) for _ in range(100)])
    assert sum(len(cell.body) for cell in whole.cells) <= reading.ALL and whole.cut > 50


def test_pictures_are_what_their_bytes_are() -> None:
    """An SVG, HTML or nothing under the name of a picture is none; a good one is served by its digest."""
    svg = base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg' onload='owned()'/>").decode()
    for bad in (svg, base64.b64encode(b"<html>").decode(), "not base64!", 7, None, ["a", 3], ""):
        made = output(shown({"image/png": bad, "text/plain": "plain"}))
        assert made.kind == "text" and made.needs_lab
    assert output(shown({"image/svg+xml": "<svg onload=owned()>", "text/plain": "plain"})).kind == "text"
    made = output(shown({"image/png": [PICTURE[:20], "\n", PICTURE[20:]]}))
    assert re.fullmatch(r"/s/x/~v/-/picture/sub/shared/nb\.ipynb\?of=[0-9a-f]{32}", made.picture)


def test_more_pictures_than_are_held_are_told_in_words() -> None:
    """The limits of number and bytes hold over the whole notebook."""
    tones = [png(2, 2, tone % 250) + bytes([tone // 250]) for tone in range(reading.PICTURES + 5)]
    sheet = cells(*[code("x", shown({"image/png": base64.b64encode(tone).decode()})) for tone in tones])
    assert len(sheet.pictures) == reading.PICTURES and sheet.cells[-1].outputs[0].kind == ""


def test_attachments_are_the_cells_own() -> None:
    """By name, from that cell and no other."""
    mine = words("![x](attachment:p.png)", attachments={"p.png": {"image/png": PICTURE}})
    sheet = cells(mine, words("![x](attachment:p.png)"))
    assert "?of=" in sheet.cells[0].body and "<img" not in sheet.cells[1].body


JUNK: list[Any] = [None, 3, "x", [], {}, {"cells": None}, {"cells": [None, 3, {}]}, {"cells": [{"cell_type": ["x"]}]}]
JUNK += [{"cells": [{"cell_type": kind, "source": {"a": 1}, "outputs": 5, "id": {}}]} for kind in ("code", "raw", 7)]
JUNK += [{"cells": [code("x", {"output_type": "stream"}, {"output_type": "error", "traceback": [1, None]}, {})]}]
JUNK += [{"cells": [code("x", {"output_type": "display_data", "data": data})]} for data in (None, [], {"text/html": 5})]
JUNK += [{"metadata": {"language_info": {"name": "no-such-language" * 100}}, "cells": [code("x")]}]
JUNK += [{"cells": [words("\ud800 half"), code("\udfff", printed("\ud800"), shown({"text/plain": "\ud800"}))]}]


@pytest.mark.parametrize("content", JUNK, ids=lambda one: repr(one)[:40])
def test_what_is_no_notebook_is_no_fault(content: object) -> None:
    """Unknown shapes are passed over; what is shown can be sent."""
    for cell in judged(read(content, LINKS)).cells:
        str(cell.body).encode()


def test_a_cell_keeps_its_key_and_tells_whether_it_changed() -> None:
    """The page replaces what has another digest, and nothing else; keys that are none or doubled are replaced."""
    before = cells(words("a"), code("b", printed("1")), words("c"))
    after = cells(words("a"), code("b", printed("2")), words("c"))
    same = [one.digest == other.digest for one, other in zip(before.cells, after.cells, strict=True)]
    assert same == [True, False, True]
    odd = cells(words("a", id="x"), words("b", id="x"), words("c", id='"><script>'), words("d", id=4))
    assert [cell.key for cell in odd.cells] == ["x", "_1", "_2", "_3"]


def test_progress_is_shown_as_a_terminal_shows_it() -> None:
    """Only what a line said at last, colours as classes, other escapes gone, markup as text."""
    assert output(printed("10%\r50%\r100%\r\ndone")).body == "100%\ndone"
    told = output(printed("\x1b[1;31m<b>\x1b[0m \x1b]0;title\x07\x1b[2Jx\x1b[38;5;196my\x08\x07")).body
    assert told == '<span class="ansi-red bold">&lt;b&gt;</span> xy'


def test_a_table_of_pandas_keeps_its_cells() -> None:
    """Rows, columns and heads, without classes and styles."""
    body = str(output(shown({"text/html": TABLE})).body)
    assert body.count("<tr>") == 3 and body.count("<td>") == 8 and "dataframe" not in body

"""A stranger's text on our page."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.releases.markup import as_html

HARMLESS = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "s", "strong", "ul",
}  # fmt: skip


class Seen(HTMLParser):
    """Which elements and attributes there are."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name: value or "" for name, value in attrs}


def test_it_shows_words_lists_code_and_links() -> None:
    html = as_html("# 1.2\n\n- *new* [docs](https://acme.example/?a=1&b=2)\n- `code`\n\n~~old~~")
    assert "<h3>1.2</h3>" in html
    assert "<li><em>new</em>" in html
    link = '<a href="https://acme.example/?a=1&amp;b=2" rel="noopener noreferrer nofollow">docs</a>'
    assert link in html
    assert "<code>code</code>" in html
    assert "<s>old</s>" in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<iframe src='https://evil.example'></iframe>",
        "a <b onclick=alert(1)>b</b>",
        "<!-- --><style>*{display:none}</style>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](vbscript:x)",
        "<javascript:alert(1)>",
        "![x](https://evil.example/pixel.gif)",
        "[x]: javascript:alert(1)\n\n[x]",
        '[x](https://a.example "onmouseover=alert(1)")',
        "[x](https://a.example/\"onmouseover='alert(1)')",
        '```"><script>alert(1)</script>\nx\n```',
    ],
)
def test_it_lets_nothing_through_that_could_act(text: str) -> None:
    seen = Seen(as_html(text))
    assert seen.elements <= HARMLESS
    assert seen.attributes.keys() <= {"href", "rel", "class"}
    assert seen.attributes.get("href", "https:").startswith("https:")


def test_it_loads_no_image_and_says_what_it_shows() -> None:
    assert as_html("![a <b> chart](https://evil.example/1.png)") == "<p>a &lt;b&gt; chart</p>\n"


def test_it_leads_nowhere_within_the_project() -> None:
    assert as_html("[more](CHANGELOG.md)") == "<p><a>more</a></p>\n"
    assert as_html("[more](//evil.example)") == "<p><a>more</a></p>\n"


@given(st.text(alphabet="<>[]()!`*_~#-\"'&;:/ \naj1", max_size=80))
def test_it_stays_harmless_whatever_comes(text: str) -> None:
    seen = Seen(as_html(text))
    assert seen.elements <= HARMLESS
    assert seen.attributes.keys() <= {"href", "rel", "class", "start"}

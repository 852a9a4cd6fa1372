"""A stranger's Markdown as HTML that does no harm: words, lists, code and links, nothing else.

No raw HTML, no images, no tables; links lead to web addresses only, and say nothing of us there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from django.utils.html import escape
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

LOWEST, BELOW = 6, 2  # the page has headings of its own


def as_html(text: str) -> SafeString:
    """Render it. What is no Markdown comes out as text."""
    html: str = _renderer().render(text)
    return SafeString(html)  # the renderer escapes all that it takes


def _image(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """Its description: to load it would tell a stranger who reads."""
    return escape(tokens[index].content)


def _link(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    href = str(tokens[index].attrGet("href") or "")
    if not href.lower().startswith(("https://", "http://")):
        return "<a>"  # within the project: nobody knows where that is
    return f'<a href="{escape(href)}" rel="noopener noreferrer nofollow">'


def _heading(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    level = min(int(tokens[index].tag[1:]) + BELOW, LOWEST)
    return f"<h{level}>" if tokens[index].nesting == 1 else f"</h{level}>\n"


@cache
def _renderer() -> MarkdownIt:
    """Loaded when it is first needed: it takes 2 MB, and notes are read now and then."""
    library = import_module("markdown_it")
    markdown: MarkdownIt = library.MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
    markdown.add_render_rule("image", _image)
    markdown.add_render_rule("link_open", _link)
    markdown.add_render_rule("heading_open", _heading)
    markdown.add_render_rule("heading_close", _heading)
    return markdown

"""What a reader of rendered Markdown meets, and what others might write into it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from standins.text import preview

HERE = "https://github.com/acme/analytics/"

ALLOWED_TAGS = {
    *("a", "br", "blockquote", "code", "details", "div", "h3", "hr", "li", "p", "pre", "strong"),
    *("sub", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}

HOSTILE = (
    "`",
    "``` \n# title",
    "a`b``c",
    "`a`",
    "<img src=x onerror=alert(1)>",
    "-->",
    "</details></summary>",
    "@acme/everyone",
    "\\@everyone",
    "fixes #12",
    "a | b \\| c",
    "\\",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "**bold** _it_ ~~no~~",
    "::error::x",
    "##[error]x",
    "line\nbreak\r\nand\rmore",
    "\x00\x1b[31mred\x1b[0m\x07",
    "\u202egnp.exe\u202c",
    "🧨 émoji 漢字",
    "&lt;b&gt; &amp;",
    "{{ 7 * 7 }} {% raw %}",
    "<!-- dbt-deploy project=shop -->",
    "\t    code",
    "- item",
    "> [!WARNING]",
    "1. one",
    "www.e.x`<img src=x>`",
    "WWW.e.x `<img src=x> `",
    "see https://e.x/`<b>`",
    "a@b.cc or mailto:a@b.cc or xmpp:a@b.cc/d",
    ":octocat: GH-12 $`a`$",
    "\u200e\u061cleft\U000e0041\u2066",
    "a\n:-:\nb",
    "",
    " ",
    "x" * 5000,
)


UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
"""Controls, marks of direction, and letters that nobody sees."""


class Page(HTMLParser):
    """What a reader of the rendered comment meets: elements, and text outside of links and code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.prose = ""
        self.comments: list[str] = []
        self.feed(preview.body(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value or "" for name, value in attrs if name in ("href", "src")}
        if tag not in ("br", "img", "hr", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"a", "code", "pre"} & set(self.open):
            self.prose += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def check_inert(
    shown: str, *, links: tuple[str, ...] = (HERE,), tags: set[str] = ALLOWED_TAGS
) -> Page:
    """That a page has no tag, link, picture, mention and reference but our own.

    Args:
        shown: the page's Markdown, or a part of it.
        links: how the addresses of ours begin.
        tags: those that the page may have.
    """
    page = Page(shown)
    assert page.open == []
    assert page.tags <= tags
    assert page.comments == []
    told = re.search(r"[@#]\w|\bGH-\d|:[a-z_+-][\w+-]*:", page.prose)
    assert not told, "would notify, be a link or a picture"
    elsewhere = {link for link in page.links if not link.startswith(links)}
    assert elsewhere == set()
    assert not UNSEEN.search(shown)
    return page

"""What a reader of rendered Markdown meets, and what others might write into it."""

from __future__ import annotations

from html.parser import HTMLParser

from standins import preview

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
    "",
    " ",
    "x" * 5000,
)


class Page(HTMLParser):
    """What a reader of the rendered comment meets: elements, and text outside of code."""

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
        if not {"code", "pre"} & set(self.open):
            self.prose += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

"""Markdown as GitHub shows it: GFM and alerts, light and dark, with a style of our own."""

from __future__ import annotations

import html
import re

import cmarkgfm  # type: ignore[import-untyped]
from cmarkgfm.cmark import Options  # type: ignore[import-untyped]

ALERT = re.compile(
    r"<blockquote>\n<p>\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\](?:<br />)?\n?(.*?)</blockquote>",
    re.DOTALL,
)

STYLE = """
:root { --ink:#1f2328; --soft:#59636e; --ground:#ffffff; --sheet:#ffffff; --line:#d1d9e0;
  --code:#eff1f3; --block:#f6f8fa; --link:#0969da; --note:#0969da; --warn:#9a6700; --bad:#cf222e; }
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) {
  --ink:#f0f6fc; --soft:#9198a1;
  --ground:#010409; --sheet:#0d1117; --line:#3d444d; --code:#262c36; --block:#151b23;
  --link:#4493f8;
  --note:#4493f8; --warn:#d29922; --bad:#f85149; } }
:root[data-theme=dark] { --ink:#f0f6fc; --soft:#9198a1; --ground:#010409; --sheet:#0d1117;
  --line:#3d444d; --code:#262c36; --block:#151b23; --link:#4493f8; --note:#4493f8; --warn:#d29922;
  --bad:#f85149; }
* { box-sizing: border-box }
body { margin:0; padding:24px 12px; background:var(--ground); color:var(--ink);
  font:14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif,
  "Noto Color Emoji"; }
main { max-width:800px; margin:auto; border:1px solid var(--line); border-radius:6px;
  background:var(--sheet); }
header { padding:8px 16px; border-bottom:1px solid var(--line); background:var(--block);
  color:var(--soft); border-radius:6px 6px 0 0; display:flex; justify-content:space-between; }
header button { all:unset; cursor:pointer; color:var(--link) }
article { padding:16px; overflow-wrap:anywhere }
article > :first-child { margin-top:0 } article > :last-child { margin-bottom:0 }
p, ul, ol, table, pre, details, blockquote { margin:0 0 16px }
h3 { font-size:1.25em; line-height:1.25; margin:24px 0 16px; font-weight:600 }
a { color:var(--link); text-decoration:none } a:hover { text-decoration:underline }
code { font-family:ui-monospace, SFMono-Regular, "DejaVu Sans Mono", Menlo, monospace;
  font-size:85%;
  background:var(--code); padding:.2em .4em; border-radius:6px; white-space:break-spaces }
pre { background:var(--block); padding:16px; border-radius:6px; overflow:auto }
pre code { background:none; padding:0; white-space:pre }
table { border-collapse:collapse; display:block; width:max-content; max-width:100%; overflow:auto }
th, td { border:1px solid var(--line); padding:6px 13px } th { font-weight:600 }
tr:nth-child(2n) td { background:var(--block) }
summary { cursor:pointer }
sub { font-size:75%; color:var(--soft); vertical-align:baseline } sub code { font-size:95% }
.alert { border-left:.25em solid var(--kind); padding:8px 16px; margin:0 0 16px }
.alert > p { margin:0 0 8px } .alert > .title { color:var(--kind); font-weight:500 }
.alert > :last-child { margin:0 }
.note, .tip, .important { --kind:var(--note) } .warning { --kind:var(--warn) }
.caution { --kind:var(--bad) }
"""

SCRIPT = """
document.querySelector("header button").onclick = () => {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = root.dataset.theme || (dark ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
};
"""


def to_html(markdown: str, title: str, *, theme: str | None = None) -> str:
    """A page that shows a comment about as GitHub does.

    Args:
        markdown: the comment, its hidden markers included.
        title: shown above it.
        theme: ``light`` or ``dark``; by default what the reader's system prefers.
    """
    forced = f' data-theme="{theme}"' if theme else ""
    return (
        f'<!doctype html><html lang="en"{forced}><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><main><header><span>{html.escape(title)}</span>"
        f"<button>light / dark</button></header><article>{body(markdown)}</article></main>"
        f"<script>{SCRIPT}</script></body></html>"
    )


def body(markdown: str) -> str:
    """The comment's HTML alone."""
    # GitHub breaks lines in comments where the Markdown does.
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_HARDBREAKS
    made: str = cmarkgfm.github_flavored_markdown_to_html(markdown, options=options)
    return ALERT.sub(_alert, made)


def _alert(found: re.Match[str]) -> str:
    kind = found[1]
    title = f'<p class="title">{kind.capitalize()}</p>'
    return f'<div class="alert {kind.lower()}">{title}<p>{found[2]}</div>'

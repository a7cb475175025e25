"""Text of others in Markdown, as GitHub's own parser reads it."""

from __future__ import annotations

import re

import pytest

from dbtdeploy.base import markdown
from standins.text import hostile, pages, preview

SPANS = (
    "{}",
    "text {} and `<b>` then",
    "- **{}**, see `<i>`",
    "> {} `x`",
    "### {}",
    "| a | b |\n| - | - |\n| {} | `c` |",
    "<sub>{} `<b>`</sub>",
    "[{}](https://github.com/acme/analytics/x)",
)
"""Where templates put words of one line."""

TAGS = pages.ALLOWED_TAGS | {"h3"}


@pytest.mark.fault(44, 71)
@hostile.written
def test_a_code_span_is_inert_wherever_it_stands(text: str) -> None:
    for around in SPANS:
        pages.check_inert(around.format(markdown.code(text)), tags=TAGS)


@pytest.mark.fault(44, 71)
@hostile.written
def test_words_are_inert_wherever_they_stand(text: str) -> None:
    for around in SPANS:
        pages.check_inert(around.format(markdown.inline(text)), tags=TAGS)


@pytest.mark.fault(44, 71)
@hostile.written
def test_sentences_are_inert_wherever_they_stand(text: str) -> None:
    for around in (*SPANS[:4], "text\n{}\ntext", "text {} after `<b>`"):
        pages.check_inert(around.format(markdown.prose(text)), tags=TAGS)


@pytest.mark.fault(44, 71)
@hostile.written
def test_a_fence_holds_all_of_its_text(text: str) -> None:
    made = pages.check_inert(f"a\n\n{markdown.fence(text)}\n\n`<b>` after")
    assert made.tags == {"p", "pre", "code"}
    assert len(re.findall("<pre[ >]", preview.body(markdown.fence(text)))) == 1


@pytest.mark.fault(71)
@hostile.written
def test_an_address_ends_no_link_and_runs_nothing(text: str) -> None:
    for url in (text, f"https://github.com/acme/analytics/{text}", f"javascript:{text}"):
        shown = markdown.link("`x`", url)
        if shown != "`x`":
            page = pages.check_inert(f"{shown} `<b>`", links=(pages.HERE, "#", "http", "HTTP"))
            assert len(page.links) == 1


@pytest.mark.parametrize("part", ["script", "data", "vbscript"])
def test_only_addresses_of_the_web_are_links(part: str) -> None:
    assert markdown.address(f"{part}:alert(1)") == "#"
    assert markdown.address("//e.x/y") == "#"
    assert markdown.address("https://e.x/y?z=1#a") == "https://e.x/y?z=1#a"


def test_what_people_copy_stays_what_it_is() -> None:
    said = "See https://www.githubstatus.com, or (https://docs.astral.sh/uv/) for `a b`."
    assert markdown.prose(said) == (
        "See `https://www.githubstatus.com`, or (`https://docs.astral.sh/uv/`) for `a b`."
    )


def test_half_a_character_is_left_out() -> None:
    assert markdown.clean("a\ud83db") == "ab"
    assert markdown.code("a\ud83db").encode() == b"`ab`"

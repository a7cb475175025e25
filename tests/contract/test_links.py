"""Links between our own pages lead somewhere: to a file that is there, and to a heading in it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from contract.actions import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?://)([^()\s]*)\)|(?:src|srcset)=\"([^\"]+)\"")
LABEL = re.compile(r"\[([^\]]*)\]\([^)]*\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings; of two that are alike, the second gets a number."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found: Counter[str] = Counter()
    made = set()
    for heading in HEADING.findall(text):
        slug = re.sub(r"[^\w -]", "", LABEL.sub(r"\1", heading).lower()).replace(" ", "-")
        made.add(f"{slug}-{found[slug]}" if found[slug] else slug)
        found[slug] += 1
    return made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in {first or second for first, second in LINK.findall(text)}:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert target.resolve().is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link

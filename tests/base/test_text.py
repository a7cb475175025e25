"""Counts, ages and lists as people read them."""

from __future__ import annotations

import pytest

from dbtdeploy.base import text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "less than a minute ago"),
        (59, "less than a minute ago"),
        (60, "1 minute ago"),
        (7199, "1 hour ago"),
        (3 * 86400, "3 days ago"),
    ],
)
def test_age(seconds: int, said: str) -> None:
    assert text.age(seconds) == said


@pytest.mark.parametrize(
    ("names", "said", "lines"),
    [
        ([], "", ""),
        (["a", "b"], "a, b", "- a\n- b"),
        (["a", "b", "c"], "a, b and 1 more", "- a\n- b\n- and 1 more"),
        (["a", "b"] + ["c"] * 1000, "a, b and 1,000 more", "- a\n- b\n- and 1,000 more"),
    ],
)
def test_long_lists_are_cut_and_the_rest_is_counted(
    names: list[str], said: str, lines: str
) -> None:
    assert text.first(names, 2) == said
    assert text.bullets(names, 2) == lines

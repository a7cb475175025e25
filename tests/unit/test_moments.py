"""Times, as dbt and others write them."""

from __future__ import annotations

import pytest

from dbtdeploy import moments, phrases


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-20T21:15:17Z", "2026-11-20 21:15 UTC"),
        ("2026-11-20T21:15:17.98Z", "2026-11-20 21:15 UTC"),
        ("2026-11-20T21:15:17.123456789+00:00", "2026-11-20 21:15 UTC"),
        ("2026-11-20T23:15:17+02:00", "2026-11-20 21:15 UTC"),
        ("2026-11-20T21:15:17", "2026-11-20 21:15 UTC"),
        ("yesterday", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_time_is_read_whatever_its_spelling(text: str | None, said: str) -> None:
    assert moments.for_people(text) == said


def test_what_is_written_is_read_again() -> None:
    text = moments.now()
    moment = moments.parse(text)
    assert moment is not None
    assert moments.written(moment) == text


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
    assert phrases.age(seconds) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-21T06:20:00Z", "06:20 UTC (12 minutes)"),
        ("2026-11-21T06:31:40Z", "06:31 UTC (less than a minute)"),
        ("2026-11-21T06:40:00Z", "06:40 UTC (less than a minute)"),
        ("2026-11-21T05:32:00Z", "05:32 UTC (1 hour)"),
        ("2026-11-20T23:32:00Z", "2026-11-20 23:32 UTC (7 hours)"),
        ("2026-11-18T06:32:00+00:00", "2026-11-18 06:32 UTC (3 days)"),
        ("yesterday", "yesterday"),
        ("", "a time unknown"),
    ],
)
def test_since(text: str, said: str) -> None:
    now = moments.parse("2026-11-21T06:32:00Z")
    assert now is not None
    assert moments.since(text, now) == said

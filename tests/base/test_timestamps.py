"""Times, as dbt and others write them."""

from __future__ import annotations

import pytest

from dbtdeploy.base import timestamps


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
    assert timestamps.for_people(text) == said


def test_what_is_written_is_read_again() -> None:
    text = timestamps.now()
    moment = timestamps.parse(text)
    assert moment is not None
    assert timestamps.written(moment) == text


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
    now = timestamps.parse("2026-11-21T06:32:00Z")
    assert now is not None
    assert timestamps.since(text, now) == said

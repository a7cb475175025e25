"""Counts, ages and addresses as people read them: plain text. Pure."""

from __future__ import annotations

import re

MINUTE, HOUR, DAY = 60, 3600, 86_400
"""Seconds."""

WEB = re.compile(r"https?://[\w.-]+(:\d+)?(/\S*)?")
"""An address that may be shown as a link."""


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 model``, ``2 models``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def age(value: float) -> str:
    """``3 hours ago``."""
    return f"{old(value)} ago"


def old(value: float) -> str:
    """``3 hours``."""
    for size, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if value >= size:
            return plural(int(value // size), name)
    return "less than a minute"

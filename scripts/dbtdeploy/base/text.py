"""Counts, ages and addresses as people read them: plain text. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

MINUTE, HOUR, DAY = 60, 3600, 86_400
"""Seconds."""

WEB = re.compile(r"https?://[\w.-]+(:\d+)?(/\S*)?")
"""An address that may be shown as a link."""


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 model``, ``2 models``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def identifier(name: str) -> str:
    """A name as SQL is written for people: quoted only where PostgreSQL would not read it so."""
    plain = re.fullmatch("[a-z_][a-z0-9_$]*", name)
    return name if plain else quoted(name)


def quoted(name: str) -> str:
    """A name in SQL, in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def lasted(seconds: float) -> str:
    """``3 hours``, in whole units of the largest kind."""
    for size, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= size:
            return plural(int(seconds // size), name)
    return "less than a minute"


def age(seconds: float) -> str:
    """``3 hours ago``."""
    return f"{lasted(seconds)} ago"


def first(names: Sequence[str], most: int) -> str:
    """``a, b and 3 more``: at most ``most`` of them, and the rest counted."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def bullets(lines: Sequence[str], most: int) -> str:
    """A list, an item a line: at most ``most`` of them, and the rest counted."""
    more = len(lines) - most
    items = [f"- {line}" for line in lines[:most]]
    return "\n".join([*items, f"- and {more:,} more"] if more > 0 else items)

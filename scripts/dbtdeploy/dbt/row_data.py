"""What of dbt's output may hold rows of data, for the input ``hide-row-data``. Pure.

A warehouse quotes rows in its errors (``Key (email)=(...) already exists``); dbt prints them on its
console and logs them. Messages of nodes are left out by the report; this is for everything else.
"""

from __future__ import annotations

import re

HIDDEN = (
    "The warehouse's message may hold rows, and `hide-row-data` leaves it out. "
    "Build it yourself to see it."
)

PROGRESS = re.compile(
    r"\d+ of \d+ (START|OK|PASS|FAIL|WARN|ERROR|SKIP|NO-OP|REUSED|PARTIAL|CANCEL)"
    r"|Running with dbt=|Registered adapter|Found \d+|Concurrency:|Finished running|Done\. PASS="
)
"""Lines of ``dbt build`` that tell how far it is (dbt 1.8 to 1.12): names, counts, times."""

STARTED = re.compile(r"\d+ of \d+ START ")


def is_progress(line: str) -> bool:
    """Whether a line of dbt's console can be shown where rows must not be."""
    return PROGRESS.search(line) is not None


def is_start(line: str) -> bool:
    """Whether a line of dbt's console says that a node has begun."""
    return STARTED.search(line) is not None


def without_rows(message: str) -> str:
    """An error as dbt logged it, its text left out where it is the warehouse's."""
    return HIDDEN if "Database Error" in message else message

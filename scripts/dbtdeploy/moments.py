"""Times as dbt writes them, and as our files hold them: ISO 8601, UTC. Pure but for ``now``."""

from __future__ import annotations

import re
from datetime import datetime, timezone

FRACTION = re.compile(r"\.(\d{1,9})")


def parse(text: str | None) -> datetime | None:
    """A time with its zone, UTC where none is written; None for what is no time."""
    # Python before 3.11 knows neither the Z nor a fraction that has not three or six digits.
    plain = FRACTION.sub(lambda found: f".{found[1][:6]:0<6}", (text or "").replace("Z", "+00:00"))
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def written(moment: datetime) -> str:
    """A time as our files hold it, to the millisecond."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")


def for_people(text: str | None) -> str:
    """A time as ``2026-11-21 09:00 UTC``; empty for what is no time."""
    moment = parse(text)
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC") if moment else ""


def now() -> str:
    """This moment, as our files hold it."""
    return written(datetime.now(timezone.utc))

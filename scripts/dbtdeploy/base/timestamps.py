"""Times as dbt writes them, and as our files hold them: ISO 8601, UTC. Pure but for ``now``."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from dbtdeploy.base.text import lasted

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


def clock(moment: datetime, today: datetime) -> str:
    """``06:20 UTC``, with the date before it where that is not the day of ``today``."""
    moment, today = moment.astimezone(timezone.utc), today.astimezone(timezone.utc)
    return moment.strftime("%H:%M UTC" if moment.date() == today.date() else "%Y-%m-%d %H:%M UTC")


def since(text: str, at: datetime) -> str:
    """``06:20 UTC (12 minutes)``; what is no time is shown as it is.

    Args:
        text: when it began.
        at: the moment to count to.
    """
    moment = parse(text)
    if moment is None:
        return text or "a time unknown"
    return f"{clock(moment, at)} ({lasted((at - moment).total_seconds())})"


def now() -> str:
    """This moment, as our files hold it."""
    return written(datetime.now(timezone.utc))

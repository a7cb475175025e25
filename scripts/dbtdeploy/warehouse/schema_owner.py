"""The comment that marks a schema as a pull request's own. Pure.

The first line says whose it is and never changes; the second when it was last used. Both hold
nothing that a SQL string would have to escape. What is read back was in the warehouse meanwhile,
where others write too: a line that is not exactly as we write it is no mark.
"""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import quote, unquote

from msgspec import Struct

from dbtdeploy.base import timestamps
from dbtdeploy.context.work_files import Run

PLACE = re.compile(r"pull_request=([1-9][0-9]{0,17})|ref=(\S+)")
LAST_USED = "last used "


class Owner(Struct, frozen=True, kw_only=True):
    """Whose a schema is: a pull request's, or a branch's for runs without a number."""

    pull_request: int | None = None
    ref: str = ""

    def __str__(self) -> str:
        """For people."""
        return f"pull request {self.pull_request}" if self.pull_request else f"branch {self.ref}"


class OwnerMark(Struct, frozen=True, kw_only=True):
    """A mark as read back."""

    owner: Owner
    last_used: datetime | None


def schema_mark(run: Run) -> str:
    """The comment for the schemas of this run."""
    event = run.event
    owner = Owner(pull_request=event.pull_request, ref=event.ref)
    return f"{owner_line(run, owner)}\n{LAST_USED}{run.started_at}"


def owner_line(run: Run, owner: Owner) -> str:
    """The first line of a mark of this run's project and target."""
    number = owner.pull_request
    return place_prefix(run) + (
        f"pull_request={number}" if number is not None else f"ref={quote(owner.ref)}"
    )


def place_prefix(run: Run) -> str:
    """What all marks of this run's repository, project and target begin with."""
    return (
        f"dbt-deploy repository={quote(run.event.repository)} project={quote(run.dbt.name)} "
        f"target={quote(run.dbt.target or '')} "
    )


def read_mark(comment: str, run: Run) -> OwnerMark | None:
    """The mark that a schema's comment is; None if it is none of this run's project and target."""
    first, _, second = comment.partition("\n")
    prefix = place_prefix(run)
    place = PLACE.fullmatch(first.removeprefix(prefix)) if first.startswith(prefix) else None
    if place is None:
        return None
    used = second.removeprefix(LAST_USED) if second.startswith(LAST_USED) else None
    number = int(place[1]) if place[1] else None
    return OwnerMark(
        owner=Owner(pull_request=number, ref=unquote(place[2] or "")),
        last_used=timestamps.parse(used),
    )

"""Which of the schemas that bear our mark are no longer needed, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from dbtdeploy.base import text
from dbtdeploy.github.pull_requests_api import Answers
from dbtdeploy.teardown.teardown_files import KeptSchema, MarkedSchema, WantedSchema
from dbtdeploy.warehouse.schema_owner import OwnerMark

UNKNOWN = (
    "GitHub does not know pull request {number} of this repository, or the token cannot see it"
)
UNASKED = "GitHub did not say whether pull request {number} is closed"
UNDATED = "its mark does not say when it was last used"
UNREADABLE = "its mark is not as dbt-deploy writes it"

UNKNOWN_REMEDY = (
    "Give the job `permissions: pull-requests: read` or more; if there is no such pull request, "
    "drop the schema by hand."
)
BY_HAND = "Drop the schema by hand if nobody needs it."


class SweepPlan(Struct, frozen=True, kw_only=True):
    """What goes and what stays."""

    wanted: tuple[WantedSchema, ...]
    kept: tuple[KeptSchema, ...]


def choose(
    schemas: Iterable[tuple[MarkedSchema, OwnerMark | None]],
    answers: Answers,
    *,
    now: datetime,
    older_than_days: int,
) -> SweepPlan:
    """Tell apart what is no longer needed from what may still be.

    Args:
        schemas: those that bear our mark, each with its mark as it was read.
        answers: what GitHub says of their pull requests.
        now: this moment.
        older_than_days: from which age on a schema goes whose pull request is open, or has none.

    Where there is doubt, the schema stays: GitHub does not know the pull request or did not
    answer, or the mark has no time.
    """
    wanted: list[WantedSchema] = []
    kept: list[KeptSchema] = []
    for schema, mark in schemas:
        if mark is None:
            kept.append(_kept(schema, None, UNREADABLE, BY_HAND))
            continue
        why, remedy, goes = _judge(mark, answers, now, older_than_days)
        if goes:
            wanted.append(WantedSchema(schema=schema, owner=mark.owner, why=why))
        else:
            kept.append(_kept(schema, mark, why, remedy))
    return SweepPlan(wanted=tuple(wanted), kept=tuple(kept))


def _judge(
    mark: OwnerMark, answers: Answers, now: datetime, older_than_days: int
) -> tuple[str, str, bool]:
    """Why it goes or stays, what to do if it stays, and whether it goes."""
    number = mark.owner.pull_request
    if number is not None:
        pull = answers.known.get(number)
        if pull is None:
            return UNASKED.format(number=number), "The next sweep asks again.", False
        if not pull.known:
            return UNKNOWN.format(number=number), UNKNOWN_REMEDY, False
        if pull.closed:
            return "merged" if pull.merged else "closed without a merge", "", True
    if mark.last_used is None:
        return UNDATED, BY_HAND, False
    unused = (now - mark.last_used).total_seconds()
    return f"last used {text.age(unused)}", "", unused >= older_than_days * text.DAY


def _kept(schema: MarkedSchema, mark: OwnerMark | None, reason: str, remedy: str) -> KeptSchema:
    return KeptSchema(
        schema=schema.schema,
        reason=reason,
        remedy=remedy,
        owner=str(mark.owner) if mark else "",
        pull_request=mark.owner.pull_request if mark else None,
    )

"""What people read of a clean-up: the step summary and the log; and its failure. Pure."""

from __future__ import annotations

from dbtdeploy.base import errors, markdown, text
from dbtdeploy.clean_up.clean_up_files import CleanUpDone
from dbtdeploy.context.policies import CleanUp
from dbtdeploy.dbt import dbt_error_hints
from dbtdeploy.report import render
from dbtdeploy.warehouse.release_macro_types import CleanedUp

MOST = 300
"""Rows of a table in the summary; the log has all."""

MOST_CHARS = 600
"""Of the warehouse's words about one thing."""

LISTED = 10

WORDS = {
    "dropped": "dropped",
    "would drop": "would drop",
    "stays": "stays",
    "busy": "in use, stays until the next clean-up",
    "failed": "not dropped",
}


def lines(done: CleanUpDone) -> list[str]:
    """What became of each thing, a line each."""
    said = [
        f"{WORDS.get(one.outcome, one.outcome)}: {one.name}: {why(one)}" for one in done.outcomes
    ]
    return said or ["Nothing that releases left is old enough to go."]


def why(one: CleanedUp) -> str:
    """Its reason, with the first details, in one line."""
    details = text.first(one.detail, LISTED)
    said = f"{one.why}: {details}" if details else one.why
    return markdown.shortened(" ".join(said.split()), MOST_CHARS)


def summary(done: CleanUpDone, policy: CleanUp) -> str:
    """The step summary."""
    return render.template(
        "clean_up/summary.md.j2",
        done=done,
        policy=policy,
        gone=done.of("dropped", "would drop"),
        failed=done.of("failed"),
        stays=done.of("stays", "busy"),
        why=why,
        most=MOST,
    )


def refuse_failures(done: CleanUpDone) -> None:
    """Refuse to end well where something could not be dropped.

    Raises:
        CleanUpIncomplete: names it, in the warehouse's words.
    """
    failed = done.of("failed")
    if not failed:
        return
    listed = text.bullets([f"{one.name}: {why(one)}" for one in failed], LISTED)
    raise errors.CleanUpIncomplete(
        f"These are still there:\n{listed}",
        not_done="They were left as they are; all others that were to go are dropped.",
        remedy=dbt_error_hints.remedy_for("\n".join(line for one in failed for line in one.detail)),
    )

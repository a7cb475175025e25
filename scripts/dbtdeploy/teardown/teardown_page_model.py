"""What people read of a teardown: the step summary, and lines atop the comment. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from dbtdeploy.base import markdown, timestamps
from dbtdeploy.context.policies import TeardownPolicy
from dbtdeploy.context.work_files import Run
from dbtdeploy.github.comment_marker import LIMIT_BYTES, parse_run_mark
from dbtdeploy.report import render
from dbtdeploy.teardown.teardown_files import KeptSchema, Teardown

BEGIN = "<!-- dbt-deploy-torn-down -->"
END = "<!-- dbt-deploy-torn-down-end -->"

MOST_ROWS = 200
"""Of a table in the summary; two tables of them are far from GitHub's limit."""

MOST_CHARS = 600
"""Of a reason or a remedy."""

MOST_NAMES = 10
"""Of the schemas that a comment names."""


def summary(run: Run, done: Teardown) -> str:
    """The step summary."""
    pulls = f"{run.event.server_url}/{run.event.repository}/pull/"
    return render.template(
        "teardown.md.j2",
        done=done,
        left=[_one_line(one) for one in done.kept if one.should_go],
        used=[_one_line(one) for one in done.kept if not one.should_go],
        most=MOST_ROWS,
        pulls=pulls,
        project=run.dbt.name,
        target=run.dbt.target,
        sweep=run.of(TeardownPolicy).sweep,
        unasked=done.unasked.partition("\n")[0],
    )


def pull_requests(done: Teardown) -> list[int]:
    """Those whose comment has something to say: a schema went, or should have gone.

    Not those that only the schema of another role names: anyone who may make schemas can mark one.
    """
    numbers = {one.pull_request for one in done.dropped}
    numbers |= {one.pull_request for one in done.kept if one.should_go and not one.foreign}
    return sorted(number for number in numbers if number is not None)


def words(run: Run, done: Teardown, number: int) -> str:
    """What a pull request's comment says of its schemas."""
    return render.template(
        "torn_down.md.j2",
        dropped=[one.schema for one in done.dropped if one.pull_request == number],
        left=[
            _one_line(one)
            for one in done.kept
            if one.pull_request == number and one.should_go and not one.foreign
        ],
        most=MOST_NAMES,
        when=timestamps.for_people(done.finished_at),
        run_url=run.event.run_url,
    )


def amend(body: str, text: str) -> str:
    """A comment with these words on top, in place of those of an earlier teardown.

    Args:
        body: as GitHub has it, with the hidden lines that begin it.
        text: the words.

    Returns:
        The new body; the old one if it would be longer than GitHub keeps.
    """
    lines = body.replace("\r\n", "\n").split("\n")
    hidden = 2 if parse_run_mark(body) else 1
    head, rest = lines[:hidden], lines[hidden:]
    if rest[:1] == [BEGIN] and END in rest:
        rest = rest[rest.index(END) + 1 :]
        rest = rest[1:] if rest[:1] == [""] else rest
    amended = "\n".join([*head, BEGIN, text.strip("\n"), END, "", *rest])
    return amended if len(amended.encode()) <= LIMIT_BYTES else body


def _one_line(one: KeptSchema) -> KeptSchema:
    """Fit for a list or a table: the warehouse's words are lines of any length."""
    reason, remedy = (
        markdown.shortened(" ".join(text.split()), MOST_CHARS) for text in (one.reason, one.remedy)
    )
    return replace(one, reason=reason, remedy=remedy)

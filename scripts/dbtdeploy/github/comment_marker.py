"""The two hidden lines that a comment of ours begins with: whose it is, and which run wrote it.

    <!-- dbt-deploy project=analytics target=ci -->
    <!-- dbt-deploy-run id=123 attempt=1 commit=9f3c2e1 state=running -->

Values are percent-encoded, so that no name can end the HTML comment it stands in.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from enum import Enum
from urllib.parse import quote, unquote

from msgspec import Struct

from dbtdeploy.base import timestamps
from dbtdeploy.context.work_files import Run

MARKER = re.compile(r"<!-- dbt-deploy project=(\S*) target=(\S*) -->")
RUN_MARK = re.compile(
    r"<!-- dbt-deploy-run id=([0-9]{1,19}) attempt=([0-9]{1,9}) commit=(\S*) state=([a-z]+) -->"
)

MOST_AHEAD = 2_000_000_000
"""How far the number of a run may be ahead of ours: more than GitHub counts in the thirty days in
which a run can be run again."""

LIMIT_BYTES = 65_000
"""GitHub keeps 65,536 characters; bytes are the cautious way to count them."""

LONGEST_VALUE = 200
"""Encoded characters; a longer name is cut and told apart by a digest. Keeps both lines under
1,000 bytes, whatever a project or a target is called."""


class RunState(str, Enum):
    """How far the run was that wrote a comment."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Marker(Struct, frozen=True, kw_only=True):
    """Which comment is meant: one for each project and target on a pull request."""

    project: str
    target: str

    def render(self) -> str:
        """The body's first line."""
        return f"<!-- dbt-deploy project={encode(self.project)} target={encode(self.target)} -->"

    def marks(self, body: str) -> bool:
        """Whether a comment's body begins with this marker, and not merely holds it."""
        return _line(body, 0) == self.render()


def marker(run: Run) -> Marker:
    """Which comment is meant."""
    return Marker(project=run.dbt.name, target=run.dbt.target or "")


class RunMark(Struct, frozen=True, kw_only=True):
    """Which run wrote a comment last, and how far it was."""

    run_id: int
    run_attempt: int
    commit: str
    state: RunState

    @property
    def run(self) -> tuple[int, int]:
        """Sorts runs by age: GitHub counts run ids up, and attempts within a run."""
        return self.run_id, self.run_attempt

    def render(self) -> str:
        """The body's second line."""
        return (
            f"<!-- dbt-deploy-run id={self.run_id} attempt={self.run_attempt} "
            f"commit={encode(self.commit)} state={self.state.value} -->"
        )


def parse_marker(body: str) -> Marker | None:
    """The marker in a comment's first line; None where there is none."""
    found = MARKER.fullmatch(_line(body, 0))
    if found is None:
        return None
    return Marker(project=unquote(found[1]), target=unquote(found[2]))


def parse_run_mark(body: str) -> RunMark | None:
    """The run in a comment's second line; None where it is missing or not what we write."""
    found = RUN_MARK.fullmatch(_line(body, 1))
    if found is None or found[4] not in {state.value for state in RunState}:
        return None
    return RunMark(
        run_id=int(found[1]),
        run_attempt=int(found[2]),
        commit=unquote(found[3]),
        state=RunState(found[4]),
    )


def mark(marker: Marker, ours: RunMark, text: str) -> str:
    """A comment's whole body: the two lines, then what people read."""
    return f"{marker.render()}\n{ours.render()}\n{text}"


def may_write(existing: RunMark | None, ours: RunMark) -> bool:
    """Whether our run may write the comment.

    Args:
        existing: the run that wrote it last; None where there is no comment or no readable mark.
        ours: this run.

    An older run never overwrites a newer one's comment. A cancelled run has nothing to tell but
    that its own build ended, so it writes over its own words only.
    """
    if ours.state is RunState.CANCELLED:
        return existing is not None and existing.run == ours.run
    return existing is None or existing.run <= ours.run


def can_be(found: RunMark, ours: RunMark, *, written_at: datetime | None, asked_at: str) -> bool:
    """Whether the run that a mark names can have written it.

    Anything with the repository's token can write a mark, and one of a run yet to come would keep
    us silent. A newer run than ours begins after ours was asked for, and soon has its number.

    Args:
        found: the mark.
        ours: this run.
        written_at: when GitHub last changed the comment.
        asked_at: when the event happened that began our run; empty where it is not known.
    """
    if found.run <= ours.run:
        return True
    if found.run_id - ours.run_id > MOST_AHEAD:
        return False
    asked = timestamps.parse(asked_at)
    return written_at is None or asked is None or written_at >= asked


def _line(body: str, number: int) -> str:
    # GitHub gives back \r\n where a person edited the comment in a browser.
    lines = body.split("\n", number + 1)
    return lines[number].rstrip("\r") if len(lines) > number else ""


def encode(value: str) -> str:
    """A name as it stands in a hidden line: nothing in it can end that line."""
    encoded = quote(value, safe="")
    if len(encoded) <= LONGEST_VALUE:
        return encoded
    digest = hashlib.sha256(value.encode()).hexdigest()[:16]
    start = re.sub(r"%.?$", "", encoded[: LONGEST_VALUE - len(digest) - 1])
    return f"{start}-{digest}"

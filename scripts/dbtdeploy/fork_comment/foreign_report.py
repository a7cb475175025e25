"""report.json of a fork's run -> a report that may be rendered, as somebody else's text. Pure.

Its form is checked by the types that ``docs/report.schema.json`` is made from. What GitHub knows is
taken from GitHub; addresses are made from that; commands and advice are left out, because readers
would copy what a stranger wrote under our name.
"""

from __future__ import annotations

import posixpath
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.base import json_codec, markdown
from dbtdeploy.fork_comment.fork_run import ForkRun
from dbtdeploy.fork_comment.report_archive import refused
from dbtdeploy.report import source_links
from dbtdeploy.report.report import VERSION, NodeReport, Place, Problem, Report, TestReport

LONGEST_TEXT = 5_000
"""Characters of one text; a comment shows 3,000 of a message."""

LARGEST_NUMBER = 10**15
"""Rows or seconds of anything; arithmetic with larger ones can fail."""

MOST_NAMES = 10
"""In one list, such as what a node waits for; a page shows fewer."""

SHOWN = 200
"""Characters of what is wrong with a report."""

T = TypeVar("T")


def read(content: bytes, run: ForkRun, pull_request: int) -> Report:
    """The report, if it is one of this run.

    Args:
        content: of report.json.
        run: as GitHub describes it.
        pull_request: the number that GitHub knows.

    Raises:
        ReportRefused: it does not fit the schema, is of another version, or of another commit or
            pull request.
    """
    try:
        report = json_codec.decode(content, Report)
    except msgspec.DecodeError as cause:
        said = markdown.shortened(" ".join(str(cause).split()), SHOWN)
        raise refused(f"The run's report.json does not fit the schema: {said}") from None
    _check(report, run, pull_request)
    return _as_ours(_bounded(report), run, pull_request)


def _check(report: Report, run: ForkRun, pull_request: int) -> None:
    if report.version != VERSION:
        raise refused(f"The run's report.json is of version {report.version:.0f}, not {VERSION}.")
    if report.mode != "ci" or report.deploy is not None:
        raise refused("The run's report.json is not of slim CI.")
    if report.commit != run.commit or report.pull_request != pull_request:
        raise refused("The run's report.json is about another commit or pull request than the run.")
    if report.status == "error" and report.problem is None:
        raise refused("The run's report.json has the status `error`, and no problem.")


def _bounded(value: T) -> T:
    """The same with long texts and lists of names cut, so that a page is made in seconds."""
    made: object = value
    if isinstance(value, str):
        made = value[:LONGEST_TEXT]
    elif isinstance(value, int | float) and abs(value) > LARGEST_NUMBER:
        raise refused(f"The run's report.json holds a number above {LARGEST_NUMBER:,}.")
    elif isinstance(value, tuple):
        names = all(isinstance(one, str) for one in value)
        made = tuple(_bounded(one) for one in (value[:MOST_NAMES] if names else value))
    elif isinstance(value, Struct):
        made = replace(
            value, **{name: _bounded(getattr(value, name)) for name in value.__struct_fields__}
        )
    return made  # type: ignore[return-value]  # each branch keeps the type


def _as_ours(report: Report, run: ForkRun, pull_request: int) -> Report:
    """With GitHub's word in place of the report's, and without what people might copy."""
    return replace(
        report,
        skip_reason=run.origin if report.status == "skipped" else None,
        repository=run.repository,
        server_url=run.server_url,
        commit=run.commit,
        ref=run.branch,
        pull_request=pull_request,
        event="pull_request",
        run_url=run.run_url,
        command=None,
        prepare_commands=(),
        problem=_problem(report.problem, run),
        nodes=tuple(_node(node, run) for node in report.nodes),
        tests=tuple(_test(test, run) for test in report.tests),
        # Advice, which readers would take for ours.
        cautions=(),
        when_released=None,
    )


def _node(node: NodeReport, run: ForkRun) -> NodeReport:
    return replace(node, command=None, place=_place(node.place, run))


def _test(test: TestReport, run: ForkRun) -> TestReport:
    return replace(test, command=None, show_command=None, place=_place(test.place, run))


def _problem(problem: Problem | None, run: ForkRun) -> Problem | None:
    """What happened, in a fence as dbt's own words are."""
    if problem is None:
        return None
    place = _place(problem.place, run)
    return replace(problem, not_done="", remedy="", words_of_dbt=True, place=place)


def _place(place: Place | None, run: ForkRun) -> Place | None:
    """The file at this commit; None for a path that leads out of the repository."""
    if place is None:
        return None
    path = posixpath.normpath(place.file)
    if path.startswith(("..", "/")):
        return None
    line = place.line if place.line and place.line > 0 else None
    url = source_links.address(run.server_url, run.repository, run.commit, path, line)
    return Place(file=path, line=line, url=url)

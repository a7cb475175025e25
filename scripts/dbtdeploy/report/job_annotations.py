"""A report -> the annotations that GitHub shows at the lines of a pull request. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from dbtdeploy.artifacts.node_status import GOOD, WAITING
from dbtdeploy.report.report import NodeReport, Place, Report, TestReport

MOST_PER_LEVEL = 10
"""GitHub keeps ten errors and ten warnings of a step."""


class Annotation(Struct, frozen=True, kw_only=True):
    """One mark at a file, or at none."""

    level: Literal["error", "warning"]
    title: str
    message: str
    file: str | None = None
    line: int | None = None


def of(report: Report) -> tuple[Annotation, ...]:
    """Errors first, then warnings; no more of each than GitHub keeps."""
    bad = [n for n in report.nodes if n.outcome not in GOOD | WAITING]
    failing = [t for t in report.tests if t.outcome not in GOOD | WAITING]
    errors = [*map(_node, bad), *map(_failed_test, failing)]
    if report.problem and report.problem.place and not errors:
        # The step that failed has said so already, without a place.
        said = f"{report.problem.what}\n{report.problem.remedy}"
        errors = [_at(report.problem.place, "error", report.problem.title, said)]
    level: Literal["error", "warning"] = "error" if report.warnings_fail else "warning"
    warnings = [_warned_test(t, level) for t in report.tests if t.outcome == "warned"]
    return (*errors[:MOST_PER_LEVEL], *warnings[:MOST_PER_LEVEL])


def _node(node: NodeReport) -> Annotation:
    message = node.message or f"dbt's status is {node.dbt_status}; its message is not shown here."
    return _at(node.place, "error", f"{node.name} did not build", message)


def _failed_test(test: TestReport) -> Annotation:
    return _at(test.place, "error", f"{test.name} failed", _found(test))


def _warned_test(test: TestReport, level: Literal["error", "warning"]) -> Annotation:
    return _at(test.place, level, f"{test.name} warns", _found(test))


def _found(test: TestReport) -> str:
    said = test.message or f"dbt's status is {test.dbt_status}."
    return f"{said}\n{test.show_command}" if test.show_command else said


def _at(
    place: Place | None, level: Literal["error", "warning"], title: str, message: str
) -> Annotation:
    return Annotation(
        level=level,
        title=title,
        message=message,
        file=place.file if place else None,
        line=place.line if place else None,
    )

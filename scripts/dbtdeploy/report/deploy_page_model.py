"""A deploy's report -> what its summary shows. Pure.

The page answers, in this order: is the environment new or old, what is live, what went wrong, what
to do. Figures come last, and what is as it always was is folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.artifacts.node_status import GOOD, NodeOutcome
from dbtdeploy.base import text
from dbtdeploy.report.deploy_report import (
    STATES,
    AttemptReport,
    DependentReport,
    DeployReport,
    Named,
    NotRestoredReport,
    SourceReport,
)
from dbtdeploy.report.page_model import SUMMARY, Limits, Part, View, part, view
from dbtdeploy.report.report import NodeReport, Report
from dbtdeploy.report.report_status import STOPPED_BY_US

DEPLOY = replace(SUMMARY, in_full=5, message_lines=60, message_chars=6000, names=12)
"""A page for the run, where nothing need be left out for length, and much folded for the reader."""

MESSAGES = 5
"""Statements to copy may be as long as so many messages."""

ROWS_OPEN = 25
"""Rows of the table that stand open; the rest is folded."""

TIMES = 2.0
SECONDS_WORTH_TELLING = 10.0
"""A model is slower or faster when it takes twice or half the time, and ten seconds more or
less: below that, a warehouse's mood tells."""

DeployCase = Literal[
    "published", "nothing", "release", "cancelled", "stopped", "failed", "unpublished"
]


class DeployView(Struct, frozen=True, kw_only=True):
    """What the page of a deploy shows besides a pull request's."""

    deploy: DeployReport
    state: str
    """What the environment is now, in words."""
    case: DeployCase
    but: bool
    """The environment is new or partly so, and something is wrong all the same."""
    failed_first: bool
    """Nodes or tests failed; else the problem is the first thing to say."""
    new: tuple[str, ...]
    in_part: tuple[str, ...]
    """Written in part, or with a status nobody knows."""
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    missing: tuple[str, ...]
    others: int
    """Nodes that were built though nothing had changed."""
    stale: Part[SourceReport]
    unread: Part[SourceReport]
    """Sources whose age could not be read."""
    slower: tuple[NodeReport, ...]
    faster: tuple[NodeReport, ...]
    retried: tuple[AttemptReport, ...]
    recovered: tuple[Named, ...]
    """Failed on a transient fault, and built or passed in the end."""
    all_recovered: bool
    pending: Part[Named]
    lost: Part[NotRestoredReport]
    mending: str
    """SQL that makes again what is lost; empty where it is too long for the page."""
    tolerated: Part[NotRestoredReport]
    outside: tuple[DependentReport, ...]
    """What hangs on the build and is no part of it: a view of the project's own may be both."""
    unsure: Part[DependentReport]
    """Kept before the build, and nobody has looked after them since."""
    keeping: str
    """SQL that makes those again."""
    docs_link: str | None
    rows: tuple[NodeReport, ...]
    folded: Part[NodeReport]


def deploy_view(report: Report, deploy: DeployReport, limits: Limits) -> tuple[View, DeployView]:
    """Choose what a deploy's page shows: the part that any build has, and its own."""
    nodes = [node for node in report.nodes if node.resource_type != "operation"]
    failed = report.counts.nodes_failed + report.counts.tests_failed > 0
    case = _case(report, deploy)
    rows, many = _rows(nodes)
    shown = rows[: min(many, limits.changed)]
    lost = part([gone for gone in deploy.not_restored if not gone.tolerated], limits.failing)
    tolerated = [gone for gone in deploy.not_restored if gone.tolerated]
    checked = deploy.dependents_checked or deploy.tables == "unchanged"
    unsure = part([] if checked else list(deploy.dependents), limits.failing)
    tried = {named.unique_id: named for attempt in deploy.attempts for named in attempt.transient}
    recovered = _recovered(report, tried)
    built = {node.unique_id for node in nodes}
    return view(report, limits), DeployView(
        deploy=deploy,
        state=STATES[deploy.tables],
        case=case,
        but=deploy.tables == "new" and (case != "published" or report.problem is not None),
        failed_first=failed and not (report.problem and report.problem.kind in STOPPED_BY_US),
        new=_names(nodes, *GOOD),
        in_part=_names(nodes, "partial", "unknown"),
        failed=_names(nodes, "error", "failed"),
        skipped=_names(nodes, "skipped"),
        missing=_names(nodes, "missing"),
        others=sum(n.why.kind == "all" for n in nodes) if _compared(nodes) else 0,
        stale=part(
            [s for s in deploy.sources if not s.fresh and s.age_seconds is not None], limits.warned
        ),
        unread=part(
            [s for s in deploy.sources if not s.fresh and s.age_seconds is None], limits.warned
        ),
        slower=tuple(n for n in nodes if _more_seconds(n) > 0)[: limits.names],
        faster=tuple(n for n in nodes if _more_seconds(n) < 0)[: limits.names],
        retried=tuple(attempt for attempt in deploy.attempts if attempt.transient),
        recovered=recovered,
        all_recovered=len(recovered) == len(tried),
        pending=part(list(deploy.pending), limits.names),
        lost=lost,
        mending=_whole_sql([gone.statements for gone in lost.shown], limits),
        tolerated=part(tolerated, limits.names),
        outside=tuple(one for one in deploy.dependents if one.unique_id not in built),
        unsure=unsure,
        keeping=_whole_sql([kept.statements for kept in unsure.shown], limits),
        docs_link=deploy.docs_url if text.WEB.fullmatch(deploy.docs_url or "") else None,
        rows=tuple(shown),
        folded=part(rows[len(shown) :], limits.downstream),
    )


def _case(report: Report, deploy: DeployReport) -> DeployCase:
    counts = report.counts
    failed = counts.nodes_failed + counts.tests_failed > 0 or report.status == "failed"
    answers: tuple[tuple[bool, DeployCase], ...] = (
        (deploy.version is not None, "published"),
        (report.status == "skipped", "release"),
        (report.status == "nothing", "nothing"),
        (report.status == "cancelled", "cancelled"),
        (report.problem is not None and report.problem.kind in STOPPED_BY_US, "stopped"),
        (failed and report.exit_code is not None, "failed"),
        (deploy.not_published == "publishing", "unpublished"),
    )
    return next((case for true, case in answers if true), "stopped")


def _rows(nodes: list[NodeReport]) -> tuple[list[NodeReport], int]:
    """The table's rows, changed ones first, and how many of them stand open.

    What was built only because everything is, stands open where the whole table is short.
    """
    kinds = {"downstream": 1, "all": 2}
    rows = sorted(nodes, key=lambda node: kinds.get(node.why.kind, 0))
    if len(rows) <= ROWS_OPEN:
        return rows, len(rows)
    return rows, min(ROWS_OPEN, sum(node.why.kind != "all" for node in rows))


def _compared(nodes: list[NodeReport]) -> bool:
    return any(node.why.kind != "all" for node in nodes)


def _names(nodes: list[NodeReport], *outcomes: NodeOutcome) -> tuple[str, ...]:
    return tuple(node.name for node in nodes if node.outcome in outcomes)


def _more_seconds(node: NodeReport) -> float:
    """How much longer a node took than before; 0 where that is nothing to speak of."""
    now, before = node.seconds, node.production_seconds
    if not now or not before or node.outcome not in GOOD:
        return 0.0
    much = max(now, before) >= TIMES * min(now, before)
    return now - before if much and abs(now - before) >= SECONDS_WORTH_TELLING else 0.0


def _whole_sql(lists: Sequence[tuple[str, ...]], limits: Limits) -> str:
    """Statements to copy: all of them or none, for half a script is worse than none."""
    sql = "\n\n".join(statement for statements in lists for statement in statements)
    return sql if len(sql) <= MESSAGES * limits.message_chars else ""


def _recovered(report: Report, tried: Mapping[str, Named]) -> tuple[Named, ...]:
    good = {node.unique_id for node in report.nodes if node.outcome in GOOD}
    good |= {test.unique_id for test in report.tests if test.outcome in GOOD}
    return tuple(named for unique_id, named in tried.items() if unique_id in good)

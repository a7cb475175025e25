"""A release's plan and outcome -> what its pages show. Pure.

The summary answers, in this order: what does the environment run now, what went wrong, what to do,
what changed. The plan has a view of its own, ``release_plan_page_model.py``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.artifacts.node_status import GOOD
from dbtdeploy.base import text, timestamps
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Released, ReleasePlan
from dbtdeploy.release.pages.release_plan_page_model import PlanView, plan_view
from dbtdeploy.report.page_model import Limits, View, view
from dbtdeploy.report.report import Place, Problem, Report
from dbtdeploy.report.report_status import DBT_STOPPED

ReleaseCase = Literal[
    "live",
    "finished",
    "already",
    "unpublished",
    "unsure",
    "taken back",
    "cancelled",
    "empty",
    "gate",
    "failed",
    "plan",
    "stopped",
]
Swap = Literal["", "begun", "done"]


class ReleasePageInputs(Struct, frozen=True, kw_only=True):
    """What the steps of a release left; None for what they did not get to."""

    run: work_files.Run
    plan: ReleasePlan | None = None
    report: Report | None = None
    """Of the newest build: in staging, or of what is built in place."""
    released: Released | None = None
    failure: work_files.Failure | None = None
    swap: Swap = ""
    """``begun``: it was tried, and nothing says how it ended."""
    before_tag: str | None = None
    """Tag of the version that was live before."""
    taken_over: str | None = None
    """The version made of the plain artifacts that were in the store before."""
    github_release: str | None = None
    """Its address."""
    docs_url: str | None = None

    @property
    def tag(self) -> str:
        """What is released."""
        return self.run.of(Release).tag


class ReleaseView(Struct, frozen=True, kw_only=True):
    """What the summary shows besides the plan."""

    facts: ReleasePageInputs
    case: ReleaseCase
    but: bool
    """It is live, and something is wrong all the same."""
    environment: str
    before: str | None
    """What was live before: its tag, or its version."""
    cause: work_files.Failure | Problem | None
    """The failure of a step, or why dbt did not get to its end."""
    words_of_dbt: bool
    """Whether it is told in dbt's own words."""
    place: Place | None
    limits: Limits
    build_failed: bool
    in_place: bool
    """Nothing is staged: whatever was built is in the environment, tested or not."""
    built: tuple[str, ...]
    """Names of what the newest build built."""
    kept_until: str
    docs_link: str | None
    seconds: float | None
    """Of dbt's build."""


def release_view(
    facts: ReleasePageInputs, limits: Limits
) -> tuple[ReleaseView, PlanView | None, View | None]:
    """Choose what a summary shows: of the run, of its plan, and of dbt's build."""
    case = _case(facts)
    before = facts.before_tag or (facts.plan.before if facts.plan else None)
    failed = _build_failed(facts)
    problem = facts.report.problem if facts.report else None
    cause = facts.failure or problem
    return (
        ReleaseView(
            facts=facts,
            case=case,
            but=(case == "live" and (cause is not None or failed))
            or (case == "finished" and cause is not None),
            environment=facts.run.of(Release).environment,
            before=before,
            cause=cause,
            words_of_dbt=problem.words_of_dbt
            if problem
            else cause is not None and cause.kind in DBT_STOPPED,
            place=problem.place if problem else None,
            limits=limits,
            build_failed=failed,
            in_place=bool(facts.plan and facts.plan.nodes and not facts.plan.staged),
            built=_built(facts.report),
            kept_until=_kept_until(facts),
            docs_link=facts.docs_url if text.WEB.fullmatch(facts.docs_url or "") else None,
            seconds=facts.report.build_seconds if facts.report else None,
        ),
        plan_view(facts.plan, limits) if facts.plan else None,
        view(_without_commands(facts.report), limits) if facts.report and failed else None,
    )


def _case(facts: ReleasePageInputs) -> ReleaseCase:
    released, failure = facts.released or Released(), facts.failure
    kind = failure.kind if failure else ""
    asked = facts.run.of(Release)
    answers: tuple[tuple[bool, ReleaseCase], ...] = (
        (released.taken_back is not None, "taken back"),
        (released.resumed == "nothing" and failure is None, "already"),
        (released.resumed == "finished" and released.version is not None, "finished"),
        (released.version is not None, "live"),
        (facts.swap == "done", "unpublished"),
        (facts.swap == "begun", "unsure"),
        (kind == "Cancelled", "cancelled"),
        (kind == "ReleaseEmpty", "empty"),
        (kind == "GateClosed", "gate"),
        (_build_failed(facts), "failed"),
        (failure is None and asked.dry_run and facts.plan is not None, "plan"),
    )
    return next((case for true, case in answers if true), "stopped")


def _built(report: Report | None) -> tuple[str, ...]:
    return tuple(n.name for n in report.nodes if n.outcome in GOOD) if report else ()


def _without_commands(report: Report) -> Report:
    """A report that asks nobody to build: staging is in no profile but the release's own."""
    return replace(
        report,
        nodes=tuple(replace(node, command=None) for node in report.nodes),
        tests=tuple(replace(test, command=None, show_command=None) for test in report.tests),
    )


def _build_failed(facts: ReleasePageInputs) -> bool:
    counts = facts.report.counts if facts.report else None
    return counts is not None and counts.nodes_failed + counts.tests_failed > 0


def _kept_until(facts: ReleasePageInputs) -> str:
    swapped = timestamps.parse(facts.released.swapped_at if facts.released else None)
    if swapped is None:
        return ""
    return timestamps.for_people(
        timestamps.written(swapped + timedelta(hours=facts.run.of(Release).keep_hours))
    )

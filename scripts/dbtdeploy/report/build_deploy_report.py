"""What a deploy's steps left -> its part of the report, and its verdict. Pure."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.artifacts.node_status import GOOD, WAITING
from dbtdeploy.context import deploy_files, work_files
from dbtdeploy.context.policies import Deploy
from dbtdeploy.report import repro_commands
from dbtdeploy.report.deploy_report import (
    AttemptReport,
    DependentReport,
    DeployReport,
    Named,
    NotPublished,
    NotRestoredReport,
    SourceReport,
    Tables,
)
from dbtdeploy.report.node_report import tidied
from dbtdeploy.report.report import Problem, Report

FRESH = frozenset({"pass"})

Name = Callable[[str], str]


class Steps(Struct, frozen=True, kw_only=True):
    """What the steps of a deploy left besides a pull request's; None for what they did not."""

    not_now: deploy_files.NotNow | None = None
    lease: deploy_files.HeldLease | None = None
    freshness: deploy_files.Freshness | None = None
    dependents: deploy_files.Dependents | None = None
    restored: deploy_files.Restored | None = None
    docs: deploy_files.Docs | None = None
    publication: deploy_files.Publication | None = None
    build: work_files.Build | None = None
    state: work_files.State | None = None
    began: bool = False
    """dbt's build began, whether or not it left word of its end."""
    again: frozenset[str] = frozenset()
    """Unique ids of what failed since the current version, where that is built again."""


def complete(report: Report, steps: Steps, run: work_files.Run, name: Name) -> Report:
    """The report with what a deploy adds to it.

    Args:
        report: as for any build.
        steps: what the deploy's own steps left.
        run: how it was asked for.
        name: a node's name for people, by its unique id.
    """
    if steps.not_now is not None and steps.build is None:
        deploy = _deploy(report, steps, run, name)
        deploy = replace(deploy, previous=deploy.previous or steps.not_now.version)
        deploy = replace(deploy, not_published="release")
        return replace(report, status="skipped", skip_reason="release", problem=None, deploy=deploy)
    stale = any(not source.fresh for source in _sources(steps, run))
    published = bool(steps.publication and steps.publication.version)
    if report.status in ("passed", "warned"):
        if not published:
            report = replace(report, status="error", problem=_never_published())
        elif stale:
            report = replace(report, status="warned")
    return replace(report, deploy=_deploy(report, steps, run, name))


def _deploy(report: Report, steps: Steps, run: work_files.Run, name: Name) -> DeployReport:
    asked = run.of(Deploy)
    published = steps.publication or deploy_files.Publication(location=run.policy.state)
    left, back = steps.dependents or deploy_files.Dependents(), steps.restored
    location = repro_commands.without_credentials(published.location)
    tables = _tables(report, steps)
    return DeployReport(
        environment=asked.environment,
        location=location,
        tables=tables,
        version=published.version,
        previous=published.previous or (steps.state.version if steps.state else None),
        not_published=None if published.version else _not_published(report, tables),
        failed_artifacts=f"{location.rstrip('/')}/{published.failed}" if published.failed else None,
        pending=_named(published.pending, name),
        carried=published.carried,
        sources=_sources(steps, run),
        attempts=_attempts(steps, run, name),
        dependents=tuple(_dependent(kept) for kept in left.kept if not kept.removed),
        dependents_checked=back is not None,
        restored=back.restored if back else (),
        not_restored=_not_restored(back, left, run),
        leftovers=left.leftovers,
        docs=repro_commands.without_credentials(published.docs) if published.docs else None,
        docs_url=published.docs_url or asked.docs_url,
        docs_wanted=asked.docs,
        lease_taken_from=steps.lease.broken_in if steps.lease else None,
        finished=steps.lease.finished if steps.lease else None,
        taken_over=steps.lease.taken_over if steps.lease else None,
        orders=steps.lease.orders if steps.lease else (),
        time_limit_minutes=asked.time_limit_minutes,
        builds_modified=asked.retry_failed,
    )


def _tables(report: Report, steps: Steps) -> Tables:
    """What the warehouse holds now of what this run was to build."""
    if steps.build is None:
        return "unknown" if steps.began else "unchanged"
    if not steps.build.results:
        return "unknown"
    nodes = [node.outcome for node in report.nodes if node.resource_type != "operation"]
    if nodes and all(outcome in GOOD for outcome in nodes):
        return "new"
    # A model of which some batches failed is new in part, and so is one of an unknown status.
    touched = [how for how in nodes if how not in WAITING and how not in ("error", "failed")]
    return "partly" if touched else "unchanged"


def _not_published(report: Report, tables: Tables) -> NotPublished:
    if report.status == "nothing":
        return "nothing"
    if report.exit_code is None and tables == "unchanged":
        return "stopped"
    whole = report.exit_code == 0 and tables != "unknown" and is_whole(report)
    return "publishing" if whole else "build"


def is_whole(report: Report) -> bool:
    """Whether everything that was to be built and tested was, and well."""
    outcomes = [node.outcome for node in report.nodes] + [test.outcome for test in report.tests]
    too_many_warnings = report.warnings_fail and report.counts.tests_warned > 0
    return all(outcome in GOOD for outcome in outcomes) and not too_many_warnings


def _never_published() -> Problem:
    return Problem(
        kind="NotPublished",
        title="The artifacts were not published",
        what="dbt built and tested everything, and the job ended before it said that the "
        "artifacts are published. It may have been cancelled.",
        not_done="Whether they were is not known; the next deploy finishes what was begun.",
        remedy="Run the job again; it builds and publishes.",
        step="",
        words_of_dbt=False,
        place=None,
    )


def _named(unique_ids: tuple[str, ...], name: Name) -> tuple[Named, ...]:
    return tuple(Named(unique_id=unique_id, name=name(unique_id)) for unique_id in unique_ids)


def _attempts(steps: Steps, run: work_files.Run, name: Name) -> tuple[AttemptReport, ...]:
    return tuple(
        AttemptReport(
            exit_code=attempt.exit_code,
            seconds=attempt.seconds,
            nodes=attempt.nodes,
            transient=_named(attempt.transient, name),
            reason=_said(attempt.reason, run),
        )
        for attempt in (steps.build.attempts if steps.build else ())
    )


def _sources(steps: Steps, run: work_files.Run) -> tuple[SourceReport, ...]:
    return tuple(
        SourceReport(
            unique_id=source.unique_id,
            name=source.name,
            fresh=source.status in FRESH,
            dbt_status=source.status,
            max_loaded_at=source.max_loaded_at,
            age_seconds=source.age_seconds,
            message=_said(source.message, run),
        )
        for source in (steps.freshness.sources if steps.freshness else ())
    )


def _said(message: str | None, run: work_files.Run) -> str | None:
    """The warehouse's own words, where they may be shown."""
    return tidied(message) if message and not run.policy.hide_row_data else None


def _dependent(kept: deploy_files.Dependent) -> DependentReport:
    return DependentReport(
        kind=kept.kind,
        name=kept.full_name or f"{kept.schema}.{kept.name}",
        owner=kept.owner,
        unique_id=kept.unique_id,
        depends_on=kept.depends_on,
        statements=kept.statements,
    )


def _not_restored(
    restored: deploy_files.Restored | None, kept: deploy_files.Dependents, run: work_files.Run
) -> tuple[NotRestoredReport, ...]:
    """What is missing; what fails no deploy is told as restore_dependents.py tells it."""
    minor = {f"{one.kind} {one.full_name}" for one in kept.kept if one.failed_before or one.removed}
    return tuple(
        NotRestoredReport(
            name=lost.name,
            message=_said(lost.message, run),
            statements=lost.statements,
            tolerated=lost.name in minor,
        )
        for lost in (restored.failed if restored else ())
    )

"""What the scripts that write a summary share: the files of the steps before, read for a report."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.base import errors, settings
from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.context.built_with import UnseenChanges
from dbtdeploy.context.phases import Phase
from dbtdeploy.report import build_report, deploy_inputs_of_report, project_files


def of_checkout(run: work_files.Run, work: Path) -> work_files.Run:
    """The run with the commit that lies there: a release's, perhaps, and not the event's."""
    lease = hand_over.read_if_there(work, deploy_files.HeldLease)
    if lease is None or lease.commit is None:
        return run
    return replace(run, event=replace(run.event, sha=lease.commit))


def notice_cancellation(work: Path) -> None:
    """Leave word of a job that was cancelled between two steps, where no script could.

    A build that had ended by then has its own verdict.
    """
    has_failed = hand_over.is_there(work, work_files.Failure) or hand_over.is_there(
        work, work_files.Build
    )
    if settings.job_was_cancelled() and not has_failed:
        killed = deploy_inputs_of_report.building(work)
        failure = errors.Cancelled(
            f"The job was cancelled {'while dbt built' if killed else 'before dbt ran'}.",
            not_done="How far dbt got is not known." if killed else "Nothing was built.",
            remedy="Run the job again if the cancellation was not meant.",
        )
        hand_over.write(work, work_files.Failure.of(failure, phase=Phase.REPORT))


def inputs(work: Path, run: work_files.Run) -> build_report.BuildReportInputs:
    """All that a report is made of; any of it may be missing."""
    plan = hand_over.read_if_there(work, work_files.Plan)
    build = hand_over.read_if_there(work, work_files.Build)
    state = work / work_files.STATE_FOLDER
    # dbt writes the manifest when it lists or builds; one that lies there without is another's.
    current = Path(run.dbt.target_path) / "manifest.json" if plan or build else None
    return build_report.BuildReportInputs(
        run=run,
        state=hand_over.read_if_there(work, work_files.State),
        plan=plan,
        schemas=hand_over.read_if_there(work, work_files.Schemas),
        build=build,
        failure=hand_over.read_if_there(work, work_files.Failure),
        manifest=artifacts.read_manifest(current) if current else None,
        results=artifacts.read_run_results(work / work_files.RUN_RESULTS)
        if build and build.results
        else None,
        production_manifest=artifacts.read_manifest(state / "manifest.json"),
        production_results=artifacts.read_production_results(state / "run_results.json"),
        sources=project_files.of(Path(run.dbt.project_dir)),
        unseen=hand_over.read_if_there(work, UnseenChanges) or UnseenChanges(),
        deploy=deploy_inputs_of_report.read(work) if run.command == "deploy" else None,
    )

"""What the scripts that write a summary share: the files of the steps before, read for a report."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from dbtdeploy import artifacts, assemble, deploy_files, deploy_steps, errors, files, settings
from dbtdeploy.edges import sources


def of_checkout(run: files.Run, work: Path) -> files.Run:
    """The run with the commit that lies there: a release's, perhaps, and not the event's."""
    lease = files.read_if_there(work / deploy_files.LEASE, deploy_files.HeldLease)
    if lease is None or lease.commit is None:
        return run
    return replace(run, event=replace(run.event, sha=lease.commit))


def notice_cancellation(work: Path) -> None:
    """Leave word of a job that was cancelled between two steps, where no script could.

    A build that had ended by then has its own verdict.
    """
    told = (work / files.FAILURE).exists() or (work / files.BUILD).exists()
    if settings.job_was_cancelled() and not told:
        killed = deploy_steps.building(work)
        failure = errors.Cancelled(
            f"The job was cancelled {'while dbt built' if killed else 'before dbt ran'}.",
            not_done="How far dbt got is not known." if killed else "Nothing was built.",
            remedy="Run the job again if the cancellation was not meant.",
        )
        files.write(work / files.FAILURE, files.Failure.of(failure, step=settings.script_name()))


def inputs(work: Path, run: files.Run) -> assemble.Inputs:
    """All that a report is made of; any of it may be missing."""
    plan = files.read_if_there(work / files.PLAN, files.Plan)
    build = files.read_if_there(work / files.BUILD, files.Build)
    state = work / files.STATE_FOLDER
    # dbt writes the manifest when it lists or builds; one that lies there without is another's.
    current = Path(run.dbt.target_path) / "manifest.json" if plan or build else None
    return assemble.Inputs(
        run=run,
        state=files.read_if_there(work / files.STATE, files.State),
        plan=plan,
        schemas=files.read_if_there(work / files.SCHEMAS, files.Schemas),
        build=build,
        failure=files.read_if_there(work / files.FAILURE, files.Failure),
        manifest=artifacts.read_manifest(current) if current else None,
        results=artifacts.read_run_results(work / files.RUN_RESULTS)
        if build and build.results
        else None,
        production_manifest=artifacts.read_manifest(state / "manifest.json"),
        production_results=artifacts.read_production_results(state / "run_results.json"),
        sources=sources.of(Path(run.dbt.project_dir)),
        deploy=deploy_steps.read(work) if run.command == "deploy" else None,
    )

"""Everything the earlier steps left -> report.json, comment.md, the step summary, annotations.

A deploy has no pull request, so no comment.md.

Runs whatever happened before it, and never decides: dbt's exit code is the verdict.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from dbtdeploy import (
    annotate,
    artifacts,
    assemble,
    cli,
    deploy_files,
    deploy_steps,
    errors,
    files,
    redacted,
    render,
    settings,
)
from dbtdeploy.edges import actions, sources


def main() -> None:
    """Write the report and show it."""
    work = settings.work_folder()
    run = _of_checkout(files.read(work / files.RUN, files.Run), work)
    _notice_cancellation(work)
    report = redacted.report(assemble.build_report(_inputs(work, run)), settings.redactor())
    files.write(work / files.REPORT, report)
    has_comment = run.command == "ci"
    if has_comment:
        _write(work / files.COMMENT, render.comment(report))
    summary = render.summary(report)
    _write(work / files.SUMMARY, summary)
    runner = settings.Runner.from_environ()
    actions.write_summary(runner.summary, summary)
    for note in annotate.of(report):
        actions.annotate(note.level, note.title, note.message, file=note.file, line=note.line)
    outputs = {
        "status": report.status,
        "counts": msgspec.json.encode(report.counts).decode(),
        "report": str((work / files.REPORT).resolve()),
        "comment-file": str((work / files.COMMENT).resolve()) if has_comment else "",
        "artifact-folder": str((work / files.ARTIFACT_FOLDER).resolve()),
    }
    actions.set_outputs(runner.output, outputs)


def _of_checkout(run: files.Run, work: Path) -> files.Run:
    """The run with the commit that lies there: a release's, perhaps, and not the event's."""
    lease = files.read_if_there(work / deploy_files.LEASE, deploy_files.HeldLease)
    if lease is None or lease.commit is None:
        return run
    return replace(run, event=replace(run.event, sha=lease.commit))


def _notice_cancellation(work: Path) -> None:
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


def _inputs(work: Path, run: files.Run) -> assemble.Inputs:
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


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    cli.run(main)

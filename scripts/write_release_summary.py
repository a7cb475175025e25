"""Everything the steps of a release left -> the step summary, release_plan.json as an artifact.

Runs whatever happened before it, and never decides.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dbtdeploy import (
    annotate,
    assemble,
    cli,
    deploy_files,
    files,
    github_release,
    publishable,
    redacted,
    release_files,
    release_outcome,
    release_render,
    release_split,
    report_step,
    settings,
    staging,
)
from dbtdeploy.edges import actions
from dbtdeploy.release_files import Released, ReleasePlan, ReleaseRecord
from dbtdeploy.release_view import Facts, Swap
from dbtdeploy.release_warehouse_types import Swapped
from dbtdeploy.report import Report


def main() -> None:
    """Write the summary, keep the plan for reading, and set the outputs."""
    work = settings.work_folder()
    run = report_step.of_checkout(files.read(work / files.RUN, files.Run), work)
    report_step.notice_cancellation(work)
    redact = settings.redactor()
    facts = _facts(work, run)
    summary = redact(release_render.release_summary(facts))
    folder = work / files.ARTIFACT_FOLDER
    folder.mkdir(exist_ok=True)
    (work / files.SUMMARY).write_text(summary, encoding="utf-8")
    if facts.plan is not None:
        content = publishable.artifact(
            release_files.RELEASE_PLAN, msgspec.json.encode(facts.plan), redact
        )
        (folder / release_files.RELEASE_PLAN).write_bytes(msgspec.json.format(content, indent=2))
    runner = settings.Runner.from_environ()
    actions.write_summary(runner.summary, summary)
    for note in annotate.of(facts.report) if facts.report else ():
        actions.annotate(note.level, note.title, note.message, file=note.file, line=note.line)
    outputs = {
        "status": release_outcome.status(facts),
        "version": (facts.released.version if facts.released else None) or "",
        "artifact-folder": str(folder.resolve()),
    }
    actions.set_outputs(runner.output, outputs)


def _facts(work: Path, run: files.Run) -> Facts:
    plan = files.read_if_there(work / release_files.RELEASE_PLAN, ReleasePlan)
    state = files.read_if_there(work / files.STATE, files.State)
    publication = files.read_if_there(work / deploy_files.PUBLICATION, deploy_files.Publication)
    written = files.read_if_there(work / release_files.GITHUB_RELEASE, github_release.GitHubRelease)
    released = files.read_if_there(work / release_files.RELEASED, Released)
    # What is built in place after the swap is compared with the version that it has made current.
    record = files.read_if_there(work / release_files.RECORD, ReleaseRecord)
    return Facts(
        run=run,
        plan=plan,
        report=_report(work, run, plan),
        released=release_outcome.released(released, publication),
        failure=files.read_if_there(work / files.FAILURE, files.Failure),
        swap=_swap(work),
        before_tag=record.before_tag if record else state.tag if state else None,
        github_release=written.url if written else None,
        docs_url=publication.docs_url if publication else None,
    )


def _report(work: Path, run: files.Run, plan: ReleasePlan | None) -> Report | None:
    """Of the newest build: in staging, or in place."""
    build = files.read_if_there(work / files.BUILD, files.Build)
    if build is None:
        return None
    in_staging = plan is not None and not (work / release_split.DIRECT).is_dir()
    there = staging.run_there(run, work, plan.release_id) if plan and in_staging else run
    whole = assemble.build_report(report_step.inputs(work, there))
    return redacted.report(whole, settings.redactor())


def _swap(work: Path) -> Swap:
    swapped = files.read_if_there(work / release_files.SWAPPED, Swapped)
    if swapped is not None:
        return "done" if swapped.outcome == "done" else ""
    begun = (work / release_files.RECORD).exists() and (work / release_files.MEASURED).exists()
    return "begun" if begun else ""


if __name__ == "__main__":
    cli.run(main)

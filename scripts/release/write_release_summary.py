"""Everything the steps of a release left -> the step summary, release_plan.json as an artifact.

Runs whatever happened before it, and never decides.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dbtdeploy.base import actions_runner, settings, stored_records
from dbtdeploy.context import deploy_files, hand_over, release_files, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.release_files import Released, ReleasePlan, ReleaseRecord
from dbtdeploy.github import release_body
from dbtdeploy.release import staging
from dbtdeploy.release.pages import release_outcome, release_render
from dbtdeploy.release.pages.release_page_model import ReleasePageInputs, Swap
from dbtdeploy.report import build_report, job_annotations, redact_report, report_step
from dbtdeploy.report.report import Report
from dbtdeploy.warehouse.release_macro_types import Measured, Swapped

PHASE = Phase.REPORT


def main() -> None:
    """Write the summary, keep the plan for reading, and set the outputs."""
    work = settings.work_folder()
    run = report_step.of_checkout(hand_over.read(work, work_files.Run), work)
    report_step.notice_cancellation(work)
    redact = settings.redactor()
    facts = _facts(work, run)
    summary = redact(release_render.release_summary(facts))
    folder = work / work_files.ARTIFACT_FOLDER
    folder.mkdir(exist_ok=True)
    (work / work_files.SUMMARY).write_text(summary, encoding="utf-8")
    if facts.plan is not None:
        content = stored_records.redacted(msgspec.json.encode(facts.plan), redact)
        (folder / ReleasePlan.FILE).write_bytes(msgspec.json.format(content, indent=2))
    runner = settings.Runner.from_environ()
    actions_runner.write_summary(runner.summary, summary)
    for note in job_annotations.of(facts.report) if facts.report else ():
        actions_runner.annotate(
            note.level, note.title, note.message, file=note.file, line=note.line
        )
    outputs = {
        "status": release_outcome.status(facts),
        "version": (facts.released.version if facts.released else None) or "",
        "artifact-folder": str(folder.resolve()),
    }
    actions_runner.set_outputs(runner.output, outputs)


def _facts(work: Path, run: work_files.Run) -> ReleasePageInputs:
    plan = hand_over.read_if_there(work, ReleasePlan)
    state = hand_over.read_if_there(work, work_files.State)
    publication = hand_over.read_if_there(work, deploy_files.Publication)
    written = hand_over.read_if_there(work, release_body.GitHubRelease)
    released = hand_over.read_if_there(work, Released)
    # What is built in place after the swap is compared with the version that it has made current.
    record = hand_over.read_if_there(work, ReleaseRecord)
    held = hand_over.read_if_there(work, deploy_files.HeldLease)
    return ReleasePageInputs(
        run=run,
        plan=plan,
        report=_report(work, run, plan),
        released=release_outcome.released(released, publication),
        failure=hand_over.read_if_there(work, work_files.Failure),
        swap=_swap(work),
        before_tag=record.before_tag if record else state.tag if state else None,
        taken_over=held.taken_over if held else None,
        github_release=written.url if written else None,
        docs_url=publication.docs_url if publication else None,
    )


def _report(work: Path, run: work_files.Run, plan: ReleasePlan | None) -> Report | None:
    """Of the newest build: in staging, or in place."""
    build = hand_over.read_if_there(work, work_files.Build)
    if build is None:
        return None
    in_staging = plan is not None and not (work / release_files.DIRECT).is_dir()
    there = staging.run_there(run, work, plan) if plan and in_staging else run
    whole = build_report.build_report(report_step.inputs(work, there))
    return redact_report.report(whole, settings.redactor())


def _swap(work: Path) -> Swap:
    swapped = hand_over.read_if_there(work, Swapped)
    if swapped is not None:
        return "done" if swapped.outcome == "done" else ""
    begun = hand_over.is_there(work, ReleaseRecord) and hand_over.is_there(work, Measured)
    return "begun" if begun else ""

"""Everything the earlier steps left -> report.json, comment.md, the step summary, annotations.

A deploy has no pull request, so no comment.md.

Runs whatever happened before it, and never decides: dbt's exit code is the verdict.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dbtdeploy.base import actions_runner, settings
from dbtdeploy.ci import release_preview
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.report import build_report, job_annotations, redact_report, render, report_step

PHASE = Phase.REPORT


def main() -> None:
    """Write the report and show it."""
    work = settings.work_folder()
    run = report_step.of_checkout(hand_over.read(work, work_files.Run), work)
    report_step.notice_cancellation(work)
    inputs = report_step.inputs(work, run)
    made = release_preview.added(build_report.build_report(inputs), inputs)
    report = redact_report.report(made, settings.redactor())
    hand_over.write_file(work / work_files.REPORT, report)
    has_comment = run.command == "ci"
    if has_comment:
        _write(work / work_files.COMMENT, render.comment(report))
    summary = render.summary(report)
    _write(work / work_files.SUMMARY, summary)
    runner = settings.Runner.from_environ()
    actions_runner.write_summary(runner.summary, summary)
    for note in job_annotations.of(report):
        actions_runner.annotate(
            note.level, note.title, note.message, file=note.file, line=note.line
        )
    outputs = {
        "status": report.status,
        "counts": msgspec.json.encode(report.counts).decode(),
        "report": str((work / work_files.REPORT).resolve()),
        "comment-file": str((work / work_files.COMMENT).resolve()) if has_comment else "",
        "artifact-folder": str((work / work_files.ARTIFACT_FOLDER).resolve()),
    }
    actions_runner.set_outputs(runner.output, outputs)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

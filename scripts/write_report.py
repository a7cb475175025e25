"""Everything the earlier steps left -> report.json, comment.md, the step summary, annotations.

A deploy has no pull request, so no comment.md.

Runs whatever happened before it, and never decides: dbt's exit code is the verdict.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dbtdeploy import (
    annotate,
    assemble,
    cli,
    files,
    redacted,
    render,
    report_step,
    settings,
)
from dbtdeploy.edges import actions


def main() -> None:
    """Write the report and show it."""
    work = settings.work_folder()
    run = report_step.of_checkout(files.read(work / files.RUN, files.Run), work)
    report_step.notice_cancellation(work)
    report = redacted.report(
        assemble.build_report(report_step.inputs(work, run)), settings.redactor()
    )
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


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    cli.run(main)

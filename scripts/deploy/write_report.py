"""Everything the earlier steps left -> report.json, comment.md, the step summary, annotations.

A deploy has no pull request, so no comment.md.

Runs whatever happened before it, and never decides: dbt's exit code is the verdict.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace

from dbtdeploy.base import actions_runner, git_client, settings
from dbtdeploy.ci import release_preview
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.deploy import commit_order
from dbtdeploy.report import build_report, job_annotations, redact_report, render, report_step
from dbtdeploy.report.report import History

PHASE = Phase.REPORT


def main() -> None:
    """Write the report and show it."""
    work = settings.work_folder()
    run = report_step.of_checkout(hand_over.read(work, work_files.Run), work)
    report_step.notice_cancellation(work)
    inputs = report_step.inputs(work, run)
    if run.command == "ci":
        inputs = replace(inputs, history=_history(run, inputs.state))
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


def _history(run: work_files.Run, state: work_files.State | None) -> History:
    """What else than this pull request may differ from production."""
    folder, production = Path(run.dbt.project_dir), state.commit if state else None
    if not production or run.event.skip:
        return History(to_production=None, base_to_production=None)

    def to_production(commit: str) -> git_client.Relation:
        return commit_order.relation(
            commit, production, folder=folder, repository=run.event.repository
        )

    base = run.event.base_sha
    return History(
        to_production=to_production(git_client.checked_out(folder) or run.event.sha),
        base_to_production=to_production(base) if base else None,
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

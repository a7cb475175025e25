"""failure.json, rollback_plan.json, rolled_back.json -> the summary of a refused rollback, status.

Runs whatever happened before it, and never decides. What was planned and done has its summary from
the steps that did it.
"""

from __future__ import annotations

from dbtdeploy import cli, files, release_files, report_step, rollback_plan, rollback_view, settings
from dbtdeploy.edges import actions
from dbtdeploy.rollback_files import RollbackPlan, RolledBack


def main() -> None:
    """Say why nothing was rolled back, if so, and set the output ``status``."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    report_step.notice_cancellation(work)
    failure = files.read_if_there(work / files.FAILURE, files.Failure)
    done = files.read_if_there(work / release_files.ROLLED_BACK, RolledBack)
    plan = files.read_if_there(work / release_files.ROLLBACK_PLAN, RollbackPlan)
    runner = settings.Runner.from_environ()
    if failure is not None and done is None:
        name = rollback_plan.environment_of(run)
        summary = rollback_view.refused_summary(failure, name)
        actions.write_summary(runner.summary, settings.redactor()(summary))
    status = rollback_view.status(plan, done, failure)
    actions.set_outputs(runner.output, {"status": status})


if __name__ == "__main__":
    cli.run(main)

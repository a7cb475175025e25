"""failure.json, RollbackPlan, RolledBack -> the summary of a refused rollback, status.

Runs whatever happened before it, and never decides. What was planned and done has its summary from
the steps that did it.
"""

from __future__ import annotations

from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context import work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Rollback
from dbtdeploy.context.rollback_files import RollbackPlan, RolledBack
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.report import report_step
from dbtdeploy.rollback import rollback_page_model, rollback_plan

PHASE = Phase.REPORT


def main() -> None:
    """Say why nothing was rolled back, if so, and set the output ``status``."""
    ctx = RunContext.open(Rollback)
    work, run = ctx.work, ctx.run
    report_step.notice_cancellation(work)
    failure = ctx.read_if_there(work_files.Failure)
    done = ctx.read_if_there(RolledBack)
    plan = ctx.read_if_there(RollbackPlan)
    runner = settings.Runner.from_environ()
    if failure is not None and done is None:
        name = rollback_plan.environment_of(run)
        summary = rollback_page_model.refused_summary(failure, name)
        actions_runner.write_summary(runner.summary, settings.redactor()(summary))
    status = rollback_page_model.status(plan, done, failure)
    actions_runner.set_outputs(runner.output, {"status": status})

"""Staging -> dbt build beside production, the lease kept -> Build, run_results.json."""

from __future__ import annotations

from dbtdeploy.base import actions_runner, crash, settings
from dbtdeploy.context import work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import build as dbt_build
from dbtdeploy.dbt import build_with_retries, commands
from dbtdeploy.release import staging
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease_renewal

PHASE = Phase.BUILD


def main() -> int:
    """Build exactly what was planned, and end with dbt's verdict."""
    ctx = RunContext.open(Release)
    work, run = ctx.work, ctx.run
    plan = ctx.read(ReleasePlan)
    state = ctx.read(work_files.State)
    ctx.read(staging.Staging)
    there = staging.run_there(run, work, plan)
    production = work / work_files.STATE_FOLDER if state.found else None
    arguments = commands.building_again(
        run.selection,
        work / staging.EXACTLY,
        threads=run.dbt.threads,
        extra=run.dbt.extra_args,
        defer_to=production,
    )
    opened = store_location.opened(run.policy.state)
    held = ctx.held
    limit = ctx.policy.time_limit_minutes
    with lease_renewal.kept(opened, held) as keeper:
        if limit is not None:
            keeper.limit(limit)
        done = build_with_retries.build(there, work, arguments, extra={}, defer_to=production)
        build = dbt_build.write_build(there, work, done.called, attempts=done.attempts)
    keeper.refuse_if_lost()
    if done.trouble:
        actions_runner.warning("A retry could not run", settings.redactor()(done.trouble))
    code = dbt_build.exit_code(there, work, done.called, build)
    crash.point("release-built")
    return code

"""staging.json -> dbt build beside production, the lease kept -> build.json, run_results.json."""

from __future__ import annotations

from dbtdeploy import (
    build_again,
    build_step,
    cli,
    commands,
    crash,
    deploy_files,
    files,
    lease_keeper,
    release_files,
    settings,
    staging,
    store_step,
)
from dbtdeploy.edges import actions
from dbtdeploy.release_files import ReleasePlan


def main() -> int:
    """Build exactly what was planned, and end with dbt's verdict."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    plan = files.read(work / release_files.RELEASE_PLAN, ReleasePlan)
    state = files.read(work / files.STATE, files.State)
    files.read(work / release_files.STAGING, staging.Staging)
    there = staging.run_there(run, work, plan.release_id)
    production = work / files.STATE_FOLDER if state.found else None
    arguments = commands.building_again(
        run.selection,
        work / staging.EXACTLY,
        threads=run.dbt.threads,
        extra=run.dbt.extra_args,
        defer_to=production,
    )
    opened = store_step.opened(run.policy.state)
    held = files.read(work / deploy_files.LEASE, deploy_files.HeldLease)
    limit = run.deploy.time_limit_minutes if run.deploy else None
    with lease_keeper.kept(opened, held) as keeper:
        if limit is not None:
            keeper.limit(limit)
        done = build_again.build(there, work, arguments, extra={}, defer_to=production)
        build = build_step.keep(there, work, done.called, attempts=done.attempts)
    keeper.refuse_if_lost()
    if done.trouble:
        actions.warning("A retry could not run", settings.redactor()(done.trouble))
    code = build_step.verdict(there, work, done.called, build)
    crash.point("release-built")
    return code


if __name__ == "__main__":
    cli.run(main)

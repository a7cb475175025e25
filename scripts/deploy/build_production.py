"""plan.json -> dbt build in production, the lease kept -> Build, run_results.json, the log.

Stale sources are refused before it; a release that was staged has asked for them before staging.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from dbtdeploy.artifacts import commit_mark
from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context import cli, hand_over, release_files, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction, Release
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import build as dbt_build
from dbtdeploy.dbt import build_with_retries, commands
from dbtdeploy.deploy import collect_artifacts, deploy_plan, freshness_check
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease_renewal
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import publish

PHASE = Phase.BUILD

VARIABLE = f"DBT_ENV_CUSTOM_ENV_{commit_mark.NAME}"
"""dbt copies it into its artifacts."""


def main() -> int:
    """Ask how old the sources are, then build; the output ``begun`` says that it came to that."""
    ctx = RunContext.open(BuildsProduction)
    return cli.attempt_each(
        (Phase.FRESHNESS, lambda: None if _was_staged(ctx) else freshness_check.check(ctx)),
        (Phase.BUILD, lambda: _build(ctx)),
    )


def _was_staged(ctx: RunContext[BuildsProduction]) -> bool:
    plan = ctx.read_if_there(ReleasePlan) if isinstance(ctx.policy, Release) else None
    return plan is not None and bool(plan.staged)


def _build(ctx: RunContext[BuildsProduction]) -> int:
    """End with dbt's verdict, unless the lease or the time was gone before."""
    # What publishes a build, or keeps a failed one, runs from here on.
    ctx.set_outputs({"begun": "true"})
    work, run = ctx.work, ctx.run
    asked = ctx.policy
    arguments = _arguments(run, work)
    opened = store_location.opened(run.policy.state)
    held = ctx.held
    commit = held.commit or run.event.sha
    with lease_renewal.kept(opened, held) as keeper:
        _say_begun(opened, work, run)
        if asked.time_limit_minutes is not None:
            keeper.limit(asked.time_limit_minutes)
        done = build_with_retries.build(
            run, work, arguments, extra={VARIABLE: commit} if commit else {}
        )
        commit_mark.write(Path(run.dbt.target_path) / "manifest.json", commit)
        build = dbt_build.write_build(run, work, done.called, attempts=done.attempts)
    keeper.refuse_if_lost()
    if done.trouble:
        actions_runner.warning("A retry could not run", settings.redactor()(done.trouble))
    code = dbt_build.exit_code(run, work, done.called, build)
    if code == 0:
        ctx.set_outputs({"succeeded": "true"})
    return code


def _arguments(run: work_files.Run, work: Path) -> list[str]:
    """Of a deploy what was selected, of a release what was planned to be built in place."""
    threads, extra = run.dbt.threads, run.dbt.extra_args
    if isinstance(run.policy, Release):
        exactly = work / release_files.DIRECT
        return commands.building_again(run.selection, exactly, threads=threads, extra=extra)
    state = hand_over.read(work, work_files.State)
    chosen = deploy_plan.choose(run, work, state)
    return commands.building(
        chosen.selection, chosen.state, threads=threads, extra=extra, defers=False
    )


def _say_begun(opened: Store, work: Path, run: work_files.Run) -> None:
    """Leave word that nobody knows what was built, for the case that this job is killed."""
    publish.publish_failed(
        opened,
        collect_artifacts.begun(work, run, settings.redactor()),
        {},
        moment=datetime.now(timezone.utc),
        began=collect_artifacts.began(work, run),
    )

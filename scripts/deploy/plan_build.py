"""run.json + state/ -> dbt deps, dbt ls -> plan.json: what will be built, refused if unsafe."""

from __future__ import annotations

import shutil
from pathlib import Path

from dbtdeploy.context import release_files, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Ci, CommandPolicy, Release
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import commands, invoke
from dbtdeploy.deploy import build_plan, deploy_plan

PHASE = Phase.PLAN


def main() -> None:
    """List what dbt would build; refuse a pull request's if any of it would land in production."""
    ctx = RunContext.open(CommandPolicy)
    work, run = ctx.work, ctx.run
    state = ctx.read(work_files.State)
    of_pull_request = isinstance(run.policy, Ci)
    nodes: build_plan.Nodes = ()
    if not build_plan.builds_nothing(run, state):
        dbt = invoke.dbt_of(run, work)
        invoke.install_packages(dbt, run)
        parse = invoke.saved_parse(run, work)
        nodes = invoke.list_nodes(dbt, run, _listing(run, work, state), parse=parse)
    if of_pull_request:
        build_plan.check(run, work, state, nodes)
    if isinstance(run.policy, Release):
        # dbt writes another one when it is asked about staging.
        made = Path(run.dbt.target_path) / "manifest.json"
        shutil.copyfile(made, work / release_files.PRODUCTION_MANIFEST)
    build_plan.write_plan(run, work, nodes)


def _listing(run: work_files.Run, work: Path, state: work_files.State) -> list[str]:
    if isinstance(run.policy, Ci):
        return build_plan.listing(run, work, state)
    chosen = deploy_plan.choose(run, work, state)
    return commands.listing(chosen.selection, chosen.state, run.dbt.extra_args)

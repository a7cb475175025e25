"""run.json + state/ -> dbt deps, dbt ls -> plan.json: what production's build will build."""

from __future__ import annotations

import shutil
from pathlib import Path

from dbtdeploy.context import release_files, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction, Release
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import build_plan, commands, invoke
from dbtdeploy.deploy import deploy_plan

PHASE = Phase.PLAN


def main() -> None:
    """List what dbt would build."""
    ctx = RunContext.open(BuildsProduction)
    work, run = ctx.work, ctx.run
    state = ctx.read(work_files.State)
    dbt = invoke.dbt_of(run, work)
    invoke.install_packages(dbt, run)
    chosen = deploy_plan.choose(run, work, state)
    listing = commands.listing(chosen.selection, chosen.state, run.dbt.extra_args)
    nodes = invoke.list_nodes(dbt, run, listing, parse=invoke.saved_parse(run, work))
    if isinstance(run.policy, Release):
        # dbt writes another one when it is asked about staging.
        made = Path(run.dbt.target_path) / "manifest.json"
        shutil.copyfile(made, work / release_files.PRODUCTION_MANIFEST)
    build_plan.write_plan(run, work, nodes)

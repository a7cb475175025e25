"""run.json + state/ -> dbt deps, dbt ls -> plan.json: what will be built, refused if unsafe."""

from __future__ import annotations

import shutil
from pathlib import Path

from dbtdeploy import (
    cli,
    commands,
    dbt_step,
    deploy_plan,
    files,
    plan_step,
    release_files,
    settings,
)


def main() -> None:
    """List what dbt would build; refuse a pull request's if any of it would land in production."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    state = files.read(work / files.STATE, files.State)
    nodes: plan_step.Nodes = ()
    if not plan_step.builds_nothing(run, state):
        dbt = dbt_step.dbt_of(run, work)
        dbt_step.warn_of_dropped_outputs(run, work)
        dbt_step.install_packages(dbt, run)
        parse = dbt_step.saved_parse(work, of_pull_request=run.deploy is None)
        nodes = dbt_step.list_nodes(dbt, run, _listing(run, work, state), parse=parse)
    if run.deploy is None:
        plan_step.check(run, work, state, nodes)
    if run.release is not None:
        # dbt writes another one when it is asked about staging.
        made = Path(run.dbt.target_path) / "manifest.json"
        shutil.copyfile(made, work / release_files.PRODUCTION_MANIFEST)
    plan_step.keep(run, work, nodes)


def _listing(run: files.Run, work: Path, state: files.State) -> list[str]:
    if run.deploy is None:
        return plan_step.listing(run, work, state)
    chosen = deploy_plan.choose(run.selection, work, state, retry_failed=run.deploy.retry_failed)
    return commands.listing(chosen.selection, chosen.state, run.dbt.extra_args)


if __name__ == "__main__":
    cli.run(main)

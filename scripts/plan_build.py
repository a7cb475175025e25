"""run.json + state/ -> dbt deps, dbt ls -> plan.json: what will be built, refused if unsafe."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from dbtdeploy import (
    cli,
    commands,
    dbt_step,
    deploy_plan,
    files,
    guard,
    production,
    release_files,
    settings,
)
from dbtdeploy.edges import actions

Nodes = tuple[files.PlannedNode, ...]


def main() -> None:
    """List what dbt would build; refuse a pull request's if any of it would land in production."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    state = files.read(work / files.STATE, files.State)
    if run.deploy is None and not state.found and run.policy.on_missing_state == "skip":
        nodes: Nodes = ()
    else:
        dbt = dbt_step.dbt_of(run, work)
        dbt_step.warn_of_dropped_outputs(run, work)
        dbt_step.install_packages(dbt, run)
        nodes = dbt_step.list_nodes(dbt, run, _listing(run, work, state))
    if run.deploy is None:
        _guard(run, work, state, nodes)
    if run.release is not None:
        # dbt writes another one when it is asked about staging.
        made = Path(run.dbt.target_path) / "manifest.json"
        shutil.copyfile(made, work / release_files.PRODUCTION_MANIFEST)
    redact = settings.redactor()
    shown = (replace(n, relation_name=redact(n.relation_name or "") or None) for n in nodes)
    files.write(work / files.PLAN, files.Plan(nodes=tuple(shown)))
    where = run.schema or "production"
    print(f"{len(nodes)} nodes to build in {where}." if nodes else "Nothing to build.")
    runner = settings.Runner.from_environ()
    actions.set_outputs(runner.output, {"nodes": str(len(nodes))})


def _listing(run: files.Run, work: Path, state: files.State) -> list[str]:
    selection, folder = run.selection, dbt_step.state_folder(work, state)
    if run.deploy is not None:
        retry = run.deploy.retry_failed
        chosen = deploy_plan.choose(selection, work, state, retry_failed=retry)
        selection, folder = chosen.selection, chosen.state
    return commands.listing(selection, folder, run.dbt.extra_args)


def _guard(run: files.Run, work: Path, state: files.State, nodes: Nodes) -> None:
    guard.refuse_long_names(nodes)
    if state.found:
        relations = production.read_relations(work / files.STATE_FOLDER / "manifest.json")
        schemas = {(relation.database, relation.schema) for relation in relations.values()}
        guard.refuse_production(nodes, schemas, pull_request_schema=run.schema)
    guard.refuse_elsewhere(nodes, pull_request_schema=run.schema)


if __name__ == "__main__":
    cli.run(main)

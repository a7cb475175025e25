"""state/ -> dbt build of what was modified: plan.json, schemas.json, build.json, run_results.json.

One dbt process lists, waits for guard and schemas, and builds. Where that process cannot
be had, ``dbt ls`` and ``dbt build`` do the same one after the other. Run again in the same work
folder, it only builds.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from dbtdeploy import (
    build_step,
    cli,
    commands,
    dbt_step,
    files,
    fingerprint_step,
    plan_step,
    prepare_step,
    preview_docs,
    settings,
)
from dbtdeploy.edges.dbt import Dbt


def main() -> int:
    """Plan, check, prepare, build, and end with dbt's verdict."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    state = files.read(work / files.STATE, files.State)
    called = _build(run, work, state)
    if called is None:
        return 0
    build = build_step.keep(run, work, called)
    code = build_step.verdict(run, work, called, build)
    if run.policy.docs and called.outcome.exit_code == 0:
        preview_docs.keep(run, work)
    return code


def _build(run: files.Run, work: Path, state: files.State) -> build_step.Called | None:
    arguments = commands.building(
        run.selection,
        dbt_step.state_folder(work, state),
        threads=run.dbt.threads,
        extra=run.dbt.extra_args,
    )
    if (work / files.SCHEMAS).exists():
        return build_step.call(run, work, arguments)
    if state.unchanged:
        print(fingerprint_step.NOTHING)
        return None
    if plan_step.builds_nothing(run, state):
        plan_step.keep(run, work, ())
        return None
    then = preview_docs.arguments(run)
    dbt = dbt_step.dbt_of(run, work)
    dbt_step.warn_of_dropped_outputs(run, work)
    dbt.warm_up()
    dbt_step.install_packages(dbt, run)
    if not dbt.is_warm():
        nodes = dbt_step.list_nodes(dbt, run, plan_step.listing(run, work, state))
        ready = _ready(dbt, run, work, state, nodes)
        called = build_step.call(run, work, arguments) if ready else None
        if called is not None and called.outcome.exit_code == 0 and then:
            dbt_step.call(dbt, [*then, *dbt.options()], name="docs", title=shlex.join(then))
        return called
    with build_step.checked(dbt, run, work, arguments, then=then) as build:
        ready = _ready(dbt, run, work, state, build.nodes())
        return build.go_on() if ready else None


def _ready(
    dbt: Dbt, run: files.Run, work: Path, state: files.State, nodes: plan_step.Nodes
) -> bool:
    """Check and prepare; False if there is nothing to build."""
    plan_step.check(run, work, state, nodes)
    plan = plan_step.keep(run, work, nodes)
    if nodes:
        prepare_step.prepare(dbt, run, work, state, plan)
    return bool(nodes)


if __name__ == "__main__":
    cli.run(main)

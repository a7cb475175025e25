"""state/ -> dbt build of what was modified: plan.json, Schemas, Build, run_results.json.

One dbt process lists, waits for guard and schemas, and builds. Where that process cannot
be had, ``dbt ls`` and ``dbt build`` do the same one after the other. Run again in the same work
folder, it only builds.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from dbtdeploy.base import actions_runner
from dbtdeploy.ci import prepare_schemas, preview_docs, pull_request_guard
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Ci
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import build as dbt_build
from dbtdeploy.dbt import build_plan, commands, invoke, unchanged_check, unseen_changes
from dbtdeploy.dbt.dbt_client import Dbt

PHASE = Phase.BUILD
CATALOGS = "catalogs.yml"


def main() -> int:
    """Plan, check, prepare, build, and end with dbt's verdict."""
    ctx = RunContext.open(Ci)
    work, run = ctx.work, ctx.run
    state = ctx.read(work_files.State)
    called = _build(run, work, state)
    if called is None:
        return 0
    build = dbt_build.write_build(run, work, called)
    code = dbt_build.exit_code(run, work, called, build)
    if ctx.policy.docs and called.outcome.exit_code == 0:
        preview_docs.store_preview(run, work)
    return code


def _build(run: work_files.Run, work: Path, state: work_files.State) -> dbt_build.Called | None:
    chosen = run.selection if state.unchanged else unseen_changes.selected(run, work, state)
    folder = invoke.state_folder(work, state, chosen)
    arguments = commands.building(
        chosen,
        folder,
        threads=run.dbt.threads,
        extra=run.dbt.extra_args,
    )
    if hand_over.is_there(work, work_files.Schemas):
        return dbt_build.call(run, work, arguments)
    if state.unchanged:
        actions_runner.say(unchanged_check.NOTHING)
        return None
    if run.of(Ci).on_missing_state == "skip" and not state.found:
        build_plan.write_plan(run, work, ())
        return None
    then = preview_docs.arguments(run)
    dbt = invoke.dbt_of(run, work)
    dbt.warm_up()
    invoke.install_packages(dbt, run)
    parsing = _parsing(dbt, run)
    if parsing is None:
        listing = commands.listing(chosen, folder, run.dbt.extra_args)
        nodes = invoke.list_nodes(dbt, run, listing)
        ready = _ready(dbt, run, work, state, nodes)
        called = dbt_build.call(run, work, arguments) if ready else None
        if called is not None and called.outcome.exit_code == 0 and then:
            invoke.call(dbt, [*then, *dbt.options()], name="docs", title=shlex.join(then))
        return called
    listing = commands.listing(chosen, folder, run.dbt.extra_args, how=commands.SILENT)
    lines = dbt_build.CommandLines(parse=parsing, listing=listing, build=arguments, then=then)
    with dbt_build.checked(dbt, run, work, lines) as build:
        ready = _ready(dbt, run, work, state, build.nodes())
        return build.go_on() if ready else None


def _parsing(dbt: Dbt, run: work_files.Run) -> list[str] | None:
    """The parse that one process lists and builds with; None, and why is said, if each parses."""
    if dbt.why_plain() is not None:
        return None
    parsing = commands.parsing(run.dbt.extra_args)
    if isinstance(parsing, str):
        why = f"`dbt-args` has {parsing}, which may change how dbt parses"
    elif run.selection.full_refresh:
        why = "a full refresh may change how dbt parses"
    elif (Path(run.dbt.project_dir) / CATALOGS).exists():
        why = f"of {CATALOGS} dbt 1.11 knows only where it parses"
    else:
        return parsing
    actions_runner.say(f"Listing and building are two processes of dbt: {why}.")
    return None


def _ready(
    dbt: Dbt,
    run: work_files.Run,
    work: Path,
    state: work_files.State,
    nodes: work_files.PlannedNodes,
) -> bool:
    """Check and prepare; False if there is nothing to build."""
    pull_request_guard.check(run, work, state, nodes)
    plan = build_plan.write_plan(run, work, nodes)
    if nodes:
        prepare_schemas.prepare(dbt, run, work, state, plan)
    return bool(nodes)

"""What plan_build.py and build_modified.py share: what would be built, checked and written down."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.policies import Ci
from dbtdeploy.dbt import commands, invoke
from dbtdeploy.warehouse import guard, production

Nodes = tuple[work_files.PlannedNode, ...]


def builds_nothing(run: work_files.Run, state: work_files.State) -> bool:
    """Whether production has no state yet, and nothing is to be built then."""
    skips = isinstance(run.policy, Ci) and run.policy.on_missing_state == "skip"
    return skips and not state.found


def check(run: work_files.Run, work: Path, state: work_files.State, nodes: Nodes) -> None:
    """Refuse a pull request's build if any of it would land in production, or anywhere else.

    Raises:
        WouldWriteToProduction, SchemaNotOurs, SchemaNameTooLong: see ``guard.py``.
    """
    guard.refuse_long_names(nodes)
    if state.found:
        relations = production.read_relations(work / work_files.STATE_FOLDER / "manifest.json")
        schemas = {(relation.database, relation.schema) for relation in relations.values()}
        guard.refuse_production(nodes, schemas, pull_request_schema=run.schema)
    guard.refuse_elsewhere(nodes, pull_request_schema=run.schema)


def write_plan(run: work_files.Run, work: Path, nodes: Nodes) -> work_files.Plan:
    """Write plan.json and the output ``nodes``; gives the plan as written, without secrets."""
    redact = settings.redactor()
    shown = (replace(n, relation_name=redact(n.relation_name or "") or None) for n in nodes)
    plan = work_files.Plan(nodes=tuple(shown))
    hand_over.write(work, plan)
    where = run.schema or "production"
    actions_runner.say(f"{len(nodes)} nodes to build in {where}." if nodes else "Nothing to build.")
    runner = settings.Runner.from_environ()
    actions_runner.set_outputs(runner.output, {"nodes": str(len(nodes))})
    return plan


def listing(
    run: work_files.Run,
    work: Path,
    state: work_files.State,
    *,
    how: tuple[str, ...] = commands.READ_BY_US,
) -> list[str]:
    """The ``dbt ls`` of what a pull request's build would build."""
    folder = invoke.state_folder(work, state)
    return commands.listing(run.selection, folder, run.dbt.extra_args, how=how)

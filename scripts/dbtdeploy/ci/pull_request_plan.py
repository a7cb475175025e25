"""What a pull request's build lists, and what it may not build."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.context import work_files
from dbtdeploy.context.policies import Ci
from dbtdeploy.dbt import commands, invoke
from dbtdeploy.warehouse import guard, production


def builds_nothing(run: work_files.Run, state: work_files.State) -> bool:
    """Whether production has no state yet, and nothing is to be built then."""
    return run.of(Ci).on_missing_state == "skip" and not state.found


def check(
    run: work_files.Run, work: Path, state: work_files.State, nodes: work_files.PlannedNodes
) -> None:
    """Refuse a build if any of it would land in production, or anywhere else.

    Raises:
        WouldWriteToProduction, SchemaNotOurs, SchemaNameTooLong: see ``guard.py``.
    """
    guard.refuse_long_names(nodes)
    if state.found:
        relations = production.read_relations(work / work_files.STATE_FOLDER / "manifest.json")
        schemas = {(relation.database, relation.schema) for relation in relations.values()}
        guard.refuse_production(nodes, schemas, pull_request_schema=run.schema)
    guard.refuse_elsewhere(nodes, pull_request_schema=run.schema)


def listing(
    run: work_files.Run,
    work: Path,
    state: work_files.State,
    *,
    how: tuple[str, ...] = commands.READ_BY_US,
) -> list[str]:
    """The ``dbt ls`` of what will be built."""
    folder = invoke.state_folder(work, state, run.selection)
    return commands.listing(run.selection, folder, run.dbt.extra_args, how=how)

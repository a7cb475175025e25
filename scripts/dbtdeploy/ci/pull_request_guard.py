"""Where a pull request's build may not land."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.context import work_files
from dbtdeploy.warehouse import guard, production


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

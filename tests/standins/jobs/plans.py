"""The one maker of plans, of the state they are compared with, and of how they ended, in tests.

``over`` replaces fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dbtdeploy.context import work_files
from dbtdeploy.context.release_files import ReleaseNode, ReleasePlan, Spot
from dbtdeploy.context.rollback_files import RollbackPlan, RolledBack
from standins.jobs import runs


def node(
    name: str,
    kind: str = "model",
    *,
    database: str | None = "shop",
    schema: str | None = "analytics",
    **over: Any,
) -> work_files.PlannedNode:
    """A node that will be built: a table, where it is a model."""
    known: dict[str, Any] = {
        "unique_id": f"{kind}.shop.{name}",
        "resource_type": kind,
        "name": name,
        "database": database,
        "schema": schema,
        "identifier": name,
        "relation_name": f'"{database}"."{schema}"."{name}"',
        "materialized": "table" if kind == "model" else kind,
    }
    return work_files.PlannedNode(**{**known, **over})


def of_manifest(entry: Mapping[str, Any], **over: Any) -> work_files.PlannedNode:
    """A node of a manifest, as dbt lists it."""
    known: dict[str, Any] = {
        "unique_id": entry["unique_id"],
        "resource_type": entry["resource_type"],
        "name": entry["name"],
        "database": entry.get("database"),
        "schema": entry.get("schema"),
        "identifier": entry.get("alias"),
        "relation_name": entry.get("relation_name"),
        "materialized": entry["config"].get("materialized"),
        "path": entry["original_file_path"],
    }
    return work_files.PlannedNode(**{**known, **over})


def plan(*nodes: work_files.PlannedNode) -> work_files.Plan:
    """What will be built."""
    return work_files.Plan(nodes=nodes)


def state(*, found: bool = True, **over: Any) -> work_files.State:
    """What was fetched of production's last run."""
    return work_files.State(**{"location": runs.STORE, "found": found, **over})


def build(exit_code: int = 0, **over: Any) -> work_files.Build:
    """How dbt ended."""
    known: dict[str, Any] = {
        "exit_code": exit_code,
        "interrupted": False,
        "results": True,
        "started_at": "2026-11-21T09:00:10+00:00",
        "finished_at": "2026-11-21T09:00:51+00:00",
        "command": "dbt build",
    }
    return work_files.Build(**{**known, **over})


def release_node(name: str = "orders", **over: Any) -> ReleaseNode:
    """A model that a release swaps."""
    known: dict[str, Any] = {
        "unique_id": f"model.shop.{name}",
        "resource_type": "model",
        "name": name,
        "materialized": "table",
        "change": "changed",
        "reasons": (),
        "kind": "B",
        "method": "blue-green",
        "production": Spot(database="shop", schema="analytics", identifier=name),
    }
    return ReleaseNode(**{**known, **over})


def release(*nodes: ReleaseNode, **over: Any) -> ReleasePlan:
    """The plan of v1.4.0."""
    known: dict[str, Any] = {
        "tag": "v1.4.0",
        "commit": runs.SHA,
        "environment": "production",
        "project": "shop",
        "release_id": "20261125t231502",
        "before": "20261120T060000Z-0000001",
        "nodes": nodes,
    }
    return ReleasePlan(**{**known, **over})


def rollback(**over: Any) -> RollbackPlan:
    """The plan of going back to v1.3.0."""
    known: dict[str, Any] = {
        "environment": "production",
        "asked": None,
        "from_version": "b",
        "to_version": "a",
        "to_tag": "v1.3.0",
    }
    return RollbackPlan(**{**known, **over})


def rolled_back(**over: Any) -> RolledBack:
    """What a rollback by ann left."""
    known: dict[str, Any] = {
        "plan": rollback(),
        "by": "ann",
        "run_url": "https://github.com/acme/shop/actions/runs/100",
        "at": "2026-11-25T23:40:00+00:00",
    }
    return RolledBack(**{**known, **over})

"""What one release leaves behind, as its steps would write it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.base import json_codec
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Column, ReleasePlan, Spot, Tag
from dbtdeploy.release import release_plan
from dbtdeploy.release.gates import gates
from dbtdeploy.warehouse.preflight import DependentObject, Preflight
from dbtdeploy.warehouse.release_macro_types import (
    LeftRelation,
    LiveProduction,
    LiveRelation,
    Measured,
    MeasuredNode,
    QueryResult,
)
from standins.jobs import builds, deploy_builds, plans, runs
from standins.jobs.builds import Entry, edited, model, result

RELEASE_ID = "20261125t231502"
TAG = Tag(name="v1.4.0", commit="9f3c2e1aa5b0c7d8e9f00112233445566778899a", main_branch="main")
POLICY = runs.release(
    "v1.4.0",
    state=deploy_builds.RUN.policy.state,
    docs_url="https://acme.example/docs",
    checks="/nowhere/analytics/checks",
)
RUN = replace(
    deploy_builds.MODIFIED,
    event=replace(deploy_builds.RUN.event, ref="v1.4.0", actor="ana"),
    policy=POLICY,
)
STATE = deploy_builds.STATE


def node(name: str, *parents: str, **over: Any) -> Entry:
    """A model as production's target places it."""
    return model(name, *parents, **{"schema": "analytics", "relation_name": _named(name), **over})


def _named(name: str) -> str:
    return f'"db"."analytics"."{name}"'


def exposure(label: str, *reads: str) -> Entry:
    name = label.lower().replace(" ", "_")
    return {
        "name": name,
        "label": label,
        "resource_type": "exposure",
        "unique_id": f"exposure.shop.{name}",
        "depends_on": {"nodes": [f"model.shop.{one}" for one in reads], "macros": []},
    }


def manifest(entries: Sequence[Entry]) -> artifacts.Manifest:
    """A manifest of nodes, exposures, sources and functions, each where dbt would have it."""
    sections: dict[str, dict[str, Entry]] = {}
    places = {"exposure": "exposures", "source": "sources", "function": "functions"}
    for entry in entries:
        kind = entry["unique_id"].partition(".")[0]
        sections.setdefault(places.get(kind, "nodes"), {})[entry["unique_id"]] = entry
    metadata = {"dbt_version": "1.11.16", "adapter_type": "postgres", "project_name": "shop"}
    return json_codec.decode(json.dumps({"metadata": metadata, **sections}), artifacts.Manifest)


def planned(entries: Sequence[Entry], **over: Any) -> work_files.Plan:
    return plans.plan(*(plans.of_manifest(entry, **over) for entry in entries))


def live(entries: Sequence[Entry], dependents: Sequence[DependentObject] = ()) -> LiveProduction:
    """Production with these nodes in it; the n-th has the oid 100 + n."""
    kinds = {"view": "view", "materialized_view": "materialized_view"}
    return LiveProduction(
        role="deployer",
        database="db",
        look=Preflight(role="deployer", database="db", dependents=tuple(dependents)),
        live=tuple(
            LiveRelation(
                unique_id=entry["unique_id"],
                spot=Spot(database="db", schema="analytics", identifier=entry["alias"]),
                kind=kinds.get(entry["config"]["materialized"], "table"),
                oid=100 + index,
                owner="deployer",
                ours=True,
            )
            for index, entry in enumerate(entries)
        ),
    )


def dependent(key: str, full_name: str, *parents: str, kind: str = "view") -> DependentObject:
    schema, name = full_name.split(".")
    return DependentObject(
        key=key,
        kind=kind,
        schema=schema,
        name=name,
        full_name=full_name,
        owner="ana",
        gone=True,
        ours=True,
        there="",
        statements=(),
        parents=parents,
    )


PAYMENTS = node("stg_payments", materialized="view")
ORDERS = node("fct_orders", "stg_payments", sql="select 1 as id, 2 as amount")
CUSTOMERS = node("dim_customers", "fct_orders")
LTV = node(
    "customer_ltv",
    "dim_customers",
    config={"materialized": "incremental", "unique_key": "id"},
    materialized="incremental",
)
REGIONS = node("dim_regions")
LEGACY = node("stg_legacy_orders", sql="select 'legacy'")
UNIQUE = builds.test("unique_fct_orders_id", "fct_orders")
NOT_NULL = builds.test("not_null_dim_customers_id", "dim_customers")
WEEKLY = exposure("Weekly sales", "customer_ltv")

NEW_ORDERS = edited(ORDERS, "select 1 as id, 2::numeric as amount")
BEFORE = (PAYMENTS, ORDERS, CUSTOMERS, LTV, REGIONS, LEGACY, UNIQUE, NOT_NULL)
SEGMENTS = node("dim_segments", "dim_customers")
NOW = (
    *(PAYMENTS, NEW_ORDERS, CUSTOMERS, LTV, REGIONS, SEGMENTS, UNIQUE, NOT_NULL),
    WEEKLY,
)
BROUGHT = (NEW_ORDERS, CUSTOMERS, LTV, SEGMENTS, UNIQUE, NOT_NULL)
LOOK = replace(
    live(
        (ORDERS, CUSTOMERS, LTV),
        (dependent("c900", "bi.weekly_orders", "c100"), dependent("c901", "bi.weekly_top", "c900")),
    ),
    left=(
        LeftRelation(
            unique_id=LEGACY["unique_id"],
            spot=Spot(database="db", schema="analytics", identifier="stg_legacy_orders"),
        ),
    ),
)


def first(**over: Any) -> ReleasePlan:
    """The first version of the plan: one model changed, one is new, two hang on it, one is gone."""
    return release_plan.plan(
        **{
            "run": RUN,
            "manifest": manifest(NOW),
            "production": manifest(BEFORE),
            "planned": planned(BROUGHT),
            "look": LOOK,
            "release_id": RELEASE_ID,
            "state": STATE,
            "tag": TAG,
            **over,
        }
    )


def column(name: str, kind: str = "integer") -> Column:
    return Column(name=name, type=kind)


def measured_node(entry: Entry, before: int | None, after: int | None, **over: Any) -> MeasuredNode:
    same = (column("id"), column("amount"))
    return MeasuredNode(
        **{
            "unique_id": entry["unique_id"],
            "columns_before": same if before is not None else (),
            "columns_after": same,
            "rows_before": before,
            "rows_after": after,
            **over,
        }
    )


MEASURED = Measured(
    nodes=(
        measured_node(ORDERS, 10_239, 10_251),
        measured_node(CUSTOMERS, 935, 935),
        measured_node(LTV, 935, 947, duplicate_keys=0),
        measured_node(SEGMENTS, None, 4),
    ),
    checks=(QueryResult(name="no_negative_totals.sql", rows=0),),
)
RESULTS = (
    result(NEW_ORDERS, rows=10_251, seconds=2.1),
    result(CUSTOMERS, rows=935, seconds=0.8),
    result(LTV, rows=12, seconds=0.4, code="INSERT"),
    result(SEGMENTS, rows=4, seconds=0.2),
    result(UNIQUE, "pass", failures=0),
    result(NOT_NULL, "pass", failures=0),
)


def results(entries: Sequence[Entry] = RESULTS) -> artifacts.RunResults:
    return json_codec.decode(json.dumps({"results": list(entries)}), artifacts.RunResults)


def staged(plan: ReleasePlan) -> ReleasePlan:
    schema = f"dbt_green_{RELEASE_ID}_shop"
    return release_plan.staged_at(
        plan,
        {n.unique_id: replace(n.production, schema=schema) for n in plan.staged},
    )


def final(
    plan: ReleasePlan | None = None,
    measured: Measured = MEASURED,
    *,
    policy: Release = POLICY,
    allowed_by: str | None = None,
    ended: Sequence[Entry] = RESULTS,
    now: Sequence[Entry] = NOW,
    before: Sequence[Entry] = BEFORE,
) -> ReleasePlan:
    """The final plan, with its gates."""
    finished = release_plan.finish(
        staged(plan or first()),
        measured,
        results(ended),
        manifest=manifest(now),
        production=manifest(before),
    )
    judged = gates.judge(
        finished,
        manifest=manifest(now),
        measured=measured,
        results=results(ended),
        policy=policy,
        allowed_by=allowed_by,
    )
    return replace(finished, gates=judged)

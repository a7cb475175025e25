"""Which nodes get production's rows."""

from __future__ import annotations

import pytest

from dbtdeploy.context.work_files import PlannedNode
from dbtdeploy.warehouse import baselines
from standins.jobs import plans, runs

RELATION = baselines.RelationName(database="shop", schema="analytics", identifier="b")


def node(kind: str, materialized: str, full_refresh: bool | None = None) -> PlannedNode:
    return plans.node(
        "b", kind, schema="pr_1", materialized=materialized, full_refresh=full_refresh
    )


def jobs(planned: PlannedNode, *, full_refresh: bool = False, rows: str = "all") -> int:
    policy = runs.ci(baseline_rows=rows, baseline_order_by="updated_at")
    return len(baselines.baseline_jobs([planned], {}, policy, full_refresh=full_refresh))


@pytest.mark.parametrize(
    ("planned", "full_refresh", "expected"),
    [
        (node("model", "incremental"), False, 1),
        (node("model", "incremental"), True, 0),
        (node("model", "incremental", full_refresh=True), False, 0),
        (node("model", "incremental", full_refresh=False), True, 1),
        (node("snapshot", "snapshot"), True, 1),
        (node("model", "table"), False, 0),
        (node("seed", "seed"), False, 0),
        (node("test", "test"), False, 0),
    ],
)
def test_only_what_reads_its_own_rows(
    planned: PlannedNode, full_refresh: bool, expected: int
) -> None:
    assert jobs(planned, full_refresh=full_refresh) == expected


def test_a_number_of_rows_brings_its_column() -> None:
    policy = runs.ci(baseline_rows="100", baseline_order_by="updated_at")
    (job,) = baselines.baseline_jobs(
        [node("model", "incremental")], {"model.shop.b": RELATION}, policy, full_refresh=False
    )
    assert (job.rows, job.order_by) == (100, "updated_at")
    assert (job.with_rows, job.source) == (True, RELATION)


def test_none_still_clears_what_an_earlier_push_left() -> None:
    policy = runs.ci(baseline_rows="none")
    (job,) = baselines.baseline_jobs(
        [node("model", "incremental")], {"model.shop.b": RELATION}, policy, full_refresh=False
    )
    assert (job.with_rows, job.rows, job.order_by) == (False, None, None)

"""What dbt does to a relation, and what a killed one leaves of it."""

from __future__ import annotations

from typing import Any

import pytest

from dbtdeploy.context import work_files
from dbtdeploy.warehouse.rebuild_kinds import EVERY_KIND, full_refresh, wanted
from standins.jobs import plans, runs


def node(name: str, materialized: str = "table", **fields: Any) -> work_files.PlannedNode:
    return plans.node(name, materialized=materialized, **fields)


@pytest.mark.parametrize(
    ("anew", "own", "expected"),
    [(False, None, ("view",)), (True, None, EVERY_KIND), (True, False, ("view",))],
)
def test_a_nodes_own_full_refresh_wins(
    anew: bool, own: bool | None, expected: tuple[str, ...]
) -> None:
    events, *_ = wanted([node("events", "incremental", full_refresh=own)], full_refresh=anew)
    assert events.replaced == expected


def test_leftovers_are_named_as_dbt_names_them() -> None:
    name = "é" * 60
    found = [one.name for one in wanted([node(name)], full_refresh=False)]
    assert found[0] == name
    # dbt cuts to 63 letters with the suffix, PostgreSQL to 63 bytes.
    assert [one.encode() for one in found[1:]] == [("é" * 31).encode()]
    names = [one.name for one in wanted([node("a" * 60)], full_refresh=False)]
    assert names[1:] == ["a" * 54 + "__dbt_tmp", "a" * 51 + "__dbt_backup"]


def test_a_node_is_never_taken_for_a_leftover() -> None:
    found = wanted([node("a"), node("a__dbt_tmp")], full_refresh=False)
    assert [one.leftover_of for one in found if one.name == "a__dbt_tmp"] == [""]


@pytest.mark.parametrize("kind", ["seed", "snapshot", "test"])
def test_what_is_built_in_place_leaves_nothing(kind: str) -> None:
    assert len(wanted([node("a", kind, resource_type=kind)], full_refresh=False)) == 1


def test_names_without_quotes_are_folded() -> None:
    unquoted = node("Orders", schema="Analytics", relation_name="db.Analytics.Orders")
    found, *_ = wanted([unquoted], full_refresh=False)
    assert (found.schema, found.name) == ("analytics", "orders")
    quoted = node("Orders", schema="Analytics", relation_name='"db"."Analytics"."Orders"')
    found, *_ = wanted([quoted], full_refresh=False)
    assert (found.schema, found.name) == ("Analytics", "Orders")


def test_a_materialization_nobody_knows_may_drop() -> None:
    found, *_ = wanted([node("a", "insert_by_period")], full_refresh=False)
    assert found.replaced == EVERY_KIND


@pytest.mark.parametrize(
    ("extra", "variables", "expected"),
    [
        ((), {}, False),
        (("--full-refresh",), {}, True),
        (("-f",), {}, True),
        ((), {"DBT_FULL_REFRESH": "true"}, True),
        ((), {"DBT_FULL_REFRESH": "true", "DBT_ENGINE_FULL_REFRESH": "0"}, False),
    ],
)
def test_dbt_is_told_in_three_ways(
    extra: tuple[str, ...], variables: dict[str, str], expected: bool
) -> None:
    project = work_files.DbtProject(
        command="dbt",
        project_dir="/p",
        repository_path=".",
        name="shop",
        profiles_dir=None,
        profile=None,
        target=None,
        target_path="/p/target",
        packages_path="/p/dbt_packages",
        extra_args=extra,
    )
    run = runs.run(runs.deploy(), dbt=project)
    assert full_refresh(run, variables) is expected

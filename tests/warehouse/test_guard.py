"""Nothing may be written where production lives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbtdeploy.artifacts import node_listing
from dbtdeploy.base import errors
from dbtdeploy.context.work_files import PlannedNode
from dbtdeploy.warehouse import guard, production
from standins.jobs import plans

PRODUCTION = {("shop", "analytics"), ("shop", "analytics_marts"), ("shop", "snapshots")}


def node(name: str, schema: str | None, kind: str = "model", **changes: Any) -> PlannedNode:
    return plans.node(name, kind, schema=schema, **changes)


def refusal(*nodes: PlannedNode) -> errors.WouldWriteToProduction:
    with pytest.raises(errors.WouldWriteToProduction) as caught:
        guard.refuse_production(nodes, PRODUCTION, pull_request_schema="pr_1_shop")
    return caught.value


def test_the_pull_requests_own_schemas_pass() -> None:
    nodes = [node("a", "pr_1_shop"), node("b", "pr_1_shop_marts")]
    guard.refuse_production(nodes, PRODUCTION, pull_request_schema="pr_1_shop")


@pytest.mark.fault(24)
def test_a_profile_that_ignores_the_schema_is_refused_with_the_profile_line() -> None:
    said = refusal(node("a", "analytics"), node("b", "analytics_marts"))
    assert '- a -> "shop"."analytics"."a"' in said.what
    assert "env_var('DBT_DEPLOY_SCHEMA'" in said.remedy
    assert "nothing was written" in said.not_done


@pytest.mark.fault(24)
def test_a_new_model_that_production_does_not_have_is_refused_too() -> None:
    assert "brand_new" in refusal(node("brand_new", "analytics")).what


@pytest.mark.fault(24)
def test_a_snapshot_with_a_fixed_schema_is_refused_with_the_exclusion() -> None:
    said = refusal(node("a", "pr_1_shop"), node("snap", "snapshots", "snapshot"))
    assert "target_schema" in said.remedy
    assert "exclude: snap" in said.remedy
    assert "- a " not in said.what


@pytest.mark.fault(24)
def test_a_schema_macro_that_ignores_the_target_is_refused_with_the_macro() -> None:
    said = refusal(node("a", "pr_1_shop"), node("b", "analytics_marts"))
    assert "generate_schema_name" in said.remedy


@pytest.mark.fault(24)
def test_case_does_not_hide_production() -> None:
    refusal(node("a", "ANALYTICS", database="SHOP"))


@pytest.mark.fault(24)
def test_a_schema_that_is_neither_production_nor_the_pull_requests_is_refused() -> None:
    nodes = [node("a", "dbt_jane"), node("b", "dbt_jane_marts")]
    with pytest.raises(errors.SchemaNotOurs) as caught:
        guard.refuse_elsewhere(nodes, pull_request_schema="pr_1_shop")
    assert '- b -> "shop"."dbt_jane_marts"."b"' in caught.value.what
    assert "env_var('DBT_DEPLOY_SCHEMA'" in caught.value.remedy


def test_a_schema_that_holds_the_pull_requests_name_is_its_own() -> None:
    nodes = [node("a", "PR_1_SHOP_MARTS"), node("b", "marts_pr_1_shop"), node("e", None)]
    guard.refuse_elsewhere(nodes, pull_request_schema="pr_1_shop")


def test_another_database_is_another_place() -> None:
    nodes = [node("a", "analytics", database="scratch")]
    guard.refuse_production(nodes, PRODUCTION, pull_request_schema="pr_1_shop")


def test_what_writes_nothing_passes() -> None:
    nodes = [node("t", "analytics", "test", relation_name=None), node("e", None)]
    guard.refuse_production(nodes, PRODUCTION, pull_request_schema="pr_1_shop")


@pytest.mark.fault(24)
def test_a_test_that_stores_its_failures_writes() -> None:
    refusal(node("t", "analytics", "test"))


def test_a_long_list_is_cut_and_counted() -> None:
    said = refusal(*(node(f"m{number}", "analytics") for number in range(25)))
    assert "25 nodes" in said.what
    assert "and 5 more" in said.what


@pytest.mark.fault(25)
def test_a_schema_name_that_postgresql_would_cut_is_refused() -> None:
    guard.refuse_long_names([node("a", "x" * 63)])
    with pytest.raises(errors.SchemaNameTooLong) as caught:
        guard.refuse_long_names([node("a", "x" * 64)])
    assert "64 bytes" in caught.value.what


@pytest.mark.fault(24)
def test_a_function_is_written_though_dbt_gives_it_no_relation() -> None:
    said = refusal(node("f", "analytics", "function", relation_name=None))
    assert "- f -> analytics.f" in said.what


def test_production_owns_the_schemas_of_its_functions(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    function = {"name": "f", "database": "shop", "schema": "udfs"}
    manifest.write_text(json.dumps({"nodes": {}, "functions": {"function.shop.f": function}}))
    (relation,) = production.read_relations(manifest).values()
    assert (relation.database, relation.schema) == ("shop", "udfs")


@pytest.mark.fault(24)
def test_a_test_that_stores_failures_is_written() -> None:
    tested = node("t", "analytics", "test", relation_name=None)
    assert not guard.written([tested])
    assert "- t -> analytics." in refusal(*node_listing.with_stored_failures((tested,))).what

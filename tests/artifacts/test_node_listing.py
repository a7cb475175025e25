"""What dbt ls prints -> nodes."""

from __future__ import annotations

import json

import pytest

from dbtdeploy.artifacts import node_listing
from dbtdeploy.base import errors

MODEL = {
    "unique_id": "model.shop.b",
    "resource_type": "model",
    "name": "b",
    "database": "shop",
    "schema": "pr_1",
    "alias": "b_alias",
    "relation_name": '"shop"."pr_1"."b_alias"',
    "config": {"materialized": "incremental", "full_refresh": True, "meta": {}},
    "original_file_path": "models/b.sql",
}


def test_a_node_is_read_whole() -> None:
    (node,) = node_listing.read_listing([json.dumps(MODEL)])
    assert (node.identifier, node.materialized, node.full_refresh) == (
        "b_alias",
        "incremental",
        True,
    )
    assert (node.schema, node.path) == ("pr_1", "models/b.sql")


def test_what_a_project_prints_between_is_passed_over() -> None:
    lines = ["hello", '{"a": 1}', "[]", "", '{"unique_id": 4}', json.dumps(MODEL)]
    assert [node.name for node in node_listing.read_listing(lines)] == ["b"]


def test_a_node_that_cannot_be_understood_is_not_passed_over() -> None:
    with pytest.raises(errors.DbtStopped, match="cannot be understood"):
        node_listing.read_listing([json.dumps({**MODEL, "schema": 7})])


@pytest.mark.fault(24, 51)
@pytest.mark.parametrize("secret", ["pr_1", "shop", "true", "model"])
def test_what_dbt_scrubs_out_of_a_listing_hides_no_node(secret: str) -> None:
    line = json.dumps(MODEL).replace(secret, "*****")
    with pytest.raises(errors.DbtStopped) as refused:
        node_listing.read_listing([line])
    assert "DBT_ENV_SECRET_*" in refused.value.remedy


def test_a_config_of_another_type_hides_no_node() -> None:
    config = {"materialized": "incremental", "full_refresh": "yes"}
    (node,) = node_listing.read_listing([json.dumps({**MODEL, "config": config})])
    assert node.full_refresh is True


def test_what_is_only_listed_is_not_built() -> None:
    kinds = ["source", "exposure", "metric", "semantic_model", "analysis", "seed", "unit_test"]
    lines = [json.dumps({**MODEL, "resource_type": k, "unique_id": f"{k}.x"}) for k in kinds]
    assert [n.resource_type for n in node_listing.read_listing(lines)] == ["seed", "unit_test"]


def test_a_node_listed_twice_is_built_once() -> None:
    assert len(node_listing.read_listing([json.dumps(MODEL)] * 2)) == 1

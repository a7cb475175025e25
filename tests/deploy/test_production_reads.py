"""Which relations a deploy and a release read beside what they build."""

from __future__ import annotations

from typing import Any

import pytest

from dbtdeploy.artifacts.artifacts import DependsOn, Manifest, Node
from dbtdeploy.context.policies import BuildsProduction
from dbtdeploy.deploy import production_reads
from dbtdeploy.warehouse.release_macro_types import Query
from standins.jobs import runs


def node(name: str, kind: str, *parents: str, **fields: Any) -> Node:
    return Node(
        name=name, resource_type=kind, depends_on=DependsOn(nodes=[*parents]), schema="s", **fields
    )


MANIFEST = Manifest(
    nodes={
        "model.shop.built": node("built", "model", "source.shop.till.built"),
        "model.shop.old": node(
            "old", "model", "source.shop.till.old", relation_name='"d"."s"."old"'
        ),
        "test.shop.t": node("t", "test", "source.shop.till.tested"),
        "operation.shop.start": node("start", "operation", "source.shop.till.hooked"),
    },
    sources={
        f"source.shop.till.{name}": node(name, "source", relation_name=f'"d"."s"."{name}"')
        for name in ("built", "old", "tested", "hooked", "watched", "queried", "nobodys")
    },
)
QUIET: dict[str, Any] = {"docs": False, "source_freshness": "off"}
ALWAYS = {"built", "hooked"}


@pytest.mark.fault(109)
@pytest.mark.parametrize(
    ("policy", "more"),
    [
        (runs.deploy(**QUIET), set()),
        (runs.deploy(**QUIET | {"docs": True}), {"old", "tested"}),
        (runs.deploy(**QUIET | {"source_freshness": "warn"}), {"watched"}),
        (runs.deploy(**QUIET | {"source_freshness": "fail"}), {"watched"}),
        (runs.release(**QUIET), set()),
        (runs.release(**QUIET, production_tests=True), {"tested"}),
    ],
)
def test_what_is_asked_for_says_what_is_read(policy: BuildsProduction, more: set[str]) -> None:
    found = production_reads.of(
        MANIFEST, ["model.shop.built"], policy, watched=["source.shop.till.watched"]
    )
    assert {one.name for one in found} == ALWAYS | more


@pytest.mark.fault(109)
def test_what_a_query_of_the_team_names_is_read() -> None:
    queries = [
        Query(name="a.sql", sql='select * from "d"."s"."queried"'),
        Query(name="b.sql", sql='select * from "d"."s"."old" join "d"."s"."built" using (id)'),
    ]
    found = production_reads.of(
        MANIFEST, ["model.shop.built"], runs.release(**QUIET), watched=(), queries=queries
    )
    assert {one.name for one in found} == ALWAYS | {"queried", "old"}

"""What the scripts of a release work out without asking anybody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import errors, json_codec
from dbtdeploy.context import work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.release_files import Column, Released, ReleaseNode, ReleasePlan, Spot
from dbtdeploy.context.work_files import DbtProject, PlannedNode
from dbtdeploy.release import (
    live_checks,
    release_refusals,
    results_in_production,
    staging_profile,
    swap_request,
)
from dbtdeploy.release.pages import release_outcome
from dbtdeploy.release.pages.release_page_model import ReleasePageInputs
from dbtdeploy.warehouse import guard
from dbtdeploy.warehouse.preflight import DependentObject, Preflight
from dbtdeploy.warehouse.release_macro_types import (
    LiveProduction,
    LiveRelation,
    Measured,
    MeasuredNode,
    QueryResult,
    SwapOutcome,
    Swapped,
)
from standins.jobs import plans, runs

PROFILES = """
shop:
  target: prod
  outputs:
    prod: &prod
      type: postgres
      password: "{{ env_var('DBT_ENV_SECRET_PASSWORD') }}"
      port: "{{ env_var('PGPORT', '5432') | as_number }}"
      schema: "{{ env_var('DBT_DEPLOY_SCHEMA', 'analytics') }}"
    ci:
      <<: *prod
      schema: ci
other:
  outputs: {prod: {schema: theirs}}
"""

LIVE = Spot(database="shop", schema="analytics_marts", identifier="orders")
GREEN = Spot(database="shop", schema="dbt_green_1_shop_marts", identifier="orders")


def node(name: str = "orders", **over: object) -> ReleaseNode:
    return plans.release_node(name, **{"production": LIVE, "staging": GREEN, **over})


def plan(*nodes: ReleaseNode) -> ReleasePlan:
    return plans.release(*(nodes or (node(),)), release_id="20261121t060000")


# The profile of staging --------------------------------------------------------------------------


def test_only_the_schema_of_one_profile_is_replaced() -> None:
    text = staging_profile.with_schema(
        PROFILES, profile="shop", schema="dbt_green_1_shop", source=Path("profiles.yml")
    )
    made, given = yaml.safe_load(text), yaml.safe_load(PROFILES)
    assert {o["schema"] for o in made["shop"]["outputs"].values()} == {"dbt_green_1_shop"}
    for output in (*made["shop"]["outputs"].values(), *given["shop"]["outputs"].values()):
        del output["schema"]
    assert made == given


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shop: [", "is not YAML"),
        ("other: {outputs: {}}", "no profile `shop`"),
        ("shop: {target: prod}", "no profile `shop`"),
        ("just text", "no profile `shop`"),
        ("shop: {outputs: {prod: text}}", "no profile `shop`"),
    ],
)
def test_a_profile_that_cannot_be_understood_is_refused(text: str, said: str) -> None:
    with pytest.raises(errors.InvalidInput, match=said):
        staging_profile.with_schema(text, profile="shop", schema="s", source=Path("profiles.yml"))


def test_a_reader_that_the_profile_lacks_is_refused_before_anything_is_built() -> None:
    def made(reader: str) -> str:
        return staging_profile.with_schema(
            "shop: {outputs: {prod: {}, reader: {}}}",
            profile="shop",
            schema="s",
            source=Path("profiles.yml"),
            reader=reader,
        )

    assert made("reader") == made("")
    with pytest.raises(errors.InvalidInput, match=r"'reeder'.*It has `prod`, `reader`") as caught:
        made("reeder")
    assert caught.value.not_done == "Nothing was built, and nothing was written to the warehouse."


def test_the_profile_is_looked_for_where_dbt_does(tmp_path: Path) -> None:
    def project(profiles_dir: str | None) -> DbtProject:
        return DbtProject(
            command="dbt",
            project_dir=str(tmp_path / "project"),
            repository_path=".",
            name="shop",
            profiles_dir=profiles_dir,
            profile="shop",
            target=None,
            target_path="",
            packages_path="",
        )

    (tmp_path / "project").mkdir()
    variables = {"HOME": "/home/ida"}
    assert staging_profile.found(project(None), variables) == Path("/home/ida/.dbt/profiles.yml")
    own = tmp_path / "project" / "profiles.yml"
    own.touch()
    assert staging_profile.found(project(None), variables) == own
    variables["DBT_PROFILES_DIR"] = "named"
    assert staging_profile.found(project(None), variables) == own.parent / "named/profiles.yml"
    variables["DBT_ENGINE_PROFILES_DIR"] = "/engine"
    assert staging_profile.found(project(None), variables) == Path("/engine/profiles.yml")
    assert staging_profile.found(project("/given"), variables) == Path("/given/profiles.yml")


# What would land elsewhere -----------------------------------------------------------------------


def planned(name: str, schema: str, kind: str = "model") -> PlannedNode:
    return plans.node(name, kind, schema=schema)


@pytest.mark.fault(24)
def test_what_would_be_built_outside_staging_is_refused() -> None:
    production = {("shop", "analytics")}
    inside = [planned("a", "dbt_green_1_shop"), planned("b", "marts_DBT_GREEN_1_shop")]
    guard.refuse_outside_staging(inside, production, staging="dbt_green_1_shop")
    with pytest.raises(errors.WouldWriteToProduction) as caught:
        guard.refuse_outside_staging(
            [*inside, planned("c", "Analytics")], production, staging="dbt_green_1_shop"
        )
    assert "- c ->" in caught.value.what
    assert "- a ->" not in caught.value.what
    assert "env_var('DBT_DEPLOY_SCHEMA', '')" in caught.value.remedy
    with pytest.raises(errors.SchemaNotOurs) as elsewhere:
        guard.refuse_outside_staging(
            [planned("s", "history", "snapshot")], production, staging="dbt_green_1_shop"
        )
    assert "target_schema" in elsewhere.value.remedy


# The job of the swap, and its results ------------------------------------------------------------


def known(*nodes: ReleaseNode, live: tuple[LiveRelation, ...] = ()) -> swap_request.Known:
    manifest = {"nodes": {"model.shop.orders": {"config": {"grants": {"select": ["bi"]}}}}}
    columns = (Column(name="id", type="integer"),)
    return swap_request.Known(
        plan=plan(*nodes),
        live=LiveProduction(role="r", database="shop", look=Preflight(), live=live),
        measured=Measured(
            nodes=(MeasuredNode(unique_id="model.shop.orders", columns_after=columns),)
        ),
        manifest=json_codec.decode(json.dumps(manifest), Manifest),
    )


RUN = runs.run(runs.release("v1.4.0"), event=runs.event(ref="v1.4.0", actor="ida"))


def test_what_is_live_is_kept_and_what_is_new_has_nothing_to_keep() -> None:
    there = LiveRelation(
        unique_id="model.shop.orders", spot=LIVE, kind="table", oid=7, owner="r", ours=True
    )
    direct = node("events", method="direct")
    asked = known(node(), direct, live=(there,))
    record = swap_request.record(asked, RUN, plans.state(tag="v1.3.0"), token="0a1b2c3d")
    (kept,) = record.nodes
    assert kept.kept_in == "analytics_marts__kept_20261121t060000_0a1b2c3d"
    assert [column.name for column in kept.columns] == ["id"]
    assert (record.before_tag, record.by, record.direct) == ("v1.3.0", "ida", (direct.unique_id,))
    (pair,) = swap_request.pairs(asked)
    assert (pair.expected_oid, pair.managed_privileges) == (7, ("SELECT",))

    new = swap_request.record(known(node()), RUN, plans.state(found=False), token="0a1b2c3d")
    assert new.nodes[0].kept_in is None
    assert swap_request.pairs(known(node()))[0].expected_oid is None


def test_results_of_staging_bear_the_names_of_production() -> None:
    made = {
        "metadata": {"invocation_id": "x"},
        "results": [
            {
                "unique_id": "model.shop.orders",
                "status": "success",
                "execution_time": 1.5,
                "relation_name": '"shop"."dbt_green_1_shop"."orders"',
                "compiled_code": "select * from dbt_green_1_shop.x",
                "adapter_response": {"rows_affected": 7},
            },
            {"unique_id": "test.shop.t", "status": "pass", "relation_name": None},
        ],
    }
    relation = '"shop"."analytics"."orders"'
    manifest = {"nodes": {"model.shop.orders": {"relation_name": relation}}}
    content = results_in_production.in_production(
        json.dumps(made).encode(),
        json_codec.decode(json.dumps(manifest), Manifest),
        {"model.shop.orders": 542, "test.shop.t": None},
    )
    assert b"dbt_green_" not in content
    model, test = json.loads(content)["results"]
    assert model["relation_name"] == relation
    assert model["adapter_response"] == {"rows_affected": 7, "rows": 542}
    assert model["execution_time"] == 1.5
    assert "adapter_response" not in test


# Refusals ----------------------------------------------------------------------------------------


def test_other_warehouses_are_refused_before_anything_is_built() -> None:
    with pytest.raises(errors.AdapterNotSupported, match="adapter is snowflake") as caught:
        release_refusals.refuse_adapter(plan(), "snowflake")
    assert "`method` to direct" in caught.value.remedy
    release_refusals.refuse_adapter(plan(), "postgres")
    release_refusals.refuse_adapter(plan(node(method="direct")), "snowflake")


@pytest.mark.fault(29)
def test_what_others_hang_on_a_release_stops_it_with_their_names() -> None:
    view = DependentObject(
        key="c9",
        kind="view",
        schema="bi",
        name="turnover",
        full_name="bi.turnover",
        owner="analyst",
        gone=True,
        ours=False,
        there="",
        statements=(),
    )
    look = LiveProduction(
        role="prod", database="shop", look=Preflight(role="prod", dependents=(view,))
    )
    with pytest.raises(errors.DependentsInTheWay) as caught:
        release_refusals.refuse_in_the_way(plan(), look)
    assert "view bi.turnover of analyst" in caught.value.what
    assert "GRANT" not in caught.value.remedy
    release_refusals.refuse_in_the_way(plan(node(method="direct")), look)


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        ("busy", errors.SwapTimeout),
        ("changed", errors.ProductionChanged),
        ("unfit", errors.ConsumerDoesNotFit),
        ("fenced", errors.LeaseLost),
        ("failed", errors.SwapFailed),
    ],
)
def test_a_swap_that_did_not_happen_says_why(
    outcome: SwapOutcome, kind: type[errors.DbtDeployError]
) -> None:
    swapped = Swapped(outcome=outcome, detail=("analytics.orders: column id is gone",), attempts=60)
    with pytest.raises(kind) as caught:
        release_refusals.refuse_swap(plan(), swapped)
    assert "column id is gone" in caught.value.what
    assert "Production is as it was" in caught.value.not_done
    release_refusals.refuse_swap(plan(), Swapped(outcome="done"))


# Once it is live ---------------------------------------------------------------------------------


def test_each_relation_that_went_live_is_read_as_the_reader() -> None:
    (query,) = live_checks.one_row_each(plan(node(), node("events", method="direct")))
    assert query.sql == 'select 1 from "shop"."analytics_marts"."orders" limit 1'
    answers = [QueryResult(name="a", rows=0), QueryResult(name="b", error="permission denied")]
    assert live_checks.failed_queries(answers) == ("b: permission denied",)


@pytest.mark.parametrize(
    ("released", "failure", "status"),
    [
        (Released(version="v"), None, "passed"),
        (Released(version="v", resumed="nothing"), None, "nothing"),
        (None, None, "nothing"),
        (None, "GateClosed", "failed"),
        (Released(taken_back="a query"), "TakenBack", "failed"),
        (None, "SwapTimeout", "error"),
        (None, "Cancelled", "cancelled"),
    ],
)
def test_the_status_of_a_release(
    released: Released | None, failure: str | None, status: str
) -> None:
    told = work_files.Failure(
        kind=failure or "", title="", what="", not_done="", remedy="", phase=Phase.SWAP, exit_code=1
    )
    facts = ReleasePageInputs(run=RUN, released=released, failure=told if failure else None)
    assert release_outcome.status(facts) == status

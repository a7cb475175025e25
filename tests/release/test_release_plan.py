"""What a release changes: per node why, of which type, by which method, and how it goes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import work_files
from dbtdeploy.context.release_files import Column, ReleaseNode, ReleasePlan, Spot
from dbtdeploy.release import release_plan
from dbtdeploy.warehouse.release_macro_types import LeftRelation, Measured, MeasuredNode
from standins.jobs import builds, plans, releases
from standins.jobs.builds import Entry, edited
from standins.jobs.releases import (
    BROUGHT,
    LOOK,
    NOW,
    ORDERS,
    column,
    first,
    manifest,
    node,
    planned,
)


def named(plan: ReleasePlan) -> Mapping[str, ReleaseNode]:
    return {one.name: one for one in plan.nodes}


def one_node(
    new: Entry, old: Entry | None = None, *, live: bool = True, **over: Any
) -> ReleaseNode:
    """The plan's entry for one model that is alone in its project."""
    made = first(
        **{
            "manifest": manifest([new]),
            "production": manifest([old] if old else []),
            "planned": planned([new]),
            "look": releases.live([old] if old and live else []),
            **over,
        }
    )
    return made.nodes[0]


def with_config(entry: Entry, **config: Any) -> Entry:
    merged = {**entry["config"], **config}
    return {**entry, "config": merged, "unrendered_config": merged}


def test_why_each_node_comes() -> None:
    nodes = named(first())
    assert {name: one.change for name, one in nodes.items()} == {
        "fct_orders": "changed",
        "dim_customers": "downstream",
        "customer_ltv": "downstream",
        "dim_segments": "new",
    }
    assert nodes["fct_orders"].reasons == ("body",)
    assert nodes["dim_customers"].reasons == ()


def test_what_failed_since_comes_again() -> None:
    brought = (*BROUGHT, releases.REGIONS)
    assert named(first(planned=planned(brought)))["dim_regions"].change == "again"
    below = named(first(again=("model.shop.dim_customers",)))
    assert below["dim_customers"].change == "again"
    assert below["fct_orders"].change == "changed"


def test_what_hangs_on_a_changed_source_is_downstream() -> None:
    source = {
        "unique_id": "source.shop.raw.orders",
        "resource_type": "source",
        "name": "orders",
        "source_name": "raw",
        "identifier": "orders",
        "schema": "raw",
    }
    reader = node("stg_orders", "source.shop.raw.orders")
    made = first(
        manifest=manifest([{**source, "identifier": "orders_v2"}, reader]),
        production=manifest([source, reader]),
        planned=planned([reader]),
        look=releases.live([reader]),
    )
    assert made.nodes[0].change == "downstream"


def test_without_a_version_to_compare_with_what_is_live_decides() -> None:
    made = named(first(production=None))
    assert made["fct_orders"].change == "changed"
    assert made["dim_segments"].change == "new"
    assert all(one.change == "new" for one in first(production=None, look=None).nodes)


@pytest.mark.parametrize(
    ("materialized", "kind"),
    [
        ("table", "B"),
        ("incremental", "C"),
        ("view", "C"),
        ("materialized_view", "C"),
        ("seed", "C"),
        ("snapshot", "C"),
    ],
)
def test_types(materialized: str, kind: str) -> None:
    entry = node("m", materialized=materialized)
    assert one_node(edited(entry, "select 2"), entry).kind == kind
    assert one_node(edited(entry, "select 2"), entry, live=False).kind == "A"
    assert one_node(entry).kind == "A"


def test_the_method_is_the_models_word_else_the_inputs() -> None:
    entry = node("m")
    direct = replace(releases.RUN, policy=replace(releases.POLICY, method="direct"))
    own = with_config(entry, meta={"dbt_deploy": {"method": "direct"}})
    short = with_config(entry, meta={"dbt_deploy_method": "direct"})
    back = with_config(entry, meta={"dbt_deploy": {"method": "blue-green"}})
    assert one_node(entry).method == "blue-green"
    assert one_node(own).method == one_node(short).method == "direct"
    assert one_node(entry, run=direct).method == "direct"
    assert one_node(back, run=direct).method == "blue-green"
    assert one_node({**entry, "meta": {"dbt_deploy_method": "direct"}}).method == "direct"


@pytest.mark.parametrize(
    ("old", "new", "back_by"),
    [
        ("table", "table", "restore"),
        ("seed", "seed", "restore"),
        ("view", "view", "recreate"),
        ("view", "table", "recreate"),
        ("table", "view", "restore"),
        ("incremental", "incremental", "leave"),
        ("snapshot", "snapshot", "leave"),
        ("view", "incremental", "recreate"),
        ("materialized_view", "materialized_view", "restore"),
    ],
)
def test_what_a_rollback_does_goes_by_what_was_live(old: str, new: str, back_by: str) -> None:
    before = node("m", materialized=old)
    after = node("m", materialized=new, sql="select 2")
    assert one_node(after, before).back_by == back_by
    assert one_node(after, before, look=None).back_by == back_by
    assert one_node(after, before, live=False).back_by == "remove"
    own = with_config(after, meta={"dbt_deploy": {"method": "direct"}})
    assert one_node(own, before).back_by == "rebuild"


def test_a_full_refresh_is_of_what_dbt_writes_into_only() -> None:
    entry = node("m", materialized="incremental")
    new = edited(entry, "select 2")
    asked = replace(releases.RUN, selection=work_files.Selection(full_refresh=True))
    assert not one_node(new, entry).full_refresh
    assert one_node(new, entry, run=asked).full_refresh
    assert one_node(new, entry, planned=planned([new], full_refresh=True)).full_refresh
    refused = one_node(new, entry, run=asked, planned=planned([new], full_refresh=False))
    assert not refused.full_refresh
    assert not one_node(new, run=asked).full_refresh
    table = node("m")
    assert not one_node(edited(table, "select 2"), table, run=asked).full_refresh


@pytest.mark.parametrize(
    ("header", "in_full"),
    [((), False), (("ID", "name"), False), (("id",), False), (("id", "name", "w"), True)],
)
def test_a_seed_with_a_column_that_its_table_has_not_is_replaced(
    header: tuple[str, ...], in_full: bool
) -> None:
    entry = node("m", materialized="seed")
    (live,) = releases.live([entry]).live
    columns = (column("id", "integer"), column("name", "text"))
    look = replace(LOOK, live=(replace(live, columns=columns),))
    new = one_node(edited(entry, "2"), entry, look=look, seed_headers={"model.shop.m": header})
    assert new.full_refresh is in_full
    assert new.breaking == ()


def test_exposures_at_any_distance() -> None:
    nodes = named(first())
    assert nodes["fct_orders"].exposures == ("Weekly sales",)
    assert nodes["customer_ltv"].exposures == ("Weekly sales",)
    assert nodes["dim_segments"].exposures == ()


def test_what_hangs_on_it_outside_the_project() -> None:
    own = releases.dependent("c7", "analytics.dim_customers", "c100")
    behind_own = releases.dependent("c8", "bi.by_customer", "c7")
    deep = releases.dependent("c9", "bi.deep", "c901")
    look = replace(LOOK, look=replace(LOOK.look, dependents=(*LOOK.look.dependents, own, deep)))
    nodes = named(first(look=look))
    assert nodes["fct_orders"].outside == ("bi.deep", "bi.weekly_orders", "bi.weekly_top")
    assert nodes["dim_customers"].outside == ()
    more = replace(look, look=replace(look.look, dependents=(own, behind_own)))
    assert named(first(look=more))["fct_orders"].outside == ("bi.by_customer",)


def test_removed_is_what_left_the_project_and_is_there() -> None:
    assert [one.name for one in first().removed] == ["stg_legacy_orders"]
    gone = replace(LOOK, left=())
    assert first(look=gone).removed == ()
    assert [one.name for one in first(look=None).removed] == ["stg_legacy_orders"]


MOVED = {"alias": "orders_v2", "schema": "marts"}


@pytest.mark.fault(59)
def test_a_node_with_another_alias_or_schema_moves() -> None:
    moved = {**ORDERS, "alias": "orders_v2"}
    left = LeftRelation(
        unique_id=ORDERS["unique_id"],
        spot=Spot(database="db", schema="analytics", identifier="fct_orders"),
        readers=("bi.weekly_orders",),
    )
    made = first(
        manifest=manifest([moved]),
        production=manifest([ORDERS]),
        planned=planned([moved]),
        look=replace(releases.live([]), left=(left,)),
    )
    (one,) = made.nodes
    assert (one.moved_from, one.production.identifier) == (left.spot, "orders_v2")
    (gone,) = made.removed
    assert (gone.moved_to, gone.readers) == (one.production, left.readers)


@pytest.mark.fault(59, 85)
@pytest.mark.parametrize("materialized", ["incremental", "snapshot"])
def test_history_moves_with_its_model_or_the_release_refuses(materialized: str) -> None:
    kind = "snapshot" if materialized == "snapshot" else "model"
    old = builds.model("m", kind=kind, materialized=materialized, schema="analytics")
    new = {**old, **MOVED, "relation_name": '"db"."marts"."orders_v2"'}
    spot = Spot(database="db", schema="analytics", identifier="m")
    look = replace(releases.live([]), left=(LeftRelation(unique_id=old["unique_id"], spot=spot),))
    said = {"manifest": manifest([new]), "production": manifest([old]), "planned": planned([new])}
    with pytest.raises(errors.HistoryNotMoved) as caught:
        first(**said, look=look)
    assert (
        'alter table "analytics"."m" set schema "marts";\n'
        '    alter table "marts"."m" rename to "orders_v2";\n'
        '    create view "analytics"."m" as select * from "marts"."orders_v2";'
    ) in caught.value.remedy
    there = replace(
        releases.live([new]).live[0],
        spot=Spot(database="db", schema="marts", identifier="orders_v2"),
    )
    made = first(**said, look=replace(look, live=(there,)))
    assert made.nodes[0].kind == "C"
    if materialized == "incremental":
        in_full = planned([new], full_refresh=True)
        assert first(**{**said, "planned": in_full}, look=look).nodes


def test_a_place_that_another_node_took_is_not_removed() -> None:
    renamed = node("stg_orders_v2", alias="stg_legacy_orders")
    made = first(manifest=manifest((*NOW, renamed)), planned=planned((*BROUGHT, renamed)))
    assert made.removed == ()


def test_untouched_counts_what_stays() -> None:
    made = first()
    assert made.untouched == 2
    assert made.tests == 2


def test_a_release_may_only_remove_or_only_test() -> None:
    assert first(planned=plans.plan()).removed
    tests = first(production=manifest(NOW[:-1]), planned=planned([releases.UNIQUE]))
    assert (tests.nodes, tests.tests) == ((), 1)


@pytest.mark.fault(19)
def test_nothing_selected_is_a_failure() -> None:
    with pytest.raises(errors.ReleaseEmpty) as refused:
        first(production=manifest(NOW[:-1]), planned=plans.plan())
    failure = refused.value
    assert failure.exit_code == 94
    assert "v1.4.0 at 9f3c2e1 brings nothing" in failure.what
    assert "--select state:modified+" in failure.what
    assert "git log -1 v1.4.0" in failure.remedy
    state = replace(releases.STATE, commit=releases.TAG.commit)
    with pytest.raises(errors.ReleaseEmpty) as again:
        first(production=manifest(NOW[:-1]), planned=plans.plan(), state=state)
    assert "is live already" in again.value.remedy


def test_production_is_where_the_manifest_says() -> None:
    assert named(first())["fct_orders"].production == Spot(
        database="db", schema="analytics", identifier="fct_orders"
    )
    wanted = release_plan.wanted(planned(BROUGHT), manifest(NOW))
    assert [one.spot.identifier for one in wanted] == [
        "fct_orders",
        "dim_customers",
        "customer_ltv",
        "dim_segments",
    ]


def test_an_ephemeral_model_is_no_relation() -> None:
    between = node("int_orders", materialized="ephemeral", relation_name=None)
    made = first(
        manifest=manifest([between]),
        production=manifest([]),
        planned=planned([between, node("m")]),
        look=None,
    )
    assert [one.name for one in made.nodes] == ["m"]
    assert [one.unique_id for one in release_plan.wanted(planned([between]), manifest([]))] == []


def test_a_function_is_built_in_place() -> None:
    function = {
        **node("add_vat"),
        "unique_id": "function.shop.add_vat",
        "resource_type": "function",
    }
    assert one_node(function, look=None).method == "direct"


# The final version


def finished(
    before: Sequence[Column],
    after: Sequence[Column],
    *,
    new: Entry | None = None,
    old: Entry = ORDERS,
) -> ReleaseNode:
    new = new or edited(old, "select 2")
    made = first(
        manifest=manifest([new]),
        production=manifest([old]),
        planned=planned([new]),
        look=releases.live([old]),
    )
    figure = MeasuredNode(
        unique_id=new["unique_id"],
        columns_before=tuple(before),
        columns_after=tuple(after),
        rows_before=10,
        rows_after=11,
    )
    done = release_plan.finish(
        made,
        Measured(nodes=(figure,)),
        releases.results([builds.result(new, rows=11, seconds=2.5)]),
        manifest=manifest([new]),
        production=manifest([old]),
    )
    assert done.final
    return done.nodes[0]


ID, AMOUNT = column("id"), column("amount", "numeric(12,2)")


def test_rows_and_seconds() -> None:
    done = finished([ID], [ID])
    assert (done.rows_before, done.rows_after, done.seconds) == (10, 11, 2.5)
    assert done.breaking == ()


def test_a_removed_and_a_retyped_column_break() -> None:
    assert finished([ID, AMOUNT], [ID]).breaking == ("column `amount` is removed",)
    done = finished([ID, AMOUNT], [ID, column("amount", "text")])
    assert done.breaking == ("column `amount` becomes `text`, was `numeric(12,2)`",)
    assert finished([ID], [ID, AMOUNT]).breaking == ()
    assert finished([ID, AMOUNT], [AMOUNT, ID]).breaking == ()


def test_a_broken_contract_is_named() -> None:
    promise = {**ORDERS, "contract": {"enforced": True}, "columns": {"amount": {}}}
    done = finished([ID, AMOUNT], [ID], old=promise)
    assert done.breaking == ("column `amount` is removed, which its contract promises",)
    lifted = {**edited(promise, "select 2"), "contract": {"enforced": False}}
    done = finished([ID, AMOUNT], [ID, AMOUNT], old=promise, new=lifted)
    assert done.breaking == ("its contract is no longer enforced",)


def test_a_full_refresh_breaks_and_so_does_the_end_of_incremental() -> None:
    old = node("m", materialized="incremental")
    new = with_config(edited(old, "select 2"), full_refresh=True)
    run = replace(releases.RUN, selection=work_files.Selection(full_refresh=True))
    lost = "rows that its sources no longer have are lost"
    assert one_node(new, old, run=run).breaking == (f"it is built in full: {lost}",)
    table = with_config(edited(old, "select 2"), materialized="table")
    said = f"it is a table now and no longer incremental: {lost}"
    assert one_node(table, old).breaking == (said,)
    assert one_node(new, old).breaking == ()


def test_a_new_column_that_an_incremental_table_does_not_get() -> None:
    old = node("m", materialized="incremental", columns={"id": {}, "typo": {}})
    new = {**edited(old, "select 2"), "columns": {"id": {}, "typo": {}, "amount": {}}}
    said = "column `amount` is new and does not get into the table without a full refresh"
    assert finished([ID], [ID], old=old, new=new).breaking == (said,)
    assert finished([ID], [ID, AMOUNT], old=old, new=new).breaking == ()
    syncing = with_config(new, on_schema_change="append_new_columns")
    assert finished([ID], [ID], old=old, new=syncing).breaking == ()


def test_what_was_not_measured_keeps_what_the_manifests_say() -> None:
    made = releases.final(measured=Measured())
    assert named(made)["fct_orders"].rows_after is None
    assert named(made)["fct_orders"].seconds == 2.1


def test_staging_is_known_once_it_stands() -> None:
    spot = Spot(database="db", schema="green", identifier="fct_orders")
    made = release_plan.staged_at(first(), {ORDERS["unique_id"]: spot})
    assert named(made)["fct_orders"].staging == spot
    assert named(made)["dim_customers"].staging is None


def test_thousands_of_nodes_are_planned_in_a_moment() -> None:
    """Time grows with the nodes, not with their square; 5,000 take about a second."""
    chain = [node(f"m{i}", *([f"m{i - 1}"] if i else [])) for i in range(3000)]
    now = [edited(chain[0], "select 2"), *chain[1:]]
    made = first(
        manifest=manifest(now),
        production=manifest(chain),
        planned=planned(now),
        look=releases.live(chain),
    )
    assert made.nodes[-1].change == "downstream"

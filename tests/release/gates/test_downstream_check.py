"""A release takes along all that is built from what it replaces."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.release.gates import downstream_check
from standins.jobs import builds, releases
from standins.jobs.builds import Entry
from standins.jobs.releases import BROUGHT, NOW, first, manifest, node, planned


def without(*gone: Entry) -> Sequence[Entry]:
    return [entry for entry in BROUGHT if entry not in gone]


def with_method(entry: Entry, method: str) -> Entry:
    config = {**entry["config"], "meta": {"dbt_deploy": {"method": method}}}
    return {**entry, "config": config}


def plan_of(now: Sequence[Entry], brought: Sequence[Entry], **over: object) -> ReleasePlan:
    return first(manifest=manifest(now), planned=planned(brought), **over)


def test_what_state_modified_plus_selects_is_closed() -> None:
    assert len(first().nodes) == 4


def test_what_exclude_opens_is_refused_with_names() -> None:
    with pytest.raises(errors.ReleaseNotClosed) as refused:
        first(planned=planned(without(releases.LTV, releases.CUSTOMERS, releases.SEGMENTS)))
    assert "- model dim_customers, which reads model fct_orders" in refused.value.what
    assert "- model customer_ltv, which reads model fct_orders" in refused.value.what
    assert "`exclude`" in refused.value.remedy


def test_a_left_out_leaf_opens_it_too() -> None:
    with pytest.raises(errors.ReleaseNotClosed, match="customer_ltv, which reads"):
        first(planned=planned(without(releases.LTV)))


def test_left_out_tests_leave_it_closed() -> None:
    assert first(planned=planned(without(releases.UNIQUE, releases.NOT_NULL))).tests == 0


def test_an_ephemeral_model_hides_nothing() -> None:
    between = node("int_orders", "fct_orders", materialized="ephemeral", relation_name=None)
    behind = node("orders_report", "int_orders")
    now = (*NOW, between, behind)
    with pytest.raises(errors.ReleaseNotClosed, match="orders_report") as refused:
        plan_of(now, BROUGHT)
    assert "int_orders" not in refused.value.what
    assert len(plan_of(now, [*BROUGHT, between, behind]).nodes) == 5


@pytest.mark.parametrize("kind", ["snapshot", "seed"])
def test_snapshots_and_seeds_belong_to_it(kind: str) -> None:
    other = builds.model("orders_kept", "fct_orders", kind=kind, schema="analytics")
    with pytest.raises(errors.ReleaseNotClosed, match=f"{kind} orders_kept"):
        plan_of((*NOW, other), BROUGHT)


def test_a_staged_node_may_not_read_one_that_is_built_in_place_later() -> None:
    direct = with_method(releases.NEW_ORDERS, "direct")
    now = [direct if entry is releases.NEW_ORDERS else entry for entry in NOW]
    with pytest.raises(errors.ReleaseNotClosed) as refused:
        plan_of(now, BROUGHT)
    assert "- model customer_ltv, which reads model fct_orders" in refused.value.what
    assert "`dbt_deploy: {method: direct}`" in refused.value.remedy
    assert "`customer_ltv`, `dim_customers`, `dim_segments`" in refused.value.remedy


def test_a_node_built_in_place_may_read_a_staged_one() -> None:
    last = with_method(releases.LTV, "direct")
    now = [last if entry is releases.LTV else entry for entry in NOW]
    made = plan_of(now, [last if entry is releases.LTV else entry for entry in BROUGHT])
    assert [n.name for n in made.direct] == ["customer_ltv"]


def test_all_in_place_needs_no_closure() -> None:
    run = replace(releases.RUN, policy=replace(releases.POLICY, method="direct"))
    made = first(run=run, planned=planned([releases.NEW_ORDERS]))
    assert not made.staged


def test_a_long_list_is_cut_and_counted() -> None:
    many = [node(f"m{i}", "fct_orders") for i in range(downstream_check.LISTED + 7)]
    with pytest.raises(errors.ReleaseNotClosed) as refused:
        plan_of((*NOW, *many), BROUGHT)
    assert refused.value.what.endswith("- and 7 more")

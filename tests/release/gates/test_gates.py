"""Each gate by its figures; what is malformed is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Gate, ReleasePlan
from dbtdeploy.release import node_meta
from dbtdeploy.release.gates import gates
from dbtdeploy.warehouse.release_macro_types import Measured, MeasuredNode, Pair, QueryResult
from standins.jobs import builds, releases
from standins.jobs.builds import Entry
from standins.jobs.releases import (
    BROUGHT,
    CUSTOMERS,
    LTV,
    MEASURED,
    NEW_ORDERS,
    NOW,
    ORDERS,
    POLICY,
    RESULTS,
    SEGMENTS,
    column,
    final,
    first,
    manifest,
    measured_node,
    planned,
)


def gate(plan: ReleasePlan, name: str) -> Gate:
    return next(one for one in plan.gates if one.name == name)


def measuring(*nodes: MeasuredNode, checks: Sequence[QueryResult] = MEASURED.checks) -> Measured:
    """The usual figures, with some nodes' own."""
    own = {one.unique_id: one for one in nodes}
    kept = tuple(own.get(one.unique_id, one) for one in MEASURED.nodes)
    return Measured(nodes=kept, checks=tuple(checks))


def with_meta(entry: Entry, **meta: Any) -> Sequence[Entry]:
    """The project in which one node asks for something."""
    config = {**entry["config"], "meta": {"dbt_deploy": meta}}
    return [{**one, "config": config} if one is entry else one for one in NOW]


def judged(measured: Measured, now: Sequence[Entry] = NOW, **over: Any) -> ReleasePlan:
    return final(first(manifest=manifest(now)), measured, now=now, **over)


# Before staging


def test_before_staging_each_gate_says_what_it_waits_for() -> None:
    waits = {one.name: (one.outcome, one.figures) for one in first().gates}
    assert waits == {
        "dbt tests": ("waiting", "2 tests"),
        "breaking changes": ("waiting", "columns of staging against production's"),
        "losses": ("waiting", "triggers, comments and the like"),
        "row counts": ("waiting", "3 tables"),
        "rows kept": ("waiting", "1 incremental table or snapshot"),
        "freshness": ("off", "no column is named for it"),
        "checks": ("waiting", "the queries of the folder `checks`"),
    }


def test_of_what_is_built_in_place_only_tests_are_asked() -> None:
    run = replace(releases.RUN, policy=replace(POLICY, method="direct"))
    found = {one.name: one.outcome for one in first(run=run).gates}
    assert found.pop("dbt tests") == "waiting"
    assert set(found.values()) == {"off"}


def test_all_well() -> None:
    assert {one.name: (one.outcome, one.figures) for one in final().gates} == {
        "dbt tests": ("passed", "2 of 2 tests passed"),
        "breaking changes": ("passed", "no column is removed or retyped"),
        "losses": ("passed", "no trigger, comment or the like"),
        "row counts": ("passed", "all 3 tables have production's rows within ±5 %"),
        "rows kept": ("passed", "no row lost in 1 table, keys unique in 1"),
        "freshness": ("off", "no column is named for it"),
        "checks": ("passed", "1 check found no rows"),
    }
    gates.refuse(final().gates)


# dbt tests


def ended(index: int, status: str) -> list[Entry]:
    return [{**one, "status": status} if i == index else one for i, one in enumerate(RESULTS)]


@pytest.mark.parametrize("status", ["fail", "error", "runtime error", "skipped", "splendid"])
def test_a_test_that_did_not_pass_blocks(status: str) -> None:
    found = gate(final(ended=ended(4, status)), "dbt tests")
    assert (found.outcome, found.figures) == ("blocked", "1 of 2 tests passed")
    assert found.details[0].startswith("`unique_fct_orders_id`: ")


def test_a_test_without_a_result_blocks() -> None:
    assert gate(final(ended=RESULTS[:5]), "dbt tests").outcome == "blocked"


@pytest.mark.parametrize("status", ["error", "skipped", "partial success", "splendid"])
def test_a_node_that_was_not_built_blocks(status: str) -> None:
    found = gate(final(ended=ended(1, status)), "dbt tests")
    assert found.outcome == "blocked"
    assert "`dim_customers` was not built" in found.details


def test_a_test_that_warns_warns_or_blocks() -> None:
    plan, results = final(ended=ended(4, "warn")), releases.results(ended(4, "warn"))
    found = gate(plan, "dbt tests")
    assert (found.outcome, found.figures) == ("warned", "1 of 2 tests passed, 1 warned")
    strict = gates.judge(
        plan,
        manifest=manifest(NOW),
        measured=MEASURED,
        results=results,
        policy=POLICY,
        allowed_by=None,
        fail_on_warnings=True,
    )
    assert strict[0].outcome == "blocked"


def test_no_tests_at_all_is_worth_a_warning() -> None:
    plan = first(planned=planned(BROUGHT[:4]))
    found = gate(final(plan, ended=RESULTS[:4]), "dbt tests")
    assert (found.outcome, found.figures) == ("warned", "no test covers what this release brings")


# Breaking changes

NARROWED = measuring(measured_node(ORDERS, 10, 10, columns_after=(column("id", "bigint"),)))


def test_a_breaking_change_blocks() -> None:
    found = gate(final(measured=NARROWED), "breaking changes")
    assert (found.outcome, found.figures) == ("blocked", "2 breaking changes in 1 model")
    assert found.details == (
        "`fct_orders`: column `id` becomes `bigint`, was `integer`",
        "`fct_orders`: column `amount` is removed",
    )
    assert "the label `allow-breaking`" in found.remedy


def test_what_is_built_in_place_is_not_compared_and_that_is_told() -> None:
    config = {**LTV["config"], "meta": {"dbt_deploy": {"method": "direct"}}}
    now = [{**LTV, "config": config} if one is LTV else one for one in NOW]
    found = gate(judged(MEASURED, now), "breaking changes")
    assert found.figures == "no column is removed or retyped; 1 built in place not compared"


def test_an_allowed_one_is_told() -> None:
    found = gate(
        final(measured=NARROWED, allowed_by="the label `allow-breaking` of #482"),
        "breaking changes",
    )
    assert found.outcome == "warned"
    assert found.figures.endswith("in 1 model, allowed by the label `allow-breaking` of #482")


@pytest.mark.parametrize(
    "measured",
    [
        Measured(nodes=MEASURED.nodes[1:]),
        measuring(measured_node(ORDERS, None, None, columns_after=(), error="gone")),
    ],
)
def test_columns_that_nobody_could_compare_block_whoever_allows_it(measured: Measured) -> None:
    found = gate(final(measured=measured, allowed_by="the input"), "breaking changes")
    assert (found.outcome, found.figures) == ("blocked", "the columns of 1 node could not be read")


# Row counts


@pytest.mark.parametrize(
    ("after", "outcome"), [(935, "passed"), (982, "warned"), (981, "passed"), (0, "warned")]
)
def test_rows_beyond_the_tolerance_warn(after: int, outcome: str) -> None:
    found = gate(judged(measuring(measured_node(CUSTOMERS, 935, after))), "row counts")
    assert found.outcome == outcome


def test_the_figures_of_a_row_count() -> None:
    found = gate(judged(measuring(measured_node(CUSTOMERS, 935, 700))), "row counts")
    assert found.figures == "1 of 3 tables beyond ±5 % of production"
    assert found.details == ("`dim_customers`: 935 → 700 rows (\u221225.1 %, allowed ±5 %)",)


def test_an_input_makes_it_block_or_off() -> None:
    halved = measuring(measured_node(CUSTOMERS, 935, 400))
    blocks = replace(POLICY, row_count_gate="block")
    found = gate(judged(halved, policy=blocks), "row counts")
    assert found.outcome == "blocked"
    assert "`row-count-tolerance`" in found.remedy
    off = gate(judged(halved, policy=replace(POLICY, row_count_gate="off")), "row counts")
    assert off.outcome == "off"
    wide = gate(judged(halved, policy=replace(POLICY, row_count_tolerance=60.0)), "row counts")
    assert wide.outcome == "passed"


def test_a_models_own_word_goes_first() -> None:
    halved = measuring(measured_node(CUSTOMERS, 935, 400))
    blocks = with_meta(CUSTOMERS, row_count="block")
    assert gate(judged(halved, blocks), "row counts").outcome == "blocked"
    wide = with_meta(CUSTOMERS, row_count_tolerance=60)
    assert gate(judged(halved, wide), "row counts").outcome == "passed"
    off = with_meta(CUSTOMERS, row_count="off")
    found = gate(judged(halved, off), "row counts")
    assert (found.outcome, found.figures[:9]) == ("passed", "all 2 tab")
    # YAML 1.1 reads a bare `off` as false.
    assert gate(judged(halved, with_meta(CUSTOMERS, row_count=False)), "row counts") == found


def test_from_nothing_to_something_is_no_loss() -> None:
    found = gate(judged(measuring(measured_node(CUSTOMERS, 0, 400))), "row counts")
    assert found.outcome == "passed"


def test_what_cannot_be_counted_is_told() -> None:
    failed = measured_node(CUSTOMERS, None, None, error="permission denied")
    found = gate(judged(measuring(failed)), "row counts")
    assert found.details == (
        "`dim_customers` could not be counted: the warehouse says: permission denied",
    )


def test_a_new_table_is_not_compared() -> None:
    assert gate(judged(measuring(measured_node(SEGMENTS, None, 0))), "row counts").outcome == (
        "passed"
    )


# Rows kept


@pytest.mark.fault(34)
def test_a_lost_row_of_history_blocks_whatever_the_inputs_say() -> None:
    shrunk = measuring(measured_node(LTV, 935, 934, duplicate_keys=0))
    off = replace(POLICY, row_count_gate="off", allow_breaking=True)
    found = gate(judged(shrunk, policy=off, allowed_by="the input"), "rows kept")
    assert (found.outcome, found.details) == (
        "blocked",
        ("`customer_ltv`: 935 → 934 rows, 1 row lost",),
    )


@pytest.mark.fault(34)
def test_a_doubled_key_blocks() -> None:
    doubled = measuring(measured_node(LTV, 935, 947, duplicate_keys=2))
    found = gate(judged(doubled), "rows kept")
    assert (found.outcome, found.details) == (
        "blocked",
        ("`customer_ltv`: 2 keys are there twice",),
    )


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    "measured",
    [
        Measured(nodes=MEASURED.nodes[:2]),
        measuring(measured_node(LTV, None, None, error="timeout")),
        measuring(measured_node(LTV, 935, None)),
        measuring(measured_node(LTV, 935, 947, error="it has no column id")),
    ],
)
def test_history_that_could_not_be_counted_blocks(measured: Measured) -> None:
    assert gate(judged(measured), "rows kept").outcome == "blocked"


def test_rows_that_were_counted_count_whatever_failed_after() -> None:
    failed = measured_node(LTV, 935, 947, duplicate_keys=0, error="no column loaded_at")
    plan = judged(measuring(failed))
    assert gate(plan, "rows kept").outcome == gate(plan, "row counts").outcome == "passed"


def test_a_full_refresh_may_lose_rows_where_somebody_allows_it() -> None:
    run = replace(releases.RUN, selection=work_files.Selection(full_refresh=True))
    shrunk = measuring(measured_node(LTV, 935, 90, duplicate_keys=0))
    refused = gate(final(first(run=run), shrunk), "rows kept")
    allowed = gate(final(first(run=run), shrunk, allowed_by="the input"), "rows kept")
    assert (refused.outcome, allowed.outcome) == ("blocked", "warned")
    assert allowed.details == refused.details
    doubled = measuring(measured_node(LTV, 935, 90, duplicate_keys=1))
    assert gate(final(first(run=run), doubled, allowed_by="the input"), "rows kept").outcome == (
        "blocked"
    )


# Freshness

AGED = (column("id"), column("amount"), column("loaded_at", "timestamp with time zone"))


def aged(entry: Entry, hours: float | None, **over: Any) -> MeasuredNode:
    age = None if hours is None else hours * 3600
    return measured_node(entry, 935, 935, columns_after=AGED, age_seconds=age, **over)


def test_the_newest_row_may_be_so_old() -> None:
    asked = with_meta(CUSTOMERS, fresh_column="loaded_at", fresh_hours=24)
    fresh = gate(judged(measuring(aged(CUSTOMERS, 23)), asked), "freshness")
    assert (fresh.outcome, fresh.figures) == ("passed", "1 model fresh, the oldest is 23.0 h old")
    stale = gate(judged(measuring(aged(CUSTOMERS, 25)), asked), "freshness")
    assert stale.outcome == "blocked"
    assert stale.details == ("`dim_customers`: the newest `loaded_at` is 25.0 h old, allowed 24 h",)


@pytest.mark.parametrize(
    ("figure", "says"),
    [
        (aged(CUSTOMERS, None), "no row has a `loaded_at`"),
        (measured_node(CUSTOMERS, 9, 9), "there is no column `loaded_at`"),
        (aged(CUSTOMERS, 1, error="no"), "`loaded_at` not read, the warehouse says: no"),
    ],
)
def test_a_model_that_asks_for_it_must_have_it(figure: MeasuredNode, says: str) -> None:
    asked = with_meta(CUSTOMERS, fresh_column="loaded_at", fresh_hours=24)
    found = gate(judged(measuring(figure), asked), "freshness")
    assert (found.outcome, found.details) == ("blocked", (f"`dim_customers`: {says}",))


def test_the_input_asks_it_of_each_model_that_has_the_column() -> None:
    policy = replace(POLICY, freshness_column="Loaded_At", freshness_hours=12.0)
    found = gate(judged(measuring(aged(CUSTOMERS, 13)), policy=policy), "freshness")
    assert (found.outcome, found.figures) == ("blocked", "1 of 1 model not fresh")
    none = gate(judged(MEASURED, policy=policy), "freshness")
    assert (none.outcome, none.figures) == ("passed", "no model of this release has `Loaded_At`")


def test_a_column_without_hours_is_refused() -> None:
    run = replace(releases.RUN, policy=replace(POLICY, freshness_column="loaded_at"))
    with pytest.raises(errors.InvalidInput, match="`freshness-column`"):
        first(run=run)
    with pytest.raises(errors.InvalidInput, match="the `meta` of `dim_customers`"):
        first(manifest=manifest(with_meta(CUSTOMERS, fresh_column="loaded_at")))


# Checks


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (QueryResult(name="a.sql", rows=3), "`a.sql` found 3 rows"),
        (QueryResult(name="a.sql", rows=1000), "`a.sql` found 1,000 rows or more"),
        (QueryResult(name="a.sql", error="no column x"), "`a.sql` could not run: no column x"),
        (QueryResult(name="a.sql"), "`a.sql` could not run: no answer"),
    ],
)
def test_a_check_that_finds_rows_blocks(result: QueryResult, says: str) -> None:
    found = gate(judged(measuring(checks=[*MEASURED.checks, result])), "checks")
    assert (found.outcome, found.details) == ("blocked", (says,))
    assert found.figures == "1 of 2 checks found rows or could not run"


def test_checks_that_were_asked_for_and_not_run_block() -> None:
    assert gate(judged(measuring(checks=())), "checks").outcome == "blocked"
    off = judged(measuring(checks=()), policy=replace(POLICY, checks=None))
    assert gate(off, "checks").outcome == "off"


# Refusing


def test_what_is_closed_is_named_with_figures_and_remedies() -> None:
    measured = replace(NARROWED, checks=(QueryResult(name="a.sql", rows=1),))
    with pytest.raises(errors.GateClosed) as closed:
        gates.refuse(final(measured=measured).gates)
    assert closed.value.what == (
        "- breaking changes: 2 breaking changes in 1 model\n"
        "- checks: 1 of 1 check found rows or could not run"
    )
    assert "`allow-breaking`" in closed.value.remedy
    assert "these queries" in closed.value.remedy


# What is measured


def pairs(now: Sequence[Entry] = NOW, policy: Release = POLICY) -> dict[str, Pair]:
    plan = releases.staged(first(manifest=manifest(now)))
    found = gates.pairs(plan, manifest(now), policy, releases.LOOK)
    return {one.unique_id.rpartition(".")[2]: one for one in found}


def test_each_staged_node_beside_what_it_replaces() -> None:
    found = pairs()
    assert list(found) == ["fct_orders", "dim_customers", "customer_ltv", "dim_segments"]
    assert found["dim_segments"].production is None
    production = found["fct_orders"].production
    assert production is not None
    assert (production.schema, found["fct_orders"].staging.schema) == (
        "analytics",
        f"dbt_green_{releases.RELEASE_ID}_shop",
    )
    assert found["fct_orders"].count


def test_a_view_is_counted_only_where_asked() -> None:
    view = {**CUSTOMERS, "config": {"materialized": "view"}}

    def count(**meta: Any) -> bool:
        config = {"materialized": "view", "meta": {"dbt_deploy": meta}}
        now = [{**view, "config": config} if one is CUSTOMERS else one for one in NOW]
        brought = [{**view, "config": config} if one is CUSTOMERS else one for one in BROUGHT]
        plan = releases.staged(first(manifest=manifest(now), planned=planned(brought)))
        return gates.pairs(plan, manifest(now), POLICY, releases.LOOK)[1].count

    assert not count()
    assert count(row_count="warn")


def test_what_is_built_in_place_is_not_measured() -> None:
    direct = with_meta(LTV, method="direct")
    assert "customer_ltv" not in pairs(direct)


def test_the_columns_that_are_looked_at() -> None:
    asked = with_meta(CUSTOMERS, fresh_column="loaded_at", fresh_hours=1)
    policy = replace(POLICY, freshness_column="updated_at", freshness_hours=1.0)
    found = pairs(asked, policy)
    assert found["dim_customers"].fresh_column == "loaded_at"
    assert found["fct_orders"].fresh_column == "updated_at"


@pytest.mark.parametrize(
    ("config", "columns"),
    [
        ({"unique_key": "Order_ID"}, ("order_id",)),
        ({"unique_key": ["a", "b"]}, ("a", "b")),
        ({"unique_key": '"Mixed"'}, ("Mixed",)),
        ({"unique_key": "a || '-' || b"}, ()),
        ({"unique_key": ["a", "lower(b)"]}, ()),
        ({"unique_key": "a", "incremental_strategy": "append"}, ()),
        ({"unique_key": []}, ()),
        ({"unique_key": None}, ()),
    ],
)
def test_keys_that_can_be_checked(config: Entry, columns: tuple[str, ...]) -> None:
    entry = {**LTV, "config": {**LTV["config"], **config}}
    node = manifest([entry]).nodes[LTV["unique_id"]]
    assert node_meta.unique_columns(node) == columns


def test_keys_of_snapshots_and_tables() -> None:
    kept = builds.model("kept", kind="snapshot")
    own = {**kept, "config": {**kept["config"], "snapshot_meta_column_names": {"dbt_scd_id": "k"}}}
    table = {**CUSTOMERS, "config": {**CUSTOMERS["config"], "unique_key": "id"}}
    for entry, columns in ((kept, ("dbt_scd_id",)), (own, ("k",)), (table, ())):
        node = manifest([entry]).nodes[entry["unique_id"]]
        assert node_meta.unique_columns(node) == columns


def test_privileges_that_dbt_manages() -> None:
    config = {**CUSTOMERS["config"], "grants": {"select": ["bi"], "insert": []}}
    node = manifest([{**CUSTOMERS, "config": config}]).nodes[CUSTOMERS["unique_id"]]
    assert node_meta.managed_privileges(node) == ("INSERT", "SELECT")
    plain = manifest([CUSTOMERS]).nodes[CUSTOMERS["unique_id"]]
    assert node_meta.managed_privileges(plain) == ()


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        (
            {"dbt_deploy": {"method": "green"}},
            "`method` is 'green' and should be blue-green or dir",
        ),
        ({"dbt_deploy": {"method": ["direct"]}}, "`method` is ['direct']"),
        ({"dbt_deploy_method": "blue"}, "`method` is 'blue'"),
        ({"dbt_deploy": {"metod": "direct"}}, "has the key 'metod'"),
        ({"dbt_deploy": "direct"}, "`meta.dbt_deploy` is 'direct'"),
        ({"dbt_deploy": {"row_count": "fail"}}, "should be warn, block or off"),
        ({"dbt_deploy": {"row_count_tolerance": "5"}}, "should be a number from 0 on"),
        ({"dbt_deploy": {"row_count_tolerance": True}}, "`row_count_tolerance` is True"),
        ({"dbt_deploy": {"row_count_tolerance": -1}}, "`row_count_tolerance` is -1"),
        ({"dbt_deploy": {"fresh_hours": [1]}}, "`fresh_hours` is [1]"),
        ({"dbt_deploy": {"fresh_column": "a; drop table b"}}, "should be the name of a column"),
        ({"dbt_deploy": {"fresh_column": 7}}, "`fresh_column` is 7"),
    ],
)
def test_malformed_meta_is_refused_by_name(meta: Entry, says: str) -> None:
    config = {**NEW_ORDERS["config"], "meta": meta}
    now = [{**NEW_ORDERS, "config": config} if one is NEW_ORDERS else one for one in NOW]
    with pytest.raises(errors.InvalidInput) as refused:
        first(manifest=manifest(now))
    assert "Model `fct_orders` (models/fct_orders.sql)" in refused.value.what
    assert says in refused.value.what


def test_other_meta_is_left_alone() -> None:
    config = {**NEW_ORDERS["config"], "meta": {"owner": "ana", "dbt_deploy": None}}
    now = [{**NEW_ORDERS, "config": config} if one is NEW_ORDERS else one for one in NOW]
    assert first(manifest=manifest(now)).nodes[0].method == "blue-green"

"""What a clean-up drops, and what it leaves: nothing that something else hangs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.warehouse.release_macro_types import CleanedUp, ReleaseScope
from standins.warehouse.greens import Release, Shop
from standins.warehouse.postgres import Database, Server


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        """
        create table analytics.orders as select 1 as id;
        create table analytics.old_model as select 1 as id;
        create view analytics.old_view as select id from analytics.old_model;
        """
    )
    return made


OLD_MODEL = "'analytics.old_model'::regclass"


def released(shop: Shop) -> Release:
    release = shop.begin()
    release.stage("orders", "select 2 as id")
    release.plan(shop.wanted("old_model", "old_view"))
    assert release.swap().outcome == "done"
    return release


def said(cleaned: list[CleanedUp]) -> dict[str, str]:
    return {one.name: one.outcome for one in cleaned}


def test_what_is_young_stays_and_what_is_old_goes(shop: Shop) -> None:
    release = released(shop)
    schema = f"schema {release.kept()}"
    assert said(shop.clean_up(keep_hours=24, grace_days=7)) == {schema: "stays"}
    dry = shop.clean_up(dry_run=True)
    assert said(dry) == {
        schema: "would drop",
        "view analytics.old_view": "would drop",
        "table analytics.old_model": "stays",
    }
    assert release.kept() in shop.schemas()
    assert said(shop.clean_up()) == {
        schema: "dropped",
        "view analytics.old_view": "dropped",
        "table analytics.old_model": "dropped",
    }
    assert shop.clean_up() == []
    assert shop.owner.rows("select id from analytics.orders") == [(2,)]
    assert shop.owner.rows("select count(*) from dbt_deploy.removed_models") == [(0,)]


def test_what_a_node_of_another_name_goes_on_with_stays(shop: Shop) -> None:
    released(shop)
    # An incremental model under a new name, with the alias of the old one, keeps the table.
    cleaned = {
        one.name: one for one in shop.clean_up(nodes={"model.shop.new": shop.spot("old_model")})
    }
    shop.owner.run("select id from analytics.old_model")
    kept = cleaned["table analytics.old_model"]
    assert (kept.outcome, kept.why) == ("stays", "another node of the project has its place now")
    assert "table analytics.old_model" not in said(shop.clean_up())


@pytest.mark.fault(29)
def test_what_something_outside_hangs_on_stays(shop: Shop) -> None:
    release = released(shop)
    shop.owner.run(
        f"create view marts.a as select id from {release.kept()}.orders;"
        "create view marts.b as select id from analytics.old_model"
    )
    cleaned = {one.name: one for one in shop.clean_up()}
    kept, model = cleaned[f"schema {release.kept()}"], cleaned["table analytics.old_model"]
    assert (kept.outcome, kept.detail) == ("stays", ("view marts.a",))
    assert (model.outcome, model.why) == ("stays", "something hangs on it")
    assert model.detail == ("view marts.b depends on table analytics.old_model",)
    assert shop.owner.rows("select * from marts.a, marts.b") == [(1, 1)]


USED: dict[str, tuple[str, str]] = {
    "publication": ("create publication {p} for table analytics.old_model", "publication {p}"),
    "partition": (
        "create table marts.all_of_it (id int); alter table analytics.old_model"
        " inherit marts.all_of_it",
        "it is a part of marts.all_of_it",
    ),
    "function": (
        "create function marts.f() returns bigint language plpgsql as"
        ' $$ begin return (select count(*) from analytics."old_model"); end $$',
        "function marts.f names it",
    ),
    "written": ("insert into analytics.old_model values (2)", "rows were written to it since"),
    "read": (
        "select * from analytics.old_model; select pg_stat_force_next_flush()",
        "it was last read at ",
    ),
}


@pytest.mark.fault(81)
@pytest.mark.parametrize("how", USED)
def test_what_is_read_or_written_without_hanging_on_it_stays(shop: Shop, how: str) -> None:
    released(shop)
    shop.owner.run("drop view analytics.old_view")
    shop.owner.run(
        "update dbt_deploy.removed_models set removed_at = removed_at - interval '15 days'"
    )
    shop.database.run(f"select pg_stat_reset_single_table_counters({OLD_MODEL})")
    statement, said_of_it = (text.format(p=f"p_{shop.owner.user}") for text in USED[how])
    run_as = shop.database if how == "publication" else shop.owner
    for dry_run in (True, True, False):
        if not dry_run:
            run_as.run(statement)
        cleaned = {one.name: one for one in shop.clean_up(grace_days=14, dry_run=dry_run)}
        found = cleaned["table analytics.old_model"]
        if dry_run:
            assert found.outcome == "would drop", found
            continue
        assert (found.outcome, found.why) == ("stays", "something reads or writes it"), found
        (detail,) = found.detail
        assert detail.startswith(said_of_it)


@pytest.mark.fault(59)
def test_the_old_relation_of_a_model_that_moved_goes_once_nobody_reads_it(shop: Shop) -> None:
    shop.owner.run(
        "alter table analytics.old_model add primary key (id);"
        "create table marts.refers (id int references analytics.old_model);"
        "create view analytics.new_model as select 1 as id"
    )
    (left,) = shop.look("new_model", removed=["old_model"]).left
    assert (left.spot, left.readers) == (
        shop.spot("old_model"),
        ("analytics.old_view", "marts.refers"),
    )
    released(shop)
    # The node is in the project, elsewhere: its old relation is nobody's.
    nodes = {"model.shop.old_model": shop.spot("new_model")}
    (stays,) = (one for one in shop.clean_up(keep_hours=24, nodes=nodes) if "old_model" in one.name)
    assert (stays.outcome, stays.why) == ("stays", "something hangs on it")
    shop.owner.run("drop table marts.refers")
    cleaned = said(shop.clean_up(keep_hours=24, nodes=nodes))
    assert cleaned["table analytics.old_model"] == "dropped"


@pytest.mark.fault(81)
def test_what_a_dbt_project_reads_as_a_source_stays(shop: Shop) -> None:
    released(shop)
    shop.owner.run("drop view analytics.old_view")
    spot = {"source.shop.raw.old_model": shop.spot("old_model")}
    cleaned = {one.name: one for one in shop.clean_up(keep_hours=24, sources=spot)}
    assert cleaned["table analytics.old_model"].detail == (
        "this project reads it as source.shop.raw.old_model",
    )
    finance = ReleaseScope(environment="prod", project="finance")
    for part in ("sources", "nodes"):
        named = {f"{part}.finance.old_model": shop.spot("old_model")}
        shop.clean_up(place=finance, **{part: named})
        cleaned = {one.name: one for one in shop.clean_up(keep_hours=24)}
        assert cleaned["table analytics.old_model"].detail == (
            f"{part}.finance.old_model of the project finance in prod",
        )
    shop.clean_up(place=finance)
    assert said(shop.clean_up(keep_hours=24))["table analytics.old_model"] == "dropped"


def test_models_that_are_in_use_again_stay(shop: Shop) -> None:
    released(shop)
    shop.owner.run("drop table analytics.old_model cascade; create table analytics.old_model ()")
    cleaned = {one.name: one.why for one in shop.clean_up(keep_hours=24)}
    assert cleaned["table analytics.old_model"] == (
        "it was made anew since its node left the project"
    )
    second = released(shop)
    assert second.number == 2
    nodes = {"model.shop.old_model": shop.spot("old_model")}
    cleaned = {one.name: one.why for one in shop.clean_up(keep_hours=24, nodes=nodes)}
    assert cleaned["table analytics.old_model"] == "its node is in the project again"
    assert shop.owner.rows("select count(*) from analytics.old_model") == [(0,)]


def test_others_kept_schemas_and_unmarked_ones_stay(shop: Shop) -> None:
    release = released(shop)
    shop.owner.run(
        f"comment on schema {release.kept()} is 'dbt-deploy environment=x project=shop"
        " release=1 role=kept'; create schema analytics__kept_by_hand"
    )
    assert said(shop.clean_up()).keys() == {"view analytics.old_view", "table analytics.old_model"}
    assert {release.kept(), "analytics__kept_by_hand"} < set(shop.schemas())


def test_a_mark_without_a_time_stays(shop: Shop) -> None:
    release = released(shop)
    shop.owner.run(
        f"comment on schema {release.kept()} is 'dbt-deploy environment=prod project=shop"
        " release=1 role=kept'"
    )
    (one, *_) = shop.clean_up()
    assert (one.outcome, one.why) == ("stays", "its mark does not say since when")


@pytest.mark.fault(32)
def test_what_somebody_reads_is_busy(shop: Shop) -> None:
    released(shop)
    shop.owner.run(f"grant select on analytics.old_view to {shop.reader.user}")
    with shop.reader.connect() as connection, connection.transaction():
        connection.execute("table analytics.old_view")
        assert said(shop.clean_up(keep_hours=24))["view analytics.old_view"] == "busy"
    assert said(shop.clean_up(keep_hours=24))["view analytics.old_view"] == "dropped"


@pytest.mark.fault(109)
@pytest.mark.parametrize(
    "since",
    ["2999-01-01T00:00:00", "2020-99-99T99:99:99", "2021-02-31T00:00:00", "0000-01-01T00:00:00"],
)
def test_a_mark_on_a_schema_of_another_role_changes_nothing(shop: Shop, since: str) -> None:
    release = released(shop)
    shop.database.run(f"grant create on database {shop.database.name} to {shop.other.user}")
    line = shop.database.value(
        "select split_part(obj_description(oid, 'pg_namespace'), chr(10), 1) from pg_namespace"
        " where nspname = %s",
        (release.kept(),),
    )
    shop.other.run(
        f"create schema forged; comment on schema forged is E'{line}\\nkept since {since}+00:00'"
    )
    cleaned = {one.name: one for one in shop.clean_up()}
    assert cleaned[f"schema {release.kept()}"].outcome == "dropped"
    forged = cleaned["schema forged"]
    assert (forged.outcome, forged.why) == (
        "stays",
        "it belongs to another role, whose mark is not trusted",
    )


@pytest.mark.fault(109)
@pytest.mark.parametrize("since", ["2020-99-99T99:99:99", "0000-01-01T00:00:00"])
def test_a_mark_with_an_impossible_date_stays(shop: Shop, since: str) -> None:
    release = released(shop)
    shop.owner.run(
        f"comment on schema {release.kept()} is 'dbt-deploy environment=prod project=shop"
        f" release=1 role=kept\nkept since {since}+00:00'"
    )
    kept = {one.name: one for one in shop.clean_up()}[f"schema {release.kept()}"]
    assert (kept.outcome, kept.why) == ("stays", "its mark does not say since when")

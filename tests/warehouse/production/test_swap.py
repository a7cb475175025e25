"""The swap on a real PostgreSQL: what goes live, who reads it then, and what undoes all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.warehouse.release_macro_types import Swapped
from standins.warehouse.greens import Shop, quoted
from standins.warehouse.postgres import Database, Server


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        f"""
        create table analytics.orders (id int primary key, amount int);
        insert into analytics.orders values (1, 10), (2, 20);
        create view analytics.big as select id from analytics.orders where amount > 10;
        grant select on analytics.orders, analytics.big to {made.reader.user};
        """
    )
    return made


def refused(shop: Shop, before: object, swapped: Swapped, outcome: str) -> str:
    """Nothing changed; what was said."""
    assert swapped.outcome == outcome, swapped
    assert shop.state() == before
    assert not [name for name in shop.schemas() if "__kept_" in name]
    assert shop.database.value("select count(*) from dbt_deploy.dbt_deployments") == 0
    return "\n".join(swapped.detail)


def test_what_was_staged_is_live_and_what_was_live_is_kept(shop: Shop) -> None:
    release = shop.begin(schemas=("analytics", "marts"))
    release.stage("orders", "select 3 as id, 30 as amount")
    release.stage("big", f"select id from {release.green()}.orders", "view")
    release.stage("sums", f"select sum(amount) from {release.green()}.orders", schema="marts")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert swapped.at
    assert shop.reader.rows("select * from analytics.orders") == [(3, 30)]
    assert shop.reader.rows("select * from analytics.big") == [(3,)]
    assert shop.owner.rows("select * from marts.sums") == [(30,)]
    assert shop.owner.rows(f"select count(*) from {release.kept()}.orders") == [(2,)]
    assert shop.owner.rows(f"select id from {release.kept()}.big") == [(2,)]
    assert "marts__kept" not in " ".join(shop.schemas())
    rows = shop.owner.rows(
        "select release_id, tag, environment, project, unique_id, model, method, rows_before,"
        " rows_after, seconds, commit_sha, deployed_by from dbt_deploy.dbt_deployments"
        " order by unique_id"
    )
    assert rows[0] == (
        *(release.release_id, "v1", "prod", "shop", "model.shop.big", "big", "blue-green"),
        *(1, 2, 0.5, "1" * 40, "me"),
    )
    assert len(rows) == 3
    assert shop.owner.value("select sum(rows) from dbt_deploy.dbt_model_row_counts") == 6
    assert shop.settled(release) == "live"


def test_the_same_swap_again_changes_nothing(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount")
    first = release.go()
    state = shop.state()
    again = release.swap()
    assert (again.outcome, again.at) == ("done", first.at)
    assert shop.state() == state
    assert shop.database.value("select count(*) from dbt_deploy.dbt_deployments") == 1


@pytest.mark.fault(31)
def test_a_reader_can_read_after_the_swap_and_nobody_else_can(shop: Shop) -> None:
    reader, other = shop.reader.user, shop.other.user
    shop.owner.run(
        f"""
        create table analytics.people (id int, name text, salary int);
        grant select (id, name) on analytics.people to {reader};
        grant insert on analytics.people to {other} with grant option;
        alter default privileges in schema analytics grant select on tables to {other};
        """
    )
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount")
    release.stage("people", "select 1 as id, 'a' as name, 5 as salary, 1 as more")
    release.stage("fresh", "select 1 as id")
    assert release.go().outcome == "done"
    assert shop.reader.rows("select id, name from analytics.people") == [(1, "a")]
    may = "select has_table_privilege('{}', 'analytics.{}', '{}')"
    assert not shop.database.value(may.format(reader, "people", "select"))
    assert shop.database.value(may.format(other, "people", "insert with grant option"))
    assert shop.database.value(may.format(other, "fresh", "select"))
    assert shop.database.value(may.format(other, "orders", "select"))
    assert not shop.database.value(may.format(reader, "fresh", "select"))


@pytest.mark.fault(31)
def test_privileges_that_the_new_config_names_are_its_own(shop: Shop) -> None:
    reader, other = shop.reader.user, shop.other.user
    shop.owner.run(f"grant select, update on analytics.orders to {reader}, {other}")
    shop.owner.run(f"grant select (id) on analytics.orders to {reader}")
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount", managed=("select",))
    shop.owner.run(f"grant select on {release.green()}.orders to {other}")
    assert release.go().outcome == "done"
    may = "select has_table_privilege('{}', 'analytics.orders', '{}')"
    assert shop.database.value(may.format(other, "select"))
    assert shop.database.value(may.format(reader, "update"))
    assert not shop.database.value(may.format(reader, "select"))
    assert not shop.database.value(
        f"select has_any_column_privilege('{reader}', 'analytics.orders', 'select')"
    )


@pytest.mark.fault(31)
def test_row_level_security_stays(shop: Shop) -> None:
    reader = shop.reader.user
    shop.owner.run(
        f"""
        alter table analytics.orders enable row level security;
        create policy few on analytics.orders for select to {reader} using (id < 3);
        """
    )
    release = shop.begin()
    release.stage("orders", "select id, id * 10 as amount from generate_series(1, 9) id")
    assert release.go().outcome == "done"
    assert shop.reader.rows("select id from analytics.orders order by 1") == [(1,), (2,)]


@pytest.mark.fault(29)
def test_what_hangs_on_it_from_outside_reads_the_new_relation(shop: Shop) -> None:
    reader = shop.reader.user
    shop.owner.run(
        f"""
        create view marts.a as select id, amount from analytics.orders;
        create or replace view marts.b as select id from marts.a;
        grant select on marts.b to {reader};
        comment on view marts.b is 'it''s \\ theirs';
        create materialized view marts.m as select count(*) as n from marts.b;
        create unique index on marts.m (n);
        create function marts.total() returns bigint language sql
          begin atomic select sum(amount) from analytics.orders; end;
        create table marts.lines (order_id int references analytics.orders);
        insert into marts.lines values (1);
        """
    )
    release = shop.begin()
    release.stage("orders", "select id, 100 as amount from generate_series(1, 3) id")
    shop.owner.run(f"alter table {release.green()}.orders add primary key (id)")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert set(swapped.repointed) == {
        *("marts.a", "marts.b", "marts.m", "marts.total()", "analytics.big"),
        "lines_order_id_fkey on marts.lines",
    }
    assert shop.reader.rows("select count(*) from marts.b") == [(3,)]
    assert shop.owner.rows("select n, marts.total() from marts.m") == [(3, 300)]
    assert shop.database.value("select obj_description('marts.b'::regclass)") == "it's \\ theirs"
    with pytest.raises(Exception, match="violates foreign key"):
        shop.owner.run("insert into marts.lines values (9)")
    hanging = shop.database.rows(
        "select distinct d.classid::regclass from pg_depend d"
        f" where d.refobjid = '{release.kept()}.orders'::regclass and d.classid in"
        " ('pg_rewrite'::regclass, 'pg_proc'::regclass)"
    )
    assert hanging == []


@pytest.mark.fault(29)
def test_what_hangs_on_it_and_is_others_refuses_the_swap(shop: Shop) -> None:
    shop.owner.run(f"grant select, references on analytics.orders to {shop.other.user}")
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount")
    release.plan()
    shop.other.run("create view marts.theirs as select * from analytics.orders")
    before = shop.state()
    said = refused(shop, before, release.swap(), "changed")
    assert said == f"view marts.theirs of {shop.other.user} hangs on what is moved"


@pytest.mark.fault(29)
def test_a_new_view_of_ours_is_repointed_and_told(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount")
    release.plan()
    shop.owner.run("create view marts.late as select id from analytics.orders")
    swapped = release.swap()
    assert swapped.outcome == "done"
    assert swapped.detail == ("view marts.late is newer than the plan; it was repointed too",)
    assert shop.owner.rows("select * from marts.late") == [(3,)]


def test_what_a_pull_request_built_on_production_is_in_nobodys_way(shop: Shop) -> None:
    shop.database.run(
        f"create schema pr_1_shop authorization {shop.other.user};"
        "comment on schema pr_1_shop is"
        " 'dbt-deploy repository=o/r project=shop target=ci pull_request=1'"
    )
    shop.owner.run(f"grant select on analytics.orders to {shop.other.user}")
    shop.other.run("create view pr_1_shop.v as select * from analytics.orders")
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert [h.full_name for h in release.look.look.dependents] == ["analytics.big"]
    assert shop.other.rows("select count(*) from pr_1_shop.v") == [(2,)]
    (kept,) = shop.clean_up()
    assert (kept.outcome, kept.detail) == ("stays", ("view pr_1_shop.v",))


@pytest.mark.fault(30)
def test_an_outside_view_that_does_not_fit_undoes_all_of_it(shop: Shop) -> None:
    shop.owner.run("create view marts.amounts as select amount from analytics.orders")
    before = shop.state()
    release = shop.begin()
    release.stage("big", "select 1 as id", "view")
    release.stage("orders", "select 3 as id")
    said = refused(shop, before, release.go(), "unfit")
    assert said.startswith("view marts.amounts: column")
    assert "does not exist" in said


@pytest.mark.fault(30)
def test_a_foreign_key_that_the_new_rows_break_undoes_all_of_it(shop: Shop) -> None:
    shop.owner.run(
        "create table marts.lines (order_id int references analytics.orders);"
        "insert into marts.lines values (1)"
    )
    before = shop.state()
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount")
    shop.owner.run(f"alter table {release.green()}.orders add primary key (id)")
    said = refused(shop, before, release.go(), "unfit")
    assert "lines_order_id_fkey" in said


def test_a_removed_nodes_view_that_fits_no_more_stays_on_what_is_kept(shop: Shop) -> None:
    shop.owner.run(
        "drop view analytics.big;"
        "create view analytics.old_view as select amount from analytics.orders;"
        "create view analytics.old_too as select id from analytics.orders;"
        "create view marts.on_it as select amount from analytics.old_view"
    )
    release = shop.begin()
    release.stage("orders", "select 3 as id")
    release.plan(shop.wanted("old_view", "old_too", "never_was"))
    swapped = release.swap()
    assert swapped.outcome == "done", swapped
    assert swapped.left_behind == ("analytics.old_view",)
    assert set(swapped.repointed) == {"analytics.old_too", "marts.on_it"}
    assert shop.owner.rows("select amount from marts.on_it order by 1") == [(10,), (20,)]
    assert shop.owner.rows("select * from analytics.old_too") == [(3,)]
    assert shop.owner.rows("select identifier from dbt_deploy.removed_models order by 1") == [
        ("old_too",),
        ("old_view",),
    ]


@pytest.mark.fault(35)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("alter table analytics.orders add more int", "analytics.orders: column more (integer) is"),
        (
            "drop view analytics.big; alter table analytics.orders alter amount type numeric(9,2)",
            "analytics.orders: column amount was integer and is numeric(9,2)",
        ),
        ("alter table analytics.orders rename id to x", "analytics.orders: column id (integer) is"),
        (
            "drop table analytics.orders cascade;"
            "create table analytics.orders (id int, amount int)",
            "analytics.orders was made anew since the plan was made",
        ),
        ("drop table analytics.orders cascade", "analytics.orders is gone since the plan was made"),
        (
            "create table analytics.fresh (id int)",
            "analytics.fresh is there now; it was not when the plan was made",
        ),
        ("drop table {green}.orders", "analytics.orders: the staged relation"),
        (
            "comment on schema {green} is 'dbt-deploy other'",
            "analytics.fresh: dbt_green_20261125t000001_shop is no staging schema of this release",
        ),
    ],
)
def test_production_changed_by_hand_is_refused_with_what_differs(
    shop: Shop, change: str, said: str
) -> None:
    release = shop.begin()
    release.stage("fresh", "select 1 as id")
    release.stage("orders", "select 3 as id, 30 as amount")
    release.plan()
    shop.owner.run(change.format(green=release.green()))
    before = shop.state()
    assert said in refused(shop, before, release.swap(), "changed")


@pytest.mark.fault(35)
def test_production_that_became_anothers_is_refused(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount")
    release.plan()
    shop.database.run(f"alter table analytics.orders owner to {shop.other.user}")
    before = shop.state()
    said = refused(shop, before, release.swap(), "changed")
    assert said == f"analytics.orders belongs to {shop.other.user}"


@pytest.mark.fault(4)
def test_a_run_that_another_took_over_from_cannot_swap(shop: Shop) -> None:
    before = shop.state()
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount")
    release.plan()
    shop.begin()
    assert "fence" in refused(shop, before, release.swap(), "fenced")


@pytest.mark.fault(34)
def test_an_incremental_table_goes_on_where_it_was(shop: Shop) -> None:
    shop.owner.run(
        """
        create table analytics.events (id int generated always as identity primary key,
          n serial, v int default 7, twice int generated always as (v * 2) stored);
        insert into analytics.events (v) values (1), (2), (3);
        create index by_v on analytics.events (v);
        create table marts.kinds (v int primary key);
        insert into marts.kinds select generate_series(1, 10);
        alter table analytics.events add constraint known foreign key (v) references marts.kinds;
        """
    )
    release = shop.begin()
    prepared = release.prepare("events")
    assert prepared.rows == {"model.shop.events": 3}
    shop.owner.run(f"insert into {release.green()}.events (v) values (4)")
    release.stage("events", None, "incremental")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    shop.owner.run("insert into analytics.events (v) values (5)")
    rows = shop.owner.rows("select id, n, v, twice from analytics.events order by id")
    assert rows == [(1, 1, 1, 2), (2, 2, 2, 4), (3, 3, 3, 6), (4, 4, 4, 8), (5, 5, 5, 10)]
    with pytest.raises(Exception, match="known"):
        shop.owner.run("insert into analytics.events (v) values (99)")
    indexes = (
        "select count(*) from pg_indexes where schemaname = 'analytics' and tablename = 'events'"
    )
    assert shop.database.value(indexes) == 2
    # What is live hangs on nothing that a clean-up would drop.
    assert [one.outcome for one in shop.clean_up()] == ["dropped"]
    shop.owner.run("insert into analytics.events (v) values (6)")


def test_a_kind_that_changes(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount", "view")
    release.stage("big", "select 3 as id", "materialized_view")
    assert release.go().outcome == "done"
    assert shop.reader.rows("select * from analytics.orders, analytics.big") == [(3, 30, 3)]
    second = shop.begin()
    second.stage("orders", "select 4 as id, 40 as amount")
    second.stage("big", f"select id from {second.green()}.orders", "view")
    assert second.go().outcome == "done"
    assert shop.reader.rows("select * from analytics.orders, analytics.big") == [(4, 40, 4)]


HOSTILE = [
    "Ord\"er's",
    "a\\b",
    "a$$b$q$",
    "{{ x }} {% raw %}",
    "größe_😀",
    "%I %s ?",
    "x" * 63,
    "_orders",
    "select",
]


@pytest.mark.fault(25)
def test_names_with_anything_in_them(shop: Shop) -> None:
    schema = 'Mart "s'
    to = shop.reader.user
    shop.owner.run(
        f"create schema {quoted(schema)}; grant usage on schema {quoted(schema)} to {to}"
    )
    for name in HOSTILE:
        table, column = f"{quoted(schema)}.{quoted(name)}", quoted(name)
        shop.owner.run(
            f"create table {table} ({column} int);"
            f"create view marts.{column} as select {column} from {table};"
            f"grant select ({column}) on {table} to {to};"
        )
    release = shop.begin(schemas=("analytics", schema))
    for name in HOSTILE:
        release.stage(name, f"select 1 as {quoted(name)}", schema=schema)
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert len(swapped.repointed) == len(HOSTILE)
    for name in HOSTILE:
        assert shop.owner.rows(f"select * from marts.{quoted(name)}") == [(1,)]
        assert shop.reader.rows(f"select {quoted(name)} from {quoted(schema)}.{quoted(name)}") == [
            (1,)
        ]
    back = shop.take_back(release)
    assert back.swapped.outcome == "done", back
    assert len(back.restored) == len(HOSTILE)
    assert shop.owner.rows(f"select * from marts.{quoted(HOSTILE[0])}") == []


def test_a_staged_relation_of_another_name_is_renamed_on_its_way(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount", staged_as="big")
    release.stage("big", "select 4 as id", staged_as="orders")
    release.stage("_orders", "select 5 as id")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert shop.reader.rows("select * from analytics.orders") == [(3, 30)]
    assert shop.reader.rows("select * from analytics.big") == [(4,)]


@pytest.mark.fault(109)
def test_a_schema_that_another_role_made_since_the_plan_is_not_moved_into(shop: Shop) -> None:
    attacker = shop.other
    shop.database.run(
        f"grant create on database {shop.database.name} to {attacker.user}; drop schema marts"
    )
    release = shop.begin(schemas=("analytics", "marts"))
    release.stage("sums", "select 7 as n", schema="marts")
    release.plan()
    attacker.run(f"create schema marts; grant usage, create on schema marts to {shop.owner.user}")
    before = shop.state()
    with pytest.raises(errors.ExposedToOthers) as refusal:
        release.swap()
    assert f"the schema marts, which it writes to, is {attacker.user}'s" in refusal.value.what
    assert f"ALTER SCHEMA marts OWNER TO {shop.owner.user};" in refusal.value.remedy
    assert shop.state() == before
    assert not [name for name in shop.schemas() if "__kept_" in name]
    attacker.run("drop schema marts")
    assert release.swap().outcome == "done"
    assert (
        shop.database.value(
            "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'marts'"
        )
        == shop.owner.user
    )


@pytest.mark.fault(109)
def test_what_was_kept_does_not_go_back_to_a_schema_of_another_role(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 3 as id, 30 as amount")
    assert release.go().outcome == "done"
    shop.database.run(f"alter schema analytics owner to {shop.other.user}")
    shop.database.run(f"grant usage, create on schema analytics to {shop.owner.user}")
    before = shop.state()
    with pytest.raises(errors.ExposedToOthers) as refusal:
        shop.take_back(release)
    assert f"ALTER SCHEMA analytics OWNER TO {shop.owner.user};" in refusal.value.remedy
    assert shop.state() == before

"""What hangs on a table that a release replaces: it goes along, or is refused before the build."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from standins.warehouse.greens import Shop, quoted
from standins.warehouse.macros import MacroDbt
from standins.warehouse.postgres import Database, Server


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        """
        create table analytics.orders (id int primary key, amount int);
        insert into analytics.orders values (1, 10), (2, 20);
        """
    )
    return made


def orders_of(schema: str) -> str:
    """The new orders, with a key."""
    return f"alter table {schema}.orders add primary key (id)"


NEW_ORDERS = "select id, 100 * id as amount, 'EUR' as currency from generate_series(1, 3) id"

HANGS_ON_KEPT = """
select pg_describe_object(d.classid, d.objid, d.objsubid) from pg_depend d
join pg_class c on c.oid = d.refobjid and d.refclassid = 'pg_class'::regclass
where c.relnamespace = '{kept}'::regnamespace and d.classid in ('pg_rewrite'::regclass,
  'pg_constraint'::regclass, 'pg_proc'::regclass)
  and pg_describe_object(d.classid, d.objid, d.objsubid) not like '%{kept}%'
"""


@pytest.mark.fault(84)
def test_staged_relations_that_name_production_read_what_is_live_then(shop: Shop) -> None:
    shop.owner.run("create table marts.orders (id int); insert into marts.orders values (7)")
    release = shop.begin()
    green = release.green()
    release.stage("orders", NEW_ORDERS)
    shop.owner.run(orders_of(green))
    release.stage("by_name", "select amount from analytics.orders", "view")
    release.stage(
        "two",
        "select o.amount as old, orders.amount as new, m.id"
        f" from analytics.orders o join {green}.orders using (id) cross join marts.orders m",
        "view",
    )
    release.stage("above", f"select sum(amount) as s from {green}.by_name", "materialized_view")
    release.stage("lines", "select 1 as order_id")
    shop.owner.run(
        f"alter table {green}.lines add constraint known foreign key (order_id)"
        " references analytics.orders;"
        f"grant select on {green}.by_name to {shop.reader.user};"
        f"comment on view {green}.by_name is 'analytics.orders''s'"
    )
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert swapped.repointed == ()
    assert shop.reader.rows("select amount from analytics.by_name order by 1") == [
        (100,),
        (200,),
        (300,),
    ]
    assert shop.owner.rows("select s from analytics.above") == [(600,)]
    assert shop.owner.rows("select sum(old), sum(new), count(*) from analytics.two") == [
        (600, 600, 3)
    ]
    shop.owner.run("insert into analytics.lines values (3)")
    with pytest.raises(Exception, match="known"):
        shop.owner.run("insert into analytics.lines values (9)")
    assert shop.database.rows(HANGS_ON_KEPT.format(kept=release.kept())) == []
    comment = shop.database.value("select obj_description('analytics.by_name'::regclass)")
    assert comment == "analytics.orders's"


@pytest.mark.fault(99)
def test_functions_on_the_row_type_and_what_is_staged_on_them(shop: Shop) -> None:
    shop.owner.run(
        """
        create function marts.doubled(o analytics.orders) returns int language sql
          as $$ select 2 * (o).amount $$;
        create function marts.all_of() returns setof analytics.orders language sql
          as $$ select * from analytics.orders $$;
        create function marts.first(out o analytics.orders) language sql
          begin atomic select o from analytics.orders o order by id limit 1; end;
        create view marts.outside as select id, amount, marts.doubled(orders) as twice
          from analytics.orders;
        """
    )
    release = shop.begin()
    release.stage("orders", NEW_ORDERS)
    release.stage("reads_outside", "select sum(twice) as s from marts.outside", "view")
    release.stage("reads_rows", "select amount from marts.all_of()", "view")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert set(swapped.repointed) == {
        "marts.outside",
        "marts.doubled(o analytics.orders)",
        "marts.all_of()",
        "marts.first(OUT o analytics.orders)",
    }
    assert shop.owner.rows("select s from analytics.reads_outside") == [(1200,)]
    assert shop.owner.rows("select sum(amount) from analytics.reads_rows") == [(600,)]
    assert shop.owner.rows("select (marts.first()).amount") == [(100,)]
    assert shop.database.rows(HANGS_ON_KEPT.format(kept=release.kept())) == []


OUTSIDE = """
create function marts.passed() returns bool language plpgsql as $$
  begin perform pg_advisory_xact_lock_shared(42); return true; end $$;
create view marts.big as select id, amount from analytics.orders where amount > 5;
create materialized view marts.slow as select b.id, orders.amount, marts.passed() as x
  from marts.big b join analytics.orders using (id) where 'analytics.orders' <> '';
create unique index slow_id on marts.slow (id);
comment on materialized view marts.slow is 'of analytics.orders';
create view marts.on_it as select sum(amount) as s from marts.slow;
create table marts.lines (order_id int references analytics.orders);
insert into marts.lines select 1 + g % 2 from generate_series(1, 100) g;
grant select on marts.slow, marts.on_it, analytics.orders to {reader};
"""

VALID = "select convalidated from pg_constraint where conname = 'lines_order_id_fkey'"


@pytest.mark.fault(89)
def test_readers_do_not_wait_for_a_materialized_view(shop: Shop) -> None:
    shop.owner.run(OUTSIDE.format(reader=shop.reader.user))
    release = shop.begin()
    release.stage("orders", NEW_ORDERS)
    shop.owner.run(orders_of(release.green()))
    release.stage("named", "select count(*) as n from marts.slow", "view")
    release.plan()
    with shop.database.connect() as held, ThreadPoolExecutor() as pool:
        held.execute("select pg_advisory_lock(42)")
        swapping = pool.submit(release.swap)
        until(
            shop, "select exists (select from pg_locks where not granted and locktype = 'advisory')"
        )
        # It is being made, and everybody reads as before.
        shop.reader.run(
            "set lock_timeout = '2s'; select * from analytics.orders; select * from marts.on_it"
        )
        held.execute("select pg_advisory_unlock(42)")
        swapped = swapping.result()
    assert swapped.outcome == "done", swapped
    assert set(swapped.repointed) == {
        *("marts.big", "marts.slow", "marts.on_it", "lines_order_id_fkey on marts.lines")
    }
    assert shop.reader.rows("select s from marts.on_it") == [(600,)]
    assert shop.owner.rows("select n from analytics.named") == [(3,)]
    definition = shop.database.value("select pg_get_viewdef('marts.slow'::regclass)")
    assert "'analytics.orders'::text" in str(definition)
    comment = shop.database.value("select obj_description('marts.slow'::regclass)")
    assert comment == "of analytics.orders"
    indexes = "select indexname from pg_indexes where tablename = 'slow'"
    assert shop.database.rows(indexes) == [("slow_id",)]
    assert [name for name in shop.schemas() if name.startswith(("ahead", "names"))] == []
    assert shop.database.rows(HANGS_ON_KEPT.format(kept=release.kept())) == []


def until(shop: Shop, query: str) -> None:
    """Return once it is so."""
    deadline = time.monotonic() + 60
    while not shop.database.value(query):
        assert time.monotonic() < deadline, query
        time.sleep(0.02)


@pytest.mark.fault(89)
@pytest.mark.parametrize("validates", [True, False])
def test_a_foreign_key_is_checked_before_readers_wait(shop: Shop, validates: bool) -> None:
    shop.owner.run(OUTSIDE.format(reader=shop.reader.user))
    release = shop.begin()
    release.stage("orders", NEW_ORDERS)
    shop.owner.run(orders_of(release.green()))

    def left_out(statements: str) -> str:
        return statements.replace("validate constraint", "alter constraint")

    dbt = MacroDbt(shop.owner, edit=(lambda text: text) if validates else left_out)
    swapped = release.go(dbt=dbt)
    assert swapped.outcome == "done", swapped
    # Under the locks it was taken without a look at its rows.
    assert shop.database.value(VALID) is validates
    with pytest.raises(Exception, match="lines_order_id_fkey"):
        shop.owner.run("insert into marts.lines values (9)")


@pytest.mark.fault(89)
def test_what_cannot_be_made_ahead_is_made_under_the_locks(shop: Shop) -> None:
    shop.owner.run(
        OUTSIDE.format(reader=shop.reader.user)
        + "create function marts.twice(o analytics.orders) returns int language sql"
        " as 'select 2 * (o).amount';"
        "create materialized view marts.doubled as"
        " select marts.twice(orders) as t from analytics.orders;"
    )
    release = shop.begin()
    release.stage("orders", NEW_ORDERS)
    shop.owner.run(orders_of(release.green()))
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert shop.owner.rows("select sum(t) from marts.doubled") == [(1200,)]
    assert shop.reader.rows("select s from marts.on_it") == [(600,)]


@pytest.mark.fault(100)
def test_a_statement_timeout_of_the_role_is_named(shop: Shop) -> None:
    shop.database.run(f"alter role {shop.owner.user} set statement_timeout = '1ms'")
    with pytest.raises(errors.ReleaseStepFailed) as failed:
        shop.look("orders")
    assert "canceling statement due to statement timeout" in failed.value.what
    assert "`ALTER ROLE <role> SET statement_timeout = 0;`" in failed.value.remedy


@pytest.mark.fault(116)
def test_a_statement_timeout_of_the_role_does_not_strike_what_is_made_ahead(shop: Shop) -> None:
    shop.owner.run(
        "create materialized view marts.slow as select id, pg_sleep(0.7) is null as x"
        " from analytics.orders limit 1"
    )
    release = shop.begin()
    release.stage("orders", NEW_ORDERS)
    release.plan()
    shop.database.run(f"alter role {shop.owner.user} set statement_timeout = '600ms'")
    swapped = release.swap()
    assert swapped.outcome == "done", swapped
    assert swapped.repointed == ("marts.slow",)


@pytest.mark.fault(106)
def test_hundreds_of_relations_with_any_names(shop: Shop) -> None:
    names = [f"{'Größe. ' if n % 3 else ''}{n}{'x' * 44}" for n in range(300)]
    assert max(len(name.encode()) for name in names) <= 63
    made = "".join(
        f"create table {schema}.{quoted(name)} as select 1 as id;"
        for schema in ("analytics", "marts")
        for name in names
    )
    shop.owner.run(
        made
        + f"create materialized view marts.above as select id from analytics.{quoted(names[1])};"
        f"create view marts.both as select a.id from analytics.{quoted(names[4])} a"
        f" join marts.{quoted(names[4])} using (id)"
    )
    release = shop.begin(schemas=("analytics", "marts"))
    green = release.green()
    shop.owner.run("".join(f"create table {green}.{quoted(n)} as select 2 as id;" for n in names))
    for name in names:
        release.stage(name, None)
    # The same alias in two schemas.
    release.stage(names[4], "select 2 as id", schema="marts", called="model.shop.other")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert shop.owner.rows("select * from marts.above cross join marts.both") == [(2, 2)]
    kept = "select count(*) from pg_class where relnamespace = '{}'::regnamespace and relkind = 'r'"
    assert shop.database.value(kept.format(release.kept())) == len(names)
    assert shop.database.value(kept.format(release.kept("marts"))) == 1

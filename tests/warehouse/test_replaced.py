"""What hangs on a table that a release replaces: it goes along, or is refused before the build."""

from __future__ import annotations

from pathlib import Path

import pytest

from standins.warehouse.greens import Shop
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

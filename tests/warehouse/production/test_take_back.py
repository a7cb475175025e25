"""Releases taken back on a real PostgreSQL: all of it or nothing, and no history lost."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from standins.warehouse.greens import Release, Shop
from standins.warehouse.postgres import Database, Server


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        f"""
        create table analytics.stays as select 1 as id;
        create table analytics.orders as select 1 as id, 10 as amount;
        create view analytics.big as
          select o.id from analytics.orders o join analytics.stays s using (id);
        create table analytics.events as select g as id from generate_series(1, 3) g;
        create view marts.outside as select id from analytics.big;
        grant select on analytics.orders, analytics.big, marts.outside to {made.reader.user};
        """
    )
    return made


def released(shop: Shop) -> Release:
    """Every kind of node: a table, a view, an incremental table, and a new one."""
    release = shop.begin()
    green, number = release.green(), release.number + 1
    release.prepare("events")
    shop.owner.run(f"insert into {green}.events values (4)")
    release.stage("orders", f"select {number} as id, 'new' as amount")
    release.stage(
        "big", f"select o.id from {green}.orders o left join analytics.stays s using (id)", "view"
    )
    release.stage("events", None, "incremental")
    release.stage("fresh", f"select id from {green}.events")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    return release


def ids(shop: Shop, name: str) -> list[int]:
    return [number for (number,) in shop.owner.rows(f"select id from {name} order by 1")]


@pytest.mark.fault(34)
def test_tables_and_views_come_back_and_history_stays(shop: Shop) -> None:
    before = {name: ids(shop, name) for name in ("analytics.orders", "analytics.big")}
    release = released(shop)
    assert ids(shop, "marts.outside") == [2]
    plan = shop.take_back(release, dry_run=True)
    assert ids(shop, "marts.outside") == [2]
    back = shop.take_back(release)
    assert back.swapped.outcome == "done", back
    for ended in (plan, back):
        assert ended.restored == ("analytics.orders",)
        assert ended.recreated == ("analytics.big",)
        assert ended.left == ("analytics.events",)
        assert ended.removed == ("analytics.fresh",)
        assert ended.missing == ()
        assert ended.swapped.repointed == ("marts.outside",)
    assert {name: ids(shop, name) for name in before} == before
    assert ids(shop, "marts.outside") == [1]
    assert ids(shop, "analytics.events") == [1, 2, 3, 4]
    assert shop.reader.rows("select amount from analytics.orders") == [(10,)]
    assert shop.reader.rows("select * from marts.outside") == [(1,)]
    assert shop.settled(release) == "taken back"
    assert ids(shop, f"{release.undone()}.fresh") == [1, 2, 3, 4]
    # What the release did to the incremental table's rows is kept, for whoever wants it undone.
    kept = f"select old, live is not null from {release.kept()}.events"
    assert shop.owner.rows(kept) == [(None, True)]


@pytest.mark.fault(34)
def test_incremental_tables_come_back_where_that_is_wanted_and_no_row_is_lost(shop: Shop) -> None:
    release = released(shop)
    shop.owner.run("insert into analytics.events values (5)")
    back = shop.take_back(release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    assert set(back.restored) == {"analytics.orders", "analytics.events"}
    assert ids(shop, "analytics.events") == [1, 2, 3, 5]
    assert release.kept() not in shop.schemas()


@pytest.mark.fault(35)
def test_an_ordinary_build_in_between_is_no_hindrance(shop: Shop) -> None:
    release = released(shop)
    # dbt's own way: beside it, renamed, the old one dropped with all that hangs on it.
    for name, query in {"stays": "1 as id", "orders": "8 as id, 'newer' as amount"}.items():
        shop.owner.run(
            f"create table analytics.{name}__dbt_tmp as select {query};"
            f"alter table analytics.{name} rename to {name}__dbt_backup;"
            f"alter table analytics.{name}__dbt_tmp rename to {name};"
            f"drop table analytics.{name}__dbt_backup cascade"
        )
    assert not shop.database.value(
        f"select count(*) from pg_views where schemaname = '{release.kept()}'"
    )
    shop.owner.run(
        "create view analytics.big as select o.id from analytics.orders o"
        " left join analytics.stays s using (id)"
    )
    back = shop.take_back(release)
    assert back.swapped.outcome == "done", back
    assert back.recreated == ("analytics.big",)
    assert ids(shop, "analytics.orders") == [1]
    assert shop.reader.rows("select id from analytics.big") == [(1,)]


def test_a_view_that_a_build_took_along_comes_back_too(shop: Shop) -> None:
    release = released(shop)
    shop.owner.run("drop table analytics.stays cascade; create table analytics.stays (id int)")
    shop.owner.run("insert into analytics.stays values (1)")
    back = shop.take_back(release)
    assert back.swapped.outcome == "done", back
    assert shop.reader.rows("select id from analytics.big") == [(1,)]


@pytest.mark.fault(35)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("alter table analytics.orders add more int", "analytics.orders: column more (integer)"),
        ("drop table analytics.orders cascade", "analytics.orders is gone"),
        (
            "drop table analytics.orders cascade; create view analytics.orders as select 1 as id",
            "analytics.orders was a table and is a view",
        ),
        ("drop table {kept}.orders cascade", "analytics.orders: what was kept of it is gone"),
        (
            "update dbt_deploy.releases set state = 'taken back'",
            "the release v1 (20261125t000001) is not live: taken back",
        ),
        (
            "insert into dbt_deploy.releases select 'later', environment, project, 'v9',"
            " commit_sha, nonce, 'live', now() from dbt_deploy.releases",
            "the release v9 (later) went live after it",
        ),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_what_was_changed_by_hand_is_refused_with_what_differs(
    shop: Shop, change: str, said: str, dry_run: bool
) -> None:
    release = released(shop)
    shop.owner.run(change.format(kept=release.kept()))
    before = shop.state()
    back = shop.take_back(release, dry_run=dry_run)
    assert back.swapped.outcome == "changed", back
    assert any(said in line for line in back.swapped.detail), back.swapped.detail
    assert shop.state() == before
    assert release.undone() not in shop.schemas()
    if "kept" in change:
        assert back.missing == (f"{release.kept()}.orders",)


@pytest.mark.fault(29)
def test_what_others_made_on_it_is_told_and_never_dropped(shop: Shop) -> None:
    release = released(shop)
    shop.owner.run(f"grant select on analytics.fresh to {shop.other.user}")
    shop.other.run("create view marts.theirs as select * from analytics.fresh")
    before = shop.state()
    back = shop.take_back(release)
    assert back.swapped.outcome == "changed"
    assert back.swapped.detail == (
        f"view marts.theirs of {shop.other.user} hangs on what is moved",
    )
    assert shop.state() == before


@pytest.mark.fault(30)
def test_a_view_made_on_the_new_columns_undoes_all_of_it(shop: Shop) -> None:
    release = released(shop)
    shop.owner.run("create view marts.words as select id as w from analytics.fresh")
    before = shop.state()
    back = shop.take_back(release)
    assert back.swapped.outcome == "unfit"
    assert back.swapped.detail[0].startswith("view marts.words: relation")
    assert shop.state() == before
    assert shop.settled(release) == "live"


def test_two_releases_at_once_newest_first(shop: Shop) -> None:
    shop.owner.run("create view marts.on_events as select id from analytics.events")
    before = ids(shop, "analytics.orders")
    first = released(shop)
    second = shop.begin()
    second.stage("orders", "select 9 as id, 'x' as amount, true as more")
    second.stage("big", f"select id, more from {second.green()}.orders", "view")
    second.stage("fresh", "select 7 as id")
    assert second.go().outcome == "done"
    assert shop.take_back(first, dry_run=True).swapped.outcome == "changed"
    plan = shop.take_back(second, first, dry_run=True)
    back = shop.take_back(second, first)
    assert back.swapped.outcome == "done", back
    for ended in (plan, back):
        assert ended.restored == ("analytics.orders",)
        assert ended.recreated == ("analytics.big",)
        assert ended.removed == ("analytics.fresh",)
        assert ended.left == ("analytics.events",)
    assert ids(shop, "analytics.orders") == before
    assert ids(shop, "marts.outside") == [1]
    assert ids(shop, f"{second.undone()}.fresh") == [7]
    assert ids(shop, f"{first.undone()}.fresh") == [1, 2, 3, 4]
    assert second.kept() not in shop.schemas()
    assert shop.settled(first) == shop.settled(second) == "taken back"


def test_release_and_rollback_again_and_again(shop: Shop) -> None:
    for _ in range(3):
        release = released(shop)
        assert ids(shop, "marts.outside") == [release.number + 1]
        assert shop.take_back(release).swapped.outcome == "done"
        assert ids(shop, "marts.outside") == [1]
        shop.owner.run("delete from analytics.events where id = 4")
    assert {one.outcome for one in shop.clean_up()} == {"dropped"}
    assert ids(shop, "marts.outside") == [1]


@pytest.mark.fault(4)
def test_an_older_run_cannot_take_back(shop: Shop) -> None:
    release = released(shop)
    before = shop.state()
    assert shop.settled(release, nonce="newer", taken_at="2030-01-01T00:00:00+00:00") == "live"
    back = shop.take_back(release, nonce="older", taken_at="2029-01-01T00:00:00+00:00")
    assert back.swapped.outcome == "fenced"
    assert shop.state() == before


@pytest.mark.fault(32)
def test_a_long_reader_keeps_it_from_happening(shop: Shop) -> None:
    release = released(shop)
    before = shop.state()
    with shop.reader.connect() as connection, connection.transaction():
        connection.execute("table marts.outside")
        back = shop.take_back(release)
        assert back.swapped.outcome == "busy"
        assert shop.reader.user in back.swapped.detail[0]
    assert shop.state() == before


def test_models_that_had_left_the_project_are_in_it_again(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 2 as id, 20 as amount")
    release.plan(shop.wanted("stays"))
    assert release.swap().outcome == "done"
    assert shop.owner.rows("select unique_id from dbt_deploy.removed_models") == [
        ("model.shop.stays",)
    ]
    assert shop.take_back(release).swapped.outcome == "done"
    assert shop.owner.rows("select unique_id from dbt_deploy.removed_models") == []


# What others did meanwhile ------------------------------------------------------------------------

LEFT_ON_IT = """
select (select array_agg(distinct format('%s %s %s', privilege_type, grantee::regrole, c.relname))
    from aclexplode(c.relacl) where grantee <> c.relowner),
  c.relrowsecurity, obj_description(c.oid, 'pg_class'), col_description(c.oid, 1::int),
  (select array_agg(polname order by 1) from pg_policy where polrelid = c.oid),
  (select array_agg(tgname || tgenabled::text order by 1) from pg_trigger
    where tgrelid = c.oid and not tgisinternal),
  (select attacl::text from pg_attribute where attrelid = c.oid and attname = 'id')
from pg_class c where c.oid = 'analytics.orders'::regclass
"""


@pytest.mark.fault(96)
def test_what_was_changed_on_a_table_since_the_release_is_as_it_was_just_before(
    shop: Shop,
) -> None:
    other, reader = shop.other.user, shop.reader.user
    shop.owner.run(
        """
        create function marts.f() returns trigger language plpgsql as
          $$ begin return new; end $$;
        create policy old_one on analytics.orders using (true);
        comment on column analytics.orders.id is 'old';
        """
    )
    release = released(shop)
    shop.owner.run(
        f"""
        revoke select on analytics.orders from {reader};
        grant select, insert on analytics.orders to {other} with grant option;
        grant update (id) on analytics.orders to {other};
        alter table analytics.orders enable row level security;
        drop policy old_one on analytics.orders;
        create policy new_one on analytics.orders for select to {other} using (id > 0);
        create trigger seen before insert on analytics.orders for each row
          execute function marts.f();
        alter table analytics.orders disable trigger seen;
        comment on table analytics.orders is 'new';
        comment on column analytics.orders.id is 'new too';
        revoke select on analytics.big from {reader};
        comment on view analytics.big is 'big';
        """
    )
    before = shop.database.rows(LEFT_ON_IT)
    back = shop.take_back(release)
    assert back.swapped.outcome == "done", back
    assert shop.database.rows(LEFT_ON_IT) == before
    assert shop.owner.rows("select amount from analytics.orders") == [(10,)]
    view = "select relacl::text, obj_description(oid, 'pg_class') from pg_class where oid = "
    ((rights, comment),) = shop.database.rows(view + "'analytics.big'::regclass")
    assert reader not in rights
    assert comment == "big"


@pytest.mark.fault(96)
def test_what_the_release_itself_changed_comes_back(shop: Shop) -> None:
    shop.owner.run("comment on table analytics.orders is 'before'")
    before = shop.database.rows(LEFT_ON_IT)
    release = released(shop)
    assert shop.database.rows(LEFT_ON_IT) != before
    assert shop.take_back(release).swapped.outcome == "done"
    assert shop.database.rows(LEFT_ON_IT) == before


@pytest.mark.fault(92)
def test_a_kept_tables_foreign_key_does_not_hold_production(shop: Shop) -> None:
    shop.owner.run(
        """
        alter table analytics.stays add primary key (id);
        insert into analytics.stays values (2);
        alter table analytics.orders add constraint to_stays foreign key (id)
          references analytics.stays;
        """
    )
    keys = (
        "select conrelid::regclass::text, pg_get_constraintdef(oid), convalidated"
        " from pg_constraint where contype = 'f'"
    )
    before = shop.database.rows(keys)
    release = released(shop)
    assert shop.database.rows(keys) == []
    shop.owner.run("alter table analytics.orders add foreign key (id) references analytics.stays")
    assert shop.take_back(release).swapped.outcome == "done"
    assert shop.database.rows(keys) == before
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        shop.owner.run("delete from analytics.stays where id = 1")
    shop.owner.run("delete from analytics.stays where id = 2")

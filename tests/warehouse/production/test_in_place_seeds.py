"""Seeds that are loaded in place, as dbt does it, and what a rollback brings back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from dbtdeploy.base import errors
from standins.warehouse.greens import Release, Shop
from standins.warehouse.postgres import Database, Server


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    return Shop(tmp_path, postgres_server, database)


ROWS = "insert into analytics.s (id, v) select n, 'v' || n from generate_series(1, 3) n"
LOAD = ("truncate {t}", "insert into {t} (id, v) values (1, 'one'), (2, null), (2, null)")
NEW = [(1, "one"), (2, None), (2, None)]


def staged(shop: Shop, load: Sequence[str] = LOAD) -> Release:
    release = shop.begin()
    release.prepare(seeds=["s"])
    with shop.owner.connect() as connection:
        for one in load:
            connection.execute(one.format(t=f"{release.green()}.s").encode())
    release.stage("s", None, "seed")
    return release


def rows(shop: Shop, table: str = "analytics.s") -> list[tuple[int, str | None]]:
    found: list[tuple[int, str | None]] = shop.owner.rows(
        f"select id, v from {table} order by id, v"
    )
    return found


MADE = """
select 'analytics.s'::regclass::oid, array(select tgname::text from pg_trigger
    where tgrelid = 'analytics.s'::regclass and not tgisinternal),
  array(select pg_get_constraintdef(oid) from pg_constraint
    where conrelid = 'analytics.s'::regclass),
  array(select polname::text from pg_policy where polrelid = 'analytics.s'::regclass),
  array(select indexrelid from pg_index where indrelid = 'analytics.s'::regclass),
  array(select prpubid from pg_publication_rel where prrelid = 'analytics.s'::regclass),
  (select relacl::text from pg_class where oid = 'analytics.s'::regclass)
"""


@pytest.mark.fault(86, 91, 93, 101)
def test_a_seed_is_loaded_as_dbt_loads_it_and_keeps_all_that_was_made_on_it(shop: Shop) -> None:
    owner = shop.owner
    owner.run(
        f"""
        create table analytics.kinds (v text primary key);
        insert into analytics.kinds values ('one'), ('v1'), ('v2'), ('v3');
        create table analytics.s (id int, v text references analytics.kinds,
          n int generated always as identity, loaded timestamptz default now(),
          twice int generated always as (id * 2) stored);
        {ROWS};
        create table marts.seen (n int generated always as identity, op text, level text);
        create function marts.see() returns trigger language plpgsql as $$
          begin insert into marts.seen (op, level) values (tg_op, tg_level); return null; end $$;
        create trigger row after insert or delete on analytics.s for each row
          execute function marts.see();
        create trigger emptied after truncate on analytics.s execute function marts.see();
        create policy few on analytics.s for select to {shop.reader.user} using (id < 2);
        alter table analytics.s enable row level security;
        create index by_v on analytics.s (v);
        grant select on analytics.s to {shop.reader.user};
        create view marts.reads as select id, v from analytics.s;
        """
    )
    shop.database.run("create publication p for table analytics.s")
    made = shop.database.rows(MADE)
    release = staged(shop)
    release.stage("above", f"select id from {release.green()}.s", "view")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert rows(shop) == rows(shop, "marts.reads") == NEW
    assert shop.database.rows(MADE) == made
    assert shop.reader.rows("select id, v from analytics.s") == [(1, "one")]
    seen = [("TRUNCATE", "STATEMENT"), *[("INSERT", "ROW")] * 3]
    assert owner.rows("select op, level from marts.seen order by n") == seen
    # Numbers go on, and what no file holds is drawn or computed.
    assert owner.rows("select id, n, twice from analytics.s order by n") == [
        (1, 4, 2),
        (2, 5, 4),
        (2, 6, 4),
    ]
    assert owner.value("select count(*) from analytics.s where loaded is null") == 0
    owner.run("insert into analytics.s (id) values (9)")
    assert owner.value("select n from analytics.s where id = 9") == 7
    assert len(owner.rows("select * from analytics.above")) == 4


@pytest.mark.fault(34)
def test_a_rollback_brings_the_old_rows_back_whatever_was_loaded_since(shop: Shop) -> None:
    shop.owner.run(
        f"create table analytics.s (id int, v text, n int generated always as identity); {ROWS}"
    )
    before = shop.owner.rows("select * from analytics.s order by id")
    oid = shop.database.value("select 'analytics.s'::regclass::oid")
    release = staged(shop)
    assert release.go().outcome == "done"
    shop.owner.run("truncate analytics.s; insert into analytics.s (id) values (7)")
    back = shop.take_back(release)
    assert back.swapped.outcome == "done", back
    assert back.restored == ("analytics.s",)
    assert shop.owner.rows("select * from analytics.s order by id") == before
    assert shop.database.value("select 'analytics.s'::regclass::oid") == oid
    assert release.kept() not in shop.schemas()


def test_what_others_wrote_into_a_seed_goes_as_in_a_build(shop: Shop) -> None:
    shop.owner.run(f"create table analytics.s (id int, v text); {ROWS}")
    release = staged(shop)
    shop.owner.run("truncate analytics.s; insert into analytics.s values (8, 'theirs')")
    assert release.go().outcome == "done"
    assert rows(shop) == NEW
    assert shop.take_back(release).swapped.outcome == "done"
    assert rows(shop) == [(8, "theirs")]


def test_a_seed_that_is_loaded_twice_is_what_the_last_load_left(shop: Shop) -> None:
    shop.owner.run(f"create table analytics.s (id int, v text); {ROWS}")
    hook = "update {t} set v = 'hook' where v is null"
    release = staged(shop, ("truncate {t}", "insert into {t} values (5, 'lost')", *LOAD, hook))
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert rows(shop) == [(1, "one"), (2, "hook"), (2, "hook")]


@pytest.mark.fault(92)
def test_a_seed_that_a_foreign_key_references_is_refused_before_the_build(shop: Shop) -> None:
    shop.owner.run(
        """
        create table analytics.s (id int primary key, v text);
        create table marts.child (id int references analytics.s);
        """
    )
    release = shop.begin()
    said = r"foreign key child_id_fkey of marts\.child references the seed analytics\.s"
    with pytest.raises(errors.ReleaseStepFailed, match=said) as refused:
        release.prepare(seeds=["s"])
    assert "full_refresh: true" in str(refused.value)


def test_a_trigger_that_stops_it_leaves_production_as_it_was(shop: Shop) -> None:
    shop.owner.run(
        f"""
        create table analytics.s (id int, v text); {ROWS};
        create function marts.no() returns trigger language plpgsql as
          $$ begin raise exception 'not this one'; end $$;
        create trigger no before truncate on analytics.s execute function marts.no();
        """
    )
    release = staged(shop)
    before = rows(shop)
    swapped = release.go()
    assert swapped.outcome == "failed", swapped
    assert swapped.detail == ("analytics.s: not this one",)
    assert rows(shop) == before


def test_a_reader_stops_the_truncate_and_no_row_is_written_twice(shop: Shop) -> None:
    """The tries go on with the rows of other tables written, and leave the fence to others."""
    shop.owner.run(
        f"""
        create table analytics.s (id int, v text); {ROWS};
        create table analytics.t (id int);
        create sequence marts.calls;
        create function marts.see() returns trigger language plpgsql as
          $$ begin perform nextval('marts.calls'); return null; end $$;
        create trigger see after insert on analytics.t for each row execute function marts.see();
        """
    )
    release = shop.begin()
    release.prepare("t", seeds=["s"])
    green = release.green()
    shop.owner.run(f"truncate {green}.s; insert into {green}.s values (1, 'new')")
    shop.owner.run(f"insert into {green}.t values (1)")
    release.stage("s", None, "seed")
    release.stage("t", None, "incremental")
    release.plan()
    with psycopg.connect(shop.owner.url) as reader:
        reader.execute("select * from analytics.s")
        swapped = release.swap(tries=3)
        assert (swapped.outcome, swapped.attempts) == ("busy", 3), swapped
        assert swapped.detail[0].startswith(f"analytics.s is held by {shop.owner.user}")
    assert shop.owner.value("select last_value from marts.calls") == 1
    assert shop.owner.rows("select * from analytics.t") == []
    assert release.swap().outcome == "done"
    assert rows(shop) == [(1, "new")]
    assert shop.owner.rows("select * from analytics.t") == [(1,)]

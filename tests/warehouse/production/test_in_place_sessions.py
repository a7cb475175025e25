"""Sessions as companies set them: isolation, search path, privileges, deferred constraints."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from dbtdeploy.warehouse.release_macro_types import Swapped
from standins.warehouse.greens import Release, Shop
from standins.warehouse.postgres import Database, Server


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        "create table analytics.t as select n as id, 'v' as v from generate_series(1, 5) n"
    )
    return made


def begun(shop: Shop, *, keys: tuple[str, ...] = ()) -> Release:
    """A release that appends row 6."""
    release = shop.begin()
    release.prepare("t")
    shop.owner.run(f"insert into {release.green()}.t values (6, 'new')")
    release.stage("t", None, "incremental", keys=keys)
    return release


def ids(shop: Shop) -> list[int]:
    return [one for (one,) in shop.owner.rows("select id from analytics.t order by id")]


@pytest.mark.fault(82)
@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_try_sees_what_others_committed_while_it_waited(shop: Shop, isolation: str) -> None:
    role = shop.owner.user
    shop.database.run(f"alter role {role} set default_transaction_isolation = '{isolation}'")
    release = begun(shop)
    release.plan()
    outcome: list[Swapped] = []
    with psycopg.connect(shop.owner.url) as theirs:
        theirs.execute("insert into analytics.t values (99, 'theirs')")
        swapping = threading.Thread(target=lambda: outcome.append(release.swap(tries=60)))
        swapping.start()
        waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        while not shop.database.value(waits):
            assert swapping.is_alive()
        theirs.commit()
    swapping.join(60)
    assert outcome[0].outcome == "changed", outcome
    assert ids(shop) == [1, 2, 3, 4, 5, 99]


AUDIT = """
create table public.audit_log (op text, id integer);
grant insert, select on public.audit_log to {role};
create function public.note() returns trigger language plpgsql
  as $$ begin insert into audit_log values (tg_op, new.id); return null; end $$;
create function public.is_known(v text) returns boolean language sql
  as $$ select count(*) >= 0 from audit_log $$;
alter table analytics.t add check (public.is_known(v));
create {trigger} audit after insert on analytics.t {deferred} for each row
  execute function public.note();
"""


@pytest.mark.fault(86)
@pytest.mark.parametrize("deferred", [False, True])
def test_triggers_and_checks_find_what_they_name_in_the_sessions_path(
    shop: Shop, deferred: bool
) -> None:
    shop.database.run(
        AUDIT.format(
            role=shop.owner.user,
            trigger="constraint trigger" if deferred else "trigger",
            deferred="deferrable initially deferred" if deferred else "",
        )
    )
    release = begun(shop)
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert ids(shop) == [1, 2, 3, 4, 5, 6]
    assert shop.database.rows("select op, id from public.audit_log") == [("INSERT", 6)]
    back = shop.take_back(release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    assert ids(shop) == [1, 2, 3, 4, 5]


def test_a_deferred_constraint_trigger_holds_up_no_dropped_column(shop: Shop) -> None:
    shop.database.run(
        AUDIT.format(
            role=shop.owner.user,
            trigger="constraint trigger",
            deferred="deferrable initially deferred",
        )
    )
    shop.owner.run("alter table analytics.t add column w integer")
    release = begun(shop)
    shop.owner.run(f"alter table {release.green()}.t drop column w")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert shop.database.rows("select op, id from public.audit_log") == [("INSERT", 6)]


EQUALITY = """
create type public.code as enum ('alpha', 'ALPHA', 'beta', 'BETA');
create function public.same(a public.code, b public.code) returns boolean immutable language sql
  as $$ select lower(a::text) = lower(b::text) $$;
create operator public.= (function = public.same, leftarg = public.code, rightarg = public.code);
"""


@pytest.mark.fault(104)
def test_keys_are_compared_as_the_sessions_path_compares_them(shop: Shop) -> None:
    """As citext does: its equality is an operator of another schema."""
    shop.database.run(EQUALITY)
    shop.owner.run("create table analytics.k as select 'alpha'::public.code as code, 1 as n")
    release = shop.begin()
    release.prepare("k")
    shop.owner.run(
        f"delete from {release.green()}.k; insert into {release.green()}.k values ('alpha', 2)"
    )
    release.stage("k", None, "incremental", keys=("code",))
    shop.owner.run("insert into analytics.k values ('ALPHA', 9)")
    swapped = release.go()
    assert swapped.outcome == "changed", swapped
    assert "others wrote 1 row" in swapped.detail[0]


@pytest.mark.fault(83)
def test_default_privileges_open_nothing_that_a_release_makes_for_itself(shop: Shop) -> None:
    reader = shop.reader.user
    shop.owner.run(
        f"alter default privileges grant usage on schemas to {reader};"
        f"alter default privileges grant select on tables to {reader}"
    )
    release = begun(shop)
    shop.owner.run(f"update {release.green()}.t set v = 'w' where id = 1")
    open_to = (
        "select n.nspname from pg_namespace n where has_schema_privilege(%s, n.oid, 'usage')"
        " and n.nspname ~ '__kept_|__undone_|^dbt_log|^dbt_green'"
    )
    assert shop.database.rows(open_to, (reader,)) == []
    assert release.go().outcome == "done"
    assert shop.database.rows(open_to, (reader,)) == []
    back = shop.take_back(release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    assert shop.database.rows(open_to, (reader,)) == []

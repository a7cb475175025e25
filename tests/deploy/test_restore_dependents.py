"""What dbt drops with what it rebuilds comes back: real dbt, real PostgreSQL, real kills."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from dbtdeploy.context import work_files
from dbtdeploy.warehouse import dependents
from standins.store import s3, stores
from standins.warehouse.postgres import Database, Server
from standins.warehouse.rebuilt import Production

HOSTILE = "it''s {{ this }} {% raw %} $q$ \\ é 😀\n::error::x %s --"


@pytest.fixture
def production(
    tmp_path: Path, postgres_server: Server, database: Database, forked_dbt: Path
) -> Production:
    return Production(tmp_path, postgres_server, database, forked_dbt)


@pytest.fixture
def laden(production: Production) -> Production:
    """A table that dbt rebuilds, and everything that we can make again on it."""
    production.model(
        "orders",
        "select 1 as id, 2 as amount, 'x'::text as name",
        post_hook=("alter table {{ this }} add primary key (id)"),
    )
    production.plan("orders")
    production.begin()
    assert production.build() == 0
    reader, other = production.reader.user, production.other.user
    production.database.run(f"create schema reports authorization {production.owner.user}")
    production.database.run(
        f"""
        grant usage, create on schema reports to {reader}, {other};
        alter default privileges for role {production.owner.user}
          grant insert on tables to {reader};
        alter default privileges for role {production.owner.user} in schema reports
          revoke execute on functions from public;
        create table reports.items (order_id int references analytics.orders, n bigint);
        alter table reports.items owner to {production.owner.user};
        """
    )
    production.owner.run(
        f"""
        create view reports."Or.ders ""x"" y" with (security_barrier=true) as
          select id, amount as "The Amount", name from analytics.orders where name <> 'it''s %s';
        revoke all on reports."Or.ders ""x"" y" from {reader};
        grant select on reports."Or.ders ""x"" y" to {reader} with grant option;
        grant update (id) on reports."Or.ders ""x"" y" to {reader};
        comment on view reports."Or.ders ""x"" y" is '{HOSTILE}';
        comment on column reports."Or.ders ""x"" y"."The Amount" is '{HOSTILE}';
        alter view reports."Or.ders ""x"" y" alter column id set default 7;
        create view reports.above as select x.*, 1 as one from reports."Or.ders ""x"" y" x;
        create materialized view reports.sums as select name, sum("The Amount") as s
          from reports.above group by name;
        create unique index "Sums I" on reports.sums (name) where s > 0;
        comment on index reports."Sums I" is 'an index';
        create materialized view reports.empty as select id from analytics.orders with no data;
        create function reports.f(above int) returns bigint language sql stable
          begin atomic select count(*) from reports.sums where s > above; end;
        comment on function reports.f is '{HOSTILE}';
        set check_function_bodies = off;
        create function reports.of_row(o analytics.orders) returns int language sql
          as 'select 1 from orders -- {{{{ not }}}} checked';
        grant execute on function reports.of_row to {reader};
        alter table reports.items alter column n set default reports.f(3);
        create policy p on reports.items for select to {reader}
          using (order_id in (select id from reports.above));
        create rule r as on delete to reports.items do also select * from reports.above;
        create function reports.nothing() returns trigger language plpgsql
          as 'begin return new; end';
        create trigger t instead of update on reports.above
          for each row execute function reports.nothing();
        """
    )
    return production


@pytest.mark.fault(29)
def test_everything_comes_back_as_it_was(laden: Production) -> None:
    before = laden.catalog()
    laden.begin()
    done = laden.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(laden.in_store) == len(laden.kept) == 10
    assert laden.build() == 0
    assert laden.catalog() != before
    done = laden.restore()
    assert done.returncode == 0, done.stdout + done.stderr
    assert laden.catalog() == before
    assert len(laden.restored.restored) == 10
    assert 'Made again: view reports."Or.ders ""x"" y"' in done.stdout
    query = 'select "The Amount" from reports."Or.ders ""x"" y"'
    assert (
        laden.server.database(
            laden.database.name, user=laden.reader.user, password=laden.reader.password
        ).value(query)
        == 2
    )
    assert laden.in_store == []
    assert laden.restore().returncode == 0
    assert laden.restored.restored == ()


KINDS = {
    "a_table": ("table", "model", "table"),
    "a_view": ("view", "model", "view"),
    "a_growing": ("incremental", "model", "incremental"),
    "an_mv": ("materialized_view", "model", "materialized_view"),
    "table_to_view": ("table", "model", "view"),
    "view_to_table": ("view", "model", "table"),
    "view_to_growing": ("view", "model", "incremental"),
    "table_to_mv": ("table", "model", "materialized_view"),
    "mv_to_table": ("materialized_view", "model", "table"),
}


@pytest.mark.fault(29)
@pytest.mark.parametrize("full_refresh", [False, True])
def test_dbt_drops_what_we_say_it_drops(
    tmp_path: Path,
    postgres_server: Server,
    database: Database,
    any_dbt_command: Path,
    full_refresh: bool,
) -> None:
    production = Production(tmp_path, postgres_server, database, any_dbt_command)
    sql = "select 1 as id, current_timestamp::timestamp as at"
    seed = production.project / "seeds" / "a_seed.csv"
    seed.parent.mkdir(parents=True)
    seed.write_text("id\n1\n")
    snapshot = production.project / "snapshots" / "s.sql"
    snapshot.parent.mkdir()
    snapshot.write_text(
        "{% snapshot a_snapshot %}{{ config(target_schema='analytics', unique_key='id', "
        "strategy='check', check_cols=['id']) }} select 1 as id {% endsnapshot %}"
    )
    test = production.project / "tests" / "a_test.sql"
    test.parent.mkdir()
    test.write_text(
        "{{ config(store_failures=true, severity='warn', alias='a_test') }} select 1 as id"
    )
    (production.project / "macros").mkdir()
    (production.project / "macros" / "m.sql").write_text(
        "{% macro generate_schema_name(name, node) %}analytics{% endmacro %}"
    )
    for name, (old, _, _) in KINDS.items():
        production.model(name, sql, old)
    production.begin()
    assert production.build() == 0, (production.work / "dbt.txt").read_text()
    for name, (_, kind, new) in KINDS.items():
        production.model(name, sql, new)
        production.plan(name, new, resource_type=kind)
    production.plan("a_seed", "seed", resource_type="seed")
    production.plan("a_snapshot", "snapshot", resource_type="snapshot")
    production.plan("a_test", "test", resource_type="test")
    names = [node.name for node in production.nodes]
    for name in names:
        production.owner.run(f"grant select on analytics.{name} to {production.other.user}")
        production.other.run(f"create view analytics.on_{name} as select id from analytics.{name}")
    production.begin(full_refresh=full_refresh)
    assert production.check().returncode == 61
    said = {name for name in names if f"analytics.on_{name} of" in production.failure.what}
    assert production.build(*["--full-refresh"] * full_refresh) == 0
    left = production.there(*[f"on_{name}" for name in names])
    assert said == {name for name in names if f"on_{name}" not in left}
    stay = {"a_snapshot"} if full_refresh else {"a_snapshot", "a_growing", "an_mv", "a_seed"}
    assert said == set(names) - stay


@pytest.mark.fault(29)
def test_a_column_that_grows_takes_no_view_with_it(production: Production) -> None:
    grow = "{% if is_incremental() %} select 2 as id, 'abcdef'::varchar(6) as name {% else %}"
    production.model(
        "events", grow + " select 1 as id, 'abc'::varchar(3) as name {% endif %}", "incremental"
    )
    production.plan("events", "incremental")
    production.begin()
    assert production.build() == 0
    production.owner.run(
        "create view analytics.ours as select name from analytics.events;"
        f"grant select on analytics.events to {production.other.user}"
    )
    production.other.run("create view analytics.theirs as select name from analytics.events")
    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert production.build() == 0
    assert production.there("ours", "theirs") == []
    done = production.restore()
    # What others have on a table that stays is not refused before: it is rarely lost.
    assert done.returncode == 62, done.stdout + done.stderr
    assert production.there("ours", "theirs") == ["ours"]
    assert "analytics.theirs: It belongs to" in production.failure.what
    assert "create view analytics.theirs" in production.failure.remedy
    assert production.in_store == []


@pytest.mark.fault(29)
def test_a_failed_build_leaves_the_views_of_the_project_itself(production: Production) -> None:
    production.model("orders", "select 1 as id")
    production.model("middle", "select id from {{ ref('orders') }}")
    production.model("last", "select id from {{ ref('orders') }}", "view")
    production.plan("orders")
    production.plan("middle")
    production.plan("last", "view")
    production.begin()
    assert production.build() == 0
    production.model("last", "select 1 / 0 as id, no_such_column from {{ ref('orders') }}", "view")
    production.begin()
    assert production.check().returncode == 0
    assert [(t.full_name, t.unique_id) for t in production.kept] == [
        ("analytics.last", "model.shop.last")
    ]
    assert production.build() == 1
    assert production.there("last") == []
    assert production.restore().returncode == 0
    assert production.there("last") == ["last"]


@pytest.mark.fault(29)
@pytest.mark.parametrize("fails", [True, False])
def test_a_foreign_key_comes_back_unless_its_own_table_was_made_anew(
    production: Production, fails: bool
) -> None:
    key = "alter table {{ this }} add primary key (id)"
    production.model("customers", "select 1 as id", post_hook=key)
    production.model("orders", "select id as customer_id from {{ ref('customers') }}")
    production.plan("customers")
    production.plan("orders")
    production.begin()
    assert production.build() == 0
    production.owner.run(
        "alter table analytics.orders add constraint fk foreign key (customer_id) "
        "references analytics.customers"
    )
    if fails:
        production.model("orders", "select id / 0 as customer_id from {{ ref('customers') }}")
    production.begin()
    assert production.check().returncode == 0
    assert [thing.full_name for thing in production.kept] == ["fk on analytics.orders"]
    assert production.build() == int(fails)
    count = "select count(*) from pg_constraint where conname = 'fk'"
    assert production.database.value(count) == 0
    done = production.restore()
    assert done.returncode == 0, done.stdout + done.stderr
    assert production.database.value(count) == int(fails)


@pytest.mark.fault(29)
def test_what_dbt_has_just_built_is_not_made_the_old_one_again(production: Production) -> None:
    production.model("a", "select 1 as id")
    production.model("b", "select id from analytics.z", "view")
    production.model("z", "select 1 as id")
    production.begin()
    assert production.build("--select", "a", "z") == production.build("--select", "b") == 0
    for name, kind in {"a": "table", "b": "view", "z": "table"}.items():
        production.plan(name, kind)
    production.begin()
    assert production.check().returncode == 0
    assert production.build() == 0
    assert production.there("b") == []
    done = production.restore()
    assert done.returncode == 62
    assert "analytics.b: dbt built it" in production.failure.what
    assert "without ref()" in production.failure.what


@pytest.mark.fault(29)
def test_a_view_that_no_longer_fits_is_told_once_and_tried_again(production: Production) -> None:
    production.model("orders", "select 1 as id, 2 as amount")
    production.plan("orders")
    production.begin()
    assert production.build() == 0
    production.owner.run(
        "create view analytics.amounts as select amount from analytics.orders;"
        "create view analytics.ids as select id from analytics.orders"
    )
    production.model("orders", "select 1 as id")
    production.begin()
    assert production.check().returncode == production.build() == 0
    done = production.restore()
    assert done.returncode == 62
    assert production.there("amounts", "ids") == ["ids"]
    failure = production.failure
    assert failure.kind == "DependentsNotRestored"
    assert "view analytics.amounts: column" in failure.what
    assert "create view analytics.amounts as" in failure.remedy
    assert "missing in production" in failure.not_done
    assert production.restored.failed[0].statements[0] in failure.remedy
    assert production.in_store == ["analytics.amounts"]

    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not made again yet" in done.stdout
    assert production.build() == 0
    done = production.restore()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning: Still missing in production" in done.stdout

    production.model("orders", "select 1 as id, 2 as amount")
    production.begin()
    assert (
        production.check().returncode == production.build() == production.restore().returncode == 0
    )
    assert production.there("amounts") == ["amounts"]
    assert production.in_store == []


@pytest.mark.fault(29)
def test_after_a_kill_a_run_that_builds_nothing_makes_it_again(production: Production) -> None:
    production.model("orders", "select 1 as id")
    production.plan("orders")
    production.begin()
    assert production.build() == 0
    production.owner.run("create view analytics.ids as select id from analytics.orders")
    production.begin()
    assert production.check().returncode == 0
    assert production.build() == 0
    assert production.there("ids") == []

    production.nodes = []
    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert production.there("ids") == ["ids"]
    assert production.in_store == []
    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no earlier run left anything" in done.stdout


@pytest.mark.fault(29, 28)
def test_after_a_kill_the_next_run_makes_it_again(production: Production) -> None:
    production.model("orders", "select 1 as id, 2 as amount")
    production.model("slow", "select id from {{ ref('orders') }}")
    production.plan("orders")
    production.plan("slow")
    production.begin()
    assert production.build() == 0
    production.owner.run(
        "create view analytics.ids as select id from analytics.orders;"
        "create view analytics.stg as select id from analytics.ids"
    )
    # The next build waits in the middle, when both are gone. A model that failed there, because it
    # reads one of them, would let dbt be killed as it ends, perhaps in the middle of a file.
    production.model("slow", "select o.id from {{ ref('orders') }} o, pg_sleep(60)")
    production.begin()
    assert production.check().returncode == 0
    with production.building() as process:
        end = time.monotonic() + 60
        while production.there("stg"):
            assert time.monotonic() < end, "nothing was dropped"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    # The server may not notice by itself, and what it still makes is in the way of the next build.
    production.database.run(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        f" where usename = '{production.owner.user}'"
    )
    assert production.there("ids", "stg") == []
    assert production.in_store == ["analytics.ids", "analytics.stg"]

    production.model("slow", "select s.id from analytics.stg s")
    production.nodes = [node for node in production.nodes if node.name == "slow"]
    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "An earlier run had dropped view analytics.stg: made again" in done.stdout
    assert production.build("--select", "slow") == 0
    assert production.there("ids", "stg") == ["ids", "stg"]
    assert production.in_store == []


@pytest.mark.fault(28, 29)
def test_what_hangs_on_what_a_killed_dbt_left_comes_back_on_the_new_relation(
    production: Production,
) -> None:
    production.model("orders", "select 1 as id")
    production.plan("orders")
    production.begin()
    assert production.build() == 0
    # As dbt leaves it when it is killed between its commit and its last drop.
    production.owner.run(
        """
        create view analytics.ids as select orders.id from analytics.orders;
        alter table analytics.orders rename to orders__dbt_backup;
        create table analytics.orders as select 2 as id;
        create table analytics.orders__dbt_tmp (id int);
        """
    )
    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(production.leftovers) == {
        "analytics.orders__dbt_backup (table)",
        "analytics.orders__dbt_tmp (table)",
    }
    assert "A dbt that was killed left analytics.orders__dbt_backup" in done.stdout
    production.model("orders", "select 3 as id")
    assert production.build() == 0
    left = production.there("orders__dbt_backup", "orders__dbt_tmp", "ids")
    assert left == []
    done = production.restore()
    assert done.returncode == 0, done.stdout + done.stderr
    assert production.database.value("select id from analytics.ids") == 3


@pytest.mark.fault(29)
@pytest.mark.parametrize("point", ["production-checked", "restored"])
def test_a_crash_of_ours_is_made_good_by_the_next_run(production: Production, point: str) -> None:
    crash = {"DBT_DEPLOY_TEST": "1", "DBT_DEPLOY_CRASH_AT": point}
    production.model("orders", "select 1 as id")
    production.plan("orders")
    production.begin()
    assert production.build() == 0
    production.owner.run("create view analytics.ids as select id from analytics.orders")
    production.begin()
    done = production.check(**crash)
    if point == "restored":
        assert done.returncode == production.build() == 0
        done = production.restore(**crash)
    assert done.returncode == -signal.SIGKILL
    assert production.in_store == ["analytics.ids"]
    production.begin()
    assert (
        production.check().returncode == production.build() == production.restore().returncode == 0
    )
    assert production.there("ids") == ["ids"]
    assert production.in_store == []


@pytest.mark.fault(29)
def test_five_hundred_views(production: Production) -> None:
    production.model("orders", "select 1 as id, 2 as amount")
    production.plan("orders")
    production.begin()
    assert production.build() == 0
    wide = ", ".join(f"amount + {n} as a_rather_long_name_of_column_{n}" for n in range(20))
    production.owner.run(
        ";".join(
            f"create view analytics.v{n} as select {wide} from analytics.orders" for n in range(500)
        )
    )
    before = production.catalog()
    production.begin()
    assert production.check().returncode == production.build() == 0
    done = production.restore()
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert production.catalog() == before


@pytest.mark.fault(29)
def test_a_store_that_says_no_does_not_keep_views_from_coming_back(
    production: Production, s3_iam: s3.Store
) -> None:
    place = stores.in_bucket(s3_iam)
    production.store = place.open()  # type: ignore[assignment]
    production.environment = place.environ
    production.model("orders", "select 1 as id")
    production.plan("orders")
    production.begin()
    assert production.build() == 0
    production.owner.run("create view analytics.ids as select id from analytics.orders")
    production.begin()
    assert production.check().returncode == production.build() == 0
    done = production.restore(DBT_DEPLOY_AWS_SECRET_ACCESS_KEY="expired")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning: The lease could not be renewed" in done.stdout
    assert production.there("ids") == ["ids"]
    assert [one.full_name for one in dependents.read_earlier(production.store).dependents] == [
        "analytics.ids"
    ]


def test_a_removed_node_need_not_come_back(production: Production) -> None:
    production.model("orders", "select 1 as id, 2 as amount")
    production.model("amounts", "select amount from {{ ref('orders') }}", "view")
    production.begin()
    assert production.build() == 0
    state = production.project / "target" / "manifest.json"
    content = state.read_bytes()
    (production.project / "models" / "amounts.sql").unlink()
    production.model("orders", "select 1 as id")
    production.plan("orders")
    production.begin()
    (production.work / work_files.STATE_FOLDER).mkdir()
    (production.work / work_files.STATE_FOLDER / "manifest.json").write_bytes(content)
    state.unlink()
    assert production.check().returncode == production.build() == 0
    done = production.restore()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning: Still missing in production" in done.stdout
    assert production.in_store == []

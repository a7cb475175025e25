"""check_production.py on a real PostgreSQL: what it refuses, and what it keeps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from standins.entry import SCRIPTS
from standins.warehouse.postgres import Database, Server
from standins.warehouse.rebuilt import Production


@pytest.fixture
def production(
    tmp_path: Path, postgres_server: Server, database: Database, forked_dbt: Path
) -> Production:
    return Production(tmp_path, postgres_server, database, forked_dbt)


def statements(remedy: str) -> list[str]:
    return [line.strip() for line in remedy.splitlines() if line.startswith("    ")]


@pytest.mark.fault(33, 28)
def test_all_missing_privileges_are_named_with_the_statements_that_grant_them(
    production: Production,
) -> None:
    owner, other = production.owner.user, production.other.user
    production.database.run(
        f"""
        create schema "Not Ours"; create schema theirs;
        grant usage, create on schema theirs to {owner};
        create table theirs.t (id int); create view theirs.v as select 1 as id;
        create materialized view theirs.m as select 1 as id;
        create table theirs.seed (id int); create table theirs.events (id int);
        create table theirs.may (id int); grant all on theirs.may to {owner};
        create table theirs."od.d__dbt_backup" (id int);
        create function theirs.f(int) returns int language sql return 1;
        alter table theirs.t owner to {other};
        revoke temporary on database {production.database.name} from public;
        """
    )
    for name, kind in {
        "t": "table",
        "v": "table",
        "m": "materialized_view",
        "od.d": "view",
    }.items():
        production.plan(name, kind, schema="theirs")
    production.plan("seed", "seed", resource_type="seed", schema="theirs")
    production.plan("events", "incremental", schema="theirs")
    production.plan("may", "snapshot", resource_type="snapshot", schema="theirs")
    production.plan("f", "function", resource_type="function", schema="theirs")
    production.plan("a", schema="Not Ours")
    production.plan("b", schema="not yet")
    production.begin()
    done = production.check()
    assert done.returncode == 60, done.stdout + done.stderr
    failure = production.failure
    assert failure.kind == "PrivilegesMissing"
    assert failure.not_done.startswith("Nothing was built")
    said = failure.what.splitlines()
    assert f"- ownership of the table theirs.t, which is {other}'s" in said
    assert '- CREATE on the schema "Not Ours"' in said
    assert any("CREATE on the database" in line and '"not yet"' in line for line in said)
    assert any("killed while it built" in line and '"od.d__dbt_backup"' in line for line in said)
    assert "may" not in failure.what.replace("theirs.may", "may").split()
    grants = statements(failure.remedy)
    assert len(grants) == len(said) - 1 == 10
    for statement in grants:
        production.database.run(statement)
    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert production.leftovers == ('theirs."od.d__dbt_backup" (table)',)


@pytest.fixture
def crowded(production: Production) -> Production:
    """A table on which much of others' hangs."""
    production.owner.run("create table analytics.orders (id int primary key, amount int)")
    production.owner.run("create table analytics.stays (id int primary key)")
    production.owner.run(
        f"grant select, references on all tables in schema analytics to {production.other.user}"
    )
    production.owner.run("create view analytics.ours as select id from analytics.orders")
    production.owner.run(f"grant select on analytics.ours to {production.other.user}")
    production.other.run(
        """
        create view analytics."Their, view" as select * from analytics.ours;
        create table analytics.theirs
          (order_id int references analytics.orders, o analytics.orders);
        create function analytics.count_orders() returns bigint language sql
          begin atomic select count(*) from analytics.orders; end;
        create materialized view analytics.their_sums as select sum(amount) from analytics.orders;
        create view analytics.on_what_stays as select id from analytics.stays;
        """
    )
    return production


@pytest.mark.fault(29)
def test_what_belongs_to_others_is_refused_with_the_list_before_anything_is_dropped(
    crowded: Production,
) -> None:
    before = crowded.catalog()
    crowded.plan("orders")
    crowded.begin()
    done = crowded.check()
    assert done.returncode == 61, done.stdout + done.stderr
    other = crowded.other.user
    failure = crowded.failure
    assert set(failure.what.splitlines()[1:]) == {
        f'- view analytics."Their, view" of {other}, on analytics.ours',
        f"- materialized view analytics.their_sums of {other}, on analytics.orders",
        f"- function analytics.count_orders() of {other}, on analytics.orders",
        "- foreign key or constraint theirs_order_id_fkey on analytics.theirs of "
        f"{other}, on analytics.orders",
        f"- column o of table analytics.theirs of {other}",
    }
    assert "GRANT" not in failure.remedy
    assert f"Never make {crowded.owner.user} a member" in failure.remedy
    assert "`exclude`" in failure.remedy
    assert crowded.catalog() == before
    assert crowded.in_store == []


@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("name", "kind", "fields"),
    [
        ("stays", "table", {"schema": "elsewhere"}),
        ("stays", "incremental", {}),
        ("stays", "snapshot", {"resource_type": "snapshot"}),
        ("stays", "seed", {"resource_type": "seed"}),
    ],
)
def test_what_hangs_on_tables_that_stay_is_no_matter(
    crowded: Production, name: str, kind: str, fields: dict[str, str]
) -> None:
    crowded.database.run(f"create schema elsewhere authorization {crowded.owner.user}")
    crowded.plan(name, kind, **fields)
    crowded.begin()
    done = crowded.check()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.fault(29)
def test_membership_of_the_owning_role_does_not_make_it_ours(crowded: Production) -> None:
    crowded.other.run("drop table analytics.theirs")
    crowded.database.run(f"grant {crowded.other.user} to {crowded.owner.user}")
    crowded.plan("orders")
    crowded.begin()
    done = crowded.check()
    assert done.returncode == 61, done.stdout + done.stderr
    assert crowded.in_store == []
    # An administrator who has read them may.
    crowded.database.run(
        f'alter view analytics."Their, view" owner to {crowded.owner.user};'
        f"alter function analytics.count_orders() owner to {crowded.owner.user};"
        f"alter materialized view analytics.their_sums owner to {crowded.owner.user}"
    )
    crowded.begin()
    done = crowded.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert {thing.full_name for thing in crowded.kept} == {
        "analytics.ours",
        'analytics."Their, view"',
        "analytics.count_orders()",
        "analytics.their_sums",
    }
    assert set(crowded.in_store) == {thing.full_name for thing in crowded.kept}
    assert "kept: true" in done.stdout
    order = [thing.full_name for thing in crowded.kept]
    assert order.index("analytics.ours") < order.index('analytics."Their, view"')


def test_nothing_to_keep_asks_for_no_restoring(production: Production) -> None:
    production.owner.run("create table analytics.orders (id int)")
    production.plan("orders")
    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept: false" in done.stdout
    assert production.store.get("kept.json") is None


def test_no_secret_and_no_log_setting_changes_what_is_read(production: Production) -> None:
    production.owner.run(
        "create table analytics.orders (id int); create view analytics.v as select id as orders "
        "from analytics.orders"
    )
    production.plan("orders")
    production.begin()
    done = production.check(
        DBT_ENV_SECRET_A="orders", SOME_KEY="view", DBT_LOG_FORMAT="json", DBT_PRINT="false"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (kept,) = production.kept
    assert "FROM analytics.orders" in kept.statements[0]


def test_without_the_lease_nothing_is_asked_of_the_warehouse(production: Production) -> None:
    production.plan("orders")
    production.begin()
    first = production.work
    production.begin()
    production.work = first
    done = production.check()
    assert done.returncode == 51, done.stdout + done.stderr
    assert not (first / "package").exists()


def test_a_warehouse_that_does_not_answer_is_named(production: Production) -> None:
    production.plan("orders")
    production.begin()
    done = production.check(DBT_PASSWORD="wrong")
    assert done.returncode == 66, done.stdout + done.stderr
    assert "password authentication failed" in production.failure.what
    assert "dbt-env" in production.failure.remedy


@pytest.fixture
def duck(production: Production, duckdb_command: Path) -> Production:
    """The same project on a DuckDB file."""
    production.dbt_command = duckdb_command
    target = {"type": "duckdb", "path": str(production.folder / "shop.duckdb")}
    profile = {"shop": {"target": "p", "outputs": {"p": target}}}
    (production.project / "profiles.yml").write_text(json.dumps(profile))
    production.plan("orders")
    production.begin()
    return production


def test_duckdb_has_nothing_to_check(duck: Production) -> None:
    done = duck.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept: false" in done.stdout
    assert "warning" not in done.stdout


def test_a_warehouse_without_macros_is_deployed_to_with_a_warning(duck: Production) -> None:
    """As an unknown adapter would find it: the package without the macro of its own."""
    scripts = duck.folder / "ours" / "scripts"
    shutil.copytree(SCRIPTS, scripts)
    package = duck.folder / "ours" / "templates" / "dbt_package"
    shutil.copytree(SCRIPTS.parent / "templates" / "dbt_package", package)
    look = package / "macros" / "production" / "look_at_production.sql"
    look.write_text(look.read_text().replace("duckdb__look", "another__look"))
    done = duck.script("deploy/check_production", {}, scripts=scripts)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning: Production was not looked at before the build" in done.stdout
    assert "duckdb__look_at_production" in done.stdout
    assert "kept: false" in done.stdout

"""Before staging is built: the look at production, rights, staging schemas, rows laid under."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.context.release_files import Column
from dbtdeploy.warehouse import preflight, release_schemas, warehouse_refusals
from dbtdeploy.warehouse.release_macro_types import Query
from standins.warehouse.greens import PLACE, Shop
from standins.warehouse.macros import MacroDbt
from standins.warehouse.postgres import Database, Server


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        """
        create table analytics.orders (id int, amount numeric(9,2));
        insert into analytics.orders select g, g from generate_series(1, 5) g;
        analyze analytics.orders;
        create view analytics.big as select id from analytics.orders;
        create table analytics.gone (id int);
        """
    )
    return made


def test_the_look_says_what_is_there(shop: Shop) -> None:
    found = shop.look("orders", "big", "new", removed=("gone", "never"))
    assert found.role == shop.owner.user
    assert found.database == shop.database.name
    live = {one.unique_id: one for one in found.live}
    assert set(live) == {"model.shop.orders", "model.shop.big"}
    assert [one.unique_id for one in found.left] == ["model.shop.gone"]
    orders = live["model.shop.orders"]
    assert (orders.kind, orders.owner, orders.ours) == ("table", shop.owner.user, True)
    assert orders.columns == (
        Column(name="id", type="integer"),
        Column(name="amount", type="numeric(9,2)"),
    )
    assert orders.oid == shop.database.value("select 'analytics.orders'::regclass::oid::bigint")
    assert orders.rows_estimate == 5
    assert orders.bytes
    assert orders.statements == ()
    assert live["model.shop.big"].statements[0].startswith("create view analytics.big as")
    assert found.releases == ()
    assert found.look.dependents == ()
    assert found.look.lost == ()
    assert "dbt_deploy" not in shop.schemas()


@pytest.mark.fault(29)
def test_the_look_names_what_hangs_on_it_and_whose_it_is(shop: Shop) -> None:
    shop.owner.run(f"grant select on analytics.orders to {shop.other.user}")
    shop.owner.run("create view marts.ours as select id from analytics.orders")
    shop.other.run("create view marts.theirs as select id from analytics.orders")
    shop.other.run("create table marts.typed (o analytics.orders)")
    found = shop.look("orders", "big").look
    assert {(one.full_name, one.ours) for one in found.dependents} == {
        ("marts.ours", True),
        ("marts.theirs", False),
    }
    assert [one.name for one in found.lost] == ["column o of table marts.typed"]
    with pytest.raises(errors.DependentsInTheWay, match=r"marts\.theirs"):
        warehouse_refusals.refuse_drops(found)


@pytest.mark.fault(33)
def test_missing_rights_are_found_and_the_grants_help(shop: Shop) -> None:
    owner, other = shop.owner.user, shop.other.user
    shop.database.run(
        f"""
        revoke create on database {shop.database.name} from {owner};
        alter schema marts owner to postgres;
        alter table analytics.gone owner to {other};
        create schema dbt_deploy;
        create table dbt_deploy.releases (release_id text, environment text, project text,
          tag text, state text, swapped_at timestamptz);
        """
    )
    with pytest.raises(errors.PrivilegesMissing) as refused:
        preflight.refuse_missing_privileges(shop.look("orders", "gone", "new").look)
    said = str(refused.value)
    assert "CREATE on the database" in said
    assert f"ownership of the table analytics.gone, which is {other}'s" in said
    assert "CREATE on the schema dbt_deploy" in said
    assert "on the table dbt_deploy.releases" in said
    for line in refused.value.remedy.splitlines():
        if line.startswith("    "):
            shop.database.run(line)
    preflight.refuse_missing_privileges(shop.look("orders", "gone", "new").look)
    with pytest.raises(errors.PrivilegesMissing, match="CREATE on the schema marts"):
        preflight.refuse_missing_privileges(shop.look("orders", schema="marts").look)


def test_the_look_remembers_releases_of_this_place_only(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 1 as id")
    release.go()
    shop.owner.run(
        "insert into dbt_deploy.releases select 'x', 'elsewhere', project, tag, commit_sha, nonce,"
        " state, now() from dbt_deploy.releases"
    )
    (known,) = shop.look("orders").releases
    assert (known.release_id, known.tag, known.state) == (release.release_id, "v1", "live")


@pytest.mark.fault(28, 37)
def test_a_schema_that_is_not_this_releases_is_left_alone(shop: Shop) -> None:
    green = "dbt_green_20261125t000001_shop"
    shop.owner.run(f"create schema {green}; create table {green}.t (id int)")
    release = shop.begin()
    assert release.prepared is not None
    (said,) = release.prepared.foreign
    assert said == f"{release.green()} bears no mark"
    assert "dbt_deploy" not in shop.schemas()
    assert shop.owner.rows(f"select count(*) from {release.green()}.t") == [(0,)]


@pytest.mark.fault(28)
def test_what_dead_releases_left_goes_if_it_is_ours(shop: Shop) -> None:
    dead = shop.begin(schemas=("analytics", "marts"))
    dead.stage("orders", "select 1 as id")
    kept = shop.begin()
    kept.stage("orders", "select 1 as id")
    assert kept.prepared is not None
    assert set(kept.prepared.dropped) == {dead.green(), dead.green("marts")}
    kept.stage("left_over", "select 1 as id")
    kept.nodes.pop()
    assert kept.go().outcome == "done"
    elsewhere = release_schemas.mark(
        type(PLACE)(environment="staging", project="shop"), "1", "staging", since="x"
    )
    shop.owner.run(
        f"create schema other_place; comment on schema other_place is '{elsewhere}';"
        "create schema dbt_green_unmarked;"
    )
    last = shop.begin()
    assert last.prepared is not None
    assert last.prepared.dropped == (kept.green(),)
    assert set(shop.schemas()) == {
        *("analytics", "dbt_deploy", "dbt_green_unmarked", "marts", "other_place"),
        *(kept.kept(), last.green()),
    }
    assert last.prepare().foreign == ()


@pytest.mark.fault(34)
def test_baselines_hold_productions_rows(shop: Shop) -> None:
    release = shop.begin()
    shop.owner.run(f"create view {release.green()}.orders as select 1 as left_over")
    prepared = release.prepare("orders", "big", "never")
    assert prepared.rows == {
        "model.shop.orders": 5,
        "model.shop.big": None,
        "model.shop.never": None,
    }
    assert shop.owner.rows(f"select count(*) from {release.green()}.orders") == [(5,)]


@pytest.mark.fault(4)
def test_an_older_run_makes_nothing(shop: Shop) -> None:
    release = shop.begin()
    shop.settled(release, nonce="newer", taken_at="2030-01-01T00:00:00+00:00")
    before = shop.schemas()
    late = shop.begin().prepare(taken_at="2029-01-01T00:00:00+00:00")
    assert late.fenced
    assert shop.schemas() == before


@pytest.mark.fault(4, 34)
def test_a_late_run_forgets_nothing_that_the_next_one_has_noted(shop: Shop) -> None:
    """Otherwise the swap would not see that rows were written since they were copied."""
    first = shop.begin()

    def taken_over(statements: str) -> str:
        if "delete from dbt_deploy.baselines" in statements:
            shop.dbt = MacroDbt(shop.owner)
            shop.begin().prepare("orders")
        return statements

    shop.dbt = MacroDbt(shop.owner, edit=taken_over)
    with pytest.raises(errors.ReleaseStepFailed, match="took over"):
        first.prepare()
    noted = "select release_id from dbt_deploy.baselines"
    assert shop.owner.rows(noted) == [("20261125t000002",)]


def test_what_is_not_committed_is_undone_in_dbt_1_8(shop: Shop) -> None:
    shop.dbt = MacroDbt(shop.owner, commits=False)
    release = shop.begin()
    release.prepare("orders")
    release.stage("orders")
    release.stage("fresh", "select 1 as id")
    assert release.go().outcome == "done"
    assert shop.settled(release) == "live"
    assert shop.take_back(release).swapped.outcome == "done"
    assert {one.outcome for one in shop.clean_up()} == {"dropped"}
    assert shop.schemas() == ["analytics", "dbt_deploy", "marts"]


def test_figures_of_staging_beside_production(shop: Shop) -> None:
    release = shop.begin()
    release.stage(
        "orders",
        "select g % 3 as id, timestamp '2026-01-01' + g * interval '1 day' as \"At\""
        " from generate_series(1, 4) g",
    )
    (node,) = release.measure(unique_key=("ID",), fresh_column="at").nodes
    assert node.error is None
    assert (node.rows_before, node.rows_after, node.duplicate_keys) == (5, 4, 1)
    assert node.newest == "2026-01-05T00:00:00"
    assert node.age_seconds is not None
    assert node.age_seconds > 0
    assert [column.name for column in node.columns_after] == ["id", "At"]
    assert [column.type for column in node.columns_before] == ["integer", "numeric(9,2)"]
    (node,) = release.measure(unique_key=("nothing",)).nodes
    assert node.error == "it has no column nothing"
    assert (node.rows_before, node.rows_after) == (5, 4)
    (node,) = release.measure(count=False).nodes
    assert node.rows_after is None


def test_a_new_model_is_counted(shop: Shop) -> None:
    release = shop.begin()
    release.stage("fresh", "select 1 as id")
    (node,) = release.measure(production=None).nodes
    assert (node.rows_before, node.rows_after, node.columns_before) == (None, 1, ())
    assert node.error is None


def test_checks_cannot_write_and_one_that_fails_stops_no_other(shop: Shop) -> None:
    release = shop.begin()
    checks = {
        "rows": "select 1 from generate_series(1, 5000);",
        "none": "-- fine\nselect 1 where false -- $q$",
        "write": "delete from analytics.orders returning id",
        "two": "select 1; drop table analytics.orders",
        "commit": "commit",
        "wrong": "select * from nowhere",
        "path": "select 1 from orders",
    }
    shop.owner.run(f"alter role {shop.owner.user} set search_path to analytics")
    measured = release.measure(*(Query(name=name, sql=sql) for name, sql in checks.items()))
    found = {one.name: one for one in measured.checks}
    assert found["rows"].rows == 1000
    assert (found["none"].rows, found["none"].error) == (0, None)
    assert found["path"].rows == 5
    assert "read-only" in (found["write"].error or "")
    assert "multi" in (found["two"].error or "")
    assert found["commit"].error
    assert "nowhere" in (found["wrong"].error or "")
    assert shop.owner.rows("select count(*) from analytics.orders") == [(5,)]


@pytest.mark.fault(109)
def test_our_own_tables_made_beforehand_by_another_are_refused(shop: Shop) -> None:
    attacker = shop.other
    shop.database.run(f"grant create on database {shop.database.name} to {attacker.user}")
    attacker.run(
        f"""
        create schema dbt_deploy; grant usage, create on schema dbt_deploy to {shop.owner.user};
        create table dbt_deploy.baselines (environment text, project text, release_id text,
          unique_id text, oid bigint, rows bigint, writes bigint);
        grant all on dbt_deploy.baselines to {shop.owner.user};
        create table dbt_deploy.ran_as (who name); grant all on dbt_deploy.ran_as to public;
        create function dbt_deploy.spy() returns trigger language plpgsql as
          'begin insert into dbt_deploy.ran_as values (current_user); return null; end';
        create trigger spy after insert or delete on dbt_deploy.baselines
          execute function dbt_deploy.spy();
        """
    )
    with pytest.raises(errors.ExposedToOthers) as refused:
        preflight.refuse_untrusted(shop.look("orders").look)
    said = str(refused.value)
    assert f"the schema dbt_deploy, which it writes to, is {attacker.user}'s" in said
    assert f"the trigger spy on dbt_deploy.baselines runs a function of {attacker.user}" in said
    # Whoever did not look is stopped by the macro itself, before it has written anything.
    with pytest.raises(errors.ExposedToOthers):
        shop.begin()
    assert shop.database.value("select count(*) from dbt_deploy.ran_as") == 0
    shop.database.run(
        f"drop schema dbt_deploy cascade; alter role {shop.owner.user} in database"
        f" {shop.database.name} set search_path = public"
    )
    preflight.refuse_untrusted(shop.look("orders").look)
    assert shop.begin().prepared is not None

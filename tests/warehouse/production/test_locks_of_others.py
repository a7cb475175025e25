"""A role that may connect and make schemas holds the locks that it can: production waits for none.

Between runs of ours a lock decides that nobody else can take.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbtdeploy.base import errors
from dbtdeploy.warehouse.release_macro_types import Prepared
from standins.warehouse.greens import Release, Shop
from standins.warehouse.postgres import Database, Server

WAITING = """
select exists (select from pg_locks l join pg_stat_activity a on a.pid = l.pid
  where not l.granted and a.usename = %s)
"""


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run("create table analytics.orders as select 1 as id")
    made.database.run(
        f"grant create on database {database.name} to {made.other.user};"
        # What waits for a lock that nobody gives back shall fail, not hang.
        f"alter role {made.owner.user} in database {database.name} set lock_timeout = '30s'"
    )
    return made


@contextlib.contextmanager
def held(of: Database, *statements: str) -> Iterator[psycopg.Connection]:
    """A transaction that does not end before this does."""
    with of.connect() as connection:
        connection.execute("begin")
        for statement in statements:
            connection.execute(statement.encode())
        yield connection
        connection.execute("rollback")


def advisory(release: Release) -> list[str]:
    """All that any macro of ours ever asked for: of the place, and of each schema by its name."""
    names = ["dbt_deploy", release.green(), release.kept(), release.undone()]
    pairs = [("dbt-deploy release", "prod shop"), *(("dbt-deploy", name) for name in names)]
    return [f"select pg_advisory_lock(hashtext('{a}'), hashtext('{b}'))" for a, b in pairs]


@pytest.mark.fault(109)
def test_advisory_locks_of_another_role_hold_nothing_up(shop: Shop) -> None:
    release = Release(shop, 1)
    with held(shop.other, *advisory(release)):
        assert not release.prepare().fenced
        release.stage("orders", "select 2 as id")
        swapped = release.go(tries=1)
        assert swapped.outcome == "done", swapped.detail
        assert shop.settled(release) == "live"
        assert shop.take_back(release, tries=1).swapped.outcome == "done"
        assert {one.outcome for one in shop.clean_up()} == {"dropped"}
        dead = Release(shop, 2)
        dead.prepare()
        assert dead.drop_staging() == (dead.green(),)


@pytest.mark.fault(109)
def test_a_schema_dbt_deploy_that_is_never_committed_is_told_with_whose_it_is(shop: Shop) -> None:
    with held(shop.other, "create schema dbt_deploy"), pytest.raises(errors.DbtDeployError) as told:
        Release(shop, 1).prepare()
    assert "another session is making the schema dbt_deploy" in told.value.what
    assert shop.other.user in told.value.what
    assert not Release(shop, 1).prepare().fenced


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_of_two_first_runs_the_second_waits_and_finds_all_there(shop: Shop, ending: str) -> None:
    found: list[Prepared] = []
    with held(shop.owner, "create schema dbt_deploy") as first:
        second = threading.Thread(target=lambda: found.append(Release(shop, 1).prepare()))
        second.start()
        while not shop.database.value(WAITING, (shop.owner.user,)):
            assert second.is_alive()
        first.execute(ending.encode())
        second.join()
    assert [one.fenced for one in found] == [False]


def test_a_run_that_changes_the_place_keeps_others_waiting_and_is_named(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 2 as id")
    release.plan()
    with held(shop.owner, "select from dbt_deploy.fence for update"):
        swapped = release.swap(tries=1)
        assert swapped.outcome == "busy"
        assert swapped.detail[0].startswith(f"dbt_deploy.fence is held by {shop.owner.user} (")
    assert release.swap(tries=1).outcome == "done"
    with held(shop.owner, "select from dbt_deploy.fence for update"):
        taken = shop.take_back(release, tries=1).swapped
        assert (taken.outcome, taken.detail[0][:24]) == ("busy", "dbt_deploy.fence is held")
    assert shop.take_back(release, tries=1).swapped.outcome == "done"

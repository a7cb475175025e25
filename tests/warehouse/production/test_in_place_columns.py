"""New columns of tables that are changed in place: there before the swap, gone where it fails."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from dbtdeploy.base import errors
from standins.warehouse.greens import Release, Shop
from standins.warehouse.macros import MacroDbt
from standins.warehouse.postgres import Database, Server


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run("create table analytics.t (id int); insert into analytics.t values (1)")
    return made


def widened(shop: Shop) -> Release:
    release = shop.begin()
    release.prepare("t")
    green = f"{release.green()}.t"
    shop.owner.run(f"alter table {green} add column w int; insert into {green} values (2, 2)")
    release.stage("t", None, "incremental")
    release.plan()
    return release


def columns(shop: Shop) -> list[str]:
    query = (
        "select attname::text from pg_attribute where attrelid = 'analytics.t'::regclass"
        " and attnum > 0 and not attisdropped order by attnum"
    )
    return [name for (name,) in shop.database.rows(query)]


HELD = """
create function marts.wait() returns trigger language plpgsql as $$
  begin perform pg_advisory_xact_lock(7); return null; end $$;
create trigger wait after insert on analytics.t for each row execute function marts.wait();
"""


@pytest.mark.fault(89)
def test_readers_go_on_while_rows_with_a_new_column_are_written(shop: Shop) -> None:
    release = widened(shop)
    shop.owner.run(HELD)
    outcomes: list[str] = []
    with psycopg.connect(shop.owner.url) as holder:
        holder.execute("select pg_advisory_xact_lock(7)")
        swapping = threading.Thread(target=lambda: outcomes.append(release.swap().outcome))
        swapping.start()
        waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while shop.database.value(waits) == 0:
            assert swapping.is_alive()
        # The row is written now, and waits for its trigger.
        with shop.owner.connect() as reader:
            reader.execute("set lock_timeout = '5s'")
            assert reader.execute("select * from analytics.t").fetchall() == [(1, None)]
        holder.rollback()
        swapping.join(60)
    assert outcomes == ["done"]
    assert shop.owner.rows("select * from analytics.t order by id") == [(1, None), (2, 2)]
    back = shop.take_back(release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    assert columns(shop) == ["id"]


def test_a_swap_that_fails_leaves_no_new_column(shop: Shop) -> None:
    release = widened(shop)
    shop.owner.run("insert into analytics.t values (9)")
    assert release.swap().outcome == "changed"
    assert columns(shop) == ["id"]


class Lost(MacroDbt):
    """Ends the session once the columns are there."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.owner, edit=self.ended)

    def ended(self, statements: str) -> str:
        """The statements, or in place of the swap's the end."""
        if "insert into dbt_deploy.dbt_deployments" in statements:
            return "select pg_terminate_backend(pg_backend_pid())"
        return statements


@pytest.mark.fault(27)
@pytest.mark.parametrize("by", ["the next run's question", "the next release"])
def test_what_a_killed_swap_left_is_dropped_by_the_next_run(shop: Shop, by: str) -> None:
    release = widened(shop)
    with pytest.raises(errors.ReleaseStepFailed):
        release.swap(dbt=Lost(shop))
    assert columns(shop) == ["id", "w"]
    if by == "the next release":
        assert widened(shop).swap().outcome == "done"
        assert columns(shop) == ["id", "w"]
        assert (
            shop.owner.value(
                "select attnum from pg_attribute where attname = 'w'"
                " and attrelid = 'analytics.t'::regclass"
            )
            == 3
        )
    else:
        assert shop.settled(release) == "none"
        assert columns(shop) == ["id"]


def test_a_column_that_somebody_uses_by_then_stays(shop: Shop) -> None:
    release = widened(shop)
    with pytest.raises(errors.ReleaseStepFailed):
        release.swap(dbt=Lost(shop))
    shop.owner.run("create view marts.uses as select w from analytics.t")
    assert shop.settled(release) == "none"
    assert columns(shop) == ["id", "w"]
    shop.owner.run("drop view marts.uses")
    assert shop.settled(release) == "none"
    assert columns(shop) == ["id"]

"""Tables that are always in use: by autovacuum, and by dashboards whose queries never pause."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from standins.warehouse.greens import Shop
from standins.warehouse.postgres import Database, Server

SLOW_VACUUM = (
    "autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,"
    " autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
)

AT_WORK = "select count(*) from pg_stat_progress_vacuum where relid = %s::regclass"


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Iterator[Shop]:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        f"""
        create table analytics.orders with ({SLOW_VACUUM}) as
          select n as id, repeat('x', 500) as filler from generate_series(1, 20000) n;
        create table analytics.events with ({SLOW_VACUUM}) as table analytics.orders;
        """
    )
    postgres_server.database().run("alter system set autovacuum_naptime = '1s'")
    postgres_server.database().run("select pg_reload_conf()")
    yield made
    postgres_server.database().run("alter system reset autovacuum_naptime")
    postgres_server.database().run("select pg_reload_conf()")


def vacuumed(shop: Shop, *names: str, part: int = 2) -> None:
    """Wait until autovacuum is at work on them, which takes it minutes."""
    for name in names:
        shop.owner.run(f"delete from {name} where id > 0 and id % {part} = 0")
    waited = threading.Event()
    while not all(shop.database.value(AT_WORK, (name,)) for name in names):
        waited.wait(0.1)


@pytest.mark.fault(88)
def test_autovacuum_gives_way_to_a_release_and_to_a_rollback(shop: Shop) -> None:
    vacuumed(shop, "analytics.orders", "analytics.events")
    release = shop.begin()
    release.prepare("events")
    release.stage("orders", "select 0 as id, 'x'::text as filler")
    release.stage("events", None, "incremental")
    shop.owner.run(f"insert into {release.green()}.events values (0, 'x')")
    release.plan()
    assert shop.database.value(AT_WORK, ("analytics.orders",))
    assert shop.database.value(AT_WORK, ("analytics.events",))
    swapped = release.swap(tries=1)
    assert swapped.outcome == "done", swapped
    shop.owner.run(f"alter table analytics.orders set ({SLOW_VACUUM})")
    shop.owner.run(
        "insert into analytics.orders select n, repeat('x', 500) from generate_series(1, 20000) n"
    )
    vacuumed(shop, "analytics.orders", "analytics.events", part=3)
    back = shop.take_back(release, restore_incremental=True, tries=1)
    assert back.swapped.outcome == "done", back


@contextmanager
def dashboards(shop: Shop) -> Iterator[None]:
    """Queries of 1.2 s by three sessions; there is always one of them that has not ended."""
    ended, begun = threading.Event(), threading.Barrier(4)

    def read(number: int) -> None:
        with psycopg.connect(shop.owner.url, autocommit=True) as session:
            begun.wait()
            session.execute("select pg_sleep(%s)", (0.4 * number,))
            while not ended.is_set():
                session.execute("select pg_sleep(1.2) from analytics.small")

    readers = [threading.Thread(target=read, args=(number,)) for number in range(3)]
    for one in readers:
        one.start()
    begun.wait()
    try:
        yield
    finally:
        ended.set()
        for one in readers:
            one.join()


@pytest.mark.fault(114)
def test_queries_that_overlap_without_a_pause_are_waited_for_where_that_is_wanted(
    shop: Shop,
) -> None:
    shop.owner.run("create table analytics.small as select 1 as id")
    release = shop.begin()
    release.stage("small", "select 2 as id")
    release.plan()
    with dashboards(shop):
        assert release.swap(tries=3).outcome == "busy"
        swapped = release.swap(tries=1, reader_wait_ms=5000)
        assert swapped.outcome == "done", swapped
    with dashboards(shop):
        assert shop.take_back(release, tries=2).swapped.outcome == "busy"
        back = shop.take_back(release, tries=1, reader_wait_ms=5000)
        assert back.swapped.outcome == "done", back

"""Readers while it swaps: no error, no mixture of two generations, and a long one is waited for.

Also what a killed process leaves, at any moment of the swap.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbtdeploy.base import errors
from dbtdeploy.warehouse import release_schemas
from dbtdeploy.warehouse.release_macro_types import Swapped
from standins.warehouse.greens import PLACE, Release, Shop
from standins.warehouse.macros import MacroDbt
from standins.warehouse.postgres import Database, Server

READERS, CONNECTIONS, SWAPS = 500, 150, 50
"""Each reader pauses up to half a second; they share connections, for 500 are more than the server
of the tests allows. About nine in ten wait for their pause, not for a connection."""

GENERATIONS = """
select a.g, b.g, v.g, o.g from analytics.a a, marts.b b, analytics.v v, marts.outside o
"""


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        f"""
        create table analytics.a as select 0 as g;
        create table marts.b as select 0 as g;
        create view analytics.v as select g from analytics.a;
        create view marts.outside as select v.g from analytics.v, marts.b;
        grant select on all tables in schema analytics, marts to {made.reader.user};
        """
    )
    return made


def next_generation(shop: Shop) -> Release:
    return stage(shop.begin(schemas=("analytics", "marts")))


def stage(release: Release) -> Release:
    number, green = release.number, release.green()
    release.stage("a", f"select {number} as g")
    release.stage("v", f"select g from {green}.a", "view")
    release.stage("b", f"select {number} as g", schema="marts")
    release.plan()
    return release


def seen(shop: Shop) -> tuple[int, ...]:
    (row,) = shop.reader.rows(GENERATIONS)
    return row


class Readers:
    """What all of them saw."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.reads = 0
        self.generations: set[int] = set()
        self.mixed: list[tuple[int, ...]] = []
        self.errors: list[str] = []
        self.done = False

    async def run(self) -> None:
        free: asyncio.Queue[psycopg.AsyncConnection] = asyncio.Queue()
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(CONNECTIONS):
                connection = await psycopg.AsyncConnection.connect(
                    self.database.url, autocommit=True
                )
                await stack.enter_async_context(connection)
                free.put_nowait(connection)
            await asyncio.gather(*(self._read(free) for _ in range(READERS)))

    async def _read(self, free: asyncio.Queue[psycopg.AsyncConnection]) -> None:
        while not self.done:
            await asyncio.sleep(random.random() / 2)
            connection = await free.get()
            try:
                rows = await (await connection.execute(GENERATIONS)).fetchall()
            except psycopg.Error as error:
                self.errors.append(str(error))
            else:
                self.reads += 1
                self.generations.update(rows[0])
                if len(rows) != 1 or len(set(rows[0])) != 1:
                    self.mixed.append(rows[0])
            finally:
                free.put_nowait(connection)


@pytest.mark.more
@pytest.mark.fault(39)
def test_no_reader_gets_an_error_or_sees_two_generations(shop: Shop) -> None:
    readers = Readers(shop.reader)
    outcomes: list[Swapped] = []

    def swap_on() -> None:
        try:
            while len(outcomes) < SWAPS:
                outcomes.append(next_generation(shop).swap(tries=60))
        finally:
            readers.done = True

    async def both() -> None:
        await asyncio.gather(readers.run(), asyncio.to_thread(swap_on))

    asyncio.run(both())
    assert [one.outcome for one in outcomes] == ["done"] * SWAPS
    assert readers.errors == []
    assert readers.mixed == []
    assert len(readers.generations) > SWAPS / 2
    assert readers.reads > 100 * SWAPS
    attempts = sum(one.attempts for one in outcomes)
    print(f"{readers.reads} reads, {SWAPS} swaps, {attempts} attempts")


@contextlib.contextmanager
def reading(shop: Shop, statement: str = "table analytics.a") -> Iterator[None]:
    """A reader that stays."""
    with shop.reader.connect(application_name="a report") as connection, connection.transaction():
        connection.execute(statement.encode())
        yield


@pytest.mark.fault(32)
def test_a_long_reader_is_named_and_nothing_changes(shop: Shop) -> None:
    release = next_generation(shop)
    before = shop.state()
    with reading(shop):
        began = time.monotonic()
        swapped = release.swap(tries=3)
        assert time.monotonic() - began < 15
        # Who comes while it tries is not held up for good.
        assert seen(shop) == (0, 0, 0, 0)
    assert (swapped.outcome, swapped.attempts) == ("busy", 3)
    (said,) = swapped.detail
    assert said.startswith(f"analytics.a is held by {shop.reader.user} (process ")
    assert said.endswith(", a report)")
    assert shop.state() == before
    assert release.swap().outcome == "done"
    assert seen(shop) == (1, 1, 1, 1)


@pytest.mark.fault(32)
def test_a_reader_that_ends_is_waited_for(shop: Shop) -> None:
    release = next_generation(shop)
    outcome: list[Swapped] = []
    with reading(shop, "table marts.outside"):
        swapping = threading.Thread(target=lambda: outcome.append(release.swap(tries=60)))
        swapping.start()
        time.sleep(1.5)
    swapping.join(60)
    assert outcome[0].outcome == "done"
    assert outcome[0].attempts > 1
    assert outcome[0].seconds < 1


class Killing(MacroDbt):
    """Ends the session, as a killed dbt or a restarted server does, at one moment of the swap."""

    def __init__(self, shop: Shop, moment: str) -> None:
        super().__init__(shop.owner, edit=self.killed)
        self.moment = moment

    def killed(self, statements: str) -> str:
        """The statements, with the kill at its moment."""
        if self.moment == "after the commit":
            kill = "select pg_terminate_backend(pg_backend_pid());"
            # What is made ahead is committed by itself, before the swap.
            if MOMENTS["between the moves"] not in statements:
                return statements
            before, commit, after = statements.rpartition("commit;\n")
            return f"{before}{commit}{kill}\n{after}"
        # The look at our own schema, which comes before the swap, has no such place.
        place = MOMENTS[self.moment]
        kill = "perform pg_terminate_backend(pg_backend_pid());"
        return statements.replace(place, f"{kill}\n{place}", 1)


MOMENTS = {
    "before": "perform set_config('lock_timeout', '5s', true);",
    "under the locks": "waits_for := null;",
    "between the moves": "for it in select (value ->> 'new')::oid as moved",
    "before the commit": "outcome := 'done';\n        exception",
}


@pytest.mark.fault(27)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_session_that_ends_before_the_commit_leaves_the_old_production_whole(
    shop: Shop, moment: str
) -> None:
    release = next_generation(shop)
    before = shop.state()
    with pytest.raises(errors.ReleaseStepFailed, match="terminating connection") as failed:
        release.swap(dbt=Killing(shop, moment))
    assert "not known" in failed.value.not_done
    assert shop.state() == before
    assert shop.settled(release, nonce=release.nonce) == "none"
    release.prepare()
    assert release.swap().outcome == "done"
    assert seen(shop) == (1, 1, 1, 1)


@pytest.mark.fault(27)
def test_a_session_that_ends_after_the_commit_leaves_the_new_one_whole(shop: Shop) -> None:
    release = next_generation(shop)
    with pytest.raises(errors.ReleaseStepFailed, match="terminating connection"):
        release.swap(dbt=Killing(shop, "after the commit"))
    assert seen(shop) == (1, 1, 1, 1)
    assert shop.settled(release) == "live"


@pytest.mark.fault(27, 1)
@pytest.mark.parametrize("asks", ["the next run", "its own"])
def test_a_swap_that_dbt_has_lost_comes_to_nothing_once_a_run_asked(shop: Shop, asks: str) -> None:
    release = next_generation(shop)
    before = shop.state()
    outcome: list[Swapped] = []
    with reading(shop):
        zombie = threading.Thread(target=lambda: outcome.append(release.swap(tries=60)))
        zombie.start()
        time.sleep(1)
        nonce = release.nonce if asks == "its own" else "settler"
        assert shop.settled(release, nonce=nonce) == "none"
    zombie.join(60)
    assert outcome[0].outcome == "fenced"
    assert shop.state() == before


@pytest.mark.fault(1)
def test_of_two_swaps_at_once_one_wins(shop: Shop, tmp_path: Path) -> None:
    first = next_generation(shop)
    # A lease keeps two releases apart; here both believe that they hold it.
    elsewhere = copy.copy(shop)
    elsewhere.folder = tmp_path / "second"
    second = Release(elsewhere, 2, nonce=first.nonce)
    mark = release_schemas.mark(PLACE, second.release_id, "staging", since="")
    for schema in (second.green(), second.green("marts")):
        shop.owner.run(f"create schema {schema}; comment on schema {schema} is '{mark}'")
    second = stage(second)
    outcomes: list[Swapped] = []
    racers = [
        threading.Thread(target=lambda one=one: outcomes.append(one.swap(tries=20)))
        for one in (first, second)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert sorted(one.outcome for one in outcomes) == ["changed", "done"], outcomes
    assert len(set(seen(shop))) == 1
    assert shop.database.value("select count(*) from dbt_deploy.releases") == 1

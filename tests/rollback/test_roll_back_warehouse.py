"""plan_rollback.py and roll_back.py on a real PostgreSQL, with our macros; dbt is left out."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import release_files
from dbtdeploy.context.release_files import ReleaseRecord
from dbtdeploy.rollback import rollback_finish
from dbtdeploy.store import in_flight
from dbtdeploy.store.publication import versions
from dbtdeploy.warehouse import release_macros
from standins.jobs import deploys, rollbacks
from standins.jobs.deploys import Ended, commit_of
from standins.jobs.rollbacks import Place, done, planned
from standins.selection import some_of
from standins.store import leases
from standins.warehouse import swaps
from standins.warehouse.greens import TOKEN
from standins.warehouse.macros import MacroDbt
from standins.warehouse.swaps import PLACE, RELEASE, Staged, Warehouse

OLD, NEW = [10, 20, 30, 40, 50], [20, 40, 60, 80, 100]


@pytest.fixture
def place(warehouse: Warehouse, tmp_path: Path) -> Place:
    return rollbacks.beside(warehouse, tmp_path)


def release(
    place: Place, warehouse: Warehouse, number: int, tag: str, **swap: object
) -> tuple[versions.Index, ReleaseRecord]:
    """A release as it is in the end: swapped and published."""
    before = place.store.pointer().version
    record = warehouse.swap(tag, before=before, commit=commit_of(number), **swap)  # type: ignore[arg-type]
    index = place.publish(
        number,
        {release_files.RECORD: msgspec.json.encode(record)},
        kind=versions.RELEASED,
        tag=tag,
        release_id=record.release_id,
    )
    return index, record


def settle(place: Place, warehouse: Warehouse, nonce: str) -> str:
    """What recover_release.py does about a rollback."""
    record = in_flight.read(place.store.open())
    assert record is not None
    return rollback_finish.finish_rollback(
        place.store.open(),
        record,
        state=lambda: release_macros.settled(
            MacroDbt(warehouse.owner),
            work=place.store.temp,
            place=PLACE,
            release_id=record.release_id,
            nonce=nonce,
        ),
        nonce=nonce,
        by="the next run",
    )


def green(ended: Ended) -> Ended:
    assert ended.code == 0, ended.out
    return ended


@pytest.mark.fault(29, 31, 34)
def test_a_rollback_moves_data_and_artifacts_back(place: Place, warehouse: Warehouse) -> None:
    before = place.store.pointer().version
    release(place, warehouse, 2, "v1.4.0")
    assert warehouse.amounts() == NEW
    assert warehouse.rows("select total from analytics.totals") == [sum(NEW)]
    assert warehouse.rows("select amount from reports.ours order by id") == NEW
    live = warehouse.fingerprint()

    work = place.begin()
    ended = green(place.plan(work))
    assert warehouse.fingerprint() == live
    plan = planned(ended)
    assert plan.restored == ("analytics.orders",)
    assert plan.recreated == ("analytics.totals",)
    assert plan.left == ("analytics.events", "analytics.history")
    assert plan.removed == ("analytics.brands",)
    assert plan.repointed == ("reports.ours",)

    ended = green(place.back(work))
    assert replace(done(ended).plan, dry_run=False) == plan
    assert place.store.pointer().version == before
    # The reader's rights are there, on what is live and on what reads it.
    assert warehouse.amounts() == OLD
    assert warehouse.rows("select total from analytics.totals") == [sum(OLD)]
    assert warehouse.rows("select amount from reports.ours order by id") == OLD
    # History never shrinks.
    assert warehouse.rows("select id from analytics.events order by 1") == [1, 2, 3, 4]
    assert len(warehouse.rows("select valid_from::text from analytics.history")) == 2
    undone = warehouse.schemas("analytics\\_\\_undone%")
    assert len(undone) == 1
    assert warehouse.admin.value(f"select count(*) from {undone[0]}.brands") == 1
    assert warehouse.admin.rows("select state from dbt_deploy.releases") == [("taken back",)]
    assert in_flight.read(place.store.open()) is None
    assert place.hold is not None


@pytest.mark.fault(36)
def test_rolled_back_twice_and_released_again(place: Place, warehouse: Warehouse) -> None:
    release(place, warehouse, 2, "v1.4.0")
    place.end(_back(place))
    after = warehouse.fingerprint()
    green(place.roll_back())
    assert warehouse.fingerprint() == after
    release(place, warehouse, 3, "v1.4.1")
    assert warehouse.amounts() == NEW
    place.end(_back(place))
    assert warehouse.amounts() == OLD
    assert len(warehouse.schemas("analytics\\_\\_undone%")) == 2


def test_incremental_tables_go_back_where_asked(place: Place, warehouse: Warehouse) -> None:
    release(place, warehouse, 2, "v1.4.0")
    warehouse.owner.run("insert into analytics.events values (5)")
    place.end(_back(place, restore_incremental=True))
    assert warehouse.rows("select id from analytics.events order by 1") == [1, 2, 3, 5]
    assert len(warehouse.rows("select 1 from analytics.history")) == 1


BUILD = """
create table analytics.orders__new as
  select n as id, 22 * n as amount, 'EUR' as currency from generate_series(1, 6) n;
drop table analytics.orders cascade;
alter table analytics.orders__new rename to orders;
create view analytics.totals as select sum(amount) as total from analytics.orders;
create view reports.ours as select id, amount from analytics.orders;
grant select on reports.ours to {reader};
insert into analytics.events values (5);
create table analytics.customers__new as select 2 as id;
drop table analytics.customers cascade;
alter table analytics.customers__new rename to customers;
"""
"""What a scheduled build of the released commit does, as dbt does it."""


@pytest.mark.fault(34)
def test_build_then_rollback_then_build(place: Place, warehouse: Warehouse) -> None:
    before = place.store.pointer().version
    release(place, warehouse, 2, "v1.4.0")
    warehouse.owner.run(BUILD.format(reader=f'"{warehouse.reader.user}"'))
    place.deploy(3, tag="v1.4.0", commit=commit_of(2))
    assert warehouse.amounts()[0] == 22

    place.end(_back(place))
    assert warehouse.amounts() == OLD
    assert warehouse.rows("select total from analytics.totals") == [sum(OLD)]
    assert warehouse.rows("select amount from reports.ours order by id") == OLD
    assert warehouse.rows("select id from analytics.events order by 1") == [1, 2, 3, 4, 5]
    # What the release did not touch stays as the build made it.
    assert warehouse.rows("select id from analytics.customers") == [2]
    assert place.store.pointer().version == before

    # The next release compares with what was gone back to, and can be taken back as well.
    built = place.deploy(4, commit=commit_of(1))
    assert built.previous == before
    release(place, warehouse, 5, "v1.4.1")
    place.end(_back(place))
    assert place.store.pointer().version == built.version
    assert warehouse.amounts() == OLD


@pytest.mark.fault(34)
def test_views_that_an_ordinary_build_dropped_are_made_again(
    place: Place, warehouse: Warehouse
) -> None:
    """The kept view reads a table that was not released; rebuilding that drops it, by cascade."""
    warehouse.owner.run(
        "create view analytics.people as select id from analytics.customers;"
        f'grant select on analytics.people to "{warehouse.reader.user}"'
    )
    staged = {
        "people": Staged(
            sql="create view {schema}.people as select id, 'new' as kind from analytics.customers",
            materialized="view",
            back_by="recreate",
        )
    }
    release(place, warehouse, 2, "v1.4.0", staged=staged)
    warehouse.owner.run(
        "create table analytics.c as select 7 as id; drop table analytics.customers cascade;"
        "alter table analytics.c rename to customers;"
        "create view analytics.people as select id, 'new' as kind from analytics.customers"
    )
    assert not warehouse.admin.rows("select 1 from pg_views where schemaname like '%kept%'")
    place.end(_back(place))
    assert warehouse.reader.rows("select * from analytics.people") == [(7,)]


def test_two_releases_are_taken_back_at_once(place: Place, warehouse: Warehouse) -> None:
    first = place.store.pointer().version
    release(place, warehouse, 2, "v1.4.0")
    only = {"orders": Staged(sql=RELEASE["orders"].sql.replace("20 * n", "30 * n"))}
    second, _ = release(place, warehouse, 3, "v1.5.0", staged=only)
    assert warehouse.amounts() == [30, 60, 90, 120, 150]
    work = _back(place, version=first)
    place.end(work)
    assert warehouse.amounts() == OLD
    assert warehouse.rows("select total from analytics.totals") == [sum(OLD)]
    assert place.store.pointer().version == first
    assert place.store.pointer().history[0] == second.version
    states = warehouse.admin.rows("select tag, state from dbt_deploy.releases order by tag")
    assert states == [("v1.4.0", "taken back"), ("v1.5.0", "taken back")]


def test_a_release_that_only_removed_a_model(place: Place, warehouse: Warehouse) -> None:
    """No relation moves; the warehouse forgets that the model's days of grace have begun."""
    first = place.store.pointer().version
    release(place, warehouse, 2, "v1.4.0", staged={}, removed=("customers",))
    assert warehouse.admin.value("select count(*) from dbt_deploy.removed_models") == 1
    release(place, warehouse, 3, "v1.4.1")
    place.end(_back(place, version=first))
    assert warehouse.admin.value("select count(*) from dbt_deploy.removed_models") == 0
    assert {s for (s,) in warehouse.admin.rows("select state from dbt_deploy.releases")} == {
        "taken back"
    }
    assert warehouse.amounts() == OLD
    assert place.store.pointer().version == first


# What is refused ---------------------------------------------------------------------------------


def refused(place: Place, warehouse: Warehouse, kind: type[errors.DbtDeployError]) -> str:
    """A rollback fails so, and nothing changed."""
    before, pointer = warehouse.fingerprint(), place.store.pointer().version
    ended = place.roll_back()
    assert ended.code == kind.exit_code, ended.out
    assert warehouse.fingerprint() == before
    assert place.store.pointer().version == pointer
    assert place.hold is None
    assert in_flight.read(place.store.open()) is None
    return f"{ended.failure.what}\n{ended.failure.not_done}\n{ended.failure.remedy}"


@pytest.mark.fault(35)
@pytest.mark.parametrize(
    ("by_hand", "said"),
    [
        ("alter table analytics.orders add column note text", "note"),
        ("alter table analytics.orders alter column currency type varchar(3)", "currency"),
        (
            "drop table analytics.orders cascade;"
            "create view analytics.orders as select 1 as id, 2 as amount, 'EUR' as currency",
            "view",
        ),
    ],
)
def test_production_changed_by_hand_since(
    place: Place, warehouse: Warehouse, by_hand: str, said: str
) -> None:
    release(place, warehouse, 2, "v1.4.0")
    warehouse.owner.run(by_hand)
    told = refused(place, warehouse, errors.ProductionChanged)
    assert "analytics." in told
    assert said in told
    assert "Nothing was changed" in told


@pytest.mark.fault(29)
def test_views_of_others_are_not_touched(place: Place, warehouse: Warehouse) -> None:
    release(place, warehouse, 2, "v1.4.0")
    warehouse.owner.run(
        f'grant usage on schema analytics to "{warehouse.other.user}";'
        f'grant select on analytics.orders to "{warehouse.other.user}"'
    )
    warehouse.other.run(
        "create schema theirs; create view theirs.v as select * from analytics.orders"
    )
    told = refused(place, warehouse, errors.ProductionChanged)
    assert "theirs.v" in told
    assert warehouse.other.user in told


@pytest.mark.fault(30)
def test_a_view_that_needs_the_new_columns(place: Place, warehouse: Warehouse) -> None:
    release(place, warehouse, 2, "v1.4.0")
    warehouse.owner.run("create view reports.money as select currency from analytics.orders")
    told = refused(place, warehouse, errors.ConsumerDoesNotFit)
    assert "reports.money" in told
    assert "currency" in told


@pytest.mark.fault(36)
def test_what_a_clean_up_dropped_cannot_be_gone_back_to(place: Place, warehouse: Warehouse) -> None:
    _, record = release(place, warehouse, 2, "v1.4.0")
    warehouse.owner.run(f'drop schema "analytics__kept_{record.release_id}_{TOKEN}" cascade')
    told = refused(place, warehouse, errors.RollbackRefused)
    assert f"analytics__kept_{record.release_id}_{TOKEN}.orders" in told
    assert "`keep-hours`" in told


@pytest.mark.fault(32)
def test_a_long_reader_is_waited_for(place: Place, warehouse: Warehouse) -> None:
    release(place, warehouse, 2, "v1.4.0")
    work = place.begin()
    green(place.plan(work))
    with ThreadPoolExecutor(1) as pool:
        with swaps.reading(warehouse.reader, "analytics.orders"):
            ended = pool.submit(place.back, work)
            swaps.until_waited_for(warehouse.admin)
        green(ended.result())
    assert done(ended.result()).attempts > 1
    assert warehouse.amounts() == OLD


# Killed ------------------------------------------------------------------------------------------


@pytest.mark.fault(27)
@pytest.mark.parametrize(
    "point",
    some_of(["rollback-recorded", "rollback-taken-back", "rollback-held"], "rollback-taken-back"),
)
def test_killed_old_whole_or_new_whole(place: Place, warehouse: Warehouse, point: str) -> None:
    first = place.store.pointer().version
    index, _ = release(place, warehouse, 2, "v1.4.0")
    work = place.begin()
    green(place.plan(work))
    assert place.back(work, crash_at=point).code == -signal.SIGKILL
    leases.expire(place.store)
    nonce = deploys.take(place.store.open(), "the next run")
    said = settle(place, warehouse, nonce)
    if point == "rollback-recorded":
        assert "is live, whole" in said
        assert warehouse.amounts() == NEW
        assert place.store.pointer().version == index.version
        assert place.hold is None
    else:
        assert "is current" in said
        assert warehouse.amounts() == OLD
        assert warehouse.rows("select total from analytics.totals") == [sum(OLD)]
        assert place.store.pointer().version == first
        assert place.hold is not None


@pytest.mark.fault(27, 4)
def test_a_dbt_that_outlives_its_run_takes_nothing_back(place: Place, warehouse: Warehouse) -> None:
    """Another run has settled, and found that nothing had happened."""
    _, record = release(place, warehouse, 2, "v1.4.0")
    work = place.begin()
    green(place.plan(work))
    assert place.back(work, crash_at="rollback-recorded").code == -signal.SIGKILL
    leases.expire(place.store)
    nonce = deploys.take(place.store.open(), "the next run")
    assert "is live, whole" in settle(place, warehouse, nonce)
    late = release_macros.take_back(
        MacroDbt(warehouse.owner),
        work=place.store.temp,
        place=PLACE,
        nonce="of the killed run",
        taken_at="2026-11-21T09:00:00+00:00",
        records=[record],
        restore_incremental=False,
        tries=1,
        dry_run=False,
        token=TOKEN,
    )
    assert late.swapped.outcome == "fenced"
    assert warehouse.amounts() == NEW


def _back(place: Place, **asked: object) -> Path:
    """A rollback that goes through; gives its work folder."""
    work = place.begin(**asked)
    green(place.plan(work))
    green(place.back(work))
    return work

"""clean_up.py on a real PostgreSQL, with our macros; dbt is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.store import environment_settings
from dbtdeploy.store.environment_settings import Hold
from dbtdeploy.store.lease import lease
from dbtdeploy.warehouse import release_macros
from standins.dbt import quick_dbt
from standins.jobs import deploys, rollbacks, runs
from standins.jobs.deploys import Ended, Environment
from standins.jobs.rollbacks import Place, cleaned_up
from standins.warehouse.greens import TOKEN
from standins.warehouse.macros import MacroDbt
from standins.warehouse.swaps import PLACE, Warehouse


@pytest.fixture
def place(warehouse: Warehouse, tmp_path: Path) -> Place:
    return rollbacks.beside(warehouse, tmp_path)


def clean_up(place: Place, **asked: object) -> Ended:
    """A whole clean-up."""
    place.runs += 1
    run = replace(
        deploys.RUN,
        policy=runs.clean_up(**asked),
        dbt=replace(deploys.RUN.dbt, command=str(place.dbt)),
    )
    work = place.store.prepare(place.runs, run=run, build=None)
    nonce = deploys.take(place.store.open(), "clean-up")
    held = HeldLease(nonce=nonce, purpose="clean-up", taken_at="", seconds=lease.SECONDS)
    hand_over.write(work, held)
    ended = place.store.script("clean_up/clean_up", work)
    place.end(work)
    return ended


def ends(ended: Ended) -> dict[str, str]:
    return {one.name: one.outcome for one in cleaned_up(ended).outcomes}


def aged(warehouse: Warehouse, schema: str) -> None:
    """Let two days pass for a marked schema."""
    comment = warehouse.admin.value(
        "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = %s",
        (schema,),
    )
    first, _, second = comment.partition("\n")
    then = second.split(" since ")[0] + " since 2026-11-01T00:00:00.000+00:00"
    warehouse.owner.run(f"comment on schema \"{schema}\" is '{first}\n{then}'")


def test_kept_relations_go_when_their_hours_are_over(place: Place, warehouse: Warehouse) -> None:
    record = warehouse.swap("v1.4.0")
    kept = f"analytics__kept_{record.release_id}_{TOKEN}"
    young = clean_up(place)
    assert young.code == 0, young.out
    assert ends(young) == {f"schema {kept}": "stays"}
    assert "nothing was dropped" in young.summary
    aged(warehouse, kept)
    before, live = warehouse.fingerprint(), warehouse.amounts()

    dry = clean_up(place, dry_run=True)
    assert dry.code == 0, dry.out
    assert ends(dry) == {f"schema {kept}": "would drop"}
    assert "This was a dry run" in dry.summary
    assert f"would drop: schema {kept}: kept since 2026-11-01 00:00 UTC" in dry.out
    assert warehouse.fingerprint() == before

    ended = clean_up(place)
    assert ended.code == 0, ended.out
    assert ends(ended) == {f"schema {kept}": "dropped"}
    assert "1 thing dropped" in ended.summary
    assert f"`schema {kept}`" in ended.summary
    assert warehouse.schemas("%kept%") == []
    assert warehouse.amounts() == live
    assert "Nothing that releases left is old enough" in clean_up(place).out


@pytest.mark.fault(29)
def test_what_something_outside_hangs_on_stays(place: Place, warehouse: Warehouse) -> None:
    record = warehouse.swap("v1.4.0")
    kept = f"analytics__kept_{record.release_id}_{TOKEN}"
    warehouse.owner.run(f"create view reports.old as select * from {kept}.orders")
    aged(warehouse, kept)
    ended = clean_up(place)
    assert ended.code == 0, ended.out
    assert ends(ended) == {f"schema {kept}": "stays"}
    assert "reports.old" in ended.summary
    assert "reports.old" in ended.out
    assert warehouse.admin.value("select count(*) from reports.old") == 5


def test_what_a_rollback_moved_away_goes_too(place: Place, warehouse: Warehouse) -> None:
    record = warehouse.swap("v1.4.0")
    release_macros.take_back(
        MacroDbt(warehouse.owner),
        work=place.store.temp,
        place=PLACE,
        nonce=record.release_id,
        records=[record],
        restore_incremental=False,
        tries=1,
        dry_run=False,
        token=TOKEN,
    )
    (undone,) = warehouse.schemas("%undone%")
    aged(warehouse, undone)
    ended = clean_up(place)
    assert ended.code == 0, ended.out
    assert ends(ended)[f"schema {undone}"] == "dropped"
    assert warehouse.amounts() == [10, 20, 30, 40, 50]


@pytest.mark.fault(28)
def test_staging_of_a_dead_release_goes_and_what_is_not_ours_stays(
    place: Place, warehouse: Warehouse
) -> None:
    release_macros.prepare(
        MacroDbt(warehouse.owner),
        work=place.store.temp,
        place=PLACE,
        release_id="20261101t000000",
        tag="v1.4.0",
        nonce="dead",
        schemas=["dbt_green_20261101t000000_shop"],
        baselines=[],
    )
    warehouse.owner.run(
        "create schema dbt_green_somebody; create schema other_green;"
        "comment on schema other_green is "
        "'dbt-deploy environment=production project=finance release=1 role=staging\n"
        "staging since 2026-01-01T00:00:00.000+00:00'"
    )
    aged(warehouse, "dbt_green_20261101t000000_shop")
    ended = clean_up(place)
    assert ended.code == 0, ended.out
    assert ends(ended) == {"schema dbt_green_20261101t000000_shop": "dropped"}
    assert warehouse.schemas("%green%") == ["dbt_green_somebody", "other_green"]


def removed(place: Place, warehouse: Warehouse, name: str, *, days: int) -> None:
    """A release after which a model is no longer in the project, so long ago."""
    del place
    warehouse.swap("v1.4.0", {}, removed=(name,))
    warehouse.owner.run(
        f"update dbt_deploy.removed_models set removed_at = now() - interval '{days} days'"
    )


def test_relations_of_removed_models_go_after_their_grace(
    place: Place, warehouse: Warehouse
) -> None:
    removed(place, warehouse, "customers", days=13)
    assert ends(clean_up(place)) == {}
    dry = clean_up(place, dry_run=True)
    assert ends(dry) == {"table analytics.customers": "stays"}
    assert "kept for 14 days" in dry.out
    assert ends(clean_up(place, grace_days=7, dry_run=True)) == {
        "table analytics.customers": "would drop"
    }
    ended = clean_up(place, grace_days=7)
    assert ended.code == 0, ended.out
    assert ends(ended) == {"table analytics.customers": "dropped"}
    assert not warehouse.admin.rows("select 1 from pg_tables where tablename = 'customers'")
    assert ends(clean_up(place)) == {}


@pytest.mark.fault(29)
def test_a_removed_model_that_something_reads_stays(place: Place, warehouse: Warehouse) -> None:
    removed(place, warehouse, "orders", days=99)
    ended = clean_up(place)
    assert ended.code == 0, ended.out
    assert ends(ended) == {"table analytics.orders": "stays"}
    assert "reports.ours" in ended.summary


def test_a_model_that_is_back_stays(place: Place, warehouse: Warehouse) -> None:
    """The current version's manifest says what is in the project: ``a`` and ``b``."""
    warehouse.owner.run("create table analytics.a as select 1 as id")
    removed(place, warehouse, "a", days=99)
    ended = clean_up(place)
    assert ends(ended) == {"table analytics.a": "stays"}
    assert "in the project again" in ended.out
    assert ends(clean_up(place)) == {}


def test_nothing_is_dropped_while_the_environment_is_on_hold(
    place: Place, warehouse: Warehouse
) -> None:
    """Somebody may be about to roll back."""
    record = warehouse.swap("v1.4.0")
    kept = f"analytics__kept_{record.release_id}_{TOKEN}"
    aged(warehouse, kept)
    hold = Hold(reason="numbers look wrong", by="mona", since="2026-11-21T06:00:00Z")
    environment_settings.change(place.store.open(), lambda there: replace(there, hold=hold))
    ended = clean_up(place)
    assert ended.code == 0, ended.out
    assert ends(ended) == {f"schema {kept}": "would drop"}
    assert "on hold (numbers look wrong)" in ended.summary
    assert warehouse.schemas("%kept%") == [kept]


def test_what_belongs_to_another_role_stays_and_is_told(place: Place, warehouse: Warehouse) -> None:
    record = warehouse.swap("v1.4.0")
    kept = f"analytics__kept_{record.release_id}_{TOKEN}"
    aged(warehouse, kept)
    warehouse.admin.run(f'alter schema "{kept}" owner to "{warehouse.other.user}"')
    ended = clean_up(place)
    # Anybody can copy a mark, so that one on another role's schema ends no clean-up.
    assert ended.code == 0, ended.out
    assert f"stays: schema {kept}: it belongs to another role" in ended.out
    assert kept in ended.summary
    assert "it belongs to another role" in ended.summary


def test_before_the_first_version_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    store = Environment(location=str(tmp_path / "store"), temp=tmp_path)
    place = Place(store=store, dbt=quick_dbt.write(tmp_path / "warehouse"))
    ended = clean_up(place)
    assert ended.code == 0, ended.out
    assert "Nothing was published here yet" in ended.out
    assert quick_dbt.calls(tmp_path / "warehouse") == []


def test_words_of_the_warehouse_are_inert(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    store = Environment(location=str(tmp_path / "store"), temp=tmp_path)
    place = rollbacks.make(store)
    place.deploy(1)
    place.dbt = place.warehouse / "dbt"
    bad = {"name": "schema x|`@team`", "outcome": "failed", "why": "<img>\n::error::", "detail": []}
    busy = {"name": "schema y", "outcome": "busy", "why": "somebody works in it"}
    (place.warehouse / "answer.json").write_text(json.dumps({"outcomes": [bad, busy]}))
    ended = clean_up(place)
    assert ended.code == errors.CleanUpIncomplete.exit_code
    assert "<img>" not in ended.summary
    assert "(in use)" in ended.summary
    assert "\n::error::" not in ended.out.replace("%0A", "")
    assert "schema y" not in ended.failure.what

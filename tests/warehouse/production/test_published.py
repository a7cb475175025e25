"""A publication of all tables has ours in it, too, and then wants rows that can be told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from standins.warehouse.greens import Release, Shop
from standins.warehouse.postgres import Database, Server


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        """
        create table analytics.t (id int primary key, v text);
        insert into analytics.t select n, 'v' || n from generate_series(1, 3) n;
        create table analytics.s (id int);
        """
    )
    database.run("create publication everything for all tables")
    return made


def released(shop: Shop, new: int) -> Release:
    release = shop.begin()
    release.prepare("t", seeds=["s"])
    green = release.green()
    shop.owner.run(
        f"update {green}.t set v = v || '!' where id < 3; insert into {green}.t values ({new});"
        f"truncate {green}.s; insert into {green}.s values ({new})"
    )
    release.stage("t", None, "incremental")
    release.stage("s", None, "seed")
    release.stage("new", "select 1 as id")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    return release


@pytest.mark.parametrize("made_by", ["this version", "an older one"])
def test_releases_rollbacks_and_clean_ups_are_those_of_a_warehouse_without_it(
    shop: Shop, made_by: str
) -> None:
    releases = [released(shop, 4), released(shop, 5)]
    shop.clean_up(keep_hours=24)
    if made_by == "an older one":
        shop.owner.run("alter table dbt_deploy.named_relations replica identity default")
        for release in releases:
            shop.owner.run(f"alter table {release.kept()}.t replica identity default")
    shop.clean_up(keep_hours=24)
    for release in reversed(releases):
        back = shop.take_back(release, restore_incremental=True)
        assert back.swapped.outcome == "done", back
    assert shop.owner.rows("select v from analytics.t order by id") == [("v1",), ("v2",), ("v3",)]
    shop.clean_up()


CHANGED_BY_US = """
select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence = 'p' and c.relreplident = 'd'
  and (n.nspname like 'dbt%' or n.nspname like '%kept%')
  and not exists (select from pg_index x where x.indrelid = c.oid and x.indisprimary)
"""


def test_what_has_no_identity_is_only_ever_added_to(shop: Shop) -> None:
    release = released(shop, 4)
    assert {name for (name,) in shop.database.rows(CHANGED_BY_US)} == {
        f"{release.kept()}.s",
        "dbt_deploy.dbt_deployments",
        "dbt_deploy.dbt_model_row_counts",
    }

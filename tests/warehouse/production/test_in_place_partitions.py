"""Partitions that a scheduled job makes and drops around a release of their table."""

from __future__ import annotations

from pathlib import Path

import pytest

from standins.warehouse.greens import Release, Shop
from standins.warehouse.postgres import Database, Server

ADD = """
create table analytics.t_3 partition of analytics.t for values from (100) to (200);
insert into analytics.t values (150, 'theirs')
"""


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        """
        create table analytics.t (id int, v text) partition by range (id);
        create table analytics.t_1 partition of analytics.t for values from (0) to (10);
        create table analytics.t_2 partition of analytics.t for values from (10) to (100);
        insert into analytics.t values (1, 'a'), (2, 'b');
        """
    )
    return made


def staged(shop: Shop, new: int = 11) -> Release:
    release = shop.begin()
    release.prepare("t")
    green = f"{release.green()}.t"
    shop.owner.run(f"update {green} set v = 'B' where id = 2; insert into {green} values ({new})")
    release.stage("t", None, "incremental", keys=("id",))
    return release


def rows(shop: Shop) -> list[tuple[int, str | None]]:
    return [(i, v) for i, v in shop.owner.rows("select id, v from analytics.t order by id")]


@pytest.mark.parametrize("new", [11, 110])
def test_one_that_comes_while_a_release_is_built_is_no_rewrite(shop: Shop, new: int) -> None:
    release = staged(shop, new)
    shop.owner.run(ADD)
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert rows(shop) == [(1, "a"), (2, "B"), (new, None), (150, "theirs")]
    back = shop.take_back(release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    assert rows(shop) == [(1, "a"), (2, "b"), (150, "theirs")]


def test_one_that_comes_after_a_release_stays_on_the_way_back(shop: Shop) -> None:
    release = staged(shop)
    assert release.go().outcome == "done"
    shop.owner.run(ADD)
    back = shop.take_back(release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    assert rows(shop) == [(1, "a"), (2, "b"), (150, "theirs")]


def test_one_that_goes_is_told_as_that(shop: Shop) -> None:
    release = staged(shop)
    shop.owner.run("alter table analytics.t detach partition analytics.t_2")
    swapped = release.go()
    assert swapped.detail == (
        "analytics.t lost a partition since its rows were copied into staging: analytics.t_2",
    )
    assert swapped.outcome == "changed"


def test_one_that_goes_after_a_release_is_told_where_it_held_its_rows(shop: Shop) -> None:
    release = staged(shop)
    assert release.go().outcome == "done"
    shop.owner.run("alter table analytics.t detach partition analytics.t_2")
    back = shop.take_back(release, restore_incremental=True)
    assert back.swapped.detail == (
        "analytics.t: 1 of the rows that the release wrote were written to since,"
        " or went with a partition: analytics.t_2",
    )


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_partition_that_is_rewritten_still_refuses(shop: Shop, when: str) -> None:
    release = staged(shop)
    release.plan()
    if when == "after":
        assert release.swap().outcome == "done"
    shop.owner.run(ADD)
    shop.owner.run("vacuum full analytics.t_1")
    told = (
        shop.take_back(release, restore_incremental=True).swapped
        if when == "after"
        else release.swap()
    )
    assert told.outcome == "changed"
    assert "was rewritten since" in told.detail[0]

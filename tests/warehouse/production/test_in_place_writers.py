"""Others who write to a table while a release is built that will change it in place."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from standins.warehouse.greens import Release, Shop
from standins.warehouse.postgres import Database, Server

NEW = "insert into {t} select n, 'new' from generate_series(6, 8) n"
"""A build that appends, by whoever runs it."""

SINCE = (
    "insert into {t} select n, 'new' from generate_series(1, 8) n"
    " where n > (select max(id) from {t})"
)
"""One that reads its own table, and so brings nothing when it is run again."""


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run(
        "create table analytics.t as select n as id, 'v' as v from generate_series(1, 5) n"
    )
    return made


def begun(shop: Shop) -> Release:
    release = shop.begin()
    release.prepare("t")
    return release


def ids(shop: Shop) -> list[int]:
    return [one for (one,) in shop.owner.rows("select id from analytics.t order by id")]


@pytest.mark.fault(105)
@pytest.mark.parametrize("build", [NEW, SINCE])
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_another_build_of_the_same_rows_is_never_there_twice(
    shop: Shop, build: str, first: str
) -> None:
    release = begun(shop)
    tables = ["analytics.t", f"{release.green()}.t"]
    for table in tables if first == "theirs" else reversed(tables):
        shop.owner.run(build.format(t=table))
    release.stage("t", None, "incremental")
    swapped = release.go()
    assert swapped.outcome == "changed", swapped
    assert swapped.detail == (
        "analytics.t was written to since its rows were copied into staging (3 rows came, 0 went)",
    )
    assert ids(shop) == [1, 2, 3, 4, 5, 6, 7, 8]
    # Run again, on what is there now.
    again = begun(shop)
    shop.owner.run(SINCE.format(t=f"{again.green()}.t"))
    again.stage("t", None, "incremental")
    assert again.go().outcome == "done"
    assert ids(shop) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.fault(105)
def test_another_build_of_the_same_keys_refuses_it_by_the_keys(shop: Shop) -> None:
    build = "delete from {t} where id in (5, 6); insert into {t} values (5, 'new'), (6, 'new')"
    release = begun(shop)
    shop.owner.run(build.format(t=f"{release.green()}.t"))
    shop.owner.run(build.format(t="analytics.t"))
    release.stage("t", None, "incremental", keys=("id",))
    swapped = release.go()
    assert swapped.outcome == "changed", swapped
    assert "others wrote 2 rows with keys that the release changes" in swapped.detail[0]
    assert ids(shop) == [1, 2, 3, 4, 5, 6]


@pytest.mark.fault(82)
@pytest.mark.parametrize(
    ("keys", "outcome", "left"),
    [((), "changed", [1, 2, 3, 4, 5, 99]), (("id",), "done", [1, 2, 3, 4, 5, 6, 99])],
)
def test_a_session_that_began_before_the_copy_and_commits_after_it(
    shop: Shop, keys: tuple[str, ...], outcome: str, left: list[int]
) -> None:
    with psycopg.connect(shop.owner.url) as theirs:
        theirs.execute("insert into analytics.t values (99, 'theirs')")
        release = begun(shop)
        shop.owner.run(f"insert into {release.green()}.t values (6, 'six')")
        release.stage("t", None, "incremental", keys=keys)
        release.plan()
        # Still open: whoever writes is waited for, and named.
        busy = release.swap(tries=1)
        assert busy.outcome == "busy", busy
        assert busy.detail[0].startswith(f"analytics.t is held by {shop.owner.user}")
        theirs.commit()
    assert release.swap().outcome == outcome
    assert ids(shop) == left


@pytest.mark.fault(104)
def test_rows_of_others_are_none_that_the_release_loses(shop: Shop) -> None:
    release = begun(shop)
    shop.owner.run(f"delete from {release.green()}.t where id = 1")
    shop.owner.run("insert into analytics.t values (6, 'theirs'), (7, 'theirs')")
    release.stage("t", None, "incremental")
    release.stage("u", "select 1 as id")
    (node, new) = release.measure().nodes
    assert (node.rows_before, node.rows_after) == (5, 4)
    assert (new.rows_before, new.rows_after) == (None, 1)

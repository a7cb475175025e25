"""A trigger of the live table that changes what a rollback puts back."""

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
        create table analytics.t (id int, nr int generated always as identity, v text, d json,
          twice text generated always as (v || v) stored);
        insert into analytics.t (id, v, d) select n, 'v' || n, '{}' from generate_series(1, 3) n;
        create function marts.up() returns trigger language plpgsql as
          $$ begin new.v := upper(new.v); return new; end $$;
        """
    )
    return made


TRIGGER = "create trigger up before insert or update on analytics.t for each row"
TRIGGER += " execute function marts.up()"


def rows(shop: Shop) -> list[tuple[int, str]]:
    return [(i, v) for i, v in shop.owner.rows("select id, v from analytics.t order by id")]


def released(shop: Shop, *, seed: bool = False) -> Release:
    release = shop.begin()
    release.prepare(*([] if seed else ["t"]), seeds=["t"] if seed else [])
    t = f"{release.green()}.t"
    shop.owner.run(
        f"truncate {t}; insert into {t} (id, v) values (9, 'v9')"
        if seed
        else f"update {t} set v = 'new' where id = 1; delete from {t} where id = 2;"
        f" insert into {t} (id, v) values (4, 'four')"
    )
    release.stage("t", None, "seed" if seed else "incremental")
    assert release.go().outcome == "done"
    return release


@pytest.mark.parametrize("seed", [False, True])
def test_rows_that_a_trigger_changes_on_the_way_back_refuse_the_rollback(
    shop: Shop, seed: bool
) -> None:
    before = rows(shop)
    release = released(shop, seed=seed)
    shop.owner.run(TRIGGER)
    live, state = rows(shop), shop.state()
    back = shop.take_back(release, restore_incremental=True)
    assert back.swapped.outcome == "unfit", back
    (said,) = back.swapped.detail
    assert said.startswith(
        f"analytics.t: {3 if seed else 2} of the rows that the rollback put back"
    )
    assert "changed them (up)." in said
    assert ("without restore-incremental" in said) != seed
    assert "ALTER TABLE analytics.t DISABLE TRIGGER" in said
    assert (rows(shop), shop.state()) == (live, state)
    shop.owner.run("alter table analytics.t disable trigger up")
    assert shop.take_back(release, restore_incremental=True).swapped.outcome == "done"
    assert rows(shop) == before

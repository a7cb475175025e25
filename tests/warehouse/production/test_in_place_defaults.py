"""Values that column defaults draw: production has those that staged downstream tables hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from standins.warehouse.greens import Shop
from standins.warehouse.postgres import Database, Server

COLUMNS = """
id int, nr int generated always as identity, old serial,
uid uuid default gen_random_uuid(), at timestamptz default clock_timestamp(),
part int default (random() * 1000000)::int, day timestamptz default now(), v text default 'none'
"""


@pytest.mark.fault(101)
@pytest.mark.parametrize("kind", ["incremental", "seed"])
def test_a_downstream_table_holds_the_values_that_production_has(
    tmp_path: Path, postgres_server: Server, database: Database, kind: str
) -> None:
    shop = Shop(tmp_path, postgres_server, database)
    shop.owner.run(f"create table analytics.t ({COLUMNS}); insert into analytics.t (id) values (1)")
    release = shop.begin()
    seed = kind == "seed"
    release.prepare(*([] if seed else ["t"]), seeds=["t"] if seed else [])
    green = f"{release.green()}.t"
    shop.owner.run(
        f"{f'truncate {green};' if seed else ''}"
        f"insert into {green} (id) select n from generate_series(2, 4) n;"
        f"insert into {green} (id, v) values (5, 'given'), (6, null);"
        f"update {green} set uid = default, part = default where id = 3"
    )
    release.stage("t", None, kind)
    release.stage("downstream", f"select * from {green}")
    staged = shop.owner.rows(f"select t::text from {green} t order by id")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    for table in ("t", "downstream"):
        assert shop.owner.rows(f"select t::text from analytics.{table} t order by id") == staged
    shop.owner.run("insert into analytics.t (id) values (9)")
    assert shop.owner.rows("select v, uid is null, at is null from analytics.t where id = 9") == [
        ("none", False, False)
    ]

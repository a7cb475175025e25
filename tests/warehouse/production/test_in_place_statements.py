"""Triggers for each statement of a table that is changed in place: as often as in a build there."""

from __future__ import annotations

from pathlib import Path

import pytest

from standins.warehouse.greens import Shop
from standins.warehouse.postgres import Database, Server

AUDIT = """
create table twin.seen (schema text, at text, op text, rows bigint);
create function twin.before() returns trigger language plpgsql as $$
  begin insert into twin.seen values (tg_table_schema, 'before', tg_op); return null; end $$;
create function twin.came() returns trigger language plpgsql as $$
  begin
    insert into twin.seen select tg_table_schema, 'after', tg_op, count(*) from came;
    return null;
  end $$;
create function twin.went() returns trigger language plpgsql as $$
  begin
    insert into twin.seen select tg_table_schema, 'after', tg_op, count(*) from went;
    return null;
  end $$;
"""

TABLE = """
create table {t} (id int, v text);
insert into {t} select n, 'v' || n from generate_series(1, 4) n;
create trigger a before insert or update or delete on {t} for each statement
  execute function twin.before();
create trigger b after insert on {t} referencing new table as came for each statement
  execute function twin.came();
create trigger c after update on {t} referencing new table as came for each statement
  execute function twin.came();
create trigger d after delete on {t} referencing old table as went for each statement
  execute function twin.went();
"""


def merge(*ids: int) -> str:
    rows = ", ".join(f"({one}, 'new')" for one in ids) or "(0, '')"
    return (
        f"merge into {{t}} d using (select * from (values {rows}) s(id, v) where id > 0) s"
        " on d.id = s.id when matched then update set v = s.v"
        " when not matched then insert (id, v) values (s.id, s.v)"
    )


@pytest.mark.fault(86)
@pytest.mark.parametrize(
    "statements",
    [
        (merge(1, 2, 8, 9),),
        (merge(1, 2),),
        (merge(8),),
        (merge(),),
        (merge(1, 8), merge(8, 9)),
        ("delete from {t} where id = 99; insert into {t} values (5, 'five')",),
        ("update {t} set v = 'x' where id > 99", "insert into {t} select * from {t} where false"),
    ],
)
def test_triggers_for_each_statement_fire_as_often_and_with_the_same_rows(
    tmp_path: Path, postgres_server: Server, database: Database, statements: tuple[str, ...]
) -> None:
    shop = Shop(tmp_path, postgres_server, database)
    database.run(f"create schema twin authorization {shop.owner.user}")
    shop.owner.run(AUDIT)
    for name in ("analytics.t", "twin.t"):
        shop.owner.run(TABLE.format(t=name))
    release = shop.begin()
    release.prepare("t")
    for name in (f"{release.green()}.t", "twin.t"):
        for one in statements:
            shop.owner.run(one.format(t=name))
    release.stage("t", None, "incremental", keys=("id",), updates=())
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    rows = "select * from {}.t order by id"
    assert shop.owner.rows(rows.format("analytics")) == shop.owner.rows(rows.format("twin"))
    seen = "select at, op, rows from twin.seen where schema = '{}' order by 1, 2, 3"
    expected = shop.owner.rows(seen.format("twin"))
    assert expected
    assert shop.owner.rows(seen.format("analytics")) == expected

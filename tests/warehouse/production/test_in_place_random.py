"""Random builds of a table that dbt writes into, and a second writer at a random moment.

After the release the table is the same object, holds what the same build would have left at the
moment of the swap, and its triggers saw the same; or the release refused and nothing changed. The
build's statements are those of dbt-postgres (a log of all its statements says so), with the model's
rows read when the build runs.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from standins.warehouse.greens import Shop
from standins.warehouse.postgres import Database, Server

pytestmark = pytest.mark.fuzz

EXAMPLES = int(os.environ.get("FUZZ", "0")) // 20 or 12
"""Each takes half a second."""

ROW = st.tuples(st.integers(1, 6), st.sampled_from(["a", "b", "c"]))
ROWS = st.lists(ROW, max_size=6)
KEYED = st.dictionaries(st.integers(1, 6), st.sampled_from(["a", "b", "c"]), max_size=5)


def values(rows: list[tuple[int, str]]) -> str:
    listed = ", ".join(f"({key}, '{value}')" for key, value in rows) or "(0, '')"
    return f"(select * from (values {listed}) s(id, v) where id > 0) s"


def append(rows: list[tuple[int, str]]) -> tuple[str, ...]:
    return (f"insert into {{t}} (id, v) select id, v from {values(rows)}",)


def delete_insert(rows: list[tuple[int, str]]) -> tuple[str, ...]:
    return (
        f"delete from {{t}} where id in (select id from {values(rows)});"
        f"insert into {{t}} (id, v) select id, v from {values(rows)}",
    )


def merge(rows: list[tuple[int, str]]) -> tuple[str, ...]:
    return (
        f"merge into {{t}} d using {values(rows)} on d.id = s.id"
        " when matched then update set id = s.id, v = s.v"
        " when not matched then insert (id, v) values (s.id, s.v)",
    )


def reads_itself(rows: list[tuple[int, str]]) -> tuple[str, ...]:
    return (
        f"insert into {{t}} (id, v) select id, v from {values(rows)}"
        " where id > (select coalesce(max(id), 0) from {t})",
    )


def snapshot(rows: list[tuple[int, str]]) -> tuple[str, ...]:
    changed = f"select s.id, s.v from {values(rows)} left join {{t}} d on d.id = s.id and d.open"
    return (
        f"create temp table staged as {changed} where d.id is null or d.v <> s.v",
        "update {t} set open = false where open and id in (select id from staged);"
        "insert into {t} (id, v) select id, v from staged",
        "drop table staged",
    )


def seed(rows: list[tuple[int, str]]) -> tuple[str, ...]:
    return (f"truncate {{t}}; insert into {{t}} (id, v) select id, v from {values(rows)}",)


STRATEGIES: dict[str, tuple[Callable[[list[tuple[int, str]]], tuple[str, ...]], bool]] = {
    "append": (append, False),
    "delete+insert": (delete_insert, True),
    "merge": (merge, True),
    "reads itself": (reads_itself, False),
    "snapshot": (snapshot, False),
    "seed": (seed, False),
}

COLUMNS = "id int, v text, open bool default true"
SHAPES = {
    "plain": f"create table {{t}} ({COLUMNS})",
    "numbered": f"create table {{t}} ({COLUMNS}, n int generated always as identity, k serial)",
    "partitions": f"create table {{t}} ({COLUMNS}) partition by range (id);"
    "create table {t}_low partition of {t} for values from (0) to (4);"
    "create table {t}_more partition of {t} default",
    "policies": f"create table {{t}} ({COLUMNS}); alter table {{t}} enable row level security;"
    "create policy few on {t} for select to public using (id < 3)",
}
"""What a table is like; the build names only its first two columns."""

AUDIT = """
create table twin.audit (of text, op text, row jsonb);
create function twin.seen() returns trigger language plpgsql as $$
begin
  insert into twin.audit values (tg_argv[0], tg_op, jsonb_build_array(
    to_jsonb(old) - array['n', 'k'], to_jsonb(new) - array['n', 'k']));
  return null;
end $$;
"""

WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("insert into {t} (id, v) values (%s, 'theirs')"), st.integers(1, 9)),
        st.tuples(st.just("update {t} set v = v where id = %s"), st.integers(1, 6)),
        st.tuples(st.just("update {t} set v = 'theirs' where id = %s"), st.integers(1, 6)),
        st.tuples(st.just("delete from {t} where id = %s"), st.integers(1, 6)),
    ),
    max_size=2,
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, postgres_server: Server) -> Shop:
    folder: Path = tmp_path_factory.mktemp("random")
    database: Database = postgres_server.create_database()
    made = Shop(folder, postgres_server, database)
    database.run(f"create schema twin authorization {made.owner.user}")
    made.owner.run(AUDIT)
    return made


def run(role: Database, table: str, statements: list[str]) -> None:
    with role.connect() as connection:
        for one in statements:
            connection.execute(one.format(t=table).encode())


@pytest.mark.fault(82, 104)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    strategy=st.sampled_from(sorted(STRATEGIES)),
    shape=st.sampled_from(sorted(SHAPES)),
    before=ROWS,
    keyed=KEYED,
    built=st.lists(KEYED, min_size=1, max_size=2),
    writes=WRITES,
    early=st.booleans(),
)
def test_what_a_build_at_the_swap_would_leave_or_nothing(  # noqa: PLR0917
    shop: Shop,
    strategy: str,
    shape: str,
    before: list[tuple[int, str]],
    keyed: dict[int, str],
    built: list[dict[int, str]],
    writes: list[tuple[str, int]],
    early: bool,
) -> None:
    statements, has_key = STRATEGIES[strategy]
    name = f"t_{uuid.uuid4().hex[:12]}"
    rows = list(keyed.items()) if has_key else before
    live, twin = f"analytics.{name}", f"twin.{name}"
    for table in (live, twin):
        shop.owner.run(
            f"{SHAPES[shape].format(t=table)};"
            f"insert into {table} (id, v) select id, v from {values(rows)};"
            f"create trigger seen after insert or update or delete on {table} for each row"
            f" execute function twin.seen('{table}')"
        )
    oid = shop.owner.value(f"select '{live}'::regclass::oid")
    release = shop.begin()
    release.prepare(*([] if strategy == "seed" else [name]), seeds=[name] * (strategy == "seed"))
    theirs = [write.replace("%s", str(key)) for write, key in writes]
    build = [one for rows in built for one in statements(list(rows.items()))]
    run(shop.owner, live, theirs if early else [])
    run(shop.owner, f"{release.green()}.{name}", build)
    run(shop.owner, live, [] if early else theirs)
    # However often a seed was loaded in staging, its file is loaded once, as one dbt build does.
    loaded = statements(list(built[-1].items()))
    run(shop.owner, twin, [*theirs, *(loaded if strategy == "seed" else build)])
    contents = "select array_agg(row(id, v, open)::text order by row(id, v, open)::text) from {} t"
    seen = "select op, row from twin.audit where of = '{}' order by op, row::text"
    untouched = shop.owner.value(contents.format(live))
    release.stage(
        name,
        None,
        "seed" if strategy == "seed" else "incremental",
        keys=("id",) if has_key else (),
        updates=() if strategy == "merge" else None,
    )
    swapped = release.go()
    left = shop.owner.value(contents.format(live))
    if swapped.outcome == "done":
        assert left == shop.owner.value(contents.format(twin)), strategy
        assert shop.owner.rows(seen.format(live)) == shop.owner.rows(seen.format(twin)), strategy
        if shape == "numbered":
            for number in ("n", "k"):
                twice = f"select {number} from {live} group by 1 having count(*) > 1"
                assert shop.owner.rows(twice) == [], strategy
    else:
        assert swapped.outcome == "changed", swapped
        assert theirs, swapped
        assert left == untouched
    assert shop.owner.value(f"select '{live}'::regclass::oid") == oid

"""How long a swap holds its locks, and what a whole release costs.

    .venv/bin/python tests/benchmarks/bench_release.py [swap|whole]

The swap runs on PostgreSQL by our macros without dbt: half of the changed relations are tables,
half views on them, all with a reader's grant. The whole release is the action's every step on a
generated project, with dbt. Ends with 1 when a swap of 100 relations takes longer than its limit.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from benchmarks import whole_release  # noqa: E402  found by the line above
from dbtdeploy import release_mark, release_warehouse  # noqa: E402
from dbtdeploy.release_files import ReleaseRecord, Spot, SwappedNode  # noqa: E402
from dbtdeploy.release_warehouse_types import Place, SwapPair, Wanted  # noqa: E402
from standins import postgres  # noqa: E402
from standins.macros import MacroDbt  # noqa: E402

PLACE = Place(environment="production", project="bench")
LIVE = "analytics"
CHANGED = (10, 100, 1_000)
SIZES = (1_000, 10_000)
"""Relations of the whole project."""

REPEATS = 5
LIMIT_CHANGED, LIMIT_SECONDS = 100, 1.0
READER = "reader"


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Seconds of one swap."""

    locked: float
    """From the first lock to the commit, by the warehouse's clock: how long a reader may wait."""
    rollback: float
    """The same of taking it back."""


def main() -> int:
    """Measure what is asked for, print the tables, compare with the limit."""
    asked = sys.argv[1:] or ["swap", "whole"]
    code = 0
    if "swap" in asked:
        code = swaps()
    if "whole" in asked:
        print()
        whole_release.measure()
    return code


def swaps() -> int:
    """Print the table of swaps; 1 if the limit is passed."""
    print("swap: median of", REPEATS, "on PostgreSQL; seconds under locks, and of taking it back")
    print(f"{'relations changed':>18} {'of project':>11} {'swap':>9} {'take back':>10}")
    within = True
    for size in SIZES:
        with postgres.serve() as server:
            owner = production(server, size)
            for number, changed in enumerate(CHANGED):
                times = [
                    timed(owner, changed, f"202611{25 + number}t{repeat:06}")
                    for repeat in range(REPEATS)
                ]
                locked = statistics.median(one.locked for one in times)
                back = statistics.median(one.rollback for one in times)
                print(f"{changed:>18,} {size:>11,} {locked:>7.3f} s {back:>8.3f} s", flush=True)
                within &= changed != LIMIT_CHANGED or locked < LIMIT_SECONDS
    limit = f"the limit of {LIMIT_SECONDS:g} s for {LIMIT_CHANGED} relations"
    print("within" if within else "OVER", limit)
    return 0 if within else 1


def production(server: postgres.Server, size: int) -> postgres.Database:
    """A project of so many relations in production; gives the way of its owner."""
    database = server.create_database()
    owner = server.create_role(database, "dbt_prod")
    server.create_role(database, READER)
    database.run(f'grant create on database "{database.name}" to dbt_prod')
    owner.run(
        f"create schema {LIVE}; grant usage on schema {LIVE} to {READER};"
        f"alter default privileges in schema {LIVE} grant select on tables to {READER}"
    )
    for part in parts(size):
        owner.run(";".join(relations(LIVE, part)))
    return owner


def relations(schema: str, numbers: range) -> Iterator[str]:
    """Statements that make tables, each with a view on it."""
    for number in numbers:
        if number % 2 == 0:
            yield (
                f"create table {schema}.m{number} as select i as id, 'row ' || i as name"
                " from generate_series(1, 100) as i"
            )
        else:
            yield f"create view {schema}.m{number} as select id, name from {schema}.m{number - 1}"


def parts(size: int) -> Iterator[range]:
    """The numbers in parts: a transaction has room for some thousand locks only."""
    yield from (range(start, min(start + 500, size)) for start in range(0, size, 500))


def timed(owner: postgres.Database, changed: int, release_id: str) -> Timed:
    """Stage so many relations, swap them in, take them back, and clean up."""
    dbt = MacroDbt(owner)
    staging = release_mark.staging_schema(release_id, PLACE.project)
    names = [f"m{number}" for number in range(changed)]
    live = [Spot(database=owner.name, schema=LIVE, identifier=name) for name in names]
    staged = [Spot(database=owner.name, schema=staging, identifier=name) for name in names]
    wanted = [Wanted(unique_id=f"model.bench.{s.identifier}", spot=s) for s in live]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        release_warehouse.prepare(
            dbt,
            work=work,
            place=PLACE,
            release_id=release_id,
            tag="v1.0.0",
            nonce=release_id,
            schemas=[staging],
            baselines=[],
        )
        for part in parts(changed):
            owner.run(";".join(relations(staging, part)))
        look = release_warehouse.look(dbt, work=work, place=PLACE, wanted=wanted, removed=[])
        there = {one.unique_id: one for one in look.live}
        pairs = [
            SwapPair(
                unique_id=one.unique_id,
                name=one.spot.identifier,
                method="blue-green",
                production=one.spot,
                staging=green,
                expected_oid=there[one.unique_id].oid,
                expected_columns=there[one.unique_id].columns,
            )
            for one, green in zip(wanted, staged, strict=True)
        ]
        kept = release_mark.kept_schema(LIVE, release_id)
        record = ReleaseRecord(
            release_id=release_id,
            tag="v1.0.0",
            commit="0" * 40,
            environment=PLACE.environment,
            project=PLACE.project,
            before=None,
            nodes=tuple(
                SwappedNode(
                    unique_id=one.unique_id,
                    resource_type="model",
                    name=one.spot.identifier,
                    materialized="table" if there[one.unique_id].kind == "table" else "view",
                    production=one.spot,
                    kept_in=kept,
                    back_by="restore" if there[one.unique_id].kind == "table" else "recreate",
                    columns=there[one.unique_id].columns,
                    statements=there[one.unique_id].statements,
                )
                for one in wanted
            ),
        )
        swapped = release_warehouse.swap(
            dbt,
            work=work,
            place=PLACE,
            record=record,
            nonce=release_id,
            pairs=pairs,
            hanging=look.look.hanging,
            removed=[],
            tries=3,
        )
        assert swapped.outcome == "done", swapped
        back = release_warehouse.take_back(
            dbt,
            work=work,
            place=PLACE,
            nonce=release_id,
            records=[record],
            restore_incremental=False,
            tries=3,
            dry_run=False,
        )
        assert back.swapped.outcome == "done", back
    for schema in (kept, release_mark.undone_schema(LIVE, release_id), staging):
        forget(owner, schema)
    return Timed(locked=swapped.seconds, rollback=back.swapped.seconds)


def forget(owner: postgres.Database, schema: str) -> None:
    """Drop what is kept, in parts: to drop it whole takes more locks than a server has room for."""
    for kind in ("view", "table"):
        names = owner.rows(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            f" where n.nspname = '{schema}' and c.relkind = '{kind[0] if kind == 'view' else 'r'}'"
        )
        for part in parts(len(names)):
            listed = ", ".join(f"{schema}.{name}" for (name,) in names[part.start : part.stop])
            owner.run(f"drop {kind} {listed} cascade")
    owner.run(f"drop schema if exists {schema}")


if __name__ == "__main__":
    raise SystemExit(main())

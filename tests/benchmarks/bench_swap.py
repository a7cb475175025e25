"""How long a swap holds readers up, against what it moves and against the size of production.

    .venv/bin/python tests/benchmarks/bench_swap.py [relations ...]

On a real PostgreSQL, below dbt. Each relation is a table with a grant and an outside view on it.
Ends with 1 when a figure is over its bound.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from standins.warehouse import postgres  # noqa: E402  found by the line above
from standins.warehouse.greens import Release, Shop  # noqa: E402

SIZES = (1, 10, 100, 1_000)
PRODUCTION = 5_000
AT_ONCE = 200
"""Statements that are sent together."""

LOOK_BOUND = 20.0
SWAP_BOUND = 1.0
"""Seconds, for looking at all of production, and for swapping 100 relations of it."""


def make(shop: Shop, statement: Callable[[int], str], count: int) -> None:
    """Run a statement for each of the first relations."""
    with shop.owner.connect() as connection:
        for start in range(0, count, AT_ONCE):
            some = range(start, min(count, start + AT_ONCE))
            connection.execute("; ".join(statement(number) for number in some).encode())


def production(server: postgres.Server, folder: Path, count: int) -> Shop:
    """A production of so many relations, each with an outside view."""
    shop = Shop(folder, server, server.create_database())
    make(
        shop,
        lambda n: (
            f"create table analytics.t{n} as select 1 as id, 2 as a, 3 as b;"
            f"create view marts.v{n} as select id from analytics.t{n};"
            f"grant select on analytics.t{n} to {shop.reader.user}"
        ),
        count,
    )
    return shop


def staged(shop: Shop, count: int) -> Release:
    """A release of the first of them."""
    release = shop.begin()
    green = release.green()
    make(shop, lambda n: f"create table {green}.t{n} as select 1 as id, 2 as a, 3 as b", count)
    for number in range(count):
        release.stage(f"t{number}")
    release.plan()
    return release


def timed(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def measure(shop: Shop, count: int, of: int) -> float:
    """One release and its way back; the seconds of the swap."""
    release = staged(shop, count)
    swapped = release.swap()
    back = shop.take_back(release)
    if swapped.outcome != "done" or back.swapped.outcome != "done":
        raise SystemExit(f"{swapped} {back}")
    print(f"{count:>6} of {of:>5}: {swapped.seconds:6.2f} {back.swapped.seconds:6.2f}", flush=True)
    return swapped.seconds


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    with postgres.serve() as server, tempfile.TemporaryDirectory() as folder:
        print("relations swapped, of how many; seconds of the swap, of taking it back")
        for size in sizes:
            measure(production(server, Path(folder), size), size, size)
        shop = production(server, Path(folder), PRODUCTION)
        swap = measure(shop, 100, PRODUCTION)
        names = [f"t{number}" for number in range(PRODUCTION)]
        look = timed(lambda: shop.look(*names))
        print(f"look at {PRODUCTION} relations and as many outside views: {look:.1f} s")
    if look > LOOK_BOUND or swap > SWAP_BOUND:
        raise SystemExit(f"over the bound of {LOOK_BOUND} s to look or {SWAP_BOUND} s to swap")


if __name__ == "__main__":
    main()

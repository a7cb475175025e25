"""One release of an incremental table and a replaced one: what it copies, and how readers wait.

    python release_case.py '{"tree": ".", "rows": 100000, "changed": 100, "outside": true}'

A process of its own, for it imports the macros and their stand-ins of a tree, which may be that of
another commit. Prints its figures as one line of JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

PAUSE = 0.003
"""Seconds between two reads, and between two looks at the locks."""

NEAREST = ("standins.warehouse", "standins")
"""Where the stand-ins for a warehouse lie, today and before."""

PRODUCTION = """
create table analytics.orders (id bigint primary key, customer bigint, amount numeric, note text);
create table analytics.totals (id bigint primary key, customer bigint, amount numeric, note text);
insert into analytics.orders select n, n % 1000, n % 97, md5(n::text)
    from generate_series(1, {rows}) n;
insert into analytics.totals select * from analytics.orders;
"""
OUTSIDE = """
create schema bi;
create materialized view bi.by_order as
    select customer, sum(amount) as amount from analytics.orders group by customer;
create materialized view bi.by_total as
    select customer, sum(amount) as amount from analytics.totals group by customer;
create table bi.notes as
    select n as order_id, n as total_id from generate_series(1, {rows} / 2, 10) n;
create index on bi.notes (order_id);
alter table bi.notes add foreign key (order_id) references analytics.orders;
alter table bi.notes add foreign key (total_id) references analytics.totals;
"""
"""Without that index each row that is deleted reads all notes, in dbt's own build as well."""
BUILD = """
create temp table chosen as select n as id, n % 1000 as customer, 1 as amount, 'changed' as note
    from generate_series({rows} - {changed} / 2, {rows} + ({changed} + 1) / 2 - 1) n;
delete from {staging}.orders where id in (select id from chosen);
insert into {staging}.orders select * from chosen;
"""
"""As dbt's delete+insert: half of the rows were there."""

READ = ("analytics.orders", "analytics.totals")
READ_OUTSIDE = ("bi.by_order", "bi.by_total")

COPIED = """
select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname ~ '^dbt_(green|log)_' and c.relkind in ('r', 'm')
"""
LOCKED = """
select exists (select from pg_locks where granted and mode = 'AccessExclusiveLock'
    and relation = any(%s::oid[]))
"""


class Reader(threading.Thread):
    """Reads a relation again and again, by its name, and keeps its longest wait."""

    def __init__(self, database: Any, relation: str, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.database, self.relation, self.over = database, relation, over
        self.longest = 0.0
        self.failure: Exception | None = None

    def run(self) -> None:
        """Until it is over."""
        try:
            with self.database.connect() as connection:
                while not self.over.wait(PAUSE):
                    began = time.monotonic()
                    connection.execute(f"select 1 from {self.relation} limit 1".encode())
                    self.longest = max(self.longest, time.monotonic() - began)
        except Exception as failure:  # raised where readers are joined
            self.failure = failure


class Locks(threading.Thread):
    """Adds up the time in which a lock is held that stops readers of any of the relations."""

    def __init__(self, database: Any, relations: tuple[str, ...], over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.database, self.over = database, over
        self.oids = [database.value("select %s::regclass::oid", (name,)) for name in relations]
        self.seconds = 0.0

    def run(self) -> None:
        """Until it is over."""
        with self.database.connect() as connection:
            since, held = time.monotonic(), False
            while not self.over.wait(PAUSE):
                found = connection.execute(LOCKED, (self.oids,)).fetchone()
                now = time.monotonic()
                self.seconds += now - since if held else 0.0
                since, held = now, bool(found and found[0])


@contextlib.contextmanager
def watched(database: Any, relations: tuple[str, ...]) -> Iterator[dict[str, float]]:
    """Readers of all relations meanwhile; their figures are there when it is over."""
    over, figures = threading.Event(), dict[str, float]()
    readers = [Reader(database, relation, over) for relation in relations]
    locks = Locks(database, relations, over)
    for thread in (*readers, locks):
        thread.start()
    try:
        yield figures
    finally:
        over.set()
        for thread in (*readers, locks):
            thread.join()
    for reader in readers:
        if reader.failure is not None:
            raise reader.failure
    figures |= {
        "reader_wait_s": round(max(reader.longest for reader in readers), 3),
        "reader_locked_s": round(locks.seconds, 3),
    }


def standin(name: str) -> ModuleType:
    """A module of the warehouse's stand-ins."""
    for folder in NEAREST:
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(f"{folder}.{name}")
    raise ModuleNotFoundError(name)


def measure(shop: Any, *, rows: int, changed: int, outside: bool) -> dict[str, Any]:
    """One release; its figures."""
    shop.owner.run(PRODUCTION.format(rows=rows))
    shop.owner.run(OUTSIDE.format(rows=rows) if outside else "")
    shop.database.run("vacuum analyze")
    relations = READ + (READ_OUTSIDE if outside else ())
    release = shop.begin()
    began = time.monotonic()
    release.prepare("orders")
    prepared = time.monotonic() - began
    copied = shop.database.value(COPIED)
    green = release.green()
    with watched(shop.database, relations) as quiet:
        shop.owner.run(BUILD.format(rows=rows, changed=changed, staging=green))
        release.stage("totals", "select * from analytics.totals")
        shop.owner.run(f"alter table {green}.totals add primary key (id)")
    release.stage("orders", None, "incremental", **keys(release))
    release.plan()
    began = time.monotonic()
    with watched(shop.database, relations) as figures:
        swapped = release.swap(tries=20)
    if swapped.outcome != "done":
        raise SystemExit(f"The swap did not succeed: {swapped}")
    # While staging was built nothing was locked: what a reader waits for on this machine anyway.
    return {
        "copied_bytes": copied,
        **figures,
        "reader_wait_before_swap_s": quiet["reader_wait_s"],
        "prepare_s": round(prepared, 2),
        "swap_s": round(time.monotonic() - began, 2),
        "postgres": str(shop.database.value("show server_version")),
    }


def keys(release: Any) -> dict[str, Any]:
    """How a release is told of a unique key; before, it did not have to know."""
    known = release.stage.__kwdefaults__ or {}
    return {"keys": ("id",)} if "keys" in known else {}


def main() -> None:
    asked = json.loads(sys.argv[1])
    tree = Path(asked.pop("tree"))
    sys.path[:1] = [str(tree / "tests"), str(tree / "scripts")]
    postgres, greens = standin("postgres"), standin("greens")
    with postgres.serve() as server, tempfile.TemporaryDirectory() as folder:
        shop = greens.Shop(Path(folder), server, server.create_database())
        print(json.dumps(measure(shop, **asked)))


if __name__ == "__main__":
    main()

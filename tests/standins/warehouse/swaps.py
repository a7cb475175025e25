"""Production on a real PostgreSQL, releases that swap in it, a ``dbt`` that runs our macros there.

The owner is no superuser, a reader may read, and views of others hang on production. dbt itself is
left out: what it would have built in staging is made by plain SQL.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psycopg

from dbtdeploy.context.release_files import BackBy, ReleaseRecord, RemovedNode, Spot, SwappedNode
from dbtdeploy.warehouse import release_macros, release_schemas
from dbtdeploy.warehouse.release_macro_types import (
    LiveRelation,
    ProductionRelation,
    ReleaseScope,
    StagingBaseline,
    SwapPair,
)
from standins.warehouse import postgres
from standins.warehouse.greens import TOKEN
from standins.warehouse.macros import MacroDbt
from standins.warehouse.postgres import Database

PLACE = ReleaseScope(environment="production", project="shop")
LIVE = "analytics"

PRODUCTION = """
create schema analytics;
create schema reports;
create table analytics.customers as select 1 as id;
create table analytics.orders as select n as id, 10 * n as amount from generate_series(1, 5) n;
create view analytics.totals as select sum(amount) as total from analytics.orders;
create table analytics.events as select n as id from generate_series(1, 3) n;
create table analytics.history as select 1 as id, date '2026-01-01' as valid_from;
create view reports.ours as select id, amount from analytics.orders;
grant usage on schema analytics, reports to {reader};
grant select on all tables in schema analytics to {reader};
grant select on reports.ours to {reader};
alter default privileges in schema analytics grant select on tables to {reader};
"""


@dataclass(frozen=True, kw_only=True)
class Staged:
    """What dbt would have built in staging: ``{schema}`` stands for it."""

    sql: str
    materialized: str = "table"
    back_by: BackBy = "restore"


RELEASE: Mapping[str, Staged] = {
    "orders": Staged(
        sql="create table {schema}.orders as select n as id, 20 * n as amount, 'EUR' as currency "
        "from generate_series(1, 5) n"
    ),
    "totals": Staged(
        sql="create view {schema}.totals as select sum(amount) as total from {schema}.orders",
        materialized="view",
        back_by="recreate",
    ),
    "events": Staged(
        sql="insert into {schema}.events values (4)", materialized="incremental", back_by="leave"
    ),
    "history": Staged(
        sql="insert into {schema}.history values (1, '2026-11-21')",
        materialized="snapshot",
        back_by="leave",
    ),
    "brands": Staged(sql="create table {schema}.brands as select 'x' as brand", back_by="remove"),
}
"""A table with a new column, a view, an incremental model, a snapshot, a new table."""


def command(folder: Path, database: Database) -> Path:
    """A command ``dbt`` that runs our macros as this role."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "role.json").write_text(json.dumps(asdict(database)))
    made = folder / "dbt"
    made.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"sys.path[:0] = [{str(Path(__file__).parents[2])!r}, "
        f"{str(Path(__file__).parents[3] / 'scripts')!r}]\n"
        f"from standins.warehouse import swaps\nswaps.main({str(folder)!r}, sys.argv)\n"
    )
    made.chmod(0o755)
    return made


def main(folder: str, argv: list[str]) -> None:
    """One ``dbt run-operation``."""
    role = Database(**json.loads((Path(folder) / "role.json").read_text()))
    package = Path(argv[argv.index("--project-dir") + 1])
    outcome = MacroDbt(role).run_ours(
        argv,
        package=package,
        target=package,
        name="",
        on_line=lambda line: print(line, flush=True),
        grace_seconds=0,
    )
    for error in outcome.errors:
        print(error.message, flush=True)
    raise SystemExit(outcome.exit_code)


@dataclass(kw_only=True)
class Warehouse:
    """A database with production in it, and its people."""

    admin: Database
    owner: Database
    reader: Database
    other: Database
    folder: Path
    ids: int = 0

    def rows(self, query: str) -> list[Any]:
        """The only column, as the reader."""
        return [row[0] for row in self.reader.rows(query)]

    def amounts(self) -> list[int]:
        return self.rows("select amount from analytics.orders order by id")

    def schemas(self, like: str) -> list[str]:
        query = "select nspname from pg_namespace where nspname like %s order by 1"
        return [row[0] for row in self.admin.rows(query, (like,))]

    def fingerprint(self) -> list[tuple[Any, ...]]:
        """Every relation of production, what it is and holds of columns."""
        return self.admin.rows(
            "select n.nspname, c.relname, c.relkind, c.oid, "
            "array_agg(a.attname::text order by a.attnum) "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "where n.nspname !~ '^(pg_|information_schema|dbt_deploy)' "
            "and c.relkind in ('r', 'v', 'm') group by 1, 2, 3, 4 order by 1, 2"
        )

    def swap(
        self,
        tag: str,
        staged: Mapping[str, Staged] = RELEASE,
        *,
        before: str | None = None,
        commit: str = "",
        removed: tuple[str, ...] = (),
    ) -> ReleaseRecord:
        """A release, from staging to the swap; gives what a rollback needs."""
        self.ids += 1
        release_id = f"{datetime.now(timezone.utc):%Y%m%d}t{self.ids:06d}"
        dbt, work = MacroDbt(self.owner), self.folder
        wanted = [ProductionRelation(unique_id=unique_id(name), spot=spot(name)) for name in staged]
        seen = release_macros.read_production(
            dbt, work=work, place=PLACE, wanted=wanted, removed=[]
        )
        live = {one.unique_id: one for one in seen.live}
        green = release_schemas.staging_schema(release_id, PLACE.project)
        release_macros.prepare(
            dbt,
            work=work,
            place=PLACE,
            release_id=release_id,
            tag=tag,
            nonce=release_id,
            schemas=[green],
            baselines=[
                StagingBaseline(unique_id=unique_id(n), staging=spot(n, green), production=spot(n))
                for n, one in staged.items()
                if one.back_by == "leave"
            ],
        )
        for one in staged.values():
            self.owner.run(one.sql.format(schema=green))
        record = ReleaseRecord(
            release_id=release_id,
            tag=tag,
            commit=commit,
            environment=PLACE.environment,
            project=PLACE.project,
            before=before,
            by="ana",
            nodes=tuple(self._node(n, one, live, green, release_id) for n, one in staged.items()),
        )
        done = release_macros.swap(
            dbt,
            work=work,
            place=PLACE,
            record=record,
            nonce=release_id,
            pairs=[_pair(name, live, green) for name in staged],
            dependents=seen.look.dependents,
            removed=[
                RemovedNode(
                    unique_id=unique_id(n), resource_type="model", name=n, production=spot(n)
                )
                for n in removed
            ],
            tries=3,
        )
        assert done.outcome == "done", done
        release_macros.drop_staging(dbt, work=work, place=PLACE, release_id=release_id)
        return record

    def _node(
        self,
        name: str,
        staged: Staged,
        live: Mapping[str, LiveRelation],
        green: str,
        release_id: str,
    ) -> SwappedNode:
        dbt = MacroDbt(self.owner)
        wanted = [ProductionRelation(unique_id=unique_id(name), spot=spot(name, green))]
        seen = release_macros.read_production(
            dbt, work=self.folder, place=PLACE, wanted=wanted, removed=[]
        )
        there = live.get(unique_id(name))
        return SwappedNode(
            unique_id=unique_id(name),
            resource_type="model",
            name=name,
            materialized=staged.materialized,
            production=spot(name),
            kept_in=release_schemas.kept_schema(LIVE, release_id, TOKEN) if there else None,
            back_by=staged.back_by,
            columns=seen.live[0].columns,
            statements=there.statements if there and there.kind == "view" else (),
        )


def unique_id(name: str) -> str:
    return f"model.shop.{name}"


def spot(name: str, schema: str = LIVE) -> Spot:
    return Spot(database="", schema=schema, identifier=name)


def _pair(name: str, live: Mapping[str, LiveRelation], green: str) -> SwapPair:
    there = live.get(unique_id(name))
    return SwapPair(
        unique_id=unique_id(name),
        name=name,
        method="blue-green",
        production=spot(name),
        staging=spot(name, green),
        expected_oid=there.oid if there else None,
        expected_columns=there.columns if there else (),
    )


@contextmanager
def production(server: postgres.Server, database: Database, folder: Path) -> Iterator[Warehouse]:
    """Production as deploys left it."""
    roles = [server.create_role(database) for _ in range(3)]
    owner, reader, other = roles
    database.run(f'grant create on database "{database.name}" to "{owner.user}"')
    database.run(f'grant create on database "{database.name}" to "{other.user}"')
    owner.run(PRODUCTION.format(reader=f'"{reader.user}"'))
    yield Warehouse(admin=database, owner=owner, reader=reader, other=other, folder=folder)
    for role in roles:
        database.run(f'drop owned by "{role.user}" cascade; drop role "{role.user}"')


@contextmanager
def reading(role: Database, table: str) -> Iterator[None]:
    """A reader who does not end its transaction."""
    with psycopg.connect(role.url, connect_timeout=10) as connection:
        connection.execute(f"select * from {table}".encode())
        yield


def until_waited_for(admin: Database, *, times: int = 2) -> None:
    """Return once somebody has waited for a lock, given up, and waited again."""
    seen, waiting, deadline = 0, False, time.monotonic() + 60
    query = "select exists (select from pg_locks where not granted and locktype = 'relation')"
    with admin.connect() as connection:
        while seen < times:
            row = connection.execute(query).fetchone()
            now = bool(row and row[0])
            seen += now and not waiting
            waiting = now
            assert time.monotonic() < deadline, "nobody waits for a lock"
            time.sleep(0.02)

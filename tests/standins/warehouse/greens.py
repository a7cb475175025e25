"""A production and releases of it, below dbt: what is staged is made by SQL, the swap is ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from dbtdeploy.context.release_files import BackBy, ReleaseRecord, RemovedNode, Spot, SwappedNode
from dbtdeploy.dbt.dbt_client import Dbt
from dbtdeploy.warehouse import release_macros, release_schemas
from dbtdeploy.warehouse.relations_read import RelationRead
from dbtdeploy.warehouse.release_macro_types import (
    CleanedUp,
    LiveProduction,
    Measured,
    Pair,
    Prepared,
    ProductionRelation,
    Query,
    ReleaseScope,
    ReleaseState,
    StagingBaseline,
    SwapPair,
    Swapped,
    TookBack,
)
from standins.warehouse.macros import MacroDbt
from standins.warehouse.postgres import Database, Server

PLACE = ReleaseScope(environment="prod", project="shop")

TOKEN = "0a1b2c3d"

KIND = {"view": "view", "materialized_view": "materialized view"}

BACK_BY: dict[str, BackBy] = {"incremental": "leave", "snapshot": "leave", "view": "recreate"}

STATE = """
select json_agg(json_build_array(c.oid::regclass::text, c.oid, c.relkind, c.relacl::text,
    pg_get_userbyid(c.relowner), pg_get_viewdef(c.oid), c.relrowsecurity,
    (select json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod),
        a.attacl::text) order by a.attnum)
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0),
    (select json_agg(pg_get_constraintdef(k.oid) order by k.conname)
      from pg_constraint k where k.conrelid = c.oid)) order by c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('analytics', 'marts') and c.relkind in ('r', 'p', 'v', 'm', 'S')
"""


class Shop:
    """A database with schemas `analytics` and `marts`, and three roles that are no superusers."""

    def __init__(self, folder: Path, server: Server, database: Database) -> None:
        self.folder = folder
        self.server = server
        self.database = database
        self.owner = server.create_role(database)
        self.reader = server.create_role(database)
        self.other = server.create_role(database)
        owner, reader, other = self.owner.user, self.reader.user, self.other.user
        database.run(
            f"""
            grant create, temporary on database {database.name} to {owner};
            create schema analytics authorization {owner};
            create schema marts authorization {owner};
            grant usage on schema analytics, marts to {reader};
            grant usage, create on schema analytics, marts to {other};
            """
        )
        self.dbt: Dbt = MacroDbt(self.owner)
        self.releases = 0

    def spot(self, name: str, schema: str = "analytics") -> Spot:
        return Spot(database=self.database.name, schema=schema, identifier=name)

    def wanted(self, *names: str, schema: str = "analytics") -> list[ProductionRelation]:
        return [
            ProductionRelation(unique_id=f"model.shop.{n}", spot=self.spot(n, schema))
            for n in names
        ]

    def look(
        self,
        *names: str,
        removed: Sequence[str] = (),
        schema: str = "analytics",
        reads: Sequence[RelationRead] = (),
    ) -> LiveProduction:
        return release_macros.read_production(
            self.dbt,
            work=self.folder,
            place=PLACE,
            wanted=self.wanted(*names, schema=schema),
            removed=self.wanted(*removed),
            reads=reads,
        )

    def begin(self, **options: Any) -> Release:
        """A release with its staging schemas."""
        self.releases += 1
        release = Release(self, self.releases, **options)
        release.prepared = release.prepare()
        return release

    def take_back(
        self, *releases: Release, restore_incremental: bool = False, **options: Any
    ) -> TookBack:
        """Undo them, newest first."""
        records = [release.record for release in releases]
        how = {"nonce": "take-back", "tries": 2, "dry_run": False, "token": TOKEN, **options}
        return release_macros.take_back(
            self.dbt,
            work=self.folder,
            place=PLACE,
            records=records,
            restore_incremental=restore_incremental,
            **how,
        )

    def clean_up(self, **options: Any) -> list[CleanedUp]:
        how = {"keep_hours": 0, "grace_days": 0, "nodes": {}, "sources": {}, "dry_run": False}
        return list(
            release_macros.clean_up(
                self.dbt, work=self.folder, **{"place": PLACE, **how, **options}
            )
        )

    def settled(self, release: Release, nonce: str = "settler", **options: Any) -> ReleaseState:
        return release_macros.settled(
            self.dbt,
            work=self.folder,
            place=PLACE,
            release_id=release.release_id,
            nonce=nonce,
            **options,
        )

    def schemas(self) -> list[str]:
        """All but PostgreSQL's own."""
        rows = self.database.rows(
            "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema|public)'"
            " order by 1"
        )
        return [name for (name,) in rows]

    def state(self) -> Any:
        """Every relation in production: oid, definition, rights, parts; to find any difference."""
        return self.database.value(STATE)


@dataclass(kw_only=True)
class Node:
    """A node of a release."""

    spot: Spot
    staging: Spot
    materialized: str
    back_by: BackBy | None
    managed: tuple[str, ...]
    keys: tuple[str, ...] = ()
    updates: tuple[str, ...] | None = None
    called: str | None = None
    """Its unique id, where another node bears its name."""

    @property
    def unique_id(self) -> str:
        return self.called or f"model.shop.{self.spot.identifier}"


@dataclass
class Release:
    """One release, from its staging schemas on."""

    shop: Shop
    number: int
    nonce: str = ""
    schemas: tuple[str, ...] = ("analytics",)
    nodes: list[Node] = field(default_factory=list)
    prepared: Prepared | None = None

    def __post_init__(self) -> None:
        self.nonce = self.nonce or f"nonce-{self.number}"

    @property
    def release_id(self) -> str:
        return f"20261125t{self.number:06d}"

    def green(self, schema: str = "analytics") -> str:
        base = release_schemas.staging_schema(self.release_id, "shop")
        return base if schema == "analytics" else f"{base}_{schema}"

    def kept(self, schema: str = "analytics") -> str:
        return release_schemas.kept_schema(schema, self.release_id, TOKEN)

    def undone(self, schema: str = "analytics") -> str:
        return release_schemas.undone_schema(schema, self.release_id, TOKEN)

    def prepare(self, *baselines: str, seeds: Sequence[str] = (), **options: Any) -> Prepared:
        return release_macros.prepare(
            self.shop.dbt,
            work=self.shop.folder,
            place=PLACE,
            release_id=self.release_id,
            tag=f"v{self.number}",
            nonce=self.nonce,
            schemas=[self.green(schema) for schema in self.schemas],
            baselines=[
                StagingBaseline(
                    unique_id=f"model.shop.{name}",
                    staging=self.shop.spot(name, self.green()),
                    production=self.shop.spot(name),
                    seed=name in seeds,
                )
                for name in (*baselines, *seeds)
            ],
            **options,
        )

    def stage(
        self,
        name: str,
        query: str | None = None,
        materialized: str = "table",
        *,
        schema: str = "analytics",
        staged_as: str | None = None,
        back_by: BackBy | None = None,
        managed: tuple[str, ...] = (),
        keys: tuple[str, ...] = (),
        updates: tuple[str, ...] | None = None,
        called: str | None = None,
    ) -> Node:
        """Make a staged relation of a query; None if it is there already."""
        staging = self.shop.spot(staged_as or name, self.green(schema))
        node = Node(
            spot=self.shop.spot(name, schema),
            staging=staging,
            materialized=materialized,
            back_by=back_by,
            managed=managed,
            keys=keys,
            updates=updates,
            called=called,
        )
        if query is not None:
            kind = KIND.get(materialized, "table")
            self.shop.owner.run(
                f"create {kind} {quoted(staging.schema)}.{quoted(staging.identifier)} as {query}"
            )
        self.nodes.append(node)
        return node

    def plan(self, removed: Sequence[ProductionRelation] = ()) -> None:
        """Look at production as it is now; ``swap`` goes by that."""
        self.look = self._look(
            [ProductionRelation(unique_id=n.unique_id, spot=n.spot) for n in self.nodes]
        )
        staged = self._look(
            [ProductionRelation(unique_id=n.unique_id, spot=n.staging) for n in self.nodes]
        )
        self.staged = {one.unique_id: one for one in staged.live}
        self.live = {one.unique_id: one for one in self.look.live}
        self.removed = [
            RemovedNode(
                unique_id=w.unique_id,
                resource_type="model",
                name=w.spot.identifier,
                production=w.spot,
            )
            for w in removed
        ]
        self.record = ReleaseRecord(
            release_id=self.release_id,
            tag=f"v{self.number}",
            commit=f"{self.number}" * 40,
            environment="prod",
            project="shop",
            before=None,
            by="me",
            run_url="https://example.com/run",
            nodes=tuple(self._swapped(node) for node in self.nodes),
        )

    def swap(
        self,
        *,
        dbt: Dbt | None = None,
        tries: int = 2,
        nonce: str | None = None,
        reader_wait_ms: int = 250,
    ) -> Swapped:
        return release_macros.swap(
            dbt or self.shop.dbt,
            work=self.shop.folder,
            place=PLACE,
            record=self.record,
            nonce=nonce or self.nonce,
            pairs=self.pairs(),
            dependents=self.look.look.dependents,
            removed=self.removed,
            tries=tries,
            reader_wait_ms=reader_wait_ms,
        )

    def go(self, **options: Any) -> Swapped:
        """Plan and swap."""
        self.plan()
        return self.swap(**options)

    def measure(self, *checks: Query, **fields: Any) -> Measured:
        """Every staged node beside production; ``fields`` go into each pair."""
        return release_macros.measure(
            self.shop.dbt,
            work=self.shop.folder,
            pairs=[
                Pair(
                    **{
                        "unique_id": n.unique_id,
                        "staging": n.staging,
                        "production": n.spot,
                        **fields,
                    }
                )
                for n in self.nodes
            ],
            checks=checks,
        )

    def drop_staging(self) -> tuple[str, ...]:
        return release_macros.drop_staging(
            self.shop.dbt, work=self.shop.folder, place=PLACE, release_id=self.release_id
        )

    def pairs(self) -> list[SwapPair]:
        return [
            SwapPair(
                unique_id=node.unique_id,
                name=node.spot.identifier,
                method="blue-green",
                production=node.spot,
                staging=node.staging,
                expected_oid=live.oid if live else None,
                expected_columns=live.columns if live else (),
                managed_privileges=node.managed,
                keys=node.keys,
                updates=node.updates,
                seed=node.materialized == "seed",
                rows_before=1,
                rows_after=2,
                seconds=0.5,
            )
            for node in self.nodes
            for live in [self.live.get(node.unique_id)]
        ]

    def _look(self, wanted: Sequence[ProductionRelation]) -> LiveProduction:
        dbt, work = self.shop.dbt, self.shop.folder
        return release_macros.read_production(
            dbt, work=work, place=PLACE, wanted=wanted, removed=()
        )

    def _swapped(self, node: Node) -> SwappedNode:
        live, staged = self.live.get(node.unique_id), self.staged.get(node.unique_id)
        back_by = BACK_BY.get(node.materialized, "restore") if live else "remove"
        assert back_by in get_args(BackBy)
        return SwappedNode(
            unique_id=node.unique_id,
            resource_type="model",
            name=node.spot.identifier,
            materialized=node.materialized,
            production=node.spot,
            kept_in=self.kept(node.spot.schema) if live else None,
            back_by=node.back_by or back_by,
            columns=staged.columns if staged else (),
            statements=live.statements if live else (),
        )


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

"""The world a pull request is built in: warehouse, bucket, GitHub, repository, production.

All of it is real or checked against the real thing's description, on loopback, and ends with the
``with`` block.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demo import production, repository
from demo.production import Dbt
from demo.progress import step
from demo.repository import ROOT
from standins import github, postgres, s3

WAREHOUSE = "shop"
PRISTINE = "shop_as_built"
ROLE = "dbt_ci"
GRANT_ON_DATABASE = f"grant create on database {WAREHOUSE} to {ROLE}"
READ_PRODUCTION = "".join(
    f"grant usage on schema {schema} to {ROLE};"
    f"grant select on all tables in schema {schema} to {ROLE};"
    for schema in (
        *("raw", "analytics", "analytics_marts"),
        *("analytics_reference", "analytics_snapshots"),
    )
)
"""The grants that the README asks for."""

POLICY = ROOT / "tests" / "fixtures" / "policy-pull-request.json"
"""The bucket policy that the README shows, for a bucket named ``my-bucket``."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything that is there before a pull request is opened."""

    folder: Path
    warehouse: postgres.Server
    database: postgres.Database
    store: s3.Store
    github: github.Hub
    repository: repository.Repository
    dbt: Dbt
    state_url: str
    artifacts: Path
    """Production's artifacts on disk, as they were uploaded."""
    reader: s3.Keys
    """A pull request's way to the bucket: it may read production's artifacts, nothing else."""
    pull_request_role: Mapping[str, str] = field(repr=False)
    """A pull request's way to the warehouse, the lines of ``dbt-env``: it may read production."""

    def reset_warehouse(self) -> None:
        """Put the warehouse back to how production's build left it (about 0.2 s).

        Under the same name, for production's manifest names the database in every relation.
        """
        self.warehouse.drop_database(WAREHOUSE)
        _copy_database(self.warehouse, PRISTINE, WAREHOUSE)
        # What a role may do with a database does not come with the template.
        self.warehouse.database().run(GRANT_ON_DATABASE)


@contextlib.contextmanager
def build(bin_folder: Path) -> Iterator[World]:
    """Start the servers, make the repository, build production and publish its artifacts.

    Args:
        bin_folder: holds the command ``dbt``.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbt-deploy-world-")))
        with step("Start PostgreSQL, S3 (moto) and the GitHub stand-in"):
            warehouse = stack.enter_context(postgres.serve())
            store = stack.enter_context(s3.serve(iam=True))
            server = stack.enter_context(github.serve())
            store.create_bucket(production.BUCKET)
        with step("Make a git repository with main and three branches"):
            made = repository.create(folder / "origin")
            for patch in repository.patches():
                made.branch_from_patch(patch)
        dbt = Dbt(bin_folder=bin_folder, database=warehouse.create_database(WAREHOUSE))
        artifacts = _build_production(dbt, made, folder / "production")
        role = _create_role(warehouse, dbt.database)
        _copy_database(warehouse, WAREHOUSE, PRISTINE)
        policy = json.loads(POLICY.read_text().replace("my-bucket", production.BUCKET))
        yield World(
            folder=folder,
            warehouse=warehouse,
            database=dbt.database,
            store=store,
            github=server,
            repository=made,
            dbt=dbt,
            state_url=production.publish(store, artifacts),
            artifacts=artifacts,
            reader=store.create_user(policy),
            pull_request_role=Dbt(bin_folder=bin_folder, database=role).connection,
        )


def _build_production(dbt: Dbt, made: repository.Repository, checkout: Path) -> Path:
    commit = made.check_out("main", checkout).head_sha
    with step("Load production's raw tables"):
        production.load_raw_tables(dbt, checkout, commit)
    with step("Build production (dbt build, dbt docs generate)"):
        return production.build(dbt, checkout, commit)


def _create_role(server: postgres.Server, database: postgres.Database) -> postgres.Database:
    role = server.create_role(database, ROLE)
    database.run(GRANT_ON_DATABASE)
    database.run(READ_PRODUCTION)
    return role


def _copy_database(server: postgres.Server, source: str, copy: str) -> None:
    with server.database().connect() as connection:
        # A template must have no other connections, and dbt's may be a moment in closing.
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (source,)
        )
        connection.execute(f'create database "{copy}" template "{source}"'.encode())

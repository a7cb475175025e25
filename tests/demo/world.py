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
from standins.github import github
from standins.store import s3
from standins.warehouse import postgres

WAREHOUSE = "shop"
PRISTINE = "shop_as_built"
PULL_REQUESTS = "dbt_ci"
PRODUCTION = "dbt_prod"
"""Who owns production. Neither role is a superuser."""

GRANT_ON_DATABASE = (
    f"grant create on database {WAREHOUSE} to {PULL_REQUESTS}, {PRODUCTION};"
    f"alter role {PRODUCTION} in database {WAREHOUSE} set search_path = public"
)
READ_PRODUCTION = "".join(
    f"grant usage on schema {schema} to {PULL_REQUESTS};"
    f"grant select on all tables in schema {schema} to {PULL_REQUESTS};"
    f"alter default privileges for role {PRODUCTION} in schema {schema}"
    f" grant select on tables to {PULL_REQUESTS};"
    for schema in (
        *("raw", "analytics", "analytics_marts"),
        *("analytics_reference", "analytics_snapshots"),
    )
)
"""The grants that docs/set-up.md asks for."""

POLICIES = ROOT / "tests" / "fixtures"
"""The bucket policies that docs/security.md shows, for ``s3://my-bucket/prod``."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One place in the bucket, and two ways to it that may do what those policies say."""

    state_url: str
    pull_request: s3.Keys
    deployer: s3.Keys


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
    production: Environment
    """Holds the artifacts of production's build, as plain files."""
    artifacts: Path
    """Production's artifacts on disk, as they were uploaded."""
    pull_request_role: Mapping[str, str] = field(repr=False)
    """A pull request's way to the warehouse, the lines of ``dbt-env``: it may read production."""
    production_role: Mapping[str, str] = field(repr=False)
    """The way of a deploy."""

    def environment(self, prefix: str, *, artifacts: bool = True) -> Environment:
        """A further place in the bucket; with production's artifacts as plain files, or empty."""
        return environment_at(self.store, prefix, self.artifacts if artifacts else None)

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
        database = warehouse.create_database(WAREHOUSE)
        owner = warehouse.create_role(database, PRODUCTION)
        reader = warehouse.create_role(database, PULL_REQUESTS)
        database.run(GRANT_ON_DATABASE)
        dbt = Dbt(bin_folder=bin_folder, database=owner)
        artifacts = _build_production(dbt, made, folder / "production")
        database.run(READ_PRODUCTION)
        _copy_database(warehouse, WAREHOUSE, PRISTINE)
        yield World(
            folder=folder,
            warehouse=warehouse,
            database=database,
            store=store,
            github=server,
            repository=made,
            dbt=dbt,
            production=environment_at(store, production.PREFIX, artifacts),
            artifacts=artifacts,
            pull_request_role=Dbt(bin_folder=bin_folder, database=reader).connection,
            production_role=dbt.connection,
        )


def _build_production(dbt: Dbt, made: repository.Repository, checkout: Path) -> Path:
    commit = made.check_out("main", checkout).head_sha
    with step("Load production's raw tables"):
        production.load_raw_tables(dbt, checkout, commit)
    with step("Build production (dbt build, dbt docs generate)"):
        return production.build(dbt, checkout, commit)


def environment_at(store: s3.Store, prefix: str, artifacts: Path | None) -> Environment:
    """A place in the bucket and the two ways to it; with artifacts as plain files, or empty."""
    if artifacts is not None:
        production.publish(store, artifacts, prefix)

    def user(policy: str) -> s3.Keys:
        text = (POLICIES / f"policy-{policy}.json").read_text(encoding="utf-8")
        text = text.replace("my-bucket/prod", f"{production.BUCKET}/{prefix}")
        text = text.replace("my-bucket", production.BUCKET).replace('"prod/', f'"{prefix}/')
        return store.create_user(json.loads(text))

    return Environment(
        state_url=f"s3://{production.BUCKET}/{prefix}",
        pull_request=user("pull-request"),
        deployer=user("deploy"),
    )


def _copy_database(server: postgres.Server, source: str, copy: str) -> None:
    with server.database().connect() as connection:
        # A template must have no other connections, and dbt's may be a moment in closing.
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (source,)
        )
        connection.execute(f'create database "{copy}" template "{source}"'.encode())

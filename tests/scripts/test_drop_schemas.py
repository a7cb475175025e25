"""drop_schemas.py on a real PostgreSQL, through the real dbt command, as a role that owns little."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from standins import postgres
from standins.postgres import Database
from standins.teardowns import Job, mark, schemas


class Warehouse:
    """A database, its superuser, the role of pull requests, and somebody else."""

    def __init__(self, server: postgres.Server, admin: Database) -> None:
        self.admin = admin
        self.role = server.create_role(admin)
        self.other = server.create_role(admin)
        for role in (self.role, self.other):
            admin.run(f'grant create on database "{admin.name}" to "{role.user}"')

    def make(self, schema: str, comment: str | None, tables: str = "") -> None:
        """A schema of the pull requests' role, with a table ``t``."""
        name = '"' + schema.replace('"', '""') + '"'
        self.role.run(f"create schema {name}; create table {name}.t (id int primary key)")
        if tables:
            self.role.run(tables)
        if comment is not None:
            literal = comment.replace("'", "''")
            self.role.run(f"comment on schema {name} is '{literal}'")


@pytest.fixture
def warehouse(
    postgres_server: postgres.Server, database: Database
) -> Iterator[Warehouse]:
    made = Warehouse(postgres_server, database)
    yield made
    for role in (made.role, made.other):
        database.run(f'drop owned by "{role.user}" cascade; drop role "{role.user}"')


@pytest.fixture
def job(work: Path, dbt_command: Path, warehouse: Warehouse) -> Job:
    made = Job(work, dbt_command)
    made.connect(warehouse.role)
    return made


def test_all_schemas_with_the_mark_go_and_nothing_else(
    work: Path, any_dbt_command: Path, warehouse: Warehouse
) -> None:
    job = Job(work, any_dbt_command)
    job.connect(warehouse.role)
    seven = mark("pull_request=7")
    warehouse.make("pr_7_shop", seven)
    warehouse.make(
        "pr_7_shop_marts",
        seven.replace("11-20", "11-19"),
        "create view pr_7_shop_marts.v as select * from pr_7_shop.t;"
        "create materialized view pr_7_shop_marts.m as select * from pr_7_shop_marts.v;"
        "create type pr_7_shop_marts.mood as enum ('good');"
        "create table pr_7_shop_marts.part (id int, m pr_7_shop_marts.mood) partition by range (id);"
        "create table pr_7_shop_marts.part1 partition of pr_7_shop_marts.part for values from (1) to (2);"
        "create table pr_7_shop_marts.fk (id int references pr_7_shop.t, n serial, g int generated always as identity);"
        "create function pr_7_shop_marts.f() returns int begin atomic select max(id) from pr_7_shop.t; end;",
    )
    warehouse.make("weird \"' % $dbt_deploy$ name", seven)
    for name, comment in {
        "pr_70_shop": mark("pull_request=70"),
        "pr_7_finance": seven.replace("project=shop", "project=finance"),
        "pr_7_shop_prod": seven.replace("target=ci", "target=prod"),
        "analytics": None,
        "pr_8_shop": mark("pull_request=8"),
        "liar": "see " + seven,
    }.items():
        warehouse.make(name, comment)
    before = schemas(warehouse.admin)
    job.describe(pull_request=7)
    printed = job.run("drop_schemas.py")
    gone = {"pr_7_shop", "pr_7_shop_marts", "weird \"' % $dbt_deploy$ name"}
    assert before - schemas(warehouse.admin) == gone
    assert set(job.dropped) == gone
    assert job.teardown.kept == ()
    assert "dropped: pr_7_shop (pull request 7): closed" in printed
    assert "3 schemas dropped" in job.summary
    assert warehouse.role.password not in printed
    # Once more: nothing to do, and nothing wrong.
    job.run("drop_schemas.py")
    assert job.dropped == []
    assert "nothing was dropped" in job.summary

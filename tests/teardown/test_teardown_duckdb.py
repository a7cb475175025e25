"""Schemas made, marked, swept and dropped in DuckDB, through the real dbt."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dbtdeploy.context import hand_over, work_files
from dbtdeploy.teardown.teardown_files import ChosenSchemas, FoundSchemas, WantedSchema
from dbtdeploy.warehouse.schema_owner import Owner
from standins.jobs import plans, runs
from standins.warehouse.teardowns import Job, mark

PROFILE = """
shop:
  target: ci
  outputs:
    ci:
      type: duckdb
      path: "{{ env_var('DBT_DUCKDB_FILE') }}"
      schema: "{{ env_var('DBT_DEPLOY_SCHEMA') }}"
"""


@pytest.fixture
def job(work: Path, duckdb_command: Path, tmp_path: Path) -> Job:
    made = Job(work, duckdb_command, profile=PROFILE)
    made.environment["DBT_DUCKDB_FILE"] = str(tmp_path / "house.duckdb")
    return made


def run(job: Job, statements: str) -> list[list[object]]:
    """Rows of the last statement, in the environment that has DuckDB."""
    code = (
        "import duckdb, json, sys\n"
        "rows = duckdb.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()\n"
        "print(json.dumps(rows, default=str))"
    )
    done = subprocess.run(
        [
            job.dbt_command.with_name("python"),
            "-c",
            code,
            job.environment["DBT_DUCKDB_FILE"],
            statements,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    rows: list[list[object]] = json.loads(done.stdout)
    return rows


def schemas(job: Job) -> set[object]:
    query = "select schema_name from information_schema.schemata where catalog_name = 'house'"
    return {name for (name,) in run(job, query)} - {"main"}


def prepare(job: Job) -> str:
    """As a push of pull request 7 would, with an incremental model of production's rows."""
    run_file = job.describe(pull_request=7, policy=runs.ci())
    node = plans.node("orders", database="house", schema="pr_7_shop", materialized="incremental")
    relation = {"name": "orders", "alias": "orders", "database": "house", "schema": "analytics"}
    manifest = {"nodes": {"model.shop.orders": {**relation, "relation_name": "analytics.orders"}}}
    (job.work / "state").mkdir(exist_ok=True)
    (job.work / "state" / "manifest.json").write_text(json.dumps(manifest))
    hand_over.write(job.work, plans.state())
    hand_over.write(job.work, plans.plan(node))
    printed = job.run("tests/standins/prepare_schema.py")
    job.describe(pull_request=7)
    return printed + run_file.schema


def test_a_pull_request_from_its_first_schema_to_its_last(job: Job) -> None:
    run(
        job,
        "create schema analytics;"
        "create table analytics.orders as select range as id from range(5);"
        "create schema theirs; create schema pr_7_shop_marts;"
        "create table pr_7_shop_marts.t as select 1 as id",
    )
    prepare(job)
    assert run(job, "select count(*) from pr_7_shop.orders") == [[5]]
    (laid,) = hand_over.read(job.work, work_files.Schemas).baselines
    assert (laid.how, laid.rows) == ("all", 5)
    prepare(job)

    # The next one finds a schema without the mark, and leaves it.
    job.run("teardown/drop_schemas", exit_code=70)
    assert schemas(job) == {"analytics", "theirs", "pr_7_shop_marts"}
    assert job.dropped == ["pr_7_shop"]
    assert job.kept == {"pr_7_shop_marts": "it bears no mark of dbt-deploy's"}


def test_a_schema_that_is_not_ours_is_refused(job: Job) -> None:
    run(job, "create schema analytics; create table analytics.orders as select 1 as id")
    run(job, "create schema pr_7_shop; create table pr_7_shop.t as select 1 as id")
    with pytest.raises(AssertionError, match="not made for this pull request"):
        prepare(job)
    assert run(job, "select count(*) from pr_7_shop.t") == [[1]]


def test_a_sweep(job: Job) -> None:
    run(job, "create schema analytics")
    for name, comment in {
        "pr_7_shop": mark("pull_request=7"),
        "pr_8_shop": mark("ref=it''s"),
    }.items():
        run(
            job,
            f"create schema {name};"
            f"create table {name}.dbt_deploy_mark as select '{comment}' as comment",
        )
    job.describe(sweep=True)
    job.run("teardown/find_schemas")
    found = hand_over.read(job.work, FoundSchemas).schemas
    assert [one.schema for one in found] == ["pr_7_shop", "pr_8_shop"]
    run(job, f"update pr_8_shop.dbt_deploy_mark set comment = '{mark('ref=x', 'now')}'")
    wanted = tuple(WantedSchema(schema=one, owner=Owner(ref="x"), why="old") for one in found)
    hand_over.write(job.work, ChosenSchemas(wanted=wanted))
    job.run("teardown/drop_schemas")
    assert schemas(job) == {"analytics", "pr_8_shop"}
    assert "used again" in job.kept["pr_8_shop"]

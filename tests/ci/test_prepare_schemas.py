"""The schemas of a pull request, prepared on a real PostgreSQL through the real dbt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbtdeploy.context import hand_over, work_files
from standins.jobs import plans, runs
from standins.warehouse import teardowns
from standins.warehouse.postgres import Database

SCRIPT = Path(__file__).parents[1] / "standins" / "prepare_schema.py"

NAMED = "      application_name: \"{{ var('who') }}\"\n"
PROFILE = teardowns.PROFILE.replace("      threads: 1\n", f"{NAMED}      threads: 1\n")

MARK = "dbt-deploy repository=acme/shop project=shop target= pull_request=7"


class Prepared:
    """A work folder, a database, and the script between them."""

    def __init__(self, work: Path, database: Database, dbt_command: Path) -> None:
        self.work = work
        self.database = database
        self.project = work.parent / "project"
        self.project.mkdir()
        (self.project / "profiles.yml").write_text(PROFILE)
        self.dbt_command = str(dbt_command)
        self.environment: dict[str, str] = {}

    def production(self, **nodes: str) -> None:
        """Nodes of production's manifest: name to schema."""
        manifest = {
            "nodes": {
                f"model.shop.{name}": {
                    "name": name,
                    "alias": name,
                    "database": self.database.name,
                    "schema": schema,
                    "relation_name": f'"{schema}"."{name}"',
                }
                for name, schema in nodes.items()
            }
        }
        (self.work / "state").mkdir(exist_ok=True)
        (self.work / "state" / "manifest.json").write_text(json.dumps(manifest))

    def run(self, *names: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Prepare incremental models of these names."""
        with self.start(*names, **options) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(
        self, *names: str, schema: str = "pr_7_shop", found: bool = True, **policy: Any
    ) -> subprocess.Popen[str]:
        """Begin to."""
        project = work_files.DbtProject(
            command=self.dbt_command,
            project_dir=str(self.project),
            repository_path=".",
            name="shop",
            profiles_dir=None,
            profile="shop",
            target=None,
            target_path=str(self.project / "target"),
            packages_path=str(self.project / "dbt_packages"),
            vars="{who: nobody}",
        )
        run = runs.run(
            runs.ci(state="s", **policy),
            event=runs.event(pull_request=7),
            dbt=project,
            schema="pr_7_shop",
        )
        nodes = [
            plans.node(
                name,
                database=self.database.name,
                schema=schema,
                relation_name=f'"{schema}"."{name}"',
                materialized="incremental",
            )
            for name in names
        ]
        hand_over.write(self.work, run)
        hand_over.write(self.work, plans.state(found=found))
        hand_over.write(self.work, plans.plan(*nodes))
        return subprocess.Popen(
            [sys.executable, SCRIPT],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.work),
                "DBT_DEPLOY_WORK": str(self.work),
                "DBT_DEPLOY_DBT_ENV": f"DB_PASSWORD={self.database.password}",
                "DB_HOST": self.database.host,
                "DBT_DEPLOY_PASS_ENV": "DB_HOST DB_PORT DB_USER DB_NAME",
                "DB_PORT": str(self.database.port),
                "DB_USER": self.database.user,
                "DB_NAME": self.database.name,
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
                **self.environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def baselines(self) -> dict[str, work_files.Baseline]:
        """What the script says it laid, by node name."""
        written = hand_over.read(self.work, work_files.Schemas)
        return {baseline.unique_id.split(".")[-1]: baseline for baseline in written.baselines}

    def comment(self, schema: str) -> str:
        """The schema's comment."""
        query = "select obj_description(to_regnamespace(%s), 'pg_namespace')"
        return str(self.database.value(query, (schema,)))

    def count(self, relation: str) -> int:
        """Rows in a relation."""
        return int(self.database.value(f"select count(*) from {relation}"))


@pytest.fixture
def prepared(work: Path, database: Database, forked_dbt: Path) -> Prepared:
    database.run(
        """
        create schema analytics;
        create table analytics.orders (id int primary key, updated_at date, "Odd ""Name" text);
        create table analytics.spelled (id int, "Updated_At" date);
        insert into analytics.spelled select n, '2026-01-01'::date + n from generate_series(1, 9) n;
        insert into analytics.orders select n, '2026-01-01'::date + n, 'x'
          from generate_series(1, 100) n;
        create table analytics.plain (id int);
        insert into analytics.plain values (1), (2);
        create view analytics.seen as select 1 as id;
        create table analytics.numbered (id int generated always as identity, a int,
          b int generated always as (a * 2) stored);
        insert into analytics.numbered (a) values (1), (2), (3);
        """
    )
    made = Prepared(work, database, forked_dbt)
    made.production(
        orders="analytics",
        spelled="analytics",
        plain="analytics",
        seen="analytics",
        numbered="analytics",
        gone="nowhere",
    )
    return made


def test_schemas_are_made_and_marked_and_get_productions_rows(prepared: Prepared) -> None:
    done = prepared.run("orders", "plain", "seen", "numbered", "gone", "brand_new")
    assert done.returncode == 0, done.stdout + done.stderr
    assert prepared.comment("pr_7_shop").splitlines() == [
        MARK,
        "last used 2026-11-21T09:00:00+00:00",
    ]
    laid = prepared.baselines()
    assert (laid["orders"].how, laid["orders"].rows) == ("all", 100)
    assert (laid["numbered"].how, laid["numbered"].rows) == ("all", 3)
    assert {name for name, baseline in laid.items() if baseline.how == "none"} == {
        "seen",
        "gone",
        "brand_new",
    }
    assert laid["seen"].reason == "production has a view there"
    assert prepared.count("pr_7_shop.orders") == 100
    primary_keys = (
        "select count(*) from pg_constraint where conrelid = 'pr_7_shop.orders'::regclass"
    )
    assert prepared.database.value(primary_keys + " and contype = 'p'") == 1
    assert prepared.database.password not in done.stdout + done.stderr

    # The next push: what the first one left is replaced, and what is new has nothing under it.
    prepared.database.run(
        """
        delete from pr_7_shop.orders;
        create table pr_7_shop.brand_new (id int);
        create view pr_7_shop.seen as select 1 as id;
        """
    )
    done = prepared.run("orders", "seen", "brand_new")
    assert done.returncode == 0, done.stdout + done.stderr
    assert prepared.count("pr_7_shop.orders") == 100
    left = "select relname from pg_class where relnamespace = 'pr_7_shop'::regnamespace"
    names = {name for (name,) in prepared.database.rows(left)}
    assert not names & {"brand_new", "seen"}


def test_the_newest_rows_by_a_column(prepared: Prepared) -> None:
    names = ("orders", "plain", "spelled")
    done = prepared.run(*names, baseline_rows="10", baseline_order_by="updated_at")
    assert done.returncode == 0, done.stdout + done.stderr
    laid = prepared.baselines()
    assert (laid["orders"].how, laid["orders"].rows, laid["orders"].order_by) == (
        "latest",
        10,
        "updated_at",
    )
    assert prepared.database.value("select min(id) from pr_7_shop.orders") == 91
    assert (laid["spelled"].how, laid["spelled"].order_by) == ("latest", "Updated_At")
    assert (laid["plain"].how, laid["plain"].rows) == ("all", 2)
    assert laid["plain"].reason == "it has no column updated_at"


def test_neither_a_secret_nor_the_log_settings_of_the_caller_change_the_answer(
    prepared: Prepared,
) -> None:
    prepared.environment = {
        "SOME_KEY": "orders",
        "OTHER_KEY": "null",
        "DBT_LOG_FORMAT": "json",
        "DBT_PRINT": "false",
    }
    done = prepared.run("orders")
    assert done.returncode == 0, done.stdout + done.stderr
    laid = prepared.baselines()
    assert (laid["orders"].how, laid["orders"].rows) == ("all", 100)


def test_no_rows_when_the_input_says_so(prepared: Prepared) -> None:
    done = prepared.run("orders", baseline_rows="none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert prepared.baselines()["orders"].how == "none"
    assert prepared.database.value("select to_regclass('pr_7_shop.orders')") is None


def test_without_state_nothing_is_said_of_productions_tables(prepared: Prepared) -> None:
    done = prepared.run("orders", found=False)
    assert done.returncode == 0, done.stderr
    (laid,) = hand_over.read(prepared.work, work_files.Schemas).baselines
    assert (laid.how, laid.reason) == ("none", "production has no state yet")


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    ("schema", "comment", "remedy"),
    [
        ("taken", None, "env_var('DBT_DEPLOY_SCHEMA'"),
        ("pr_7_shop", "somebody's", "`schema-prefix`"),
        ("pr_7_shop_marts", MARK.replace("=7", "=8"), "`schema-prefix`"),
    ],
)
def test_a_schema_that_is_not_ours_is_refused_untouched(
    prepared: Prepared, schema: str, comment: str | None, remedy: str
) -> None:
    prepared.database.run(f"create schema {schema}; create table {schema}.orders (id int)")
    if comment:
        prepared.database.run(f"comment on schema {schema} is $${comment}$$")
    done = prepared.run("orders", schema=schema)
    assert done.returncode == 21
    failure = hand_over.read(prepared.work, work_files.Failure)
    assert failure.kind == "SchemaNotOurs"
    assert f"- {schema}: {comment or 'bears no mark'}" in failure.what
    assert remedy in failure.remedy
    assert prepared.count(f"{schema}.orders") == 0
    assert prepared.comment(schema) == str(comment)


@pytest.mark.fault(26, 51)
def test_a_wrong_password_is_said_and_not_shown(prepared: Prepared) -> None:
    prepared.database = prepared.database.__class__(
        **{**prepared.database.__dict__, "password": "hunter2-wrong"}
    )
    done = prepared.run("orders")
    assert done.returncode == 32
    failure = hand_over.read(prepared.work, work_files.Failure)
    assert "password authentication failed" in failure.what
    assert "dbt-env" in failure.remedy
    assert "hunter2-wrong" not in done.stdout + done.stderr
    assert "Traceback" not in failure.what


@pytest.mark.fault(21)
def test_a_cancelled_copy_ends_in_the_warehouse_too(prepared: Prepared) -> None:
    waiting = (
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
        "and datname = current_database() and query like '%create table%'"
    )

    def waits() -> bool:
        return bool(prepared.database.value(waiting))

    with prepared.database.connect() as holder, holder.transaction():
        holder.execute("lock table analytics.orders in access exclusive mode")
        with prepared.start("orders") as process:
            until(waits)
            process.terminate()
            process.communicate(timeout=60)
        assert process.returncode == 130
        # The lock is still held: only the server can have ended the query.
        until(lambda: not waits())
    assert prepared.database.value("select to_regclass('pr_7_shop.orders')") is None


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Ask again until it is true; what is waited for happens in another process."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)

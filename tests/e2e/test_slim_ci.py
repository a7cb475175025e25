"""The whole action, step by step as action.yml has them, against real dbt, PostgreSQL and S3."""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import make_environments
from demo import events, jobs
from demo.jobs import Cancellation
from demo.repository import SHOP
from demo.world import World
from e2e.conftest import Author
from standins.selection import PLAIN_DBT, more_of

PATIENCE_SECONDS = 60


def source(path: str) -> str:
    """A file of the example shop."""
    return (SHOP / path).read_text()


def changed(path: str, old: str, new: str) -> dict[str, str | None]:
    """A file of the example shop with one passage replaced."""
    text = source(path)
    assert old in text
    return {path: text.replace(old, new)}


def fingerprint(world: World) -> list[tuple[object, ...]]:
    """Every relation there is, as it is: another object or another row count shows."""
    relations = world.database.rows(
        "select n.nspname, c.relname, c.oid, c.relfilenode from pg_class c"
        " join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1, 2"
    )
    schemas = world.database.rows(
        "select nspname, oid from pg_namespace where nspname !~ '^pg_' order by 1"
    )
    return [*relations, *schemas]


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for another process to get somewhere that sends no event."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.05)


# What a second push meets ------------------------------------------------------------------------


def test_a_second_push_reads_nothing_stale_from_the_first(author: Author) -> None:
    doubled = changed(
        "models/intermediate/int_order_totals.sql", "sum(amount) as", "2 * sum(amount) as"
    )
    first = author.job(author.push(doubled))
    assert first.status == "passed", first.log
    assert author.writes == ["POST"], "the comment is posted once, with the result"
    assert first.result.step("Announce the build").outcome == "skipped"
    production = author.value("select sum(amount) from analytics_marts.fct_orders")
    assert author.value("select sum(amount) / 2 from {schema}_marts.fct_orders") == production

    # Reverted: int_order_totals is not built again; its doubled view still stands in the schema.
    second = author.job(
        author.push(
            {
                **{name: source(name) for name in doubled},
                **changed(
                    "models/marts/fct_orders.sql", "totals.items,", "totals.items + 0 as items,"
                ),
            }
        ),
        announce="true",
    )

    assert second.status == "passed", second.log
    assert "int_order_totals" not in second.built
    assert author.value("select sum(amount) from {schema}_marts.fct_orders") == production
    assert len(author.comments) == 1
    assert author.writes == ["POST", "PATCH", "PATCH"], "announced, and the result"
    assert second.outputs["schema"] == first.outputs["schema"] == author.schema


# What incremental models and snapshots are tested on ---------------------------------------------


def test_an_incremental_model_is_tested_on_productions_rows(author: Author) -> None:
    # A day that no order explains: only a copy of production's rows can hold it.
    author.world.database.run(
        "insert into analytics_marts.daily_sales values ('1999-12-31', 1, 1, 1, 1)"
    )
    days = author.value("select count(*) from analytics_marts.daily_sales")
    job = author.job(
        author.push(changed("models/marts/daily_sales.sql", "sum(items)", "sum(items + 0)"))
    )
    assert job.status == "passed", job.log
    assert author.value("select count(*) from {schema}_marts.daily_sales") == days
    assert author.value(
        "select count(*) from {schema}_marts.daily_sales where order_date = '1999-12-31'"
    )
    (node,) = [node for node in job.report["nodes"] if node["name"] == "daily_sales"]
    assert node["baseline"]["how"] == "all"
    assert node["baseline"]["rows"] == days
    compiled = job.artifact_file("compiled/shop/models/marts/daily_sales.sql")
    assert "select max(order_date) - 7" in compiled, job.log


@pytest.mark.more
def test_without_baseline_rows_an_incremental_model_is_built_in_full(author: Author) -> None:
    author.world.database.run(
        "insert into analytics_marts.daily_sales values ('1999-12-31', 1, 1, 1, 1)"
    )
    checkout = author.push(changed("models/marts/daily_sales.sql", "sum(items)", "sum(items + 0)"))
    job = author.job(checkout, baseline_rows="none")
    assert job.status == "passed", job.log
    rows = author.value("select count(*) from {schema}_marts.daily_sales")
    assert rows == author.value("select count(*) - 1 from analytics_marts.daily_sales")


@pytest.mark.more
def test_a_snapshot_goes_on_from_productions_history(author: Author) -> None:
    author.world.database.run(
        "update raw.customers set country_code = 'FR' where id = 17;"
        "update raw.customers set country_code = 'DE' where id = 18"
    )
    job = author.job(
        author.push(
            changed("snapshots/customers_history.sql", "select customer_id", "select  customer_id ")
        )
    )
    assert job.status == "passed", job.log
    history = author.value(
        "select count(*) from {schema}_snapshots.customers_history where customer_id in (17, 18)"
    )
    moved = author.value(
        "select count(*) from raw.customers r join analytics_snapshots.customers_history h"
        " on h.customer_id = r.id and h.country_code <> r.country_code where r.id in (17, 18)"
    )
    assert isinstance(moved, int)
    assert moved >= 1
    assert history == 2 + moved, "history did not go on from production's rows"
    assert author.value("select count(*) from analytics_snapshots.customers_history") == 1000


# State -------------------------------------------------------------------------------------------


@pytest.mark.fault(14)
def test_without_state_everything_is_built_and_the_comment_says_so(author: Author) -> None:
    checkout = author.push({"README.md": "# No model changed\n"})
    job = author.job(checkout, state="s3://copperpot-dbt/prod/nothing-here")
    assert job.status == "passed", job.log
    assert {"stg_orders", "fct_orders", "daily_sales", "countries"} <= job.built
    assert "no state" in job.comment.lower()
    assert author.value("select count(*) from {schema}_marts.fct_orders") == 10_240


# Other versions of dbt ----------------------------------------------------------------------------


@pytest.mark.parametrize("any_dbt_command", more_of("1.8", "1.11", *PLAIN_DBT), indirect=True)
def test_other_versions_of_dbt_go_the_same_way(
    author: Author, any_dbt_command: Path, tmp_path: Path
) -> None:
    dbt = dataclasses.replace(author.world.dbt, bin_folder=any_dbt_command.parent)
    author.world = dataclasses.replace(author.world, dbt=dbt)
    main = author.world.repository.check_out("main", tmp_path / "production")
    dbt.run("parse", project=main.folder, commit=main.head_sha)
    job = author.job(
        author.push(changed("models/marts/daily_sales.sql", "sum(items)", "sum(items + 0)")),
        state=str(main.folder / "target"),
    )
    assert job.status == "passed", job.log
    assert job.built == {"daily_sales"}
    rows = author.value("select count(*) from {schema}_marts.daily_sales")
    assert rows == author.value("select count(*) from analytics_marts.daily_sales")
    compiled = job.artifact_file("compiled/shop/models/marts/daily_sales.sql")
    assert "select max(order_date) - 7" in compiled, job.log


@pytest.mark.more
@pytest.mark.fault(15)
@pytest.mark.parametrize("any_dbt_command", ["1.8"], indirect=True)
def test_state_of_a_newer_dbt_is_refused(author: Author, any_dbt_command: Path) -> None:
    dbt = dataclasses.replace(author.world.dbt, bin_folder=any_dbt_command.parent)
    author.world = dataclasses.replace(author.world, dbt=dbt)
    before = fingerprint(author.world)
    job = author.job(author.push({"models/marts/new.sql": "select 1 as id"}))
    assert not job.succeeded
    assert job.status == "error"
    assert make_environments.DBT in job.comment
    assert "1.8" in job.comment
    assert fingerprint(author.world) == before


# What is refused ---------------------------------------------------------------------------------


@pytest.mark.fault(24)
def test_a_profile_that_ignores_the_schema_is_refused_before_the_first_write(
    author: Author,
) -> None:
    files = {
        **changed("profiles.yml", "\"{{ env_var('DBT_DEPLOY_SCHEMA') }}\"", "analytics"),
        **changed("models/marts/fct_orders.sql", "totals.items,", "totals.items + 0 as items,"),
    }
    before = fingerprint(author.world)
    job = author.job(author.push(files))
    assert not job.succeeded
    assert job.status == "error"
    assert fingerprint(author.world) == before
    for said in ("analytics_marts", "fct_orders", "DBT_DEPLOY_SCHEMA", "profiles.yml"):
        assert said in job.comment


# Interrupts --------------------------------------------------------------------------------------

SLOW = "select 1 as id, pg_sleep(600)::text as slept"
RUNNING = (
    "select count(*) from pg_stat_activity where query like '%pg_sleep(600)%'"
    " and state = 'active' and pid <> pg_backend_pid()"
)


def cancel(job: Cancellation) -> None:
    """As the button on GitHub does."""
    job.request()


def terminate(job: Cancellation) -> None:
    """As a runner's machine that goes down does."""
    job.terminate(signal.SIGTERM)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(cancel, marks=pytest.mark.fault(20)),
        pytest.param(terminate, marks=pytest.mark.fault(21)),
    ],
)
def test_a_cancelled_job_ends_its_query_and_is_not_green(
    author: Author, end: Callable[[Cancellation], None]
) -> None:
    checkout = author.push(
        {
            "models/marts/quick.sql": "select 1 as id",
            "models/marts/slow.sql": "{{ config(materialized='table') }}\n" + SLOW,
        }
    )
    started = author.start(checkout)
    until(lambda: author.world.database.value(RUNNING) > 0, "the slow query runs")
    end(started.cancellation)
    job = started.wait()
    assert not job.succeeded
    assert job.status == "cancelled"
    assert author.world.database.value(RUNNING) == 0
    # There was no comment yet, and a cancelled run has nothing to tell in a new one.
    assert not job.comments
    assert "No comment: this run was cancelled" in job.log


# Failures of dbt ---------------------------------------------------------------------------------


@pytest.mark.more
@pytest.mark.fault(18)
def test_a_parse_error_is_not_hidden_by_an_older_run_results(author: Author) -> None:
    checkout = author.push({"models/marts/odd.sql": "select 1 as id\nfrom {{ ref('nowhere') }}\n"})
    target = checkout.folder / "target"
    target.mkdir()
    # All green, and as dbt would have left it: copied from production's build.
    stale = author.world.artifacts / "run_results.json"
    (target / "run_results.json").write_bytes(stale.read_bytes())
    job = author.job(checkout)
    assert not job.succeeded
    assert job.status == "error"
    assert "nowhere" in job.comment
    assert "models/marts/odd.sql" in job.comment
    assert not job.built


@pytest.mark.more
@pytest.mark.fault(26)
def test_a_wrong_password_is_told_with_its_remedy(author: Author) -> None:
    checkout = author.push(
        changed("models/marts/fct_orders.sql", "totals.items,", "totals.items + 0 as items,")
    )
    job = jobs.run(
        author.world,
        checkout,
        author.event(checkout),
        dbt_env={"DBT_ENV_SECRET_PASSWORD": "not-the-password"},
    )
    assert not job.succeeded
    assert job.status == "error"
    assert "password authentication failed" in job.comment
    assert "Traceback" not in job.comment + job.log
    assert "not-the-password" not in job.everything


@pytest.mark.more
@pytest.mark.fault(26)
def test_a_profile_that_is_not_there_is_told_with_its_remedy(author: Author) -> None:
    checkout = author.push({"profiles.yml": None})
    job = author.job(checkout)
    assert not job.succeeded
    assert job.status == "error"
    assert "profiles.yml" in job.comment, job.comment
    assert "Traceback" not in job.comment + job.log


@pytest.mark.fault(51)
def test_a_secret_in_a_database_error_is_nowhere(author: Author) -> None:
    secret = "hunter-2-Xy!"
    checkout = author.push(
        {"models/marts/leak.sql": "select cast('{{ env_var('SHOP_API_KEY') }}' as integer) as id\n"}
    )
    job = jobs.run(author.world, checkout, author.event(checkout), dbt_env={"SHOP_API_KEY": secret})
    assert not job.succeeded
    assert job.status == "failed"
    assert "invalid input syntax" in job.comment
    assert "***" in job.comment
    assert secret not in job.everything


@pytest.mark.more
def test_rows_in_a_database_error_are_nowhere_when_the_input_says_so(author: Author) -> None:
    row = "ada@example.com"
    checkout = author.push(
        {
            "models/marts/leak.sql": f"select cast(lower('{row.upper()}') as integer) as id\n",
            "dbt_project.yml": source("dbt_project.yml")
            + f"\non-run-end: \"select cast(lower('{row.upper()}') as integer)\"\n",
        }
    )
    job = author.job(checkout, **{"hide-row-data": "true"})
    assert job.status == "failed"
    assert "leak" in job.comment
    assert "hide-row-data" in job.comment
    assert "ERROR creating" in job.log
    assert row not in job.everything


# Events without a pull request, and pull requests with two projects ------------------------------


@pytest.mark.more
@pytest.mark.fault(50)
@pytest.mark.parametrize("make", [events.merge_group, events.manual, events.schedule])
def test_without_a_pull_request_there_is_no_comment_and_no_crash(
    world: World, tmp_path: Path, make: Callable[..., events.Event]
) -> None:
    before = len(world.github.requests())
    checkout = world.repository.check_out("main", tmp_path / "checkout")
    job = jobs.run(world, checkout, make(checkout))
    assert job.succeeded, job.log
    assert job.status == "nothing"
    assert job.summary
    assert [seen for seen in world.github.requests()[before:] if seen["method"] != "GET"] == []


@pytest.mark.more
@pytest.mark.fault(43)
def test_two_projects_on_one_pull_request_have_a_comment_each(author: Author) -> None:
    profiles = source("profiles.yml").replace("shop:", "crm:", 1)
    checkout = author.push(
        {
            "crm/dbt_project.yml": "name: crm\nversion: '1.0'\nprofile: crm\n",
            "crm/profiles.yml": profiles,
            "crm/models/contacts.sql": "select 1 as contact_id\n",
            **changed("models/marts/product_performance.sql", "count(distinct", "count( distinct"),
        }
    )
    crm = author.job(checkout, project_dir="crm", state="s3://copperpot-dbt/prod/crm")
    shop = author.job(checkout)
    again = author.job(checkout, project_dir="crm", state="s3://copperpot-dbt/prod/crm")
    assert crm.status == shop.status == again.status == "passed", crm.log + shop.log
    first, second = author.comments
    assert "contacts" in first
    assert "product_performance" in second
    assert crm.outputs["schema"] != shop.outputs["schema"]


# Hostile output ----------------------------------------------------------------------------------


@pytest.mark.more
@pytest.mark.fault(45)
def test_workflow_commands_in_dbts_output_are_inert(author: Author) -> None:
    hostile = "\n".join(
        [
            "{% do print('::add-mask::Tuesday') %}",
            "{% do print('::set-output name=status::passed') %}",
            "{% do print('##[add-mask]Wednesday') %}",
            "{% do print('::stop-commands::forever') %}",
            "{% do log('  ::error file=README.md::From a model', info=true) %}",
            "select cast('x\n::error::From the database\n##[error]From it too' as integer) as id",
        ]
    )
    job = author.job(author.push({"models/marts/hostile.sql": hostile}))
    assert not job.succeeded
    assert job.status == "failed"
    mask = job.result.masker.mask
    assert mask("Tuesday Wednesday") == "Tuesday Wednesday"
    for annotation in job.result.annotations:
        assert annotation.file != "README.md"
        assert not annotation.message.startswith(("From a model", "From the data", "From it too"))

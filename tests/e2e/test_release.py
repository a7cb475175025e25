"""Releases as whole jobs, on real dbt, PostgreSQL, S3 and GitHub's stand-in.

Both roles are what the documentation says, as in ``test_deploy.py``; the release reaches the
warehouse as its owner, who is no superuser, and the bucket by the policy of docs/security.md.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from demo import events
from demo.jobs import Job
from e2e.conftest import Manager
from e2e.test_deploy import DOUBLED, green, production_amount
from e2e.test_slim_ci import changed, fingerprint, source

ORDERS = "analytics_marts.fct_orders"

CUSTOMERS = {
    **changed("models/staging/stg_customers.sql", "lower(email)", "upper(email)"),
    "seeds/countries.csv": source("seeds/countries.csv") + "XX,Nowhere,EUR,0.10\n",
}
"""A view under a snapshot, a table in a schema of its own, and a seed in another."""

BI = (
    "create schema bi authorization dbt_prod;"
    "set role dbt_prod;"
    f"create view bi.turnover as select sum(amount) as amount from {ORDERS};"
    "grant usage on schema bi to dbt_ci;"
    "grant select on bi.turnover to dbt_ci;"
    "reset role;"
)
"""Of ours, outside the project, and read by others."""

PROCESSES = {
    *("ls", "freshness", "release-look", "ls-staging", "release-prepare", "build"),
    *("release-measure", "release-swap", "docs"),
}
"""Each a dbt process, named by the folder of its log."""


@pytest.fixture
def manager(manager: Manager) -> Manager:
    """Version tags drive the environment."""
    green(manager.run("drive", driver="release"))
    return manager


def work_of(job: Job) -> Path:
    return Path(job.result.step("run").outputs["work"])


def processes(job: Job) -> set[str]:
    """The dbt processes of a job."""
    return {path.name for path in (work_of(job) / "logs").iterdir()}


def as_reader(manager: Manager, query: str) -> Any:
    """What somebody else reads, who was granted it."""
    role = manager.world.pull_request_role
    reader = dataclasses.replace(
        manager.world.database, user=role["PGUSER"], password=role["DBT_ENV_SECRET_PASSWORD"]
    )
    return reader.value(query)


def schemas(manager: Manager, like: str) -> list[str]:
    found = manager.world.database.rows(
        "select nspname from pg_namespace where nspname like %s order by 1", (like,)
    )
    return [name for (name,) in found]


def taken_over(manager: Manager) -> str:
    """The version that a release made of the plain artifacts before it did anything else."""
    index = manager.index()
    assert (index["kind"], index["previous"]) == ("adopted", None)
    return str(index["version"])


def is_as_before(manager: Manager, before: list[tuple[object, ...]], version: str) -> None:
    """Production is untouched, and so is what the store says of it."""
    own = ("dbt_green_", "dbt_deploy")
    now = [one for one in fingerprint(manager.world) if not str(one[0]).startswith(own)]
    assert now == before
    assert manager.current()["version"] == version


@pytest.mark.fault(19, 31, 34)
def test_a_tag_goes_live_in_one_transaction(manager: Manager) -> None:
    world = manager.world
    before = production_amount(manager)
    world.database.run(BI)
    weekly = float(world.database.value("select sum(amount) from analytics_marts.daily_sales"))
    rows = world.database.value("select count(*) from analytics_marts.daily_sales")
    history = world.database.value("select count(*) from analytics_snapshots.customers_history")
    tagged = manager.tag("v4.1.0", {**DOUBLED, **CUSTOMERS})
    job = green(manager.release(tagged, "v4.1.0", smoke_target="reader"))

    assert production_amount(manager) == 2 * before
    # Who hangs on it reads the new relations, with the rights that were given on the old ones.
    assert as_reader(manager, "select amount from bi.turnover") == 2 * before
    assert as_reader(manager, f"select sum(amount) from {ORDERS}") == 2 * before
    # Incremental: the last week anew, the rest as it was; no row of the snapshot's is lost.
    daily = world.database.value("select sum(amount) from analytics_marts.daily_sales")
    assert world.database.value("select count(*) from analytics_marts.daily_sales") == rows
    assert weekly < daily < 1.2 * weekly
    grown = world.database.value("select count(*) from analytics_snapshots.customers_history")
    assert grown == 2 * history
    seed = "select count(*) from analytics_reference.countries where country_code = 'XX'"
    assert world.database.value(seed) == 1
    # What a rollback needs, and what is written down.
    assert len(schemas(manager, "%\\_\\_kept\\_%")) == 4
    assert world.database.rows("select tag, state from dbt_deploy.releases") == [("v4.1.0", "live")]
    said = "select rows_after from dbt_deploy.dbt_deployments where model = 'daily_sales'"
    assert world.database.rows(said) == [(rows,)]

    assert processes(job) == PROCESSES
    index = manager.index()
    assert (index["tag"], index["kind"], index["commit"]) == ("v4.1.0", "release", tagged.head_sha)
    assert index["pending"] == []
    assert (job.outputs["version"], job.status) == (index["version"], "warned")
    results = json.loads(manager.read("latest/run_results.json"))["results"]
    orders = next(one for one in results if one["unique_id"] == "model.shop.fct_orders")
    assert orders["relation_name"] == '"shop"."analytics_marts"."fct_orders"'
    counted = world.database.value(f"select count(*) from {ORDERS}")
    assert orders["adapter_response"]["rows"] == counted
    assert "model.shop.fct_orders" in json.loads(manager.read("latest/catalog.json"))["nodes"]
    assert b"<html" in manager.read("docs/index.html")
    assert json.loads(manager.read("lease.json"))["state"] == "free"

    # Once more: nothing changes, no dbt is run, and nothing is red.
    before_it = fingerprint(world)
    again = green(manager.release(tagged, "v4.1.0"))
    assert again.status == "nothing"
    assert not (work_of(again) / "logs").exists()
    assert fingerprint(world) == before_it
    assert manager.index() == index

    # Nothing is modified now, and a build of the released commit is still v4.1.0.
    live = manager.check_out(tagged.head_sha)
    built = manager.deploy(live, events.schedule(live), select="state:modified+ stg_products")
    assert green(built).built == {"stg_products"}
    assert (manager.index()["tag"], manager.index()["kind"]) == ("v4.1.0", "deploy")


@pytest.mark.more
@pytest.mark.fault(27, 28, 47)
def test_killed_beside_production_and_after_the_swap_and_run_again(manager: Manager) -> None:
    before, amount = fingerprint(manager.world), production_amount(manager)
    tagged = manager.tag("v4.2.0", DOUBLED)
    killed = manager.release(tagged, "v4.2.0", crash_at="release-built")
    assert not killed.succeeded
    version = taken_over(manager)
    is_as_before(manager, before, version)
    left = schemas(manager, "dbt_green_%")
    assert left

    killed = manager.release(tagged, "v4.2.0", crash_at="swap-done")
    assert not killed.succeeded
    assert "An unfinished release was undone" in str(killed.result.annotations)
    assert not set(left) & set(schemas(manager, "dbt_green_%"))
    assert production_amount(manager) == 2 * amount
    assert manager.current()["version"] == version

    job = green(manager.release(tagged, "v4.2.0", smoke_target="reader"))
    assert production_amount(manager) == 2 * amount
    assert processes(job) == {"release-settled", "release-measure", "docs"}
    assert (manager.index()["previous"], manager.index()["tag"]) == (version, "v4.2.0")
    assert b"<html" in manager.read("docs/index.html")
    assert job.outputs["release-url"].endswith("/v4.2.0")


@pytest.mark.more
def test_a_gate_that_is_closed_lets_nothing_through(manager: Manager) -> None:
    before = fingerprint(manager.world)
    gone = changed("models/marts/product_performance.sql", "    products.category,\n    ", "    ")
    tagged = manager.tag("v4.3.0", {**gone, **_grouped(gone)})
    job = manager.release(tagged, "v4.3.0")
    assert (job.succeeded, job.status) == (False, "failed")
    assert "category" in job.summary
    assert "allow-breaking" in job.summary
    is_as_before(manager, before, taken_over(manager))
    plan = json.loads(job.artifact_file("release_plan.json"))
    assert [gate["name"] for gate in plan["gates"] if gate["outcome"] == "blocked"] == [
        "breaking changes"
    ]


def _grouped(files: dict[str, str | None]) -> dict[str, str | None]:
    """The same without the column in ``group by``."""
    return {
        path: (text or "").replace(
            "products.product_name, products.category, ", "products.product_name, "
        )
        for path, text in files.items()
    }


@pytest.mark.more
def test_a_reader_who_cannot_read_it_has_it_taken_back(manager: Manager) -> None:
    amount = production_amount(manager)
    queries = {"smoke/secrets.sql": "select * from {{ ref('fct_orders') }}, raw.nobody_may\n"}
    tagged = manager.tag("v4.4.0", {**DOUBLED, **queries})
    job = manager.release(tagged, "v4.4.0", smoke_target="reader", smoke_queries="smoke")
    assert (job.succeeded, job.status) == (False, "failed")
    assert "secrets.sql" in job.summary
    assert production_amount(manager) == amount
    assert as_reader(manager, f"select sum(amount) from {ORDERS}") == amount
    assert manager.current()["version"] == taken_over(manager)
    states = manager.world.database.rows("select state from dbt_deploy.releases")
    assert states == [("taken back",)]


@pytest.mark.more
def test_a_release_that_is_built_in_place(manager: Manager) -> None:
    before = production_amount(manager)
    tagged = manager.tag("v4.5.0", DOUBLED)
    job = green(manager.release(tagged, "v4.5.0", method="direct"))
    assert production_amount(manager) == 2 * before
    assert processes(job) == {"ls", "release-look", "check", "freshness", "build", "docs"}
    index = manager.index()
    assert (index["tag"], index["kind"], index["pending"]) == ("v4.5.0", "release", [])
    assert {"release.json", "release_plan.json", "static_index.html"} <= set(index["objects"])
    assert job.status == "passed"
    assert schemas(manager, "dbt_green_%") == []


@pytest.mark.more
def test_one_model_in_place_after_the_others_are_live(manager: Manager) -> None:
    before = production_amount(manager)
    performance = changed(
        "models/marts/product_performance.sql",
        "select\n",
        "{{ config(meta={'dbt_deploy': {'method': 'direct'}}) }}\nselect 1 as edition,\n",
    )
    tagged = manager.tag("v4.6.0", {**DOUBLED, **performance})
    job = green(manager.release(tagged, "v4.6.0"))
    assert production_amount(manager) == 2 * before
    edition = "select max(edition) from analytics_marts.product_performance"
    assert manager.world.database.value(edition) == 1
    index = manager.index()
    assert (index["tag"], index["pending"]) == ("v4.6.0", [])
    assert job.outputs["version"] == index["version"]
    record = json.loads(job.artifact_file("release_plan.json"))
    assert {node["name"]: node["method"] for node in record["nodes"]}["product_performance"] == (
        "direct"
    )

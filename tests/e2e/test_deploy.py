"""``command: deploy`` and the store's commands as whole jobs, on real dbt, PostgreSQL and S3.

Both roles are what the documentation says: the warehouse's owner is no superuser, and every request
to the store passes the policies of docs/security.md.
"""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from pathlib import Path

import pytest

from demo import events, jobs
from demo.jobs import Job
from e2e.conftest import Author, Manager
from e2e.test_slim_ci import changed, fingerprint, until
from standins.selection import PLAIN_DBT, more_of

TOTALS = "models/intermediate/int_order_totals.sql"
DOUBLED = changed(TOTALS, "sum(amount) as", "2 * sum(amount) as")
BROKEN = changed(TOTALS, "sum(amount) as", "sum(amonut) as")


def production_amount(manager: Manager) -> Decimal:
    found: Decimal = manager.world.database.value(
        "select sum(amount) from analytics_marts.fct_orders"
    )
    return found


def green(job: Job) -> Job:
    assert job.succeeded, job.log
    return job


# A merge goes live -------------------------------------------------------------------------------


def test_a_merge_is_built_published_and_compared_with(manager: Manager, author: Author) -> None:
    before = production_amount(manager)
    checkout = manager.merge(DOUBLED)
    job = green(manager.deploy(checkout, build="modified"))

    assert production_amount(manager) == 2 * before
    assert job.status == "passed"
    index = manager.index()
    assert index["commit"] == checkout.head_sha
    assert index["version"] == job.outputs["version"]
    names = {"manifest.json", "run_results.json", "catalog.json", "static_index.html"}
    assert names <= set(index["objects"])
    # The plain copy is what other tools read.
    manifest = json.loads(manager.read("latest/manifest.json"))
    assert manifest["metadata"]["env"]["DBT_DEPLOY_COMMIT"] == checkout.head_sha
    assert b"<html" in manager.read("docs/index.html")

    # The next pull request compares with what has just gone live.
    push = author.push(
        {**DOUBLED, **changed("models/staging/stg_products.sql", "select", "SELECT")}
    )
    ci = jobs.run(manager.world, push, author.event(push), environment=manager.place)
    assert "int_order_totals" not in ci.built
    assert "stg_products" in ci.built
    assert checkout.head_sha[:7] in ci.comment


@pytest.mark.parametrize("any_dbt_command", more_of("1.8", "1.11", *PLAIN_DBT), indirect=True)
def test_other_versions_of_dbt_deploy_the_same_way(manager: Manager, any_dbt_command: Path) -> None:
    before = production_amount(manager)
    dbt = dataclasses.replace(manager.world.dbt, bin_folder=any_dbt_command.parent)
    manager.world = dataclasses.replace(manager.world, dbt=dbt)
    manager.place = manager.world.environment(f"{manager.branch}-empty", artifacts=False)
    job = green(manager.deploy(manager.merge(DOUBLED), build="all"))
    assert job.status == "passed"
    assert production_amount(manager) == 2 * before
    manifest = json.loads(manager.read("latest/manifest.json"))
    version = any_dbt_command.parent.parent.name
    assert manifest["metadata"]["dbt_version"].startswith(f"{version}.")
    job = green(manager.deploy(manager.check_out(), build="modified"))
    assert job.status == "nothing"


@pytest.mark.more
def test_nothing_modified_builds_nothing_and_keeps_the_version(manager: Manager) -> None:
    green(manager.deploy(manager.check_out(), build="all"))
    before, current = fingerprint(manager.world), manager.current()["version"]
    job = green(manager.deploy(manager.check_out(), build="modified"))
    assert job.status == "nothing"
    assert fingerprint(manager.world) == before
    assert manager.current()["version"] == current


@pytest.mark.more
def test_a_first_run_builds_everything_from_an_empty_store(manager: Manager) -> None:
    manager.place = manager.world.environment(f"{manager.branch}-empty", artifacts=False)
    green(manager.deploy(manager.check_out(), build="modified"))
    assert manager.index()["previous"] is None
    assert not manager.index()["partial"]


@pytest.mark.more
def test_a_partial_build_keeps_what_it_left_out_for_the_next(manager: Manager) -> None:
    before = production_amount(manager)
    checkout = manager.merge(DOUBLED)
    green(manager.deploy(checkout, select="stg_products"))
    assert production_amount(manager) == before
    assert manager.index()["pending"] == ["model.shop.int_order_totals"]

    green(manager.deploy(manager.check_out(), build="modified"))
    assert production_amount(manager) == 2 * before
    assert manager.index()["pending"] == []


# What goes wrong ---------------------------------------------------------------------------------


@pytest.mark.fault(16)
def test_a_failed_run_is_never_state_and_the_next_builds_what_it_left(manager: Manager) -> None:
    green(manager.deploy(manager.check_out(), build="all"))
    current = manager.current()["version"]
    failed = manager.deploy(manager.merge(BROKEN), build="modified")
    assert not failed.succeeded
    assert failed.status == "failed"
    assert "amonut" in failed.summary
    assert manager.current()["version"] == current

    before = production_amount(manager)
    green(manager.deploy(manager.merge(DOUBLED), build="modified"))
    assert production_amount(manager) == 2 * before


@pytest.mark.more
def test_a_cancelled_deploy_frees_the_environment_and_publishes_nothing(manager: Manager) -> None:
    green(manager.deploy(manager.check_out(), build="all"))
    current = manager.current()["version"]
    slow = changed(TOTALS, "sum(amount) as", "sum(amount) + (select 0 from pg_sleep(60)) as")
    started = manager.start(manager.merge({"models/slow.sql": SLOW, **slow}), build="modified")
    until(
        lambda: bool(
            manager.world.database.value(
                "select count(*) from pg_stat_activity where query like '%pg_sleep(600)%'"
                " and pid <> pg_backend_pid()"
            )
        ),
        "dbt waits in the warehouse",
    )
    started.cancellation.request()
    job = started.wait()
    assert job.result.conclusion == "cancelled"
    # The runner reads the outputs of a step that was cancelled, so what this run left is kept.
    assert job.result.step("Publish the artifacts").outcome == "success"
    assert manager.current()["version"] == current
    assert json.loads(manager.read("lease.json"))["state"] == "free"
    assert not manager.world.database.value(
        "select count(*) from pg_stat_activity where query like '%pg_sleep(600)%'"
        " and pid <> pg_backend_pid()"
    )
    green(manager.deploy(manager.merge({"models/slow.sql": None, **DOUBLED}), build="modified"))


SLOW = "{{ config(materialized='table') }} select 1 as one from (select pg_sleep(600)) waiting\n"


@pytest.mark.more
@pytest.mark.fault(1)
def test_a_second_deploy_is_refused_while_one_works(manager: Manager) -> None:
    slow = SLOW.replace("600", "600.5")
    started = manager.start(manager.merge({"models/slow.sql": slow}), build="modified")
    until(
        lambda: bool(
            manager.world.database.value(
                "select count(*) from pg_stat_activity where query like '%pg_sleep(600.5)%'"
                " and pid <> pg_backend_pid()"
            )
        ),
        "dbt waits in the warehouse",
    )
    second = manager.deploy(manager.check_out(), build="modified")
    assert not second.succeeded
    assert second.status == "error"
    for said in ("wait-minutes", "break-lease", events.AUTHOR):
        assert said in second.summary
    started.cancellation.request()
    started.wait()


# Who drives, and the hold ------------------------------------------------------------------------


@pytest.mark.more
def test_a_hold_stops_deploys_with_its_reason_until_it_is_lifted(manager: Manager) -> None:
    green(manager.run("hold", reason="Finance closes the quarter"))
    before = fingerprint(manager.world)
    stopped = manager.deploy(manager.merge(DOUBLED), build="modified")
    assert not stopped.succeeded
    assert "Finance closes the quarter" in stopped.summary
    assert fingerprint(manager.world) == before
    assert "Finance closes the quarter" in green(manager.run("status")).summary

    green(manager.run("lift-hold"))
    green(manager.deploy(manager.check_out(), build="modified"))


@pytest.mark.more
def test_where_releases_drive_a_merge_deploys_nothing(manager: Manager) -> None:
    live = manager.check_out()
    green(manager.deploy(live, build="all"))
    green(manager.run("drive", driver="release"))
    before = fingerprint(manager.world)

    merged = manager.merge(DOUBLED)
    job = green(manager.deploy(merged, build="modified"))
    assert fingerprint(manager.world) == before
    assert "next version tag" in job.log

    # A schedule builds what is live, which `status` tells the workflow to check out.
    ref = green(manager.run("status")).outputs["ref"]
    assert ref == live.head_sha
    wrong = manager.deploy(merged, events.schedule(merged), build="all")
    assert not wrong.succeeded
    assert fingerprint(manager.world) == before
    again = manager.check_out(ref)
    green(manager.deploy(again, events.schedule(again), build="all"))
    assert manager.index()["commit"] == live.head_sha


# The store's commands ----------------------------------------------------------------------------


@pytest.mark.more
@pytest.mark.fault(103)
def test_plain_artifacts_are_taken_over_and_listed(manager: Manager) -> None:
    merged = manager.merge(DOUBLED)
    job = green(manager.deploy(merged, build="modified"))
    taken = manager.index()["previous"]
    assert f"Took over the artifacts that were here as version `{taken}`." in job.summary
    listed = green(manager.run("versions"))
    assert taken in listed.summary
    version = manager.current()["version"]
    dry = green(manager.run("prune", retention_days="1", keep_versions="1"))
    assert manager.current()["version"] == version
    assert dry.succeeded


@pytest.mark.more
def test_a_secret_of_the_deploy_is_in_nothing_that_leaves_it(manager: Manager) -> None:
    job = manager.deploy(manager.merge(BROKEN), build="modified")
    secret = manager.world.production_role["DBT_ENV_SECRET_PASSWORD"]
    assert secret not in job.everything
    bucket, _, prefix = manager.place.state_url.removeprefix("s3://").partition("/")
    client = manager.world.store.client()
    for entry in client.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
        body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        assert secret.encode() not in body, entry["Key"]


# Teardown ----------------------------------------------------------------------------------------


def schemas(manager: Manager, pattern: str) -> list[str]:
    rows = manager.world.database.rows(
        "select nspname from pg_namespace where nspname like %s order by 1", (pattern,)
    )
    return [row[0] for row in rows]


def test_a_closed_pull_request_takes_its_schemas_with_it(manager: Manager, author: Author) -> None:
    push = author.push(DOUBLED)
    green(jobs.run(manager.world, push, author.event(push), environment=manager.place))
    made = schemas(manager, f"pr\\_{author.number}\\_%")
    assert f"{author.schema}_marts" in made
    event = events.closed(author.number, author.branch, push)
    green(jobs.run(manager.world, push, event, action="teardown", environment=manager.place))
    assert not schemas(manager, f"pr\\_{author.number}\\_%")
    (comment,) = author.comments
    for schema in made:
        assert schema in comment
    # Somebody closes it twice.
    green(jobs.run(manager.world, push, event, action="teardown", environment=manager.place))

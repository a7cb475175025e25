"""A pull request that changes nothing that dbt builds, as whole jobs on real dbt and PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dbtdeploy.context import work_files
from demo import jobs
from demo.jobs import Job
from demo.repository import Checkout
from e2e.conftest import Author, Manager
from e2e.test_slim_ci import changed, source

README = {"README.md": "# The shop, described anew"}
TOTALS = "models/intermediate/int_order_totals.sql"
BUILD = "Build what was modified"


def ci(manager: Manager, author: Author, checkout: Checkout, **options: str) -> Job:
    return jobs.run(
        manager.world,
        checkout,
        author.event(checkout),
        environment=manager.place,
        inputs={name.replace("_", "-"): value for name, value in options.items()},
    )


def test_dbt_is_not_run_and_nobody_is_told(manager: Manager, author: Author) -> None:
    deploy = manager.deploy(manager.check_out(), build="all")
    assert deploy.succeeded, deploy.log
    assert manager.index()["built_from"]

    job = ci(manager, author, author.push(README))
    assert job.succeeded, job.log
    assert job.status == "nothing"
    assert "changes nothing that dbt builds" in job.summary
    assert author.comments == []
    assert job.result.step(BUILD).outcome == "skipped"
    work = Path(job.result.step("run").outputs["work"])
    assert not (work / work_files.DBT_PROCESSES).exists()
    assert job.report["production"]["unchanged"] is True

    # What plain dbt says of such a change.
    again = {"README.md": "# The shop, described once more"}
    plain = ci(manager, author, author.push(again), shortcuts="false")
    assert plain.status == "nothing", plain.log
    assert plain.result.step(BUILD).outcome == "success"

    # Once there is a comment it is brought up to date.
    built = ci(manager, author, author.push(changed(TOTALS, "sum(amount)", "sum(amount + 0)")))
    assert built.status == "passed", built.log
    (comment,) = author.comments
    assert "int_order_totals" in comment
    reverted = ci(manager, author, author.push({TOTALS: source(TOTALS)}))
    assert reverted.status == "nothing", reverted.log
    assert reverted.result.step(BUILD).outcome == "skipped"
    (comment,) = author.comments
    assert "changes nothing that dbt builds" in comment


@pytest.mark.fault(55)
def test_a_variable_that_changed_is_built_and_told_though_dbt_does_not_see_it(
    manager: Manager, author: Author
) -> None:
    def project(factor: int) -> dict[str, str]:
        text = source("dbt_project.yml")
        return {"dbt_project.yml": f"{text}\nvars: {{factor: {factor}}}\n"}

    by_factor = changed(TOTALS, "sum(amount) as", "sum(amount) * {{ var('factor') }} as")
    deploy = manager.deploy(manager.merge({**by_factor, **project(1)}), build="all")
    assert deploy.succeeded, deploy.log
    job = ci(manager, author, author.push({**by_factor, **project(2)}))
    assert job.status == "passed", job.log
    assert "int_order_totals" in {node["name"] for node in job.report["nodes"]}
    (comment,) = author.comments
    assert "The variable `factor` changed. Built because of it" in comment
    assert "| variable changed |" in comment


@pytest.mark.more
@pytest.mark.parametrize(
    "written",
    [
        {"macros/new.sql": "{% macro new() %}{% endmacro %}"},
        {"models/new.yml": "version: 2"},
        {"packages.yml": "packages: []"},
        {".github/workflows/new.yml": "on: push"},
    ],
    ids=["macro", "yml", "packages", "workflow"],
)
def test_what_dbt_may_read_is_left_to_dbt(
    manager: Manager, author: Author, written: Mapping[str, str | None]
) -> None:
    assert manager.deploy(manager.check_out(), build="all").succeeded
    job = ci(manager, author, author.push(written))
    assert job.result.step(BUILD).outcome == "success", job.log
    assert len(author.comments) == 1

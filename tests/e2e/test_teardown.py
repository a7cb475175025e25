"""Whole teardown jobs: the steps of the action, in its order and under its conditions."""

from __future__ import annotations

import pytest

from demo import events, jobs
from demo.repository import NAME
from e2e.conftest import Author, Manager

MODEL = {"models/marts/extra.sql": "select 1 as id"}


def schemas(manager: Manager, author: Author) -> list[str]:
    rows = manager.world.database.rows(
        "select nspname from pg_namespace where nspname like %s order by 1",
        (f"pr\\_{author.number}\\_%",),
    )
    return [row[0] for row in rows]


def ran(job: jobs.Job) -> list[str]:
    """Names of the steps that were not skipped."""
    return [step.name for step in job.result.steps if step.outcome != "skipped"]


@pytest.mark.more
@pytest.mark.fault(40)
def test_a_fork_that_is_closed_is_green_and_needs_nothing(manager: Manager, author: Author) -> None:
    push = author.push(MODEL)
    event = events.closed(author.number, author.branch, push)
    event.payload["pull_request"]["head"]["repo"] = {"full_name": "stranger/shop", "fork": True}
    job = jobs.run(manager.world, push, event, action="teardown", environment=manager.place)
    assert job.succeeded, job.log
    assert "Nothing to drop: this pull request (fork) built nothing." in job.log
    assert ran(job)[-1] == "Start"
    assert job.comments == ()


@pytest.mark.fault(38)
def test_a_pull_request_whose_close_was_missed_is_swept(manager: Manager, author: Author) -> None:
    push = author.push(MODEL)
    built = jobs.run(manager.world, push, author.event(push), environment=manager.place)
    assert built.succeeded, built.log
    made = schemas(manager, author)
    assert made
    run = events.push(push)
    asked = {"sweep": "true"}

    swept = jobs.run(
        manager.world, push, run, action="teardown", environment=manager.place, inputs=asked
    )
    assert swept.succeeded, swept.log
    assert schemas(manager, author) == made, "it is open"

    manager.world.github.close_pull_request(NAME, author.number)
    swept = jobs.run(
        manager.world, push, run, action="teardown", environment=manager.place, inputs=asked
    )
    assert swept.succeeded, swept.log
    assert schemas(manager, author) == []
    assert f"Forgotten: pull request {author.number}." in swept.log
    (comment,) = manager.world.github.comments(NAME, author.number)
    assert "dropped** on" in comment["body"]

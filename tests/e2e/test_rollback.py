"""``command: rollback`` and ``clean-up`` as whole jobs: a release, a build of it, back, a build."""

from __future__ import annotations

import gzip
import json

import pytest

from demo import events, jobs
from demo.jobs import Job
from e2e.conftest import Manager, inputs
from e2e.test_deploy import DOUBLED, green, production_amount, schemas


def rebuilt(manager: Manager) -> Job:
    """A scheduled build of what is live, as deploy.yml does it."""
    live = manager.check_out(green(manager.run("status")).outputs["ref"])
    return manager.deploy(live, events.schedule(live), build="modified", select="fct_orders")


@pytest.mark.fault(34, 36, 103)
def test_release_then_build_then_rollback_then_build(manager: Manager) -> None:
    world = manager.world
    green(manager.run("drive", driver="release"))
    before = production_amount(manager)
    sales = world.database.value("select count(*) from analytics_marts.daily_sales")

    tagged = manager.tag("v1.4.0", DOUBLED)
    released = green(manager.release(tagged, "v1.4.0"))
    taken_over = manager.index()["previous"]
    first = json.loads(manager.read(f"versions/{taken_over}/index.json"))
    said = f"Took over the artifacts that were here as version `{taken_over}`."
    assert said in released.summary
    green(rebuilt(manager))
    built = manager.index()
    assert (built["kind"], built["tag"], built["commit"]) == ("deploy", "v1.4.0", tagged.head_sha)
    assert production_amount(manager) == 2 * before

    job = green(roll_back(manager, reason="Turnover is doubled"))
    assert production_amount(manager) == before
    # An incremental table keeps what it has, and the next build brings it up to date.
    assert world.database.value("select count(*) from analytics_marts.daily_sales") == sales
    assert manager.current()["version"] == first["version"] == job.outputs["version"]
    kept = gzip.decompress(manager.read(f"versions/{first['version']}/manifest.json.gz"))
    assert manager.read("latest/manifest.json") == kept
    for said in ("v1.4.0", "fct_orders", "Restored at once", "Left as it is", "lift-hold"):
        assert said in job.summary, job.summary
    status = green(manager.run("status"))
    assert "rolled back from v1.4.0" in status.summary
    assert "Turnover is doubled" in status.summary

    # Once more, by mistake; and the next scheduled build finds the hold.
    again = green(roll_back(manager))
    assert "nothing to roll back" in again.summary
    assert manager.current()["version"] == first["version"]
    stopped = rebuilt(manager)
    assert not stopped.succeeded
    assert "Turnover is doubled" in stopped.summary

    green(manager.run("lift-hold"))
    assert green(manager.run("status")).outputs["ref"] == first["commit"]
    green(rebuilt(manager))
    assert manager.index()["previous"] == first["version"]
    assert production_amount(manager) == before

    cleaned = green(run(manager, "clean-up", dry_run="true", keep_hours="1"))
    (undone,) = schemas(manager, "analytics\\_marts\\_\\_undone%")
    assert undone in cleaned.log


def roll_back(manager: Manager, **options: str) -> Job:
    """Run a rollback."""
    return run(manager, "rollback", **options)


def run(manager: Manager, action: str, **options: str) -> Job:
    """Run an action that needs a profile, and nothing else of the checkout."""
    checkout = manager.check_out()
    return jobs.run(
        manager.world,
        checkout,
        events.manual(checkout),
        action=action,
        environment=manager.place,
        inputs=inputs(options),
    )

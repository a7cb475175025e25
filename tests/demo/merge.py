"""What follows the good pull request: merged, deployed, compared with by the next, torn down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from demo import events, repository
from demo.jobs import Job, run
from demo.progress import head
from demo.pull_requests import PullRequest, wrong
from demo.repository import Checkout
from demo.world import World

NEXT_NUMBER = 10
NEXT_BRANCH = "average-order"
NEXT_TITLE = "Show what a country's orders come to on average"
MODEL = "models/marts/country_sales.sql"
BEFORE = "count(*) as orders,"
AFTER = BEFORE + "\n    round(sum(orders.amount) / count(*), 2) as average_amount,"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One job of the story, and what is not as it should be after it."""

    name: str
    title: str
    job: Job
    off: list[str]
    pages: Mapping[str, str] = field(default_factory=dict)
    """What else its readers see, Markdown by name."""


def play(world: World, merged: PullRequest) -> Iterator[Scene]:
    """Play it; each job is given as soon as it is over."""
    head(f"Pull request {merged.number} is merged: main is deployed")
    world.repository.merge(merged.branch)
    checkout = world.repository.check_out_only("main", world.folder / "main")
    pushed, asked = events.push(checkout), {"build": "modified"}
    deploy = run(world, checkout, pushed, action="deploy", inputs=asked, show_steps=True)
    yield Scene(name="deploy", title="Deploy of main", job=deploy, off=_deployed(world, deploy))

    head(f"Pull request {merged.number} is closed: its schemas go")
    closed = events.closed(merged.number, merged.branch, checkout)
    teardown = run(world, checkout, closed, action="teardown", show_steps=True)
    off = _torn_down(world, merged, teardown)
    yield Scene(name="teardown", title=f"Teardown of {merged.branch}", job=teardown, off=off)

    head(f"Pull request {NEXT_NUMBER}: {NEXT_TITLE} ({NEXT_BRANCH})")
    following = _following(world)
    off = _compared(following, checkout)
    yield Scene(name=NEXT_BRANCH, title=NEXT_TITLE, job=following, off=off)

    head("What is live")
    asked = {"command": "status"}
    status = run(
        *(world, checkout, events.manual(checkout)),
        action="store",
        inputs=asked,
        show_steps=True,
    )
    version = deploy.outputs.get("version", "")
    off = wrong((version in status.summary, f"the status does not name version {version}"))
    yield Scene(name="status", title="Production", job=status, off=off)


def _following(world: World) -> Job:
    """A pull request made after the merge; it changes the model that came with it."""
    text = world.repository.git("show", f"main:{MODEL}")
    changed = text.replace(BEFORE, AFTER) + "\n"
    world.repository.commit(NEXT_BRANCH, NEXT_TITLE, {MODEL: changed})
    world.github.create_pull_request(
        repository.NAME, NEXT_NUMBER, title=NEXT_TITLE, author=events.AUTHOR
    )
    checkout = world.repository.check_out(NEXT_BRANCH, world.folder / f"pull-{NEXT_NUMBER}")
    event = events.pull_request(NEXT_NUMBER, NEXT_TITLE, NEXT_BRANCH, checkout)
    return run(world, checkout, event, show_steps=True)


def _deployed(world: World, job: Job) -> list[str]:
    """Production has the new column and the new model, and a version says so."""
    columns = world.database.value(
        "select count(*) from information_schema.columns where table_schema = 'analytics_marts'"
        " and (table_name = 'country_sales' or column_name = 'net_amount')"
    )
    return wrong(
        (job.succeeded, "the deploy failed"),
        (bool(job.outputs.get("version")), "it published no version"),
        (columns == 6, f"production has {columns} of the 6 new columns"),
    )


def _torn_down(world: World, merged: PullRequest, job: Job) -> list[str]:
    left = world.database.value(
        "select count(*) from pg_namespace where nspname like %s", (f"pr\\_{merged.number}\\_%",)
    )
    return wrong(
        (job.succeeded, "the teardown failed"),
        (left == 0, f"{left} schemas of the pull request are still there"),
        ("dropped" in job.comment, "the comment does not say that they were dropped"),
    )


def _compared(job: Job, live: Checkout) -> list[str]:
    """Only what this pull request changes was built: the merged models are production's now."""
    return wrong(
        (job.succeeded, "the job failed"),
        (job.built == {"country_sales"}, f"it built {sorted(job.built)}, not country_sales alone"),
        (live.head_sha[:7] in job.comment, f"the comment does not name commit {live.head_sha[:7]}"),
    )

"""The demo's three pull requests, and what must come of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo import events, repository
from demo.jobs import Job, run
from demo.world import World


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """One pull request and the check of its outcome."""

    number: int
    patch: Path
    off: Callable[[Job], list[str]]
    """What is not as it should be, a sentence each."""

    @property
    def branch(self) -> str:
        """Its branch, which is its name in the demo too."""
        return self.patch.stem

    @property
    def title(self) -> str:
        """As its author named it."""
        return repository.subject(self.patch)


def play(world: World, pull: PullRequest) -> Job:
    """Open one pull request and run the action for it."""
    world.github.create_pull_request(
        repository.NAME, pull.number, title=pull.title, author=events.AUTHOR
    )
    checkout = world.repository.check_out(pull.branch, world.folder / f"pull-{pull.number}")
    event = events.pull_request(pull.number, pull.title, pull.branch, checkout)
    return run(world, checkout, event, show_steps=True)


def good_change(job: Job) -> list[str]:
    """A changed table, what hangs on it and a new table: built, tested, green."""
    expected = {"fct_orders", "dim_customers", "daily_sales", "country_sales"}
    return wrong(
        (job.succeeded, "the job failed"),
        (job.status == "passed", f"its status is {job.status}, not passed"),
        (job.built == expected, f"it built {sorted(job.built)}, not {sorted(expected)}"),
        (len(job.comments) == 1, f"the pull request has {len(job.comments)} comments, not 1"),
        *_says(job, "✅", *expected),
    )


def broken_change(job: Job) -> list[str]:
    """A misspelled column, a test that finds 12 rows, a renamed model: red, and why."""
    return wrong(
        (not job.succeeded, "the job succeeded, though dbt failed"),
        (job.status == "failed", f"its status is {job.status}, not failed"),
        (len(job.comments) == 1, f"the pull request has {len(job.comments)} comments, not 1"),
        *_says(
            job,
            "❌",
            "fct_orders",
            "column payments.payed does not exist",
            "models/marts/fct_orders.sql",
            "unique_stg_products_product_id",
            "12 rows",
            "product_performance",
        ),
    )


def docs_only(job: Job) -> list[str]:
    """Nothing of dbt changed: nothing built, green."""
    return wrong(
        (job.succeeded, "the job failed"),
        (job.status == "nothing", f"its status is {job.status}, not nothing"),
        (not job.built, f"it built {sorted(job.built)}"),
        (len(job.comments) == 1, f"the pull request has {len(job.comments)} comments, not 1"),
    )


CHECKS = {"good-change": good_change, "broken-change": broken_change, "docs-only": docs_only}
FIRST_NUMBER = 7


def all_of_them() -> list[PullRequest]:
    """The pull requests, in the order they are opened."""
    return [
        PullRequest(number=number, patch=patch, off=CHECKS[patch.stem])
        for number, patch in enumerate(repository.patches(), start=FIRST_NUMBER)
    ]


def wrong(*checks: tuple[bool, str]) -> list[str]:
    """The sentences of the checks that do not hold."""
    return [sentence for fine, sentence in checks if not fine]


def _says(job: Job, *texts: str) -> list[tuple[bool, str]]:
    return [(text in job.comment, f"the comment does not say {text!r}") for text in texts]

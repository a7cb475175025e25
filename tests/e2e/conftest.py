"""One world for the session; each test gets production as it was built, and a branch of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import make_environments
from demo import events, jobs, repository
from demo.jobs import Job, Started
from demo.repository import Checkout
from demo.world import World, build


@pytest.fixture(scope="session")
def session_world() -> Iterator[World]:
    """Servers, repository and production's build: about 15 s, once."""
    jobs.set_up()
    with build(make_environments.dbt_command("1.11").parent) as world:
        yield world


@pytest.fixture
def world(session_world: World) -> World:
    """The world with its warehouse as production's build left it."""
    session_world.reset_warehouse()
    return session_world


@dataclass(kw_only=True)
class Author:
    """Somebody who opens one pull request and pushes to it."""

    world: World
    number: int
    folder: Path
    pushes: int = field(default=0)

    @property
    def branch(self) -> str:
        """The pull request's branch."""
        return f"change-{self.number}"

    @property
    def schema(self) -> str:
        """The schema that the pull request gets."""
        return f"pr_{self.number}_shop"

    @property
    def comments(self) -> list[str]:
        """The comments on the pull request."""
        found = self.world.github.comments(repository.NAME, self.number)
        return [str(comment["body"]) for comment in found]

    def push(self, files: Mapping[str, str | None]) -> Checkout:
        """Push a commit; gives what the job's checkout leaves."""
        self.pushes += 1
        self.world.repository.commit(self.branch, f"Push {self.pushes}", dict(files))
        return self.world.repository.check_out(self.branch, self.folder / f"push-{self.pushes}")

    def job(self, checkout: Checkout, **options: str) -> Job:
        """Run the action for a push; ``options`` are inputs of the action."""
        return jobs.run(self.world, checkout, self.event(checkout), inputs=inputs(options))

    def start(self, checkout: Checkout, **options: str) -> Started:
        """Begin to run the action for a push, in the background."""
        return Started(self.world, checkout, self.event(checkout), inputs=inputs(options))

    def event(self, checkout: Checkout) -> events.Event:
        """The event of the latest push."""
        action = "opened" if self.pushes == 1 else "synchronize"
        return events.pull_request(self.number, "A change", self.branch, checkout, action=action)

    def value(self, query: str) -> object:
        """What one query gives in the warehouse; ``{schema}`` stands for the schema."""
        return self.world.database.value(query.format(schema=self.schema))


def inputs(options: Mapping[str, str]) -> dict[str, str]:
    """Keyword arguments as inputs: ``on_missing_state`` is ``on-missing-state``."""
    return {name.replace("_", "-"): value for name, value in options.items()}


NUMBERS = itertools.count(100)


@pytest.fixture
def author(world: World, tmp_path: Path) -> Author:
    """An author with a new pull request."""
    number = next(NUMBERS)
    world.github.create_pull_request(repository.NAME, number, title="A change")
    return Author(world=world, number=number, folder=tmp_path)

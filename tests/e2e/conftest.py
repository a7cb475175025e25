"""One world for the session; each test gets production as it was built, and a branch of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from demo import events, jobs, repository, tagging
from demo.jobs import Job, Started
from demo.repository import Checkout
from demo.world import Environment, World, build


@pytest.fixture(scope="session")
def session_world(imported_dbt: Path) -> Iterator[World]:
    """Servers, repository and production's build, once."""
    jobs.set_up()
    with build(imported_dbt.parent) as world:
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
    before: int = field(init=False)
    """Requests that GitHub had seen."""

    def __post_init__(self) -> None:
        """Remember what GitHub has seen."""
        self.before = len(self.world.github.seen)

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

    @property
    def writes(self) -> list[str]:
        """How comments were written, on whatever pull request, since the author came."""
        seen = self.world.github.seen[self.before :]
        return [one.method for one in seen if one.method != "GET" and "/comments" in one.path]

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


@dataclass(kw_only=True)
class Manager:
    """Who merges and sees it deployed; has a store and a main branch of their own."""

    world: World
    place: Environment
    folder: Path
    branch: str
    checkouts: int = field(default=0)

    def merge(self, files: Mapping[str, str | None]) -> Checkout:
        """Commit to the main branch; gives what the deploy's checkout leaves."""
        self.world.repository.commit(self.branch, f"Merge {self.checkouts}", dict(files))
        return self.check_out()

    def check_out(self, commit: str | None = None) -> Checkout:
        """The main branch as it is, or another commit."""
        self.checkouts += 1
        folder = self.folder / f"main-{self.checkouts}"
        return self.world.repository.check_out_only(commit or self.branch, folder)

    def deploy(self, checkout: Checkout, event: events.Event | None = None, **options: str) -> Job:
        """Run a deploy; ``options`` are inputs of the action."""
        return jobs.run(
            self.world,
            checkout,
            event or events.push(checkout),
            action="deploy",
            environment=self.place,
            inputs=inputs(options),
        )

    def start(self, checkout: Checkout, **options: str) -> Started:
        """Begin to deploy, in the background."""
        return Started(
            self.world,
            checkout,
            events.push(checkout),
            action="deploy",
            environment=self.place,
            inputs=inputs(options),
        )

    def tag(self, name: str, files: Mapping[str, str | None] | None = None) -> Checkout:
        """Commit to the main branch and push a version tag; gives what its checkout leaves."""
        self.checkouts += 1
        if files:
            self.world.repository.commit(self.branch, f"Merge {self.checkouts}", dict(files))
        return tagging.push_tag(
            self.world, name, self.branch, self.folder / f"main-{self.checkouts}"
        )

    def release(self, checkout: Checkout, name: str, *, crash_at: str = "", **options: str) -> Job:
        """Run a release for a tag that was pushed, or until it is killed at a point."""
        role = self.world.pull_request_role
        reader = {
            "READER_USER": role["PGUSER"],
            "DBT_ENV_SECRET_READER_PASSWORD": role["DBT_ENV_SECRET_PASSWORD"],
        }
        return jobs.run(
            self.world,
            checkout,
            events.tag(checkout, name),
            action="release",
            environment=self.place,
            inputs={"main-branch": self.branch, **inputs(options)},
            dbt_env=reader,
            variables={"DBT_DEPLOY_TEST": "1", "DBT_DEPLOY_CRASH_AT": crash_at} if crash_at else {},
        )

    def run(self, command: str, event: events.Event | None = None, **options: str) -> Job:
        """Run a command on the store; there is no checkout."""
        nothing = self.folder / "empty"
        nothing.mkdir(parents=True, exist_ok=True)
        head = self.world.repository.sha(self.branch)
        checkout = Checkout(folder=nothing, head_sha=head, merge_sha=head)
        return jobs.run(
            self.world,
            checkout,
            event or events.manual(checkout),
            action="store",
            environment=self.place,
            inputs={"command": command, **inputs(options)},
        )

    def read(self, key: str) -> bytes:
        """An object of the store, as its administrator reads it."""
        bucket, _, prefix = self.place.state_url.removeprefix("s3://").partition("/")
        found = self.world.store.client().get_object(Bucket=bucket, Key=f"{prefix}/{key}")
        return found["Body"].read()

    def current(self) -> dict[str, Any]:
        """The pointer."""
        found: dict[str, Any] = json.loads(self.read("current.json"))
        return found

    def index(self) -> dict[str, Any]:
        """The current version's index."""
        version = self.current()["version"]
        found: dict[str, Any] = json.loads(self.read(f"versions/{version}/index.json"))
        return found


def inputs(options: Mapping[str, str]) -> dict[str, str]:
    """Keyword arguments as inputs: ``on_missing_state`` is ``on-missing-state``."""
    return {name.replace("_", "-"): value for name, value in options.items()}


@pytest.fixture
def manager(world: World, tmp_path: Path) -> Manager:
    """A manager whose store holds production's artifacts as plain files."""
    name = f"main-{next(NUMBERS)}"
    world.repository.git("branch", name, "main")
    return Manager(
        world=world, place=world.environment(name), folder=tmp_path / "manager", branch=name
    )


NUMBERS = itertools.count(100)


@pytest.fixture
def author(world: World, tmp_path: Path) -> Author:
    """An author with a new pull request."""
    number = next(NUMBERS)
    world.github.create_pull_request(repository.NAME, number, title="A change")
    return Author(world=world, number=number, folder=tmp_path)

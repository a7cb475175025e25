"""Where a tag is and what was merged before it, asked of a GitHub that checks every request."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github.pygithub_client import REPEATS
from dbtdeploy.github.tags_api import Tags
from dbtdeploy.github.version_tag import Found
from standins.github.github import Hub

REPOSITORY = "acme/shop"
BOT = "github-actions[bot]"
LABEL = "allow-breaking"


@dataclass
class World:
    """Three commits on main, and a clock that only moves when somebody sleeps."""

    hub: Hub
    token: str
    commits: list[str]
    url: str = ""
    now: float = field(default_factory=time.time)
    waits: list[float] = field(default_factory=list)

    @property
    def tags(self) -> Tags:
        access = GitHubAccess(api_url=self.url or self.hub.url, token=self.token)
        return Tags(access, REPOSITORY, sleep=self.sleep, clock=lambda: self.now)

    def look(self, name: str = "v1", main_branch: str | None = None) -> Found:
        return self.tags.look(name, main_branch)

    def allowing(self, before: str | None = None, label: str = LABEL) -> str | None:
        (found,) = self.tags.allowing(before or self.commits[0], self.commits[-1], [label])
        return found

    def merge(self, number: int, commit: str, *labels: str) -> None:
        self.hub.create_pull_request(REPOSITORY, number)
        self.hub.merge_pull_request(REPOSITORY, number, commit, labels=list(labels))

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def world(hub: Hub) -> World:
    commits = [
        hub.create_commit(REPOSITORY, branch="main", date=f"2026-11-{day}T10:00:00Z")
        for day in (10, 20, 21)
    ]
    hub.set_tag(REPOSITORY, "v1", commits[1])
    return World(
        hub=hub, token=hub.create_token(BOT, installation=True, write=False), commits=commits
    )


# Where the tag is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("newest", [0, 1, 2])
@pytest.mark.parametrize("how", ["plain", "annotated", "nested"])
def test_a_tag_on_the_main_branch_is_peeled(world: World, newest: int, how: str) -> None:
    commit = world.commits[newest]
    annotated, nested = how == "annotated", how == "nested"
    world.hub.set_tag(REPOSITORY, "v2", commit, annotated=annotated, nested=nested)
    found = world.look("v2")
    assert (found.commit, found.kind, found.main_branch) == (commit, "commit", "main")
    assert found.on_main
    assert len(world.hub.seen) <= 6


def test_a_name_with_slashes(world: World) -> None:
    world.hub.set_tag(REPOSITORY, "shop/v1.4.0", world.commits[0])
    assert world.look("shop/v1.4.0").commit == world.commits[0]


def test_the_name_is_no_prefix(world: World) -> None:
    world.hub.set_tag(REPOSITORY, "v1.4.0", world.commits[0])
    assert world.look("v1.4").commit is None


@pytest.mark.fault(47)
def test_what_is_not_there(world: World) -> None:
    found = world.look("v9")
    assert found.commit is None
    assert "contents: read" in found.hint


@pytest.mark.fault(47)
def test_a_tag_of_no_commit(world: World) -> None:
    world.hub.set_tag(REPOSITORY, "v2", "c" * 40, kind="tree")
    assert world.look("v2").kind == "tree"


@pytest.mark.fault(47)
def test_a_commit_beside_the_main_branch(world: World) -> None:
    aside = world.hub.create_commit(REPOSITORY, parents=[world.commits[0]])
    ahead = world.hub.create_commit(REPOSITORY, parents=[world.commits[2]])
    alone = world.hub.create_commit(REPOSITORY, parents=[])
    for name, commit in {"aside": aside, "ahead": ahead, "alone": alone}.items():
        world.hub.set_tag(REPOSITORY, name, commit)
        found = world.look(name)
        assert found.branch_there
        assert not found.on_main, name


@pytest.mark.fault(47)
def test_a_tag_that_is_called_like_the_main_branch_is_not_it(world: World) -> None:
    aside = world.hub.create_commit(REPOSITORY, parents=[world.commits[0]])
    for name in ("main", "v2"):
        world.hub.set_tag(REPOSITORY, name, aside)
    assert not world.look("v2").on_main
    assert world.look("v1").on_main


def test_another_main_branch(world: World) -> None:
    stable = world.hub.create_commit(REPOSITORY, parents=[world.commits[0]], branch="stable")
    world.hub.set_tag(REPOSITORY, "v2", stable)
    found = world.look("v2", "stable")
    assert found.on_main
    assert found.main_branch == "stable"
    assert not world.look("v2").on_main


@pytest.mark.fault(47)
def test_a_main_branch_that_is_not_there(world: World) -> None:
    found = world.look("v1", "trunk")
    assert not found.branch_there
    assert not found.on_main


def test_enterprise_is_asked_under_its_own_path(world: World) -> None:
    world.url = world.hub.enterprise_url
    assert world.look().on_main
    assert all(seen.path.startswith("/api/v3/") for seen in world.hub.seen)


# What was merged before it ------------------------------------------------------------------------


def test_a_label_since_the_current_version_allows(world: World) -> None:
    world.merge(4, world.commits[1], LABEL)
    world.merge(5, world.commits[2])
    assert world.allowing() == "the label `allow-breaking` of #4"
    assert world.allowing(label="another") is None


def test_a_label_from_before_the_current_version_does_not(world: World) -> None:
    world.merge(3, world.commits[0], LABEL)
    assert world.allowing() is None


def test_a_label_of_what_is_not_released_does_not(world: World) -> None:
    aside = world.hub.create_commit(REPOSITORY, parents=[world.commits[2]])
    world.merge(6, aside, LABEL)
    world.hub.create_pull_request(REPOSITORY, 7)
    assert world.allowing() is None


def test_all_pages_are_read_and_no_more_than_needed(world: World) -> None:
    world.merge(1, world.commits[1], LABEL)
    for number in range(2, 252):
        world.merge(number, world.hub.create_commit(REPOSITORY, parents=[world.commits[2]]))
    for number in range(1000, 1300):
        old = world.hub.create_commit(REPOSITORY, parents=[], date="2026-01-01T00:00:00Z")
        world.merge(number, old, LABEL)
    assert world.allowing() == "the label `allow-breaking` of #1"
    pages = [seen.path for seen in world.hub.seen if "/pulls" in seen.path]
    assert len(pages) == 3, "the fourth page holds only what was merged long ago"


def test_all_commits_of_a_large_release_are_read(world: World) -> None:
    for _ in range(600):
        world.commits.append(world.hub.create_commit(REPOSITORY, branch="main"))
    for number, commit in enumerate(world.commits[300:303], start=1):
        world.merge(number, commit, *([LABEL] if number == 2 else []))
    assert world.allowing() == "the label `allow-breaking` of #2"
    assert len([seen for seen in world.hub.seen if "/compare/" in seen.path]) == 3


def test_a_commit_that_is_not_there_any_more(world: World) -> None:
    with pytest.raises(errors.GitHubFailed, match="404") as caught:
        world.allowing("d" * 40)
    assert "count as not allowed" in caught.value.not_done


# Faults on the way --------------------------------------------------------------------------------


@pytest.mark.fault(48)
@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ({"status": 429, "headers": {"Retry-After": "7"}}, [7.0]),
        ({"status": 403, "message": "You have exceeded a secondary rate limit."}, [60.0]),
        ({"status": 502, "times": 2}, [1.0, 2.0]),
        ({"status": None}, [1.0]),
    ],
)
@pytest.mark.parametrize("path", ["/git/ref", "/compare/", "/pulls", "/repos/acme/shop?"])
def test_limits_and_faults_are_waited_for_as_told(
    world: World, path: str, fault: dict[str, object], waits: list[float]
) -> None:
    world.merge(4, world.commits[1], LABEL)
    world.hub.add_fault(path=path, **fault)
    assert world.look().on_main
    assert world.allowing() is not None
    assert world.waits == waits


@pytest.mark.fault(48)
def test_waiting_is_bounded(world: World) -> None:
    world.hub.add_fault(path="/compare/", status=503, times=1000)
    with pytest.raises(errors.GitHubFailed, match="503 for the tag v1 of acme/shop") as caught:
        world.look()
    assert len(world.waits) == REPEATS
    assert "Nothing was built" in caught.value.not_done


def test_a_token_without_permission(world: World) -> None:
    world.hub.add_fault(path="/pulls", status=403, message="Resource not accessible by integration")
    with pytest.raises(errors.GitHubFailed) as caught:
        world.allowing()
    assert caught.value.remedy == "Give the job `permissions: pull-requests: read`."
    assert world.waits == []
    world.token = ""
    with pytest.raises(errors.GitHubFailed, match="no token") as caught:
        world.look()
    assert "`contents: read`" in caught.value.remedy

"""Which pull requests are closed, asked of a GitHub that checks every request and answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import pull_requests_api
from dbtdeploy.github.pull_requests_api import Answers, PullRequest
from dbtdeploy.github.pygithub_client import REPEATS
from standins.github.github import Hub

REPOSITORY = "acme/shop"
BOT = "github-actions[bot]"


@dataclass
class World:
    """Four pull requests, and a clock that only moves when somebody sleeps."""

    hub: Hub
    token: str
    now: float = field(default_factory=time.time)
    waits: list[float] = field(default_factory=list)

    def ask(self, *numbers: int) -> Answers:
        access = GitHubAccess(api_url=self.hub.url, token=self.token)
        return pull_requests_api.ask(
            access, REPOSITORY, numbers, sleep=self.sleep, clock=lambda: self.now
        )

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def world(hub: Hub) -> World:
    for number in (1, 2, 3):
        hub.create_pull_request(REPOSITORY, number)
    hub.close_pull_request(REPOSITORY, 2)
    hub.close_pull_request(REPOSITORY, 3, merged=True)
    return World(hub=hub, token=hub.create_token(BOT, installation=True, write=False))


def test_open_closed_merged_and_unknown(world: World) -> None:
    answers = world.ask(1, 2, 3, 4)
    assert answers.known == {
        1: PullRequest(),
        2: PullRequest(closed=True),
        3: PullRequest(closed=True, merged=True),
        4: PullRequest(known=False),
    }
    assert answers.failure is None
    assert answers.closed == (2, 3)
    assert len(world.hub.seen) == 4, "one request for each"


@pytest.mark.fault(48)
@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ({"status": 429, "headers": {"Retry-After": "7"}}, [7.0]),
        (
            {
                "status": 403,
                "message": "You have exceeded a secondary rate limit.",
                "headers": {"Retry-After": "60"},
            },
            [60.0],
        ),
        ({"status": 403, "message": "You have exceeded a secondary rate limit."}, [60.0]),
        ({"status": 502}, [1.0]),
        ({"status": None}, [1.0]),
    ],
)
def test_limits_and_faults_are_waited_for_as_told(
    world: World, fault: dict[str, object], waits: list[float]
) -> None:
    world.hub.add_fault(path="/pulls/2", **fault)
    assert world.ask(1, 2, 3).closed == (2, 3)
    assert world.waits == waits


@pytest.mark.fault(48)
def test_the_limit_of_the_hour_is_waited_for_until_it_resets(world: World) -> None:
    world.hub.add_fault(
        path="/pulls/2",
        status=403,
        message="API rate limit exceeded",
        headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(world.now) + 300)},
    )
    assert world.ask(2).closed == (2,)
    assert 299 <= world.waits[0] <= 302


@pytest.mark.fault(48)
def test_waits_are_bounded_and_the_rest_is_not_asked(world: World) -> None:
    world.hub.add_fault(path="/pulls/2", status=429, times=99, headers={"Retry-After": "400"})
    answers = world.ask(1, 2, 3)
    assert world.waits == [400.0], "a second one would be more than a sweep may wait"
    assert answers.known == {1: PullRequest()}
    assert answers.failure is not None
    assert "429 for pull request 2 of acme/shop" in answers.failure.what
    assert "It asks to wait 400 s" in answers.failure.what
    assert "not asked about are left as they are" in answers.failure.not_done
    assert not any(seen.path.endswith("/3") for seen in world.hub.seen)


@pytest.mark.fault(48)
def test_each_question_has_its_repeats_and_all_share_the_wait(world: World) -> None:
    for number in (1, 2, 3):
        world.hub.add_fault(path=f"/pulls/{number}", status=503, times=REPEATS)
    assert world.ask(1, 2, 3).closed == (2, 3)
    world.hub.add_fault(path="/pulls/1", status=503, times=REPEATS + 1)
    assert world.ask(1).failure is not None


def test_without_permission_nothing_is_known(world: World) -> None:
    world.hub.add_fault(status=403, message="Resource not accessible by integration")
    answers = world.ask(2)
    assert answers.known == {}
    assert answers.failure is not None
    assert "pull-requests: write" in answers.failure.remedy
    assert world.waits == []


def test_without_a_token_nothing_is_asked(world: World) -> None:
    world.token = ""
    with pytest.raises(errors.GitHubFailed):
        world.ask(2)
    assert world.hub.seen == []

"""A run's artifact, asked of a GitHub that checks every request and answer, and of its storage."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial

import pytest

import github
from dbtdeploy.base import errors
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import artifact_download, workflow_artifacts_api
from dbtdeploy.github.pygithub_client import REPEATS, NotGitHub
from standins.github.github import Hub
from standins.store import wire

REPOSITORY = "acme/shop"
MOST = 1000


@dataclass
class World:
    """A GitHub, and a clock that only moves when somebody sleeps."""

    hub: Hub
    url: str
    waits: list[float] = field(default_factory=list)

    def fetch(self, name: str = "dbt-deploy") -> bytes | None:
        token = self.hub.create_token("github-actions[bot]", installation=True, write=False)
        access = GitHubAccess(api_url=self.url, token=token)
        return workflow_artifacts_api.fetch(
            access,
            REPOSITORY,
            77,
            name,
            most_bytes=MOST,
            sleep=self.waits.append,
            clock=time.time,
        )


@pytest.fixture(params=["github.com", "enterprise"])
def world(hub: Hub, request: pytest.FixtureRequest) -> World:
    hub.create_repository(REPOSITORY)
    return World(hub=hub, url=hub.url if request.param == "github.com" else hub.enterprise_url)


def test_the_newest_of_that_name_and_run(world: World) -> None:
    upload = partial(world.hub.upload_artifact, REPOSITORY)
    for run_id, name, content in (
        *((77, "dbt-deploy", b"first"), (77, "dbt-deploy", b"second")),
        *((77, "other", b"x"), (78, "dbt-deploy", b"y")),
    ):
        upload(run_id, content, name=name)
    upload(77, b"expired", expired=True)
    assert world.fetch() == b"second"
    assert world.fetch("another") is None


def test_no_more_than_the_limit_is_read(world: World) -> None:
    world.hub.upload_artifact(REPOSITORY, 77, bytes(MOST))
    assert world.fetch() == bytes(MOST)
    world.hub.upload_artifact(REPOSITORY, 77, bytes(MOST + 1), size=1)
    with pytest.raises(errors.ReportRefused, match="larger than the 1,000 bytes"):
        world.fetch()


@pytest.mark.fault(48)
def test_faults_that_pass_are_waited_for(world: World) -> None:
    world.hub.upload_artifact(REPOSITORY, 77, b"content")
    world.hub.add_fault(path="/zip", status=502)
    world.hub.add_fault(path="/runs/77/artifacts", status=None)
    assert world.fetch() == b"content"
    assert world.waits == [1.0, 1.0]


@pytest.mark.fault(48)
def test_waits_are_bounded(world: World) -> None:
    world.hub.upload_artifact(REPOSITORY, 77, b"content")
    world.hub.add_fault(path="/zip", status=503, times=REPEATS + 1)
    with pytest.raises(errors.GitHubFailed, match="503 for the artifacts of run 77 of acme/shop"):
        world.fetch()


def test_without_permission_the_one_that_is_missing_is_named(world: World) -> None:
    world.hub.add_fault(status=403, message="Resource not accessible by integration")
    with pytest.raises(errors.GitHubFailed) as caught:
        world.fetch()
    assert "actions: read" in caught.value.remedy


# The storage --------------------------------------------------------------------------------------


def given(answer: wire.Answer) -> bytes | None:
    with wire.serve(lambda _: answer) as server:
        return artifact_download.content(server.url + "/x", api_url=server.url, most_bytes=MOST)


def test_a_packed_answer_is_not_unpacked_on_the_way() -> None:
    got: list[wire.Request] = []

    def answer(request: wire.Request) -> wire.Answer:
        got.append(request)
        return wire.Answer(body=b"content")

    with wire.serve(answer) as server:
        artifact_download.content(server.url + "/x", api_url=server.url, most_bytes=MOST)
    (seen,) = got
    assert seen.headers["accept-encoding"] == "identity"
    assert "authorization" not in seen.headers


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_what_is_no_content_is_a_fault(status: int) -> None:
    with pytest.raises(github.GithubException) as caught:
        given(wire.Answer(status=status, headers={"Location": "http://127.0.0.1/"}))
    assert caught.value.status == status


@pytest.mark.parametrize(
    "address", ["http://storage.example/x", "file:///etc/passwd", "/x", "", "ftp://e.x/"]
)
def test_an_address_that_is_not_encrypted_is_not_asked(address: str) -> None:
    with pytest.raises(NotGitHub):
        artifact_download.content(address, api_url="https://api.github.com", most_bytes=MOST)

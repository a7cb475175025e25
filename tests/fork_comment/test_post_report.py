"""The comment on a fork's pull request, on a GitHub that remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dbtdeploy.base import errors
from dbtdeploy.context import cli
from dbtdeploy.fork_comment import report_archive
from fork_comment import post_report
from standins.github.github import Hub
from standins.jobs.fork_reports import (
    BRANCH,
    COMMIT,
    FORK,
    NUMBER,
    REPOSITORY,
    RUN_ID,
    archive,
    encoded,
    failed,
    skipped,
    uploaded,
)
from standins.text import pages

BOT = "github-actions[bot]"
NEWER = "b" * 40


def finished(**over: Any) -> dict[str, Any]:
    """What GitHub tells of a run that has ended; of a fork it names no pull request."""
    return {
        "id": RUN_ID,
        "run_attempt": 1,
        "event": "pull_request",
        "status": "completed",
        "conclusion": "success",
        "head_sha": COMMIT,
        "head_branch": BRANCH,
        "head_repository": {"full_name": FORK, "fork": True},
        "actor": {"login": "stranger"},
        "pull_requests": [],
        "created_at": "2026-11-21T06:00:00Z",
        **over,
    }


@dataclass
class World:
    """A fork's pull request, and the job that follows its run."""

    hub: Hub
    folder: Path
    patch: pytest.MonkeyPatch
    log: pytest.CaptureFixture[str]
    token: str
    event_name: str = "workflow_run"
    outputs: str = field(default="", init=False)

    def upload(self, content: bytes, *, run_id: int = RUN_ID, **options: Any) -> None:
        self.hub.upload_artifact(REPOSITORY, run_id, content, **options)

    def job(self, code: int = 0, **over: Any) -> str:
        """Follow a run; gives all that is printed."""
        event, output = self.folder / "event.json", self.folder / "output"
        payload = {"action": "completed", "workflow_run": finished(**over)}
        event.write_text(json.dumps({**payload, "repository": {"full_name": REPOSITORY}}))
        output.write_text("")
        for name, value in {
            "GITHUB_EVENT_NAME": self.event_name,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_API_URL": self.hub.url,
            "DBT_DEPLOY_GITHUB_TOKEN": self.token,
            "DBT_DEPLOY_ARTIFACT_NAME": "dbt-deploy",
            "DBT_DEPLOY_COMMENT_AUTHOR": BOT,
        }.items():
            self.patch.setenv(name, value)
        assert cli.attempt(post_report.main, phase=post_report.PHASE) == code
        self.outputs = output.read_text()
        printed = "".join(self.log.readouterr())
        assert self.token not in printed
        return printed

    @property
    def bodies(self) -> list[str]:
        return [comment["body"] for comment in self.hub.comments(REPOSITORY, NUMBER)]

    def asked(self, part: str) -> int:
        return len([seen for seen in self.hub.seen if part in seen.path])


@pytest.fixture
def world(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> World:
    hub.create_pull_request(REPOSITORY, NUMBER, head=FORK, branch=BRANCH, commit=COMMIT)
    token = hub.create_token(BOT, installation=True)
    return World(hub=hub, folder=tmp_path, patch=monkeypatch, log=capsys, token=token)


@pytest.mark.fault(40)
def test_a_fork_gets_its_comment(world: World) -> None:
    world.upload(uploaded(skipped()))
    printed = world.job()
    (body,) = world.bodies
    first, second, title, *_ = body.splitlines()
    assert first == "<!-- dbt-deploy project=a%20fork%27s%20run target=dbt-deploy -->"
    assert second == f"<!-- dbt-deploy-run id=77 attempt=1 commit={COMMIT} state=finished -->"
    assert title == "### Report of a fork's run"
    assert "git fetch origin pull/482/head:fork-482" in body
    assert "ready" not in body, "the Markdown of the artifact is not used"
    assert "comment-url" in world.outputs
    assert "::" not in printed


@pytest.mark.fault(40)
def test_dependabot_gets_its_comment(world: World) -> None:
    branch = "dependabot/pip/dbt-core-1.12.1"
    world.hub.create_pull_request(REPOSITORY, 9, branch=branch, commit=NEWER)
    world.upload(uploaded(skipped("dependabot"), commit=NEWER, pull_request=9))
    world.job(
        head_branch=branch,
        head_sha=NEWER,
        head_repository={"full_name": REPOSITORY},
        actor={"login": "dependabot[bot]"},
    )
    (comment,) = world.hub.comments(REPOSITORY, 9)
    assert "### Report of Dependabot's run" in comment["body"]
    assert world.bodies == []


def test_each_push_updates_the_one_comment(world: World) -> None:
    world.upload(uploaded(failed()))
    world.job()
    world.hub.push(REPOSITORY, NUMBER, NEWER)
    world.upload(uploaded(skipped(), commit=NEWER, project="another", target="other"), run_id=78)
    world.job(id=78, head_sha=NEWER)
    (body,) = world.bodies
    assert f"commit={NEWER}" in body
    assert "not run for this pull request" in body


def test_an_older_run_that_ends_later_leaves_it(world: World) -> None:
    world.upload(uploaded(failed()), run_id=78)
    world.upload(uploaded(skipped()))
    world.job(id=78)
    printed = world.job(id=77)
    assert "The comment is left as it is: a newer run wrote it." in printed
    assert "id=78" in world.bodies[0]


def test_an_attempt_again_takes_the_newest_artifact(world: World) -> None:
    world.upload(uploaded(skipped()))
    world.job()
    world.upload(uploaded(failed()))
    world.job(run_attempt=2)
    (body,) = world.bodies
    assert "attempt=2" in body
    assert "1 model and 1 test failed" in body


@pytest.mark.fault(111)
def test_a_forged_mark_of_a_stranger_is_not_ours(world: World) -> None:
    world.upload(uploaded(skipped()))
    world.job()
    (ours,) = world.bodies
    forged = ours.replace("id=77", "id=99").replace("### Report", "### Ready")
    world.hub.create_comment(REPOSITORY, NUMBER, forged, "stranger")
    world.upload(uploaded(failed()), run_id=78)
    world.job(id=78)
    assert [("id=78" in body, "Ready" in body) for body in world.bodies] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize("name", ["shop --> <img src=x>", "a fork's run", "x\n<!-- dbt-deploy -->"])
def test_a_marker_in_the_report_is_nobodys(world: World, name: str) -> None:
    world.upload(uploaded(failed(), project=name, target=name))
    world.job()
    first, _, page = world.bodies[0].split("\n", 2)
    assert first.endswith("project=a%20fork%27s%20run target=dbt-deploy -->")
    pages.check_inert(page)


# Nothing to post ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"event": "push"}, "the run was started by push, not by a pull request"),
        ({"event": "pull_request_target"}, "started by pull_request_target, not by"),
        ({"head_repository": None}, "the fork or its branch was deleted"),
        ({"head_branch": None}, "the fork or its branch was deleted"),
        ({"head_repository": {"full_name": REPOSITORY}}, "its own run comments on it"),
        ({"head_sha": "--help"}, "GitHub names no commit of the run"),
    ],
)
def test_runs_of_other_kinds_are_left_and_nobody_is_asked(
    world: World, over: dict[str, Any], said: str
) -> None:
    world.upload(uploaded(failed()))
    assert said in world.job(**over)
    assert world.hub.seen == []


def other_branch(world: World) -> None:
    world.hub.create_pull_request(REPOSITORY, 8, head="other/analytics", commit=COMMIT)
    world.hub.close_pull_request(REPOSITORY, NUMBER)


def other_fork_of_the_same_owner(world: World) -> None:
    world.hub.close_pull_request(REPOSITORY, NUMBER)
    world.hub.create_pull_request(
        REPOSITORY, 8, head="stranger/second", branch=BRANCH, commit=COMMIT
    )


@pytest.mark.parametrize(
    "happened",
    [
        lambda world: world.hub.push(REPOSITORY, NUMBER, NEWER),
        lambda world: world.hub.close_pull_request(REPOSITORY, NUMBER, merged=True),
        lambda world: world.hub.delete_fork(REPOSITORY, NUMBER),
        other_branch,
        other_fork_of_the_same_owner,
    ],
    ids=["pushed", "merged", "deleted", "other branch", "other fork"],
)
def test_a_run_that_is_no_open_pull_requests_newest_is_left(
    world: World, happened: Callable[[World], None]
) -> None:
    world.upload(uploaded(failed()))
    happened(world)
    assert "its commit is the head of no open pull request" in world.job()
    assert world.bodies == []
    assert world.outputs == ""


def test_a_branch_with_two_pull_requests_is_left(world: World) -> None:
    world.hub.create_pull_request(REPOSITORY, 8, head=FORK, branch=BRANCH, commit=COMMIT)
    world.upload(uploaded(failed()))
    assert "the head of several open pull requests: 8, 482." in world.job()
    assert world.bodies == []


@pytest.mark.parametrize("options", [None, {"expired": True}, {"name": "other"}, {"run_id": 78}])
def test_a_run_without_the_artifact_is_left(world: World, options: dict[str, Any] | None) -> None:
    if options is not None:
        world.upload(uploaded(failed()), **options)
    assert "No comment: the run has no artifact named dbt-deploy." in world.job()
    assert world.bodies == []


# What a stranger uploads --------------------------------------------------------------------------


@pytest.mark.fault(73)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no archive", "cannot be unpacked"),
        (archive(("../report.json", encoded(failed()))), "holds no report.json"),
        (archive(("report.json", bytes(report_archive.REPORT_BYTES + 1))), "unpacks to more"),
        (archive(("report.json", b"{}")), "does not fit the schema"),
        (uploaded(failed(), status="::error::x\n::stop-commands::y"), "does not fit the schema"),
        (uploaded(failed(), pull_request=7), "about another commit or pull request"),
        (uploaded(failed(), commit=NEWER), "about another commit or pull request"),
    ],
    ids=["no archive", "path", "bomb", "empty", "commands", "other number", "other commit"],
)
def test_what_is_no_report_of_this_run_is_a_warning_and_the_job_is_green(
    world: World, content: bytes, said: str
) -> None:
    world.hub.create_pull_request(REPOSITORY, 7)
    world.upload(content)
    (line,) = world.job().splitlines()
    assert line.startswith("::warning title=The report of a fork's run was refused::")
    assert said in line
    assert world.bodies == []
    assert world.hub.comments(REPOSITORY, 7) == []


@pytest.mark.fault(73)
def test_an_artifact_that_is_too_large_is_not_downloaded(world: World) -> None:
    world.upload(uploaded(failed()), size=report_archive.ARCHIVE_BYTES + 1)
    assert "larger than the" in world.job()
    assert world.asked("/zip") == 0


@pytest.mark.fault(73)
def test_an_artifact_of_which_a_smaller_size_is_told_is_not_read_to_its_end(
    world: World,
) -> None:
    world.upload(bytes(report_archive.ARCHIVE_BYTES + 1), size=100)
    assert "larger than the" in world.job()


# GitHub -------------------------------------------------------------------------------------------


def test_the_token_is_not_sent_to_the_storage(world: World) -> None:
    """The stand-in's refuses a signed request, as the real one does."""
    world.upload(uploaded(failed()))
    world.job()
    assert world.asked("/zip") == 1
    assert len(world.bodies) == 1


def test_a_token_that_may_not_comment_is_a_failure_with_its_remedy(world: World) -> None:
    world.token = world.hub.create_token(BOT, installation=True, write=False)
    world.upload(uploaded(failed()))
    printed = world.job(code=errors.GitHubFailed.exit_code)
    assert "::error" in printed
    assert "pull-requests: write" in printed


def test_another_event_is_an_input_that_is_not_valid(world: World) -> None:
    world.event_name = "pull_request_target"
    printed = world.job(code=errors.InvalidInput.exit_code)
    assert "was started by pull_request_target" in printed
    assert world.hub.seen == []

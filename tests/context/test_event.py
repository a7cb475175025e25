"""What started a run, from GitHub's event payloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbtdeploy.base.settings import GitHubContext
from dbtdeploy.context import event

HEAD = "a" * 40
MERGE = "b" * 40


def context(name: str, **changes: Any) -> GitHubContext:
    values: dict[str, Any] = {
        "event_name": name,
        "event_path": None,
        "repository": "shop/analytics",
        "sha": MERGE,
        "ref": "refs/heads/main",
        "ref_name": "main",
        "actor": "ada",
        "run_id": "99",
        "run_attempt": "2",
        "server_url": "https://github.com",
        "workspace": Path("/w"),
    }
    return GitHubContext(**{**values, **changes})


def payload(repository: str | None = "shop/analytics") -> dict[str, Any]:
    repo = {"full_name": repository} if repository else None
    return {"pull_request": {"number": 482, "head": {"sha": HEAD, "ref": "fix", "repo": repo}}}


def test_a_pull_request_is_known_by_its_number_and_its_head() -> None:
    found = event.read_event(context("pull_request"), payload())
    assert (found.pull_request, found.sha, found.ref, found.skip) == (482, HEAD, "fix", None)
    assert found.run_url == "https://github.com/shop/analytics/actions/runs/99"
    assert (found.run_id, found.run_attempt) == (99, 2)


def test_a_tag_that_started_the_run_is_known_and_no_branch_is_taken_for_one() -> None:
    pushed = context("push", ref="refs/tags/v1.4.0", ref_name="v1.4.0")
    assert event.read_event(pushed, {}).tag == "v1.4.0"
    assert event.read_event(context("push"), {}).tag is None


@pytest.mark.fault(40)
@pytest.mark.parametrize("repository", ["stranger/analytics", None])
def test_a_fork_gets_no_build(repository: str | None) -> None:
    assert event.read_event(context("pull_request"), payload(repository)).skip == "fork"


@pytest.mark.fault(40)
def test_dependabot_gets_no_build_and_a_maintainer_on_its_branch_does() -> None:
    by_bot = event.read_event(context("pull_request", actor="dependabot[bot]"), payload())
    by_maintainer = event.read_event(context("pull_request", actor="ada"), payload())
    assert (by_bot.skip, by_maintainer.skip) == ("dependabot", None)


@pytest.mark.fault(50)
def test_a_merge_queue_has_no_pull_request_number() -> None:
    queue = {
        "merge_group": {"head_sha": HEAD, "head_ref": "refs/heads/gh-readonly-queue/main/pr-4"}
    }
    found = event.read_event(context("merge_group"), queue)
    assert (found.pull_request, found.sha) == (None, HEAD)
    assert found.ref == "gh-readonly-queue/main/pr-4"


@pytest.mark.fault(50)
@pytest.mark.parametrize("name", ["workflow_dispatch", "schedule", "push", "repository_dispatch"])
def test_other_events_build_the_branch_they_run_on(name: str) -> None:
    found = event.read_event(context(name, actor="dependabot[bot]"), {"ref": "refs/heads/main"})
    assert (found.pull_request, found.sha, found.ref, found.skip) == (None, MERGE, "main", None)


def test_a_laptop_has_no_event_at_all() -> None:
    bare = context("", repository="", sha="", ref_name="", run_id="", run_attempt="")
    found = event.read_event(bare, {})
    assert (found.name, found.run_id, found.run_url) == ("local", 0, "")

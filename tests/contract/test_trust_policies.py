"""Who may assume the two roles, by the claims that GitHub writes for each kind of job.

The forms of ``sub``: https://docs.github.com/actions/reference/security/oidc and
https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens.
"""

from __future__ import annotations

import json

import pytest

from standins.store import iam_policies

OLD, NEW = "repo:my-org/my-repo", "repo:my-org@123456/my-repo@456789"
MAIN, OF_A_PULL_REQUEST = "refs/heads/main", "refs/pull/7/merge"
TAG = "refs/tags/v1.4.0"


def lets_in(role: str, sub: str, ref: str, *, repository_id: str = "456789") -> bool:
    text = (iam_policies.FIXTURES / f"trust-{role}.json").read_text(encoding="utf-8")
    claims = {
        "aud": "sts.amazonaws.com",
        "sub": sub,
        "ref": ref,
        "repository_id": repository_id,
    }
    return iam_policies.trusts(json.loads(text), claims)


@pytest.mark.parametrize("repository", [OLD, NEW])
@pytest.mark.parametrize("ref", [MAIN, TAG])
def test_main_and_version_tags_in_the_environment(repository: str, ref: str) -> None:
    assert lets_in("deploy", f"{repository}:environment:production", ref)


@pytest.mark.parametrize("repository", [OLD, NEW])
@pytest.mark.parametrize(
    ("of", "ref"),
    [
        ("environment:production", OF_A_PULL_REQUEST),
        ("environment:production", "refs/heads/feature"),
        ("environment:production", "refs/heads/v1"),
        ("environment:production", "refs/tags/nightly"),
        ("environment:staging", MAIN),
        ("ref:refs/heads/main", MAIN),
        ("pull_request", OF_A_PULL_REQUEST),
    ],
)
def test_nothing_else_of_the_repository_deploys(repository: str, of: str, ref: str) -> None:
    assert not lets_in("deploy", f"{repository}:{of}", ref)


@pytest.mark.parametrize("repository", [OLD, NEW])
@pytest.mark.parametrize(
    ("of", "ref"),
    [
        ("pull_request", OF_A_PULL_REQUEST),
        ("ref:refs/heads/gh-readonly-queue/main/pr-7", "refs/heads/gh-readonly-queue/main/pr-7"),
        ("ref:refs/heads/main", MAIN),
    ],
    ids=["pull request", "merge queue", "sweep"],
)
def test_pull_requests_the_merge_queue_and_the_sweep(repository: str, of: str, ref: str) -> None:
    assert lets_in("pull-request", f"{repository}:{of}", ref)


@pytest.mark.parametrize("role", ["deploy", "pull-request"])
@pytest.mark.parametrize(
    "repository",
    [
        "repo:my-org/my-repo-2",
        "repo:my-org-2/my-repo",
        "repo:my-org@123456/my-repo@999",
        "repo:my-org@999/my-repo@456789",
    ],
)
def test_no_other_repository(role: str, repository: str) -> None:
    assert not lets_in(role, f"{repository}:environment:production", MAIN)


@pytest.mark.parametrize("role", ["deploy", "pull-request"])
def test_no_later_repository_of_the_same_name(role: str) -> None:
    """The old form holds names only, which somebody else may take over."""
    assert not lets_in(role, f"{OLD}:environment:production", MAIN, repository_id="999")

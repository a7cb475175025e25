"""GitHub's REST API, through PyGithub: whether pull requests are closed, which one has a commit.

Source: https://docs.github.com/rest/pulls/pulls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus

from github.PullRequest import PullRequest as Pull
from msgspec import Struct, field

import github
from dbtdeploy.base import errors
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github.pygithub_client import FAULTS, Api, refused_by

WAIT_SECONDS = 600.0
"""All waits of one sweep together. What GitHub was not asked stays until the next sweep."""

NOT_DONE = "The schemas of the pull requests that were not asked about are left as they are."


NOT_DONE_BY_HEAD = "No comment was written or changed."

MOST_OF_A_BRANCH = 100
"""Open pull requests that one branch can have; each is to another base."""


class Head(Struct, frozen=True, kw_only=True):
    """What a pull request wants to merge."""

    repository: str
    branch: str
    commit: str


class PullRequest(Struct, frozen=True, kw_only=True):
    """What GitHub says of one."""

    closed: bool = False
    merged: bool = False
    known: bool = True
    """False where GitHub answers 404."""


class Answers(Struct, frozen=True, kw_only=True):
    """What GitHub said of those it was asked about."""

    known: Mapping[int, PullRequest] = field(default_factory=dict)
    failure: errors.GitHubFailed | None = None
    """Why it was not asked about the others."""

    @property
    def closed(self) -> tuple[int, ...]:
        """Numbers of the closed ones."""
        return tuple(sorted(number for number, pull in self.known.items() if pull.closed))


def ask(
    access: GitHubAccess,
    repository: str,
    numbers: Iterable[int],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> Answers:
    """Ask GitHub about each pull request.

    Args:
        access: where GitHub is, and the token.
        repository: full name.
        numbers: of the pull requests.
        sleep: waits so many seconds.
        clock: seconds since 1970.

    Returns:
        What it says. After the first question that no wait could get answered none is asked any
        more; ``failure`` then says why.

    Raises:
        GitHubFailed: there is no token.
    """
    api = Api(access, most_wait=WAIT_SECONDS, not_done=NOT_DONE, sleep=sleep, clock=clock)
    known: dict[int, PullRequest] = {}
    client = api.client()
    try:
        for number in numbers:
            api.begin(anew=False)
            try:
                known[number] = _ask(api, client, repository, number)
            except (*FAULTS, RuntimeError) as fault:
                where = f"pull request {number} of {repository}"
                return Answers(known=known, failure=api.failure(fault, where=where))
    finally:
        client.close()
    return Answers(known=known)


def open_with_head(
    access: GitHubAccess,
    repository: str,
    head: Head,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> tuple[int, ...]:
    """Numbers of the open pull requests whose newest commit this is.

    Args:
        access: where GitHub is, and the token.
        repository: full name, that they are made to.
        head: the branch, as GitHub says that a run was on.
        sleep: waits so many seconds.
        clock: seconds since 1970.

    Raises:
        GitHubFailed: GitHub refused, or gave no answer within the bounds above.
    """
    api = Api(access, most_wait=WAIT_SECONDS, not_done=NOT_DONE_BY_HEAD, sleep=sleep, clock=clock)
    client = api.client()
    asked = f"{head.repository.partition('/')[0]}:{head.branch}"
    try:
        found = api.listed(
            lambda: client.get_repo(repository).get_pulls(state="open", head=asked),
            MOST_OF_A_BRANCH,
        )
        return tuple(sorted(pull.number for pull in found if _has(pull, head)))
    except (*FAULTS, RuntimeError) as fault:
        raise api.failure(fault, where=f"the pull requests of {repository}") from None
    finally:
        client.close()


def _has(pull: Pull, head: Head) -> bool:
    """Compared here too: an owner may have several forks, and a filter is no proof."""
    theirs = pull.head
    # PyGithub's type forgets that GitHub has null there when the fork was deleted.
    named = theirs.repo.full_name if theirs.repo else None
    return (named, theirs.ref, theirs.sha) == (head.repository, head.branch, head.commit)


def _ask(api: Api, client: github.Github, repository: str, number: int) -> PullRequest:
    try:
        found = api.ask(lambda: client.get_repo(repository).get_pull(number).raw_data)
    except github.GithubException as fault:
        if refused_by(fault).status == HTTPStatus.NOT_FOUND:
            return PullRequest(known=False)
        raise
    return PullRequest(closed=found.get("state") == "closed", merged=bool(found.get("merged_at")))

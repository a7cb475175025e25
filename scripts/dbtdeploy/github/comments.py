"""GitHub's REST API, through PyGithub: one comment of ours, found and written.

Source: https://docs.github.com/rest/issues/comments.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from github.Issue import Issue
from github.IssueComment import IssueComment
from msgspec import Struct

import github
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import api_errors
from dbtdeploy.github.comment_marker import Marker, RunMark, can_be, may_write, parse_run_mark
from dbtdeploy.github.pygithub_client import (
    FAULTS,
    REPEATS,
    Api,
    NotGitHub,
    given,
    once,
    refused_by,
)

__all__ = ["REPEATS", "WAIT_SECONDS", "Comments", "Written"]

WAIT_SECONDS = 180.0
"""All waits of one comment together: what a job's minute is worth against a comment."""

INSTALLATION = "ghs_"
"""How the token of an installation begins, GITHUB_TOKEN for one; it cannot ask who it is
(https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/)."""


class Written(Struct, frozen=True, kw_only=True):
    """A comment as GitHub has it now."""

    url: str
    author: str
    """The login that GitHub put under it."""
    unexpected_author: bool = False
    """The comment was made just now and is by another login than the one we look for."""


class Comments:
    """Writes comments on pull requests.

    Args:
        access: where GitHub is, and the token.
        author: the login our comments have if the token cannot tell (an installation's, as
            GITHUB_TOKEN is, cannot).
        sleep: waits so many seconds.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        access: GitHubAccess,
        *,
        author: str,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._author = author
        self._api = Api(
            access,
            most_wait=WAIT_SECONDS,
            not_done=api_errors.NOT_DONE,
            sleep=sleep,
            clock=clock,
        )

    def upsert_comment(
        self,
        repository: str,
        pull_request: int,
        marker: Marker,
        ours: RunMark,
        body: str,
        *,
        create: bool = True,
        asked_at: str = "",
    ) -> Written | None:
        """Write our one comment for this marker: update it, or create it where there is none.

        Args:
            repository: full name.
            pull_request: number.
            marker: which comment is meant. Only a comment that begins with it *and* is by our
                login counts; anyone can write the marker.
            ours: this run.
            body: the whole text, both lines of ``comment_marker.mark`` included.
            create: whether one is made where there is none.
            asked_at: when the event happened that began this run, ISO 8601.

        Returns:
            None if the comment was left alone (see ``comment_marker.may_write``), or none was made.

        Raises:
            GitHubFailed: GitHub refused, or gave no answer within the bounds above.

        The check and the write are two requests, as GitHub has no conditional write: of two runs
        that write within the same tenth of a second the older may win, until the newer writes next.
        """

        def write(own: list[IssueComment], author: str, issue: Issue) -> Written | None:
            if not may_write(_newest(own, ours, asked_at), ours):
                return None
            return _write(issue, own, author, body, create=create)

        return self._with_own(repository, pull_request, marker, write)

    def amend_comment(
        self,
        repository: str,
        pull_request: int,
        marker: Marker,
        change: Callable[[str], str],
    ) -> Written | None:
        """Change our comment for this marker where there is one; never make one.

        Args:
            repository: full name.
            pull_request: number.
            marker: which comment is meant, as for ``upsert_comment``.
            change: the body as it is -> as it shall be; called again after a failed write.

        Returns:
            None where there is no comment of ours.

        Raises:
            GitHubFailed: as ``upsert_comment``.
        """

        def amend(own: list[IssueComment], _author: str, _issue: Issue) -> Written | None:
            if not own:
                return None
            _edit(own[0], change(own[0].body or ""))
            return _written(own[0])

        return self._with_own(repository, pull_request, marker, amend)

    def _with_own(
        self,
        repository: str,
        pull_request: int,
        marker: Marker,
        act: Callable[[list[IssueComment], str, Issue], Written | None],
    ) -> Written | None:
        self._api.begin()
        where = f"pull request {pull_request} of {repository}"
        installation = self._api.token().startswith(INSTALLATION)
        client = self._api.client()
        try:
            author = self._author if installation else self._login(client)
            issue = client.get_repo(repository).get_issue(pull_request)
            while True:
                own = self._own(issue, author, marker)
                try:
                    return act(own, author, issue)
                except FAULTS as fault:
                    # Then all begins anew: a POST that failed may have made the comment, and a
                    # newer run may have written it while we waited.
                    self._api.pause(fault)
        except (*FAULTS, RuntimeError) as fault:
            raise self._api.failure(fault, where=where) from None
        finally:
            client.close()

    def _login(self, client: github.Github) -> str:
        try:
            return self._api.ask(lambda: given(client.get_user().login))
        except github.GithubException as fault:
            refusal = refused_by(fault)
            if refusal.limited or not refusal.forbidden:
                raise
            return self._author

    def _own(self, issue: Issue, author: str, marker: Marker) -> list[IssueComment]:
        """Our comments that begin with the marker, oldest first, from all pages."""
        return [
            comment
            for comment in self._api.listed(issue.get_comments)
            if marker.marks(comment.body or "") and _login_of(comment).lower() == author.lower()
        ]


def _newest(own: list[IssueComment], ours: RunMark, asked_at: str) -> RunMark | None:
    """The newest run that wrote one of our comments, as far as their marks can be true."""
    marks = [
        found
        for comment in own
        if (found := parse_run_mark(comment.body or ""))
        if can_be(found, ours, written_at=comment.updated_at, asked_at=asked_at)
    ]
    return max(marks, key=lambda found: found.run, default=None)


def _write(
    issue: Issue, own: list[IssueComment], author: str, body: str, *, create: bool
) -> Written | None:
    """Write the first of our comments; the others are left from a race and go."""
    if not own:
        return _create(issue, body, expected=author) if create else None
    first, *others = own
    _edit(first, body)
    for other in others:
        # What stays is found again by the next run; ours is written, which is what counts.
        with contextlib.suppress(*FAULTS):
            other.delete()
    return _written(first)


def _create(issue: Issue, body: str, *, expected: str) -> Written:
    made = once(lambda: issue.create_comment(body))
    given(made.html_url)
    return _written(made, expected=expected)


def _edit(comment: IssueComment, body: str) -> None:
    """Write over a comment, unless it reads so already."""
    before = comment.body
    if before == body:
        return
    once(lambda: comment.edit(body))
    if comment.body == before:
        raise NotGitHub


def _written(comment: IssueComment, *, expected: str | None = None) -> Written:
    login = _login_of(comment)
    unexpected = expected is not None and login.lower() != expected.lower()
    return Written(url=comment.html_url, author=login, unexpected_author=unexpected)


def _login_of(comment: IssueComment) -> str:
    """Of its author; empty where the account is gone."""
    # PyGithub's type forgets that GitHub has null there then.
    return comment.user.login if comment.user else ""

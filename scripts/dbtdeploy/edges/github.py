"""GitHub's REST API, through PyGithub: one comment of ours, found and written.

Sources: https://docs.github.com/rest/issues/comments and PyGithub's ``Requester.py``.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import github
from github.Issue import Issue
from github.IssueComment import IssueComment

from dbtdeploy import refusal
from dbtdeploy.marker import Marker, RunMark, may_write, parse_run_mark
from dbtdeploy.refusal import Refusal
from dbtdeploy.settings import GitHubAccess

TIMEOUT_SECONDS = 20
PER_PAGE = 100
REPEATS = 5
WAIT_SECONDS = 180.0
"""All waits of one comment together: what a job's minute is worth against a comment."""

TOKEN = re.compile(r"[!-~]+")
"""What a header can hold. Anything else would come back in an error's text."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Written:
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
        self._access = access
        self._author = author
        self._sleep = sleep
        self._clock = clock
        self._repeats = 0
        self._waited = 0.0

    def upsert_comment(
        self, repository: str, pull_request: int, marker: Marker, ours: RunMark, body: str
    ) -> Written | None:
        """Write our one comment for this marker: update it, or create it where there is none.

        Args:
            repository: full name.
            pull_request: number.
            marker: which comment is meant. Only a comment that begins with it *and* is by our
                login counts; anyone can write the marker.
            ours: this run.
            body: the whole text, both lines of ``marker.mark`` included.

        Returns:
            None if the comment was left alone (see ``marker.may_write``).

        Raises:
            GitHubFailed: GitHub refused, or gave no answer within the bounds above.

        The check and the write are two requests, as GitHub has no conditional write: of two runs
        that write within the same tenth of a second the older may win, until the newer writes next.
        """
        if not TOKEN.fullmatch(self._access.token.strip()):
            raise refusal.no_token()
        self._repeats, self._waited = 0, 0.0
        where = f"pull request {pull_request} of {repository}"
        client = self._client()
        try:
            author = self._login(client)
            issue = client.get_repo(repository).get_issue(pull_request)
            return self._upsert(issue, author, marker, ours, body)
        except (github.GithubException, OSError, RuntimeError) as fault:
            refused = _refusal(fault)
            wait = refused.wait(tried=0, now=self._clock()) if refused.limited else None
            raise refusal.failure(
                refused, api_url=self._access.api_url, where=where, wait=wait
            ) from None
        finally:
            client.close()

    def _client(self) -> github.Github:
        # PyGithub logs redirects to stderr and, at level DEBUG, whole requests.
        logging.getLogger("github").setLevel(logging.CRITICAL)
        return github.Github(
            auth=github.Auth.Token(self._access.token.strip()),
            base_url=self._access.api_url.rstrip("/"),
            timeout=TIMEOUT_SECONDS,
            user_agent="dbt-deploy",
            per_page=PER_PAGE,
            # Its own retry repeats POST, too, and makes several comments of one.
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            # Repository and pull request are known by name; nothing is fetched to find them.
            lazy=True,
        )

    def _login(self, client: github.Github) -> str:
        try:
            return self._ask(lambda: client.get_user().login)
        except github.GithubException as fault:
            refused = _refusal(fault)
            if refused.limited or not refused.forbidden:
                raise
            return self._author

    def _upsert(
        self, issue: Issue, author: str, marker: Marker, ours: RunMark, body: str
    ) -> Written | None:
        while True:
            own = self._own(issue, author, marker)
            try:
                return self._write(issue, own, author, ours, body)
            except (github.GithubException, OSError) as fault:
                # Then all begins anew: a POST that failed may have made the comment, and a newer
                # run may have written it while we waited.
                self._pause(fault)

    def _own(self, issue: Issue, author: str, marker: Marker) -> list[IssueComment]:
        """Our comments that begin with the marker, oldest first, from all pages."""
        pages = issue.get_comments()
        # Asked again, the list goes on at the page that failed.
        comments = self._ask(lambda: list(pages))
        return [
            comment
            for comment in comments
            if marker.marks(comment.body or "") and _login_of(comment).lower() == author.lower()
        ]

    def _write(
        self, issue: Issue, own: list[IssueComment], author: str, ours: RunMark, body: str
    ) -> Written | None:
        """Write the first of our comments; the others are left from a race and go."""
        marks = [found for found in (parse_run_mark(c.body or "") for c in own) if found]
        newest = max(marks, key=lambda found: found.run, default=None)
        if not may_write(newest, ours):
            return None
        if not own:
            return _written(issue.create_comment(body), expected=author)
        first, *others = own
        if first.body != body:
            first.edit(body)
        for other in others:
            # What stays is found again by the next run; ours is written, which is what counts.
            with contextlib.suppress(github.GithubException, OSError):
                other.delete()
        return _written(first)

    def _ask(self, read: Callable[[], T]) -> T:
        """Send a request that changes nothing until it is answered, or no wait can mend it."""
        while True:
            try:
                return read()
            except (github.GithubException, OSError) as fault:  # noqa: PERF203
                self._pause(fault)

    def _pause(self, fault: github.GithubException | OSError) -> None:
        """Wait as told; raise the fault itself when there is nothing to wait for any more."""
        refused = _refusal(fault)
        seconds = refused.wait(tried=self._repeats, now=self._clock())
        if seconds is None or self._repeats >= REPEATS or self._waited + seconds > WAIT_SECONDS:
            raise fault
        self._repeats += 1
        self._waited += seconds
        self._sleep(seconds)


def _written(comment: IssueComment, *, expected: str | None = None) -> Written:
    login = _login_of(comment)
    unexpected = expected is not None and login.lower() != expected.lower()
    return Written(url=comment.html_url, author=login, unexpected_author=unexpected)


def _login_of(comment: IssueComment) -> str:
    """Empty for an author whose account is gone."""
    return comment.user.login if comment.user else ""


def _refusal(fault: Exception) -> Refusal:
    if not isinstance(fault, github.GithubException):
        # requests nests the reason deeply, in text with addresses of objects in it.
        return Refusal(status=0, message=_innermost(fault))
    data = fault.data if isinstance(fault.data, dict) else {}
    details = data.get("errors")
    said = [data.get("message") or fault.message or ""]
    if isinstance(details, list):
        said += [str(d["message"]) for d in details if isinstance(d, dict) and d.get("message")]
    headers = {name.lower(): str(value) for name, value in (fault.headers or {}).items()}
    return Refusal(
        status=fault.status, message=": ".join(str(s) for s in said if s), headers=headers
    )


def _innermost(fault: BaseException) -> str:
    while (inner := fault.__cause__ or fault.__context__) is not None:
        fault = inner
    return f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__

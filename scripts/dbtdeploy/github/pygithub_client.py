"""GitHub's REST API through PyGithub, which waits as it is told, within bounds.

PyGithub's own retry is off: it repeats POST, too, and makes several comments of one.

Source: PyGithub's ``Requester.py``.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from itertools import islice, takewhile
from typing import TypeVar

from github.Artifact import Artifact
from github.GithubObject import CompletableGithubObject
from github.PaginatedList import PaginatedList

import github
from dbtdeploy.base import errors, settings
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import api_errors
from dbtdeploy.github.api_errors import Refusal

TIMEOUT_SECONDS = 20
PER_PAGE = 100
REPEATS = 5
USER_AGENT = "dbt-deploy"

TOKEN = re.compile(r"[!-~]+")
"""What a header can hold. Anything else would come back in an error's text."""

FAULTS = (github.GithubException, OSError)
"""What a request can end with that is no answer of use."""

UNREADABLE = (github.BadAttributeException, AttributeError, KeyError, TypeError, ValueError)
"""What PyGithub ends with where an answer is not GitHub's: a proxy's page, say."""

T = TypeVar("T")
Listed = TypeVar("Listed", bound=CompletableGithubObject | Artifact)


class NotGitHub(github.GithubException):
    """An answer that cannot be GitHub's."""

    def __init__(self) -> None:
        super().__init__(0, message="what came is not an answer of GitHub's")


class Api:
    """A client, how often it asks again, and how long after.

    Args:
        access: where GitHub is, and the token.
        most_wait: seconds that all waits together may take.
        not_done: what is not done when GitHub gives no answer.
        needs: the permission that it takes, as a workflow writes it.
        sleep: waits so many seconds.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        access: GitHubAccess,
        *,
        most_wait: float,
        not_done: str,
        needs: str = api_errors.COMMENT,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access = access
        self._most_wait = most_wait
        self._not_done = not_done
        self._needs = needs
        self._sleep = sleep
        self._clock = clock
        self._repeats = 0
        self._waited = 0.0

    def begin(self, *, anew: bool = True) -> None:
        """Before the next thing that is asked for: it may be repeated as often as any.

        Args:
            anew: whether it may also wait as long as any.
        """
        self._repeats = 0
        if anew:
            self._waited = 0.0

    def token(self) -> str:
        """What a request is signed with.

        Raises:
            GitHubFailed: there is no token.
        """
        token = self._access.token.strip()
        if not TOKEN.fullmatch(token):
            raise api_errors.no_token(self._not_done, self._needs)
        return token

    def client(self) -> github.Github:
        """A client that repeats nothing by itself; the caller closes it.

        Raises:
            GitHubFailed: there is no token.
        """
        token = self.token()
        # PyGithub logs redirects to stderr and, at level DEBUG, whole requests.
        logging.getLogger("github").setLevel(logging.CRITICAL)
        return github.Github(
            auth=github.Auth.Token(token),
            base_url=self._access.api_url.rstrip("/"),
            timeout=TIMEOUT_SECONDS,
            user_agent=USER_AGENT,
            per_page=PER_PAGE,
            retry=None,
            verify=settings.ca_bundle("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") or True,
            seconds_between_requests=None,
            seconds_between_writes=None,
            # Repository and pull request are known by name; nothing is fetched to find them.
            lazy=True,
        )

    def ask(self, read: Callable[[], T]) -> T:
        """Send a request that changes nothing until it is answered, or no wait can mend it."""
        while True:
            try:
                return once(read)
            except FAULTS as fault:  # noqa: PERF203
                self.pause(fault)

    def found(self, read: Callable[[], T]) -> T | None:
        """What GitHub answers, as ``ask``; None where it finds nothing."""
        try:
            return self.ask(read)
        except github.GithubException as fault:
            if refused_by(fault).status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def listed(
        self,
        pages_of: Callable[[], PaginatedList[Listed]],
        most: int | None = None,
        goes_on: Callable[[Listed], bool] = lambda _: True,
    ) -> list[Listed]:
        """All that a list holds; asked again, it goes on at the page that failed.

        Args:
            pages_of: begins the list.
            most: how many are enough.
            goes_on: false for the first of those that are not wanted.
        """
        pages = pages_of()

        def read() -> list[Listed]:
            nonlocal pages
            try:
                read_so_far = islice(takewhile(goes_on, pages), most)
                return once(lambda: [one for one in read_so_far if given(one.url)])
            except NotGitHub:
                # PyGithub takes such a page for the last one.
                pages = pages_of()
                raise

        return self.ask(read)

    def pause(self, fault: Exception) -> None:
        """Wait as told; raise the fault itself when there is nothing to wait for any more."""
        refused = refused_by(fault)
        seconds = refused.wait(tried=self._repeats, now=self._clock())
        too_long = seconds is None or self._waited + seconds > self._most_wait
        if seconds is None or too_long or self._repeats >= REPEATS:
            raise fault
        self._repeats += 1
        self._waited += seconds
        self._sleep(seconds)

    def failure(self, fault: Exception, *, where: str) -> errors.GitHubFailed:
        """The failure to raise for a fault that no wait mended.

        Args:
            fault: the last one.
            where: what was asked about, as ``pull request 7 of acme/shop``.
        """
        refused = refused_by(fault)
        wait = refused.wait(tried=0, now=self._clock()) if refused.limited else None
        return api_errors.failure(
            refused,
            api_url=self._access.api_url,
            where=where,
            wait=wait,
            not_done=self._not_done,
            needs=self._needs,
        )


def once(request: Callable[[], T]) -> T:
    """Send one request, whatever comes of it; an answer that is not GitHub's counts as none.

    Args:
        request: what PyGithub is asked; nothing of ours, whose faults would pass for GitHub's.
    """
    try:
        return request()
    except github.IncompletableObject:
        raise NotGitHub from None
    except FAULTS:
        raise
    except UNREADABLE:
        raise NotGitHub from None


def given(value: str | None) -> str:
    """A field that each of GitHub's answers has."""
    if not value:
        raise NotGitHub
    return value


def refused_by(fault: Exception) -> Refusal:
    """What a fault means."""
    if not isinstance(fault, github.GithubException):
        return _no_answer(fault)
    data = fault.data if isinstance(fault.data, dict) else {}
    details = data.get("errors")
    words = [data.get("message") or fault.message or ""]
    if isinstance(details, list):
        words += [str(d["message"]) for d in details if isinstance(d, dict) and d.get("message")]
    return Refusal(
        status=fault.status,
        message=": ".join(str(word) for word in words if word),
        headers={name.lower(): str(value) for name, value in (fault.headers or {}).items()},
    )


def _no_answer(fault: BaseException) -> Refusal:
    """What a fault means that is no answer of GitHub's: its innermost reason."""
    # Libraries nest the reason deeply, in text with addresses of objects in it.
    while (inner := fault.__cause__ or fault.__context__) is not None:
        fault = inner
    said = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    return Refusal(status=0, message=said)

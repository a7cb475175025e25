"""What every use of GitHub's REST API shares: a client that waits as it is told, within bounds.

Source: PyGithub's ``Requester.py``.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import TypeVar

import github

from dbtdeploy import errors, refusal
from dbtdeploy.refusal import Refusal
from dbtdeploy.settings import GitHubAccess

TIMEOUT_SECONDS = 20
PER_PAGE = 100
REPEATS = 5

TOKEN = re.compile(r"[!-~]+")
"""What a header can hold. Anything else would come back in an error's text."""

FAULTS = (github.GithubException, OSError)
"""What a request can end with that is no answer of use."""

T = TypeVar("T")


class Api:
    """A client, and the patience it has.

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
        needs: str = refusal.COMMENT,
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

    def client(self) -> github.Github:
        """A client that repeats nothing by itself; the caller closes it.

        Raises:
            GitHubFailed: there is no token.
        """
        if not TOKEN.fullmatch(self._access.token.strip()):
            raise refusal.no_token(self._not_done, self._needs)
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

    def ask(self, read: Callable[[], T]) -> T:
        """Send a request that changes nothing until it is answered, or no wait can mend it."""
        while True:
            try:
                return read()
            except FAULTS as fault:  # noqa: PERF203
                self.pause(fault)

    def pause(self, fault: github.GithubException | OSError) -> None:
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
        return refusal.failure(
            refused,
            api_url=self._access.api_url,
            where=where,
            wait=wait,
            not_done=self._not_done,
            needs=self._needs,
        )


def refused_by(fault: Exception) -> Refusal:
    """What a fault means."""
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

"""PyGithub's client, which waits as it is told, within bounds.

Its import takes 0.5 s of CPU: what every pull request runs goes by ``rest.py``.

Source: PyGithub's ``Requester.py``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import github
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import api_errors
from dbtdeploy.github.api_errors import Refusal
from dbtdeploy.github.retry import (
    PER_PAGE,
    REPEATS,
    TIMEOUT_SECONDS,
    USER_AGENT,
    Patience,
    answered,
    no_answer,
)

__all__ = ["FAULTS", "REPEATS", "Api", "refused_by"]

FAULTS = (github.GithubException, OSError)
"""What a request can end with that is no answer of use."""


class Api(Patience):
    """A client, and the patience it has; see there for the arguments."""

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
        super().__init__(
            access,
            faults=FAULTS,
            meaning=refused_by,
            most_wait=most_wait,
            not_done=not_done,
            needs=needs,
            sleep=sleep,
            clock=clock,
        )

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
            # Its own retry repeats POST, too, and makes several comments of one.
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            # Repository and pull request are known by name; nothing is fetched to find them.
            lazy=True,
        )


def refused_by(fault: Exception) -> Refusal:
    """What a fault means."""
    if not isinstance(fault, github.GithubException):
        return no_answer(fault)
    headers = {name: str(value) for name, value in (fault.headers or {}).items()}
    return answered(fault.status, fault.data, headers, otherwise=fault.message or "")

"""What every use of GitHub's REST API shares: it waits as it is told, within bounds.

Knows neither PyGithub nor a request: whoever sends says what a fault means.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

from dbtdeploy.base import errors
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import api_errors
from dbtdeploy.github.api_errors import Refusal

TIMEOUT_SECONDS = 20
PER_PAGE = 100
REPEATS = 5
USER_AGENT = "dbt-deploy"

TOKEN = re.compile(r"[!-~]+")
"""What a header can hold. Anything else would come back in an error's text."""

T = TypeVar("T")


class Patience:
    """How often something is asked again, and how long after.

    Args:
        access: where GitHub is, and the token.
        faults: what a request can end with that is no answer of use.
        meaning: what one of them means.
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
        faults: tuple[type[Exception], ...],
        meaning: Callable[[Exception], Refusal],
        most_wait: float,
        not_done: str,
        needs: str = api_errors.COMMENT,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access = access
        self._faults = faults
        self._meaning = meaning
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

    def ask(self, read: Callable[[], T]) -> T:
        """Send a request that changes nothing until it is answered, or no wait can mend it."""
        while True:
            try:
                return read()
            except self._faults as fault:  # noqa: PERF203
                self.pause(fault)

    def pause(self, fault: Exception) -> None:
        """Wait as told; raise the fault itself when there is nothing to wait for any more."""
        refused = self._meaning(fault)
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
        refused = self._meaning(fault)
        wait = refused.wait(tried=0, now=self._clock()) if refused.limited else None
        return api_errors.failure(
            refused,
            api_url=self._access.api_url,
            where=where,
            wait=wait,
            not_done=self._not_done,
            needs=self._needs,
        )


def no_answer(fault: BaseException) -> Refusal:
    """What a fault means that is no answer of GitHub's: its innermost reason."""
    # Libraries nest the reason deeply, in text with addresses of objects in it.
    while (inner := fault.__cause__ or fault.__context__) is not None:
        fault = inner
    said = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    return Refusal(status=0, message=said)


def answered(status: int, said: object, headers: dict[str, str], *, otherwise: str = "") -> Refusal:
    """What an answer means that is not a success.

    Args:
        status: HTTP's.
        said: the answer's JSON, if it was any.
        headers: names in any case.
        otherwise: the message where the JSON has none.
    """
    data = said if isinstance(said, dict) else {}
    details = data.get("errors")
    words = [data.get("message") or otherwise]
    if isinstance(details, list):
        words += [str(d["message"]) for d in details if isinstance(d, dict) and d.get("message")]
    return Refusal(
        status=status,
        message=": ".join(str(word) for word in words if word),
        headers={name.lower(): value for name, value in headers.items()},
    )

"""What GitHub's refusals mean: how long to wait, or what a person should do.

Sources: https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api and
.../troubleshooting-the-rest-api.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from msgspec import Struct, field

from dbtdeploy.base import certificates, errors

NOT_DONE = "The comment was not written; the build and its result stay as they are."

COMMENT = "pull-requests: write"
"""The permission that a comment needs."""

BACKOFF_LONGEST = 30.0
UNTOLD_LIMIT_WAIT = 60.0
"""GitHub: without a header that says how long, wait at least a minute, then ever longer."""


class Refusal(Struct, frozen=True, kw_only=True):
    """An answer that is not a success, or none at all (status 0)."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""

    @property
    def limited(self) -> bool:
        """GitHub wants fewer requests; this one had no effect."""
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return True
        is_limited = "rate limit" in self.message.lower() or "retry-after" in self.headers
        return self.forbidden and is_limited

    @property
    def forbidden(self) -> bool:
        """GitHub says 403: no permission, or a rate limit (see ``limited``)."""
        return self.status == HTTPStatus.FORBIDDEN

    @property
    def in_doubt(self) -> bool:
        """The request may have had its effect all the same."""
        return self.status == 0 or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    def wait(self, *, tried: int, now: float) -> float | None:
        """Seconds until the same request may be sent again.

        Args:
            tried: how many times it was repeated already.
            now: seconds since 1970.

        Returns:
            What GitHub says where it says so; None if waiting mends nothing.
        """
        if not self.limited and not self.in_doubt:
            return None
        seconds = self.headers.get("retry-after", "")
        if seconds.isdecimal():
            return float(seconds)
        if self.in_doubt:
            return min(2.0**tried, BACKOFF_LONGEST)
        reset = self.headers.get("x-ratelimit-reset", "")
        if self.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
            # Its clock and ours differ by a little.
            return max(float(reset) - now, 0.0) + 1.0
        return UNTOLD_LIMIT_WAIT * 2.0**tried


def failure(
    refusal: Refusal,
    *,
    api_url: str,
    where: str,
    not_done: str,
    needs: str = COMMENT,
    wait: float | None = None,
) -> errors.GitHubFailed:
    """The failure to raise.

    Args:
        refusal: the last answer.
        api_url: where GitHub was asked.
        where: what was asked about, as ``pull request 7 of acme/shop``.
        wait: the seconds GitHub asks for, if it does.
        not_done: what is therefore not done.
        needs: the permission that it takes, as a workflow writes it.
    """
    if refusal.status == 0:
        what = f"GitHub at {api_url} did not answer ({refusal.message})."
    else:
        said = f": {refusal.message}" if refusal.message else ""
        what = f"GitHub answered {refusal.status} for {where}{said.rstrip('.')}."
    if wait is not None:
        what += f" It asks to wait {wait:.0f} s; this step has waited as long as it may."
    return errors.GitHubFailed(what, not_done=not_done, remedy=_remedy(refusal, where, needs))


def no_token(not_done: str, needs: str = COMMENT) -> errors.GitHubFailed:
    """The failure when there is nothing to sign a request with."""
    return errors.GitHubFailed(
        "There is no token for GitHub, or it holds blanks or control characters.",
        not_done=not_done,
        remedy="Leave the input `github-token` at its default, or give it a token with the "
        f"permission `{needs}`.",
    )


def _remedy(refusal: Refusal, where: str, needs: str) -> str:
    if refusal.limited:
        return "Run the job again later; many jobs with one token reach its limit together."
    if refusal.in_doubt:
        return certificates.remedy(refusal.message, "GITHUB_API_URL") or (
            "Check that this machine reaches GITHUB_API_URL, and run the job again; "
            "https://www.githubstatus.com tells of GitHub's own disturbances."
        )
    said = refusal.message.lower()
    by_message = {
        "not accessible by integration": f"Give the job `permissions: {needs}`.",
        "not accessible by personal": f"Give the token {_access(needs)}.",
        "saml": "Authorize the token for the organization's single sign-on.",
        "locked": "Unlock the conversation, or set the input `comment` to false.",
        "too long": "Please report this: a comment should have been cut to what GitHub keeps.",
    }
    for part, remedy in by_message.items():
        if part in said:
            return remedy
    by_status = {
        401: "Check the input `github-token`: the token is wrong or has expired.",
        403: f"Check that the token has {_access(needs)}, for {where}.",
        404: f"Check that the token can see {where}, and that GITHUB_API_URL is its GitHub's.",
        410: "The pull request's conversation was deleted or issues are turned off; set the input "
        "`comment` to false.",
    }
    return by_status.get(refusal.status, "Run the job again; if it stays so, please report it.")


def _access(needs: str) -> str:
    """``pull-requests: write`` in the words of a personal token's form."""
    what, _, level = needs.partition(": ")
    access = "read and write" if level == "write" else "read"
    return f"{access} access to {what.replace('-', ' ')}"

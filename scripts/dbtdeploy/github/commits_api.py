"""GitHub's REST API, through PyGithub: which of two commits is newer.

Source: https://docs.github.com/rest/commits/commits#compare-two-commits.
"""

from __future__ import annotations

from collections.abc import Callable

from dbtdeploy.base.git_client import Relation
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github.pygithub_client import FAULTS, Api

WAIT_SECONDS = 30.0
"""All waits together: the lease is held meanwhile, and without an answer the run goes on."""

RELATIONS: dict[str, Relation] = {
    "identical": "same",
    "ahead": "newer",
    "behind": "older",
    "diverged": "diverged",
}


def order(
    access: GitHubAccess,
    repository: str,
    commit: str,
    other: str,
    *,
    sleep: Callable[[float], None],
) -> Relation:
    """How a commit stands to another one; ``unknown`` where GitHub does not know one of them.

    Args:
        access: where GitHub is, and the token.
        repository: full name.
        commit: a SHA.
        other: the SHA that it is compared with.
        sleep: waits so many seconds.

    Raises:
        GitHubFailed: GitHub refused, or gave no answer in time.
    """
    api = Api(
        access,
        most_wait=WAIT_SECONDS,
        not_done="Which of the two commits is newer was not asked elsewhere.",
        needs="contents: read",
        sleep=sleep,
    )
    client = api.client()
    try:
        # One commit of the answer is enough; without the bound it would be 250.
        compared = client.get_repo(repository).compare(other, commit, comparison_commits_per_page=1)
        return RELATIONS.get(api.found(lambda: compared.status) or "", "unknown")
    except (*FAULTS, RuntimeError) as fault:
        raise api.failure(fault, where=f"the commits of {repository}") from None
    finally:
        client.close()

"""GitHub's REST API, through PyGithub: the deployments of what was taken back are inactive.

Source: https://docs.github.com/rest/deployments.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

from github.Deployment import Deployment

import github
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github.pygithub_client import FAULTS, Api

WAIT_SECONDS = 300.0
"""All waits of one step together."""

NOT_DONE = "Deployments were not marked inactive; what is live stays as it is."

INACTIVE = "inactive"

MOST = 100
"""Of the deployments of one commit in one environment; each took a run."""


def mark_inactive(
    access: GitHubAccess,
    repository: str,
    *,
    environment: str,
    commits: Iterable[str],
    said: str,
    run_url: str,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> int:
    """Mark the deployments of some commits.

    Args:
        access: where GitHub is, and the token.
        repository: full name.
        environment: GitHub's name of it.
        commits: that run there no more.
        said: why, at most 140 characters.
        run_url: where that is read; empty if it is no run.
        sleep: waits so many seconds.
        clock: seconds since 1970.

    Returns:
        How many are inactive now; GitHub makes one for each job with an environment.

    Raises:
        GitHubFailed: GitHub refused, or gave no answer within the bounds above.
    """
    needs = "deployments: write"
    api = Api(
        access, most_wait=WAIT_SECONDS, not_done=NOT_DONE, needs=needs, sleep=sleep, clock=clock
    )
    client = api.client()
    marked = 0
    try:
        for commit in commits:
            api.begin(anew=False)
            list_them = client.get_repo(repository).get_deployments
            found = api.listed(partial(list_them, sha=commit, environment=environment), MOST)
            for deployment in found:
                api.begin(anew=False)
                _mark(api, deployment, said, run_url)
            marked += len(found)
    except (*FAULTS, RuntimeError) as fault:
        raise api.failure(fault, where=f"the deployments of {repository}") from None
    finally:
        client.close()
    return marked


def _mark(api: Api, deployment: Deployment, said: str, run_url: str) -> None:
    while True:
        # The newest comes first; one that a POST without an answer made is seen here.
        newest = api.ask(lambda: next(iter(deployment.get_statuses()), None))
        if newest is not None and newest.state == INACTIVE:
            return
        try:
            url = run_url or github.GithubObject.NotSet
            deployment.create_status(INACTIVE, description=said[:140], target_url=url)
        except FAULTS as fault:
            api.pause(fault)
        else:
            return

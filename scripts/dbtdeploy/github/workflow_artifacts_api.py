"""GitHub's REST API, through PyGithub: what a workflow run has uploaded.

Source: https://docs.github.com/rest/actions/artifacts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from github.Artifact import Artifact
from github.PaginatedList import PaginatedList

import github
from dbtdeploy.base import errors
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import artifact_download
from dbtdeploy.github.pygithub_client import FAULTS, Api, NotGitHub

WAIT_SECONDS = 180.0
"""All waits of one artifact together."""

NOT_DONE = "The run's artifact was not read, and no comment was written."

MOST = 100
"""Artifacts of one name: each attempt of a run uploads its own."""


def fetch(
    access: GitHubAccess,
    repository: str,
    run_id: int,
    name: str,
    *,
    most_bytes: int,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> bytes | None:
    """The archive of a run's artifact, as it is.

    Args:
        access: where GitHub is, and the token.
        repository: full name, in which the run was.
        run_id: of the run.
        name: of the artifact.
        most_bytes: that are downloaded.
        sleep: waits so many seconds.
        clock: seconds since 1970.

    Returns:
        The newest of that name, a zip file; None where the run has none, or no longer.

    Raises:
        ReportRefused: it is larger than ``most_bytes``.
        GitHubFailed: GitHub refused, or gave no answer within the bounds above.
    """
    api = Api(
        access,
        most_wait=WAIT_SECONDS,
        not_done=NOT_DONE,
        needs="actions: read",
        sleep=sleep,
        clock=clock,
    )
    client = api.client()
    actions = f"/repos/{repository}/actions"
    try:
        found = api.listed(
            partial(_named, client, f"{actions}/runs/{run_id}/artifacts", name), MOST
        )
        there = [one for one in found if one.name == name and not one.expired]
        newest = max(there, key=lambda one: one.id, default=None)
        if newest is None:
            return None
        if newest.size_in_bytes > most_bytes:
            raise _too_large(most_bytes)
        api.begin(anew=False)
        address = f"{actions}/artifacts/{newest.id}/zip"
        content = api.ask(partial(_content, client, address, access.api_url, most_bytes))
    except (*FAULTS, RuntimeError) as fault:
        where = f"the artifacts of run {run_id} of {repository}"
        raise api.failure(fault, where=where) from None
    finally:
        client.close()
    if content is None:
        raise _too_large(most_bytes)
    return content


def _named(client: github.Github, address: str, name: str) -> PaginatedList[Artifact]:
    return PaginatedList(Artifact, client.requester, address, {"name": name}, list_item="artifacts")


def _content(client: github.Github, address: str, api_url: str, most_bytes: int) -> bytes | None:
    """GitHub answers with an address of its storage that is good for a minute."""
    headers, _ = client.requester.requestJsonAndCheck("GET", address)
    location = headers.get("location")
    if not location:
        raise NotGitHub
    return artifact_download.content(str(location), api_url=api_url, most_bytes=most_bytes)


def _too_large(most_bytes: int) -> errors.ReportRefused:
    return errors.ReportRefused(
        f"The run's artifact is larger than the {most_bytes:,} bytes that are downloaded.",
        not_done="No comment was written or changed.",
        remedy="Look at that run, if its workflow was not changed by the pull request.",
    )

"""The run of a pull request that may not comment itself, by the event ``workflow_run``. Pure.

Payload: https://docs.github.com/webhooks/webhook-events-and-payloads#workflow_run. What it says of
the run is GitHub's word; its branch is a name that the fork's owner chose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from dbtdeploy.base import errors, json_codec
from dbtdeploy.base.settings import GitHubContext
from dbtdeploy.context.event import DEPENDABOT

EVENT = "workflow_run"

COMMIT = re.compile(r"[0-9a-f]{40,64}")

Origin = Literal["fork", "dependabot"]


class _Named(Struct, frozen=True, kw_only=True):
    full_name: str = ""


class _Actor(Struct, frozen=True, kw_only=True):
    login: str = ""


class _Finished(Struct, frozen=True, kw_only=True):
    id: Annotated[int, Meta(ge=1, lt=10**18)]
    run_attempt: Annotated[int, Meta(ge=1, lt=10**9)] = 1
    event: str
    head_sha: str
    head_branch: str | None = None
    head_repository: _Named | None = None
    """None when the fork was deleted."""
    actor: _Actor | None = None
    created_at: str = ""


class _Payload(Struct, frozen=True, kw_only=True):
    workflow_run: _Finished


class ForkRun(Struct, frozen=True, kw_only=True):
    """A run whose token could only read, and where it belongs. Nothing here is its own word."""

    origin: Origin
    repository: str
    """That the pull request is made to."""
    server_url: str
    run_id: int
    run_attempt: int
    commit: str
    branch: str
    head_repository: str
    """That the branch is in; of Dependabot, the same."""
    began_at: str

    @property
    def run_url(self) -> str:
        """The run's page."""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"


def of_event(context: GitHubContext, payload: Mapping[str, Any]) -> ForkRun | str:
    """The run that has ended; or, in words, why it gets no comment from here.

    Args:
        context: what GitHub tells every job.
        payload: the event's JSON.

    Raises:
        InvalidInput: another event started this job.
        msgspec.ValidationError: the payload is not GitHub's.
    """
    if context.event_name != EVENT:
        raise errors.InvalidInput(
            f"This job was started by {context.event_name or 'no event of GitHub'}, "
            f"and fork-comment follows {EVENT} only.",
            not_done="No artifact was read and no comment was written.",
            remedy="Call it as templates/workflows/fork-comment.yml does, in its own workflow.",
        )
    run = json_codec.convert(payload, _Payload).workflow_run
    if run.event != "pull_request":
        return f"the run was started by {run.event}, not by a pull request"
    if run.head_repository is None or not run.head_branch:
        return "the fork or its branch was deleted"
    origin = _origin(run, run.head_repository.full_name, context.repository)
    if origin is None:
        return "the pull request is from this repository, and its own run comments on it"
    if not COMMIT.fullmatch(run.head_sha):
        return "GitHub names no commit of the run"
    return ForkRun(
        origin=origin,
        repository=context.repository,
        server_url=context.server_url,
        run_id=run.id,
        run_attempt=run.run_attempt,
        commit=run.head_sha,
        branch=run.head_branch,
        head_repository=run.head_repository.full_name,
        began_at=run.created_at,
    )


def _origin(run: _Finished, head_repository: str, repository: str) -> Origin | None:
    if head_repository != repository:
        return "fork"
    # As for slim CI, the one who pushed decides, not the one who opened the pull request.
    return "dependabot" if run.actor and run.actor.login == DEPENDABOT else None

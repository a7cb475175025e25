"""What started this run, from GitHub's event payload.

Payloads: https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from dbtdeploy.base import errors, json_codec
from dbtdeploy.base.settings import GitHubContext
from dbtdeploy.context.work_files import Event

T = TypeVar("T")

DEPENDABOT = "dependabot[bot]"
TAGS = "refs/tags/"
NUMBER = re.compile(r"[0-9]{1,18}")


class _Repository(Struct, frozen=True, kw_only=True):
    full_name: str = ""
    default_branch: str = ""


class _User(Struct, frozen=True, kw_only=True):
    login: str = ""


class _Head(Struct, frozen=True, kw_only=True):
    sha: str = ""
    ref: str = ""
    repo: _Repository | None = None
    """None when the fork was deleted."""


class _PullRequest(Struct, frozen=True, kw_only=True):
    number: Annotated[int, Meta(ge=1, lt=10**10)]
    head: _Head
    base: _Head | None = None
    user: _User | None = None
    updated_at: str | None = None


class _MergeGroup(Struct, frozen=True, kw_only=True):
    head_sha: str = ""
    head_ref: str = ""


class _Payload(Struct, frozen=True, kw_only=True):
    pull_request: _PullRequest | None = None
    merge_group: _MergeGroup | None = None
    repository: _Repository | None = None


def read_event(context: GitHubContext, payload: Mapping[str, Any]) -> Event:
    """Tell what started this run.

    Args:
        context: what GitHub tells every job.
        payload: the event's JSON; empty outside Actions.

    Returns:
        The event. ``skip`` is set for pull requests whose jobs get no secrets: from a fork, or by
        Dependabot (https://docs.github.com/code-security/dependabot/troubleshooting-dependabot).
        A merge queue, a manual run and a schedule have no pull request number.

    Raises:
        InvalidInput: GitHub's number of the run is none.
        msgspec.ValidationError: the payload is not GitHub's.
    """
    parsed = json_codec.convert(payload, _Payload)
    pull = parsed.pull_request
    sha, ref = context.sha, context.ref_name
    if pull is not None:
        sha, ref = pull.head.sha or sha, pull.head.ref or ref
    elif parsed.merge_group is not None:
        sha = parsed.merge_group.head_sha or sha
        ref = parsed.merge_group.head_ref.removeprefix("refs/heads/") or ref
    run_id = _number("GITHUB_RUN_ID", context.run_id, 0)
    return Event(
        name=context.event_name or "local",
        repository=context.repository,
        sha=sha,
        ref=ref,
        pull_request=pull.number if pull else None,
        run_id=run_id,
        run_attempt=_number("GITHUB_RUN_ATTEMPT", context.run_attempt, 1),
        run_url=f"{context.server_url}/{context.repository}/actions/runs/{run_id}"
        if run_id
        else "",
        server_url=context.server_url,
        actor=context.actor,
        skip=_skip(context, pull),
        default_branch=(parsed.repository.default_branch or None) if parsed.repository else None,
        tag=context.ref.removeprefix(TAGS) if context.ref.startswith(TAGS) else None,
        base_sha=(pull.base.sha if pull.base else "") if pull else "",
        asked_at=(pull.updated_at if pull else None) or "",
    )


def of_run(context: GitHubContext) -> Event:
    """The event that started this run, by the file that the runner left.

    Raises:
        InvalidInput: that file does not hold an event, or GitHub's number of the run is none.
    """
    return read_payload(context, read_event)


def read_payload(
    context: GitHubContext, read: Callable[[GitHubContext, Mapping[str, Any]], T]
) -> T:
    """What one reader makes of the file that the runner left.

    Args:
        context: what GitHub tells every job.
        read: takes that and the payload, empty outside Actions.

    Raises:
        InvalidInput: that file does not hold an event.
    """
    try:
        path = context.event_path
        payload = json_codec.decode(path.read_bytes(), dict[str, Any]) if path else {}
        return read(context, payload)
    except (OSError, msgspec.DecodeError) as cause:
        raise errors.InvalidInput(
            f"GITHUB_EVENT_PATH does not hold an event of GitHub's: {cause}",
            not_done="dbt was not started, nothing was written.",
            remedy="Leave GITHUB_EVENT_PATH to the runner; unset it to run by hand.",
        ) from None


def _number(name: str, text: str, default: int) -> int:
    if not text:
        return default
    if not NUMBER.fullmatch(text):
        raise errors.InvalidInput(
            f"{name} is {text[:80]!r}, which is no number of GitHub's.",
            not_done="dbt was not started, nothing was written.",
            remedy=f"Leave {name} to the runner; unset it to run by hand.",
        )
    return int(text)


def _skip(context: GitHubContext, pull: _PullRequest | None) -> str | None:
    if pull is None:
        return None
    if pull.head.repo is None or pull.head.repo.full_name != context.repository:
        return "fork"
    if context.actor == DEPENDABOT:
        # Who pushed decides, not who opened: a maintainer's push to its branch has secrets.
        return "dependabot"
    return None

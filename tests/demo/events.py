"""Event payloads as GitHub sends them, as far as an action may read them.

https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from demo.repository import NAME, Checkout

AUTHOR = "ida-keller"


@dataclass(frozen=True, kw_only=True)
class Event:
    """What starts a job."""

    name: str
    payload: dict[str, Any]
    sha: str
    """GITHUB_SHA; for a pull request its merge into ``main``."""
    ref: str
    """GITHUB_REF."""
    head_ref: str = ""
    actor: str = AUTHOR


def pull_request(
    number: int, title: str, branch: str, checkout: Checkout, *, action: str = "opened"
) -> Event:
    """A pull request of the repository's own branch was opened or pushed to."""
    payload = {
        "action": action,
        "number": number,
        "pull_request": {
            "number": number,
            "state": "open",
            "title": title,
            "html_url": f"https://github.com/{NAME}/pull/{number}",
            "user": {"login": AUTHOR, "type": "User"},
            "head": {
                "ref": branch,
                "sha": checkout.head_sha,
                "repo": {"full_name": NAME, "fork": False},
            },
            "base": {"ref": "main", "repo": {"full_name": NAME, "fork": False}},
        },
        **_common(),
    }
    return Event(
        name="pull_request",
        payload=payload,
        sha=checkout.merge_sha,
        ref=f"refs/pull/{number}/merge",
        head_ref=branch,
    )


def closed(number: int, branch: str, checkout: Checkout, *, merged: bool = True) -> Event:
    """A pull request was closed, by merging it or without."""
    opened = pull_request(number, "A change", branch, checkout, action="closed")
    opened.payload["pull_request"].update({"state": "closed", "merged": merged})
    return opened


def push(checkout: Checkout) -> Event:
    """Something was merged into ``main``."""
    payload = {"ref": "refs/heads/main", "after": checkout.head_sha, **_common()}
    return Event(name="push", payload=payload, sha=checkout.head_sha, ref="refs/heads/main")


def tag(checkout: Checkout, name: str) -> Event:
    """A version tag was pushed."""
    ref = f"refs/tags/{name}"
    payload = {"ref": ref, "after": checkout.head_sha, "created": True, **_common()}
    return Event(name="push", payload=payload, sha=checkout.head_sha, ref=ref)


def repository_dispatch(checkout: Checkout) -> Event:
    """Another system asked for a deploy, by the API."""
    payload = {"action": "dbt-deploy", "client_payload": {"build": "all"}, **_common()}
    return Event(
        name="repository_dispatch", payload=payload, sha=checkout.head_sha, ref="refs/heads/main"
    )


def merge_group(checkout: Checkout) -> Event:
    """A merge queue wants to know whether ``main`` would still be fine."""
    ref = "refs/heads/gh-readonly-queue/main/pr-7-" + checkout.head_sha
    group = {"head_sha": checkout.head_sha, "head_ref": ref, "base_ref": "refs/heads/main"}
    payload = {"action": "checks_requested", "merge_group": group, **_common()}
    return Event(name="merge_group", payload=payload, sha=checkout.head_sha, ref=ref)


def manual(checkout: Checkout, branch: str = "main") -> Event:
    """Somebody pressed "Run workflow"."""
    ref = f"refs/heads/{branch}"
    payload = {"inputs": None, "ref": ref, "workflow": ".github/workflows/dbt.yml", **_common()}
    return Event(name="workflow_dispatch", payload=payload, sha=checkout.head_sha, ref=ref)


def schedule(checkout: Checkout) -> Event:
    """A cron line's hour has come."""
    payload = {"schedule": "0 5 * * *", "workflow": ".github/workflows/dbt.yml", **_common()}
    return Event(name="schedule", payload=payload, sha=checkout.head_sha, ref="refs/heads/main")


def _common() -> dict[str, Any]:
    return {
        "repository": {"full_name": NAME, "default_branch": "main", "private": True},
        "sender": {"login": AUTHOR, "type": "User"},
    }

"""A notice -> an event of PagerDuty's: a failure triggers, the next success resolves. Pure.

Source: https://developer.pagerduty.com/docs/events-api-v2-overview.
"""

from __future__ import annotations

import hashlib
from typing import Any

from dbtdeploy.base import markdown
from dbtdeploy.notify.notification import BAD, Notice

URL = "https://events.pagerduty.com/v2/enqueue"

KEY_CHARS = 255
SUMMARY_CHARS = 1024
DETAIL_CHARS = 2000
"""Of each of the details; an event may have 512 KB."""


def event(notice: Notice, routing_key: str) -> dict[str, Any] | None:
    """The event; None for what neither opens nor closes an incident: a hold, a cancellation.

    Args:
        notice: how the run ended.
        routing_key: the integration's; a secret.
    """
    common = {"routing_key": routing_key, "dedup_key": dedup_key(notice)}
    if notice.outcome in BAD:
        return {**common, "event_action": "trigger", **_incident(notice)}
    # A rollback with nothing to take back does not prove that production is right.
    if notice.outcome == "succeeded" or notice.event in ("deploy.nothing", "release.nothing"):
        return {**common, "event_action": "resolve"}
    return None


def dedup_key(notice: Notice) -> str:
    """One incident for each environment and project of a repository, whatever failed in it."""
    key = f"dbt-deploy/{notice.repository}/{notice.environment}/{notice.project}"
    if len(key) <= KEY_CHARS:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: KEY_CHARS - len(digest) - 1]}-{digest}"


def _incident(notice: Notice) -> dict[str, Any]:
    trouble = notice.trouble
    details: dict[str, str] = {}
    for fact in notice.facts:
        before = details.get(fact.name)
        details[fact.name] = f"{before}; {fact.value}" if before else fact.value
    if trouble is not None:
        details |= {
            "What happened": trouble.what,
            "What was not done": trouble.not_done,
            "What to do": trouble.remedy,
        }
    summary = f"{notice.title}: {trouble.title}" if trouble else notice.title
    return {
        "payload": {
            "summary": _text(summary, SUMMARY_CHARS),
            "source": _text(notice.repository or notice.project, SUMMARY_CHARS),
            "severity": notice.severity,
            "timestamp": notice.at,
            "component": _text(notice.project, SUMMARY_CHARS),
            "group": _text(notice.environment, SUMMARY_CHARS),
            "class": notice.event,
            "custom_details": {
                name: _text(value, DETAIL_CHARS) for name, value in details.items() if value
            },
        },
        "links": [{"href": link.url, "text": link.text} for link in notice.links],
        "client": "dbt-deploy",
        **({"client_url": notice.run_url} if notice.run_url else {}),
    }


def _text(text: str, most: int) -> str:
    return markdown.shortened(markdown.clean(text).strip(), most)

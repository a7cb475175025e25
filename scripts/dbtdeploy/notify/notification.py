"""How a deploy, a release or a rollback ended, for people who are not looking. Pure.

``notification_builder.py`` makes it of what the run left; ``slack.py``, ``pagerduty.py`` and
``webhook.py`` make of it what each of them reads.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from dbtdeploy.base import json_codec
from dbtdeploy.base.redact import Redact, in_values

RunOutcome = Literal["succeeded", "nothing", "failed", "taken-back", "held", "cancelled"]
"""``nothing``: there was nothing to do, and all is as it should be. ``taken-back``: a check after
the swap failed, and production is the old one again. ``held``: the environment is on hold."""

Severity = Literal["info", "warning", "error", "critical"]

BAD: frozenset[RunOutcome] = frozenset({"failed", "taken-back"})

OURS = frozenset({"command", "outcome", "severity", "started_by", "at"})
"""Fields whose values are words of ours, which a short secret may well equal."""


class Fact(Struct, frozen=True, kw_only=True):
    """A figure and its name."""

    name: str
    value: str


class Link(Struct, frozen=True, kw_only=True):
    """Where to read more."""

    text: str
    url: str


class Trouble(Struct, frozen=True, kw_only=True):
    """Why it failed, as the failure itself says it."""

    kind: str
    title: str
    what: str
    not_done: str
    remedy: str


class Notice(Struct, frozen=True, kw_only=True):
    """What is told, without secrets."""

    command: str
    outcome: RunOutcome
    severity: Severity
    title: str
    """One sentence without its full stop."""
    environment: str
    project: str
    repository: str
    at: str
    """ISO 8601, UTC."""
    started_by: str
    """Name of GitHub's event, such as ``schedule``; ``local`` outside Actions."""
    actor: str = ""
    tag: str | None = None
    version: str | None = None
    """That is current now, where that is known."""
    commit: str = ""
    run_url: str = ""
    trouble: Trouble | None = None
    facts: tuple[Fact, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def event(self) -> str:
        """``release.succeeded``, and so on."""
        return f"{self.command}.{self.outcome}"

    @property
    def is_for_people(self) -> bool:
        """Whether people want to read of it: an ordinary deploy is no news."""
        if self.command == "deploy":
            return self.outcome in BAD
        return self.outcome != "nothing"


def redacted(notice: Notice, redact: Redact) -> Notice:
    """The same notice with every secret replaced, before anything is escaped."""
    return json_codec.convert(in_values(msgspec.to_builtins(notice), redact, kept=OURS), Notice)

"""Inputs of ``deploy``, ``teardown`` and the store's commands -> what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import overload

from dbtdeploy.base import errors
from dbtdeploy.base.settings import Inputs
from dbtdeploy.base.text import WEB
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.context.work_files import Deploy, Event, TeardownPolicy

BUILDS = ("all", "modified")
FRESHNESS = ("warn", "fail", "off")
DRIVERS = ("deploy", "release")

NEED_REASON = ("hold", "break-lease")


def deploy(inputs: Inputs, workspace: Path) -> Deploy:
    """What ``deploy`` does beyond building.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    freshness = inputs.source_freshness or "warn"
    if freshness not in FRESHNESS:
        raise invalid("source-freshness", f"is {freshness!r}", f"Use {any_of(FRESHNESS)}.")
    where = inputs.docs_location
    if "://" in where and not where.startswith("s3://"):
        raise invalid(
            "docs-location", f"is {where!r}", "Use `s3://bucket/prefix` or the path of a folder."
        )
    if inputs.docs_url and not WEB.fullmatch(inputs.docs_url):
        raise invalid(
            "docs-url", f"is {inputs.docs_url!r}", "Use an address that begins with https://."
        )
    return Deploy(
        environment=inputs.environment or "production",
        retry_failed=inputs.build == "modified" and not (inputs.select or inputs.selector),
        source_freshness=freshness,
        retries=number("retries", inputs.retries, least=0, default=1),
        time_limit_minutes=number("time-limit-minutes", inputs.time_limit_minutes),
        wait_minutes=number("wait-minutes", inputs.wait_minutes, least=0, default=0),
        docs=flag("docs", inputs.docs, default=True),
        docs_location=(where if "://" in where else str((workspace / where).resolve()))
        if where
        else None,
        docs_url=inputs.docs_url or None,
    )


def select(inputs: Inputs) -> str:
    """What ``deploy`` builds where no ``select`` is given; empty for everything.

    Raises:
        InvalidInput: ``build`` is unknown.
    """
    build = inputs.build or "all"
    if build not in BUILDS:
        raise invalid("build", f"is {build!r}", f"Use {any_of(BUILDS)}.")
    return "state:modified+" if build == "modified" else ""


def teardown(inputs: Inputs, event: Event) -> TeardownPolicy:
    """Whose schemas go: one pull request's, or, by ``sweep``, all that are no longer needed.

    Raises:
        InvalidInput: neither is named.
    """
    sweep = flag("sweep", inputs.sweep, default=False)
    pull_request = number("pull-request", inputs.pull_request) or event.pull_request
    if not sweep and pull_request is None:
        raise invalid(
            "pull-request",
            "is empty, and no pull request started this run",
            "Set it to the pull request's number, or set `sweep` to true.",
        )
    return TeardownPolicy(
        pull_request=None if sweep else pull_request,
        sweep=sweep,
        older_than_days=number("older-than-days", inputs.older_than_days, default=14),
        dry_run=flag("dry-run", inputs.dry_run, default=False),
    )


def store_command(inputs: Inputs, *, command: str, location: str, event: Event) -> StoreCommand:
    """A command on the store alone.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    if command in NEED_REASON and not inputs.reason:
        raise invalid("reason", "is empty", f"Say why; `{command}` shows it to all who ask.")
    if command == "drive" and inputs.driver not in DRIVERS:
        what = f"is {inputs.driver!r}" if inputs.driver else "is empty"
        raise invalid("driver", what, f"Use {any_of(DRIVERS)}.")
    return StoreCommand(
        command=command,
        event=event,
        location=location,
        environment=inputs.environment or "production",
        reason=inputs.reason or None,
        driver=inputs.driver or None,
        retention_days=number("retention-days", inputs.retention_days, default=30),
        keep_versions=number("keep-versions", inputs.keep_versions, default=5),
        keep_hours=number("keep-hours", inputs.keep_hours, default=24),
        dry_run=flag("dry-run", inputs.dry_run, default=command == "prune"),
    )


@overload
def number(name: str, text: str, *, default: int, least: int = 1) -> int: ...
@overload
def number(name: str, text: str, *, default: None = None, least: int = 1) -> int | None: ...
def number(name: str, text: str, *, default: int | None = None, least: int = 1) -> int | None:
    """A whole number of at least ``least``; the default where the input is empty.

    Raises:
        InvalidInput: it is no such number.
    """
    if not text:
        return default
    if not text.isdecimal() or int(text) < least:
        raise invalid(name, f"is {text!r}", f"Use a whole number, {least} or more.")
    return int(text)


def flag(name: str, text: str, *, default: bool) -> bool:
    """``true`` or ``false``; the default where the input is empty.

    Raises:
        InvalidInput: it is neither.
    """
    if not text:
        return default
    if text.lower() not in ("true", "false"):
        raise invalid(name, f"is {text!r}", "Use true or false.")
    return text.lower() == "true"


def any_of(values: tuple[str, ...]) -> str:
    """The values as a choice, for a remedy."""
    return " or ".join((", ".join(values[:-1]), values[-1]))


def invalid(name: str, what: str, remedy: str) -> errors.InvalidInput:
    """The failure of one input."""
    return errors.InvalidInput(
        f"The input `{name}` {what}.",
        not_done="Nothing was started, nothing was written.",
        remedy=remedy,
    )

"""Inputs of ``release``, ``rollback`` and ``clean-up`` -> what they mean."""

from __future__ import annotations

import math
from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.base.settings import Inputs
from dbtdeploy.context import deploy_inputs
from dbtdeploy.context.deploy_inputs import any_of, flag, invalid, number
from dbtdeploy.context.work_files import CleanUp, Deploy, Event, Release, Rollback

METHODS = ("blue-green", "direct")
ROW_COUNT_GATES = ("warn", "block", "off")


def release(inputs: Inputs, event: Event, workspace: Path) -> Release:
    """What ``release`` does beyond building.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    tag = inputs.tag or event.tag
    if not tag:
        raise invalid(
            "tag",
            "is empty, and no tag started this run",
            "Push a version tag such as v1.4.0, or name one.",
        )
    hours = amount("freshness-hours", inputs.freshness_hours)
    if inputs.freshness_column and hours is None:
        raise invalid(
            "freshness-hours",
            "is empty beside `freshness-column`",
            "Say how old the newest row may be, in hours.",
        )
    if inputs.smoke_queries and not inputs.smoke_target:
        raise invalid(
            "smoke-target",
            "is empty beside `smoke-queries`",
            "Name the profile's target whose role runs them, best a reader's.",
        )
    return Release(
        tag=tag,
        main_branch=inputs.main_branch or None,
        method=_one_of("method", inputs.method or "blue-green", METHODS),
        allow_breaking=flag("allow-breaking", inputs.allow_breaking, default=False),
        breaking_label=inputs.breaking_label or "allow-breaking",
        row_count_gate=_one_of("row-count-gate", inputs.row_count_gate or "warn", ROW_COUNT_GATES),
        row_count_tolerance=_or(amount("row-count-tolerance", inputs.row_count_tolerance), 5.0),
        freshness_column=inputs.freshness_column or None,
        freshness_hours=hours,
        checks=_folder("checks", inputs.checks, workspace),
        production_tests=flag("production-tests", inputs.production_tests, default=False),
        smoke_target=inputs.smoke_target or None,
        smoke_queries=_folder("smoke-queries", inputs.smoke_queries, workspace),
        keep_hours=number("keep-hours", inputs.keep_hours, default=24),
        attach_manifest=flag("attach-manifest", inputs.attach_manifest, default=False),
        dry_run=flag("dry-run", inputs.dry_run, default=False),
    )


def rollback(inputs: Inputs) -> Rollback:
    """What ``rollback`` goes back to.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    return Rollback(
        version=inputs.version or None,
        restore_incremental=flag("restore-incremental", inputs.restore_incremental, default=False),
        reason=inputs.reason or None,
        dry_run=flag("dry-run", inputs.dry_run, default=False),
    )


def clean_up(inputs: Inputs) -> CleanUp:
    """What ``clean-up`` drops.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    return CleanUp(
        keep_hours=number("keep-hours", inputs.keep_hours, default=24),
        grace_days=number("grace-days", inputs.grace_days, default=14),
        dry_run=flag("dry-run", inputs.dry_run, default=False),
    )


def deploy(inputs: Inputs, workspace: Path, command: str) -> Deploy:
    """What the three share with ``deploy``; a release also brings what failed since.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    shared = deploy_inputs.deploy(inputs, workspace)
    retry = command == "release" and not (inputs.select or inputs.selector)
    return replace(shared, retry_failed=retry)


def amount(name: str, text: str) -> float | None:
    """A number that is not negative; None where the input is empty.

    Raises:
        InvalidInput: it is no such number.
    """
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise invalid(name, f"is {text!r}", "Use a number, 0 or more.")
    return value


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise invalid(name, f"is {value!r}", f"Use {any_of(known)}.")
    return value


def _folder(name: str, text: str, workspace: Path) -> str | None:
    """A folder of queries, absolute."""
    if not text:
        return None
    folder = (workspace / text).resolve()
    if not any(folder.glob("*.sql")):
        raise invalid(
            name, f"is {text!r}, and no .sql file is there", "Name a folder of the checkout's."
        )
    return str(folder)

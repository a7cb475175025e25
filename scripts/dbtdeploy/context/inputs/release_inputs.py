"""Inputs of ``release``, ``rollback`` and ``clean-up`` -> what they mean."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import asdict

from dbtdeploy.base.settings import Inputs
from dbtdeploy.context.inputs import shared_inputs
from dbtdeploy.context.inputs.input_values import (
    amount,
    flag,
    invalid,
    number,
    one_of,
    query_folder,
)
from dbtdeploy.context.policies import CleanUp, Release, Rollback
from dbtdeploy.context.work_files import Event

METHODS = ("blue-green", "direct")
ROW_COUNT_GATES = ("warn", "block", "off")


def release(inputs: Inputs, event: Event, workspace: Path) -> Release:
    """How ``release`` brings a tag live; what failed before is brought along.

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
    tolerance = amount("row-count-tolerance", inputs.row_count_tolerance)
    return Release(
        **asdict(shared_inputs.builds_production(inputs, workspace, retry_failed=True)),
        tag=tag,
        main_branch=inputs.main_branch or None,
        method=one_of("method", inputs.method or "blue-green", METHODS),
        allow_breaking=flag("allow-breaking", inputs.allow_breaking, default=False),
        breaking_label=inputs.breaking_label or "allow-breaking",
        allow_loss=flag("allow-loss", inputs.allow_loss, default=False),
        loss_label=inputs.loss_label or "allow-loss",
        row_count_gate=one_of("row-count-gate", inputs.row_count_gate or "warn", ROW_COUNT_GATES),
        row_count_tolerance=5.0 if tolerance is None else tolerance,
        freshness_column=inputs.freshness_column or None,
        freshness_hours=hours,
        checks=query_folder("checks", inputs.checks, workspace),
        production_tests=flag("production-tests", inputs.production_tests, default=False),
        smoke_target=inputs.smoke_target or None,
        smoke_queries=query_folder("smoke-queries", inputs.smoke_queries, workspace),
        keep_hours=number("keep-hours", inputs.keep_hours, default=24),
        reader_wait_ms=number("reader-wait-ms", inputs.reader_wait_ms, default=250),
        attach_manifest=flag("attach-manifest", inputs.attach_manifest, default=False),
        dry_run=flag("dry-run", inputs.dry_run, default=False),
    )


def rollback(inputs: Inputs, workspace: Path) -> Rollback:
    """What ``rollback`` goes back to.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    return Rollback(
        **asdict(shared_inputs.in_production(inputs, workspace)),
        version=inputs.version or None,
        restore_incremental=flag("restore-incremental", inputs.restore_incremental, default=False),
        reason=inputs.reason or None,
        reader_wait_ms=number("reader-wait-ms", inputs.reader_wait_ms, default=250),
        dry_run=flag("dry-run", inputs.dry_run, default=False),
    )


def clean_up(inputs: Inputs, workspace: Path) -> CleanUp:
    """What ``clean-up`` drops.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    return CleanUp(
        **asdict(shared_inputs.in_production(inputs, workspace)),
        keep_hours=number("keep-hours", inputs.keep_hours, default=24),
        grace_days=number("grace-days", inputs.grace_days, default=14),
        dry_run=flag("dry-run", inputs.dry_run, default=False),
    )

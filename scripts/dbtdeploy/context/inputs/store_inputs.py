"""Inputs of the commands on the store alone -> what they mean."""

from __future__ import annotations

from dbtdeploy.base.settings import Inputs
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.context.inputs.input_values import any_of, flag, invalid, number
from dbtdeploy.context.work_files import Event

DRIVERS = ("deploy", "release")

NEED_REASON = ("hold", "break-lease")


def store_command(
    inputs: Inputs, *, commands: tuple[str, ...], location: str, event: Event
) -> StoreCommand:
    """A command on the store alone.

    Args:
        inputs: as given.
        commands: those that there are.
        location: the store's, a folder's absolute.
        event: what started the run.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    command = inputs.command
    if command not in commands:
        what = f"is {command!r}" if command else "is empty"
        raise invalid("command", what, f"Use {any_of(commands)}.")
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

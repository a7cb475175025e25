"""The inputs of the action ``store`` -> one command on the store. No checkout, no dbt."""

from __future__ import annotations

from dbtdeploy.admin import (
    break_lease,
    list_versions,
    prune_versions,
    set_driver,
    set_hold,
    show_status,
)
from dbtdeploy.base import settings
from dbtdeploy.context import event
from dbtdeploy.context.inputs import input_table, shared_inputs, store_inputs
from dbtdeploy.context.phases import Phase

PHASE = Phase.STORE

COMMANDS = {
    "status": show_status.run,
    "versions": list_versions.run,
    "prune": prune_versions.run,
    "drive": set_driver.run,
    "hold": set_hold.run,
    "lift-hold": set_hold.run,
    "break-lease": break_lease.run,
}


def main() -> None:
    """Read and check the inputs, then do what `command` says."""
    context = settings.GitHubContext.from_environ()
    given = settings.Inputs.from_environ(input_table.fields_of(input_table.STORE))
    asked = store_inputs.store_command(
        given,
        commands=tuple(COMMANDS),
        location=shared_inputs.location(given, context.workspace),
        event=event.of_run(context),
    )
    COMMANDS[asked.command](asked)

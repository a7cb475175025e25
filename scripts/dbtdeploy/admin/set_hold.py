"""``hold`` and ``lift-hold``: a hold on all deploys, or its end."""

from __future__ import annotations

from datetime import datetime, timezone

from msgspec.structs import replace

from dbtdeploy.base import actions_runner, errors, timestamps
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.store import environment_settings, store_location
from dbtdeploy.store.environment_settings import EnvironmentSettings, Hold
from dbtdeploy.store.lease import lease_messages
from dbtdeploy.store.object_store import Store


def run(asked: StoreCommand) -> None:
    """Set the hold, or lift it."""
    opened = store_location.opened(asked.location)
    if asked.command == "lift-hold":
        _lift(opened, asked)
    else:
        _set(opened, asked)


def _set(opened: Store, asked: StoreCommand) -> None:
    hold = Hold(
        reason=asked.reason or "no reason given",
        by=lease_messages.who(asked.event),
        since=timestamps.now(),
        run_url=asked.event.run_url,
    )
    before = environment_settings.change(opened, lambda there: replace(there, hold=hold)).hold
    instead = f"\nIt takes the place of an earlier hold: {_description(before)}" if before else ""
    actions_runner.annotate(
        "notice",
        f"{asked.environment} is on hold",
        f"{hold.reason}\nDeploys are refused until it is lifted (`command: lift-hold`).{instead}",
    )


def _lift(opened: Store, asked: StoreCommand) -> None:
    seen = environment_settings.read(opened).hold
    if seen is None:
        actions_runner.annotate(
            "notice", f"{asked.environment} is not on hold", "There was nothing to lift."
        )
        return

    def lifted(there: EnvironmentSettings) -> EnvironmentSettings:
        # A hold that somebody set just now has a reason that was not looked at.
        return replace(there, hold=None) if there.hold == seen else there

    before = environment_settings.change(opened, lifted).hold
    if before is not None and before != seen:
        raise errors.OnHold(
            f"Another hold was set meanwhile: {_description(before)}",
            not_done="It was not lifted.",
            remedy="Run `command: lift-hold` again if its reason is gone too.",
        )
    by = lease_messages.who(asked.event)
    actions_runner.annotate(
        "notice",
        f"{asked.environment} is no longer on hold",
        f"{by} lifted it. Set by {_description(seen)}",
    )


def _description(hold: Hold) -> str:
    since = timestamps.since(hold.since, datetime.now(timezone.utc))
    return f"{hold.by}, since {since}: {hold.reason}"

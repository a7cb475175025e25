"""``prune``: versions and failed runs that are no longer kept are removed; says which, and why.

A dry run unless told otherwise: it takes no lease and changes nothing.
"""

from __future__ import annotations

from datetime import datetime, timezone

from dbtdeploy.admin import listing, locked_command, prune, retention
from dbtdeploy.admin.listing import VersionRow
from dbtdeploy.admin.retention import Decisions
from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.report import render
from dbtdeploy.store import in_flight, inventory, store_location
from dbtdeploy.store.object_store import Store


def run(asked: StoreCommand) -> None:
    """Decide, say it, and do it if asked to."""
    opened = store_location.opened(asked.location)
    if asked.dry_run:
        decisions = _decide(opened, asked)
        _tell(asked, decisions)
        print("A dry run: nothing was removed. `dry-run: false` removes.")
        _summarize(asked, opened, decisions)
        return
    # What is kept is decided under the lease: a deploy or a rollback would change it.
    with locked_command.owned(opened, asked, say=actions_runner.say) as nonce:
        decisions = _decide(opened, asked)
        _tell(asked, decisions)
        for decision in decisions.going:
            prune.remove(opened, decision.folder, nonce=nonce)
        prune.remove_keys(opened, decisions.probes)
    actions_runner.say(f"Removed {len(decisions.going)}, {listing.size(decisions.freed)}.")
    _summarize(asked, opened, decisions)


def _decide(opened: Store, asked: StoreCommand) -> Decisions:
    policy = retention.RetentionPolicy(
        days=asked.retention_days, keep=asked.keep_versions, hours=asked.keep_hours
    )
    found = in_flight.read(opened)
    return retention.decide(
        inventory.take(opened),
        policy,
        datetime.now(timezone.utc),
        under_way=found.version if found else None,
    )


def _tell(asked: StoreCommand, decisions: Decisions) -> None:
    going, staying = _rows(asked, decisions)
    freed, stays = listing.size(decisions.freed), listing.size(decisions.stays)
    with actions_runner.foreign_output():
        actions_runner.say(
            f"{'Would go' if asked.dry_run else 'Goes'}, {freed}:\n{listing.table(going)}"
        )
        actions_runner.say(f"Stays, {stays}:\n{listing.table(staying)}")


def _summarize(asked: StoreCommand, opened: Store, decisions: Decisions) -> None:
    going, staying = _rows(asked, decisions)
    summary = render.template(
        "store/pruned.md.j2",
        environment=asked.environment,
        location=opened.location,
        going=going,
        staying=staying,
        freed=listing.size(decisions.freed),
        stays=listing.size(decisions.stays),
        most=listing.MOST,
        dry_run=asked.dry_run,
    )
    actions_runner.write_summary(settings.Runner.from_environ().summary, summary)


def _rows(asked: StoreCommand, decisions: Decisions) -> tuple[list[VersionRow], list[VersionRow]]:
    """What goes, and what stays."""
    every = (*decisions.versions, *decisions.failed)
    staying = [item for item in every if not item.goes]
    return (
        listing.of_decisions(decisions.going, asked.event),
        listing.of_decisions(staying, asked.event),
    )

"""``versions``: the versions of an environment, in the log and the step summary."""

from __future__ import annotations

from dbtdeploy.admin import listing
from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.report import render
from dbtdeploy.store import inventory, store_location


def run(asked: StoreCommand) -> None:
    """Show what is there; changes nothing."""
    opened = store_location.opened(asked.location)
    found = inventory.take(opened)
    rows = listing.of_versions(found, asked.event)
    size = listing.size(sum(folder.size for folder in found.versions))
    plain = not rows and opened.get(artifact_check.MANIFEST) is not None
    if rows:
        # Logins and commits come out of the store.
        with actions_runner.foreign_output():
            actions_runner.say(listing.table(rows))
    else:
        actions_runner.say(f"{opened.location} holds no version yet.")
    summary = render.template(
        "store/versions.md.j2",
        environment=asked.environment,
        location=opened.location,
        rows=rows,
        size=size,
        most=listing.MOST,
        plain=plain,
    )
    actions_runner.write_summary(settings.Runner.from_environ().summary, summary)

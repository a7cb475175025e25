"""store_command.json -> the versions of an environment, in the log and the step summary."""

from __future__ import annotations

from dbtdeploy import (
    cli,
    deploy_files,
    files,
    inventory,
    listing,
    render,
    settings,
    state,
    store_step,
)
from dbtdeploy.deploy_files import StoreCommand
from dbtdeploy.edges import actions


def main() -> None:
    """Show what is there; changes nothing."""
    asked = files.read(settings.work_folder() / deploy_files.STORE_COMMAND, StoreCommand)
    opened = store_step.opened(asked.location)
    found = inventory.take(opened)
    rows = listing.of_versions(found, asked.event)
    size = listing.size(sum(folder.size for folder in found.versions))
    plain = not rows and opened.get(state.MANIFEST) is not None
    if rows:
        # Logins and commits come out of the store.
        with actions.foreign_output():
            print(listing.table(rows))
    else:
        print(f"{opened.location} holds no version yet.")
    summary = render.template(
        "store/versions.md.j2",
        environment=asked.environment,
        location=opened.location,
        rows=rows,
        size=size,
        most=listing.MOST,
        plain=plain,
    )
    actions.write_summary(settings.Runner.from_environ().summary, summary)


if __name__ == "__main__":
    cli.run(main)

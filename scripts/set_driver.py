"""store_command.json -> environment.json: merges go live, or only version tags do."""

from __future__ import annotations

from msgspec.structs import replace

from dbtdeploy import cli, deploy_files, environment, files, settings, store_step
from dbtdeploy.deploy_files import StoreCommand
from dbtdeploy.edges import actions

MEANINGS = {
    environment.DEPLOY: "Each merge goes live.",
    environment.RELEASE: "Only version tags go live; other deploys build the live commit again.",
}


def main() -> None:
    """Set who drives the environment, and say who did before."""
    asked = files.read(settings.work_folder() / deploy_files.STORE_COMMAND, StoreCommand)
    driver = asked.driver or environment.DEPLOY
    opened = store_step.opened(asked.location)
    before = environment.change(opened, lambda there: replace(there, driver=driver)).driver
    change = "as before" if before == driver else f"before: {before}"
    actions.annotate(
        "notice", f"{driver} drives {asked.environment} ({change})", MEANINGS.get(driver, "")
    )


if __name__ == "__main__":
    cli.run(main)

"""store_command.json -> environment.json: merges go live, or only version tags do."""

from __future__ import annotations

from msgspec.structs import replace

from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context import deploy_files, work_files
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.context.phases import Phase
from dbtdeploy.store import environment_settings, store_location

PHASE = Phase.STORE

MEANINGS = {
    environment_settings.DEPLOY: "Each merge goes live.",
    environment_settings.RELEASE: "Only version tags go live; "
    "other deploys build the live commit again.",
}


def main() -> None:
    """Set who drives the environment, and say who did before."""
    asked = work_files.read(settings.work_folder() / deploy_files.STORE_COMMAND, StoreCommand)
    driver = asked.driver or environment_settings.DEPLOY
    opened = store_location.opened(asked.location)
    before = environment_settings.change(opened, lambda there: replace(there, driver=driver)).driver
    change = "as before" if before == driver else f"before: {before}"
    actions_runner.annotate(
        "notice", f"{driver} drives {asked.environment} ({change})", MEANINGS.get(driver, "")
    )

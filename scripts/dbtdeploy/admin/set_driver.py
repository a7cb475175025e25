"""``drive``: merges go live, or only version tags do."""

from __future__ import annotations

from msgspec.structs import replace

from dbtdeploy.base import actions_runner
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.store import environment_settings, store_location

MEANINGS = {
    environment_settings.DEPLOY: "Each merge goes live.",
    environment_settings.RELEASE: "Only version tags go live; "
    "other deploys build the live commit again.",
}


def run(asked: StoreCommand) -> None:
    """Set who drives the environment, and say who did before."""
    driver = asked.driver or environment_settings.DEPLOY
    opened = store_location.opened(asked.location)
    before = environment_settings.change(opened, lambda there: replace(there, driver=driver)).driver
    change = "as before" if before == driver else f"before: {before}"
    actions_runner.annotate(
        "notice", f"{driver} drives {asked.environment} ({change})", MEANINGS.get(driver, "")
    )

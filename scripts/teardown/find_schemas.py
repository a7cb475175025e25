"""run.json -> dbt run-operation -> found_schemas.json: all that bear our mark."""

from __future__ import annotations

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.context import work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.dbt import invoke
from dbtdeploy.teardown import teardown_files
from dbtdeploy.teardown.teardown_files import FoundSchemas
from dbtdeploy.warehouse import schema_owner
from dbtdeploy.warehouse.run_macro import run_macro

PHASE = Phase.PLAN


def main() -> None:
    """Find the schemas of this repository, project and target."""
    work = settings.work_folder()
    run = work_files.read(work / work_files.RUN, work_files.Run)
    found = run_macro(
        invoke.dbt_of(run, work),
        "find_schemas",
        {"prefix": schema_owner.place_prefix(run)},
        FoundSchemas,
        work=work,
        name="find",
        failure=errors.TeardownIncomplete,
        not_done="No schema was looked at or dropped.",
    )
    work_files.write(work / teardown_files.FOUND_SCHEMAS, found)
    actions_runner.say(f"Schemas that bear the mark of {run.dbt.name}: {len(found.schemas)}.")

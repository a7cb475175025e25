"""run.json -> dbt run-operation -> FoundSchemas: all that bear our mark."""

from __future__ import annotations

from dbtdeploy.base import actions_runner, errors
from dbtdeploy.context import hand_over
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import TeardownPolicy
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.teardown.teardown_files import FoundSchemas
from dbtdeploy.warehouse import schema_owner
from dbtdeploy.warehouse.run_macro import run_macro

PHASE = Phase.PLAN


def main() -> None:
    """Find the schemas of this repository, project and target."""
    ctx = RunContext.open(TeardownPolicy)
    work, run = ctx.work, ctx.run
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
    hand_over.write(work, found)
    actions_runner.say(f"Schemas that bear the mark of {run.dbt.name}: {len(found.schemas)}.")

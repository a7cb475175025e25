"""run.json -> dbt run-operation -> found_schemas.json: all that bear our mark."""

from __future__ import annotations

from dbtdeploy import cli, dbt_step, errors, files, schema_mark, settings, teardown_files
from dbtdeploy.run_macro import run_macro
from dbtdeploy.teardown_files import FoundSchemas


def main() -> None:
    """Find the schemas of this repository, project and target."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    found = run_macro(
        dbt_step.dbt_of(run, work),
        "find_schemas",
        {"prefix": schema_mark.place_prefix(run)},
        FoundSchemas,
        work=work,
        name="find",
        failure=errors.TeardownIncomplete,
        not_done="No schema was looked at or dropped.",
    )
    files.write(work / teardown_files.FOUND_SCHEMAS, found)
    print(f"Schemas that bear the mark of {run.dbt.name}: {len(found.schemas)}.")


if __name__ == "__main__":
    cli.run(main)

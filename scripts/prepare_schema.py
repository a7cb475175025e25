"""plan.json -> the pull request's schemas, created and marked, with production's rows laid in."""

from __future__ import annotations

from dbtdeploy import cli, dbt_step, files, prepare_step, settings


def main() -> None:
    """Prepare the warehouse for dbt build, or refuse."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    state = files.read(work / files.STATE, files.State)
    plan = files.read(work / files.PLAN, files.Plan)
    prepare_step.prepare(dbt_step.dbt_of(run, work), run, work, state, plan)


if __name__ == "__main__":
    cli.run(main)

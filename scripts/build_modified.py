"""plan.json + state/ -> dbt build -> build.json, run_results.json, the log and the compiled SQL."""

from __future__ import annotations

from dbtdeploy import build_step, cli, commands, dbt_step, files, settings


def main() -> int:
    """Build, and end with dbt's verdict."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    state = files.read(work / files.STATE, files.State)
    files.read(work / files.SCHEMAS, files.Schemas)
    arguments = commands.building(
        run.selection,
        dbt_step.state_folder(work, state),
        threads=run.dbt.threads,
        extra=run.dbt.extra_args,
    )
    called = build_step.call(run, work, arguments)
    build = build_step.keep(run, work, called)
    return build_step.verdict(run, work, called, build)


if __name__ == "__main__":
    cli.run(main)

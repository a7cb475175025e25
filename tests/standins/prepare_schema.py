"""What build_modified.py does between its plan and its build, alone: for tests of that part."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2] / "scripts")

from dbtdeploy import cli, dbt_step, files, prepare_step, settings  # noqa: E402  found by the line above


def main() -> None:
    """Prepare the warehouse for dbt build, or refuse."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    state = files.read(work / files.STATE, files.State)
    plan = files.read(work / files.PLAN, files.Plan)
    prepare_step.prepare(dbt_step.dbt_of(run, work), run, work, state, plan)


if __name__ == "__main__":
    cli.run(main)

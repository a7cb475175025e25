"""What build_modified.py does between its plan and its build, alone: for tests of that part."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2] / "scripts")

from dbtdeploy.base import settings
from dbtdeploy.ci import prepare_schemas
from dbtdeploy.context import cli, hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.dbt import invoke


def main() -> None:
    """Prepare the warehouse for dbt build, or refuse."""
    work = settings.work_folder()
    run = hand_over.read(work, work_files.Run)
    state = hand_over.read(work, work_files.State)
    plan = hand_over.read(work, work_files.Plan)
    prepare_schemas.prepare(invoke.dbt_of(run, work), run, work, state, plan)


if __name__ == "__main__":
    cli.run(main, phase=Phase.PREFLIGHT)

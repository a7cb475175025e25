"""Inputs and the event -> run.json: all that is known before anything is done.

    run.py start start_run deploy

The command is the action's own name. Only the inputs of that action are read.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path

from dbtdeploy.base import actions_runner, errors, own_folder, settings, timestamps
from dbtdeploy.context import event, hand_over, production_branch, project, work_files
from dbtdeploy.context.inputs import input_table, input_values, inputs
from dbtdeploy.context.phases import Phase

PHASE = Phase.START


def main() -> None:
    """Read everything, check everything, and name the work folder and the schema."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("command", choices=input_table.WITH_DBT)
    command = parser.parse_args().command
    context = settings.GitHubContext.from_environ()
    given = settings.Inputs.from_environ(input_table.fields_of(command))
    runner = settings.Runner.from_environ()
    folder = input_values.path("project-dir", given.project_dir or ".", context.workspace)
    own = project.read_project(folder)
    run = inputs.parse(
        given,
        command=command,
        event=event.of_run(context),
        project=own,
        workspace=context.workspace,
        target_path=settings.dbt_target_path(folder, own.target_path),
        started_at=timestamps.now(),
    )
    production_branch.check(command, run.event, ref=context.ref, main_branch=given.main_branch)
    work = settings.work_folder_if_known() or _folder_of_jobs(runner) / _folder_name(run)
    _empty(work)
    hand_over.write(work, run)
    settings.keep_schema(work, run.schema)
    outputs = {"work": str(work), "schema": run.schema, "skip": run.event.skip or ""}
    actions_runner.set_outputs(runner.output, outputs)
    if run.event.skip and command == input_table.TEARDOWN:
        actions_runner.say(f"Nothing to drop: this pull request ({run.event.skip}) built nothing.")


def _folder_of_jobs(runner: settings.Runner) -> Path:
    folder = runner.temp / "dbt-deploy"
    own_folder.require(folder)
    return folder


def _folder_name(run: work_files.Run) -> str:
    """One work folder per project and target, so that a job can use the action twice."""
    place = f"{run.dbt.project_dir}\n{run.dbt.target}\n{run.policy.state}"
    return f"{run.dbt.name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def _empty(work: Path) -> None:
    """Remove what an earlier run left; never a folder that is not ours."""
    own_folder.require_if_there(work)
    if work.is_dir() and any(work.iterdir()):
        if not (work / hand_over.RUN).is_file():
            raise errors.InvalidInput(
                f"The work folder {work} holds files that are not dbt-deploy's.",
                not_done="Nothing was deleted, dbt was not started.",
                remedy="Set DBT_DEPLOY_WORK to a new or empty folder.",
            )
        shutil.rmtree(work)
    own_folder.require(work)

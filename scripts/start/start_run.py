"""Inputs and the event -> run.json: all that is known before anything is done."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import msgspec

from dbtdeploy.base import actions_runner, errors, settings, timestamps
from dbtdeploy.context import (
    deploy_files,
    event,
    inputs,
    production_branch,
    project,
    shared_inputs,
    store_inputs,
    work_files,
)
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Ci

PHASE = Phase.START


def main() -> None:
    """Read everything, check everything, and name the work folder and the schema."""
    context = settings.GitHubContext.from_environ()
    given = settings.Inputs.from_environ()
    runner = settings.Runner.from_environ()
    command = inputs.command_of(given)
    if command in inputs.STORE_COMMANDS:
        _start_store_command(context, given, command)
        return
    folder = (context.workspace / (given.project_dir or ".")).resolve()
    own = project.read_project(folder)
    run = inputs.parse(
        given,
        event=_event(context),
        project=own,
        workspace=context.workspace,
        target_path=settings.dbt_target_path(folder, own.target_path),
        started_at=timestamps.now(),
    )
    production_branch.check(command, run.event, ref=context.ref, main_branch=given.main_branch)
    work = settings.work_folder_if_known() or runner.temp / "dbt-deploy" / _folder_name(run)
    _empty(work)
    work_files.write(work / work_files.RUN, run)
    mode = "skip" if run.event.skip else command
    outputs = {"work": str(work), "mode": mode, "schema": run.schema}
    if mode in inputs.IN_PRODUCTION:
        outputs["in-production"] = "true"
    if mode == "ci" and run.of(Ci).announce:
        outputs["announce"] = "true"
    actions_runner.set_outputs(runner.output, outputs)
    if run.event.skip and command == "teardown":
        print(f"Nothing to drop: this pull request ({run.event.skip}) built nothing.")


def _start_store_command(
    context: settings.GitHubContext, given: settings.Inputs, command: str
) -> None:
    """A command that needs no project: no checkout, no dbt."""
    runner = settings.Runner.from_environ()
    asked = store_inputs.store_command(
        given,
        command=command,
        location=shared_inputs.location(given, context.workspace),
        event=_event(context),
    )
    work = settings.work_folder_if_known() or runner.temp / "dbt-deploy" / command
    _empty(work)
    work_files.write(work / deploy_files.STORE_COMMAND, asked)
    actions_runner.set_outputs(runner.output, {"work": str(work), "mode": command})


def _event(context: settings.GitHubContext) -> work_files.Event:
    try:
        payload = json.loads(context.event_path.read_text()) if context.event_path else {}
        return event.read_event(context, payload)
    except (OSError, ValueError, msgspec.ValidationError) as cause:
        raise errors.InvalidInput(
            f"GITHUB_EVENT_PATH does not hold an event of GitHub's: {cause}",
            not_done="dbt was not started, nothing was written.",
            remedy="Leave GITHUB_EVENT_PATH to the runner; unset it to run by hand.",
        ) from None


def _folder_name(run: work_files.Run) -> str:
    """One work folder per project and target, so that a job can use the action twice."""
    place = f"{run.dbt.project_dir}\n{run.dbt.target}\n{run.policy.state}"
    return f"{run.dbt.name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def _empty(work: Path) -> None:
    """Remove what an earlier run left; never a folder that is not ours."""
    if work.is_dir() and any(work.iterdir()):
        if not any(
            (work / name).is_file() for name in (work_files.RUN, deploy_files.STORE_COMMAND)
        ):
            raise errors.InvalidInput(
                f"The work folder {work} holds files that are not dbt-deploy's.",
                not_done="Nothing was deleted, dbt was not started.",
                remedy="Set DBT_DEPLOY_WORK to a new or empty folder.",
            )
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)

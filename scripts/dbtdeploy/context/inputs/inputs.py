"""Inputs as text -> what they mean. All that can be wrong with an input is found here, at once."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from dbtdeploy.base import dbt_variables, errors, yaml_codec
from dbtdeploy.base.settings import Inputs
from dbtdeploy.context import schema_name, shortcuts
from dbtdeploy.context.inputs import (
    deploy_inputs,
    input_table,
    option_words,
    pull_request_inputs,
    release_inputs,
)
from dbtdeploy.context.inputs.input_values import flag, invalid, number, path
from dbtdeploy.context.policies import AnyPolicy, TeardownPolicy
from dbtdeploy.context.project import Project
from dbtdeploy.context.work_files import DbtProject, Event, Run, Selection

DEFAULT_SELECT = "state:modified+"

OWN_INPUTS = {
    "--select": "select",
    "-s": "select",
    "--models": "select",
    "-m": "select",
    "--model": "select",
    "--exclude": "exclude",
    "--selector": "selector",
    "--state": "state",
    "--defer-state": "state",
    "--defer": "state",
    "--no-defer": "state",
    "--favor-state": "state",
    "--no-favor-state": "state",
    "--project-dir": "project-dir",
    "--profiles-dir": "profiles-dir",
    "--profile": "profile",
    "--target": "target",
    "-t": "target",
    "--vars": "vars",
    "--threads": "threads",
    "--full-refresh": "full-refresh",
    "-f": "full-refresh",
    "--target-path": "",
    "--log-path": "",
    "--log-format-file": "",
    "--log-level-file": "",
    "--no-write-json": "",
}
"""dbt options that dbt-deploy sets itself, and the input that sets them."""

SHORT = re.compile(r"-[A-Za-z]")
"""Short options may be joined, and their value too."""


def parse(
    inputs: Inputs,
    *,
    command: str,
    event: Event,
    project: Project,
    workspace: Path,
    target_path: Path,
    started_at: str,
) -> Run:
    """Make of the inputs what ``run.json`` holds.

    Args:
        inputs: as given.
        command: the action's name.
        event: what started the run.
        project: dbt_project.yml of the folder that ``inputs.project_dir`` names.
        workspace: the folder that relative paths start from.
        target_path: absolute, where dbt writes its artifacts.
        started_at: ISO 8601, UTC.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    _refuse_to_deploy_a_fork(command, event)
    dbt_variables.passed(inputs.pass_env)
    dbt_variables.names(inputs.not_secret, input_name="not-secret")
    option_words.refuse(inputs)
    policy = _policy(command, inputs, event, workspace)
    teardown = policy if isinstance(policy, TeardownPolicy) else None
    pull_request = teardown.pull_request if teardown else event.pull_request
    folder = path("project-dir", inputs.project_dir or ".", workspace)
    if not inputs.profile and project.profile is None:
        raise invalid(
            "profile",
            "is empty, and dbt_project.yml names no profile that can be read without dbt",
            "Set it to the profile's name in profiles.yml.",
        )
    return Run(
        event=event,
        dbt=DbtProject(
            command=inputs.dbt_command or "dbt",
            project_dir=str(folder),
            repository_path=_from_root(folder, workspace),
            name=project.name,
            profiles_dir=str(path("profiles-dir", inputs.profiles_dir, workspace))
            if inputs.profiles_dir
            else None,
            profile=inputs.profile or project.profile,
            target=inputs.target or None,
            target_path=str(target_path),
            packages_path=str(folder / project.packages_path),
            vars=_vars(inputs.vars),
            threads=number("threads", inputs.threads),
            extra_args=_extra_args(inputs.dbt_args),
            stores_failures=project.stores_failures,
            shortcuts=shortcuts.parse(inputs.shortcuts),
            reads=project.reads,
        ),
        selection=_selection(inputs, project, command),
        policy=policy,
        # Production is built where the profile says, and a schema of ours must not leak into it.
        schema=""
        if command in input_table.IN_PRODUCTION
        else schema_name.schema_name(
            prefix=inputs.schema_prefix or "pr",
            pull_request=pull_request,
            ref=event.ref or "local",
            project=project.name,
        ),
        started_at=started_at,
    )


def _refuse_to_deploy_a_fork(command: str, event: Event) -> None:
    """Only slim CI and teardown have something to say where a job gets no secrets."""
    if event.skip and command in input_table.IN_PRODUCTION:
        raise errors.InvalidInput(
            f"A pull request ({event.skip}) started this {command}, and its jobs get no secrets.",
            not_done="Nothing was started, nothing was written.",
            remedy="Start it by a push, a tag, a schedule or by hand.",
        )


def _policy(command: str, inputs: Inputs, event: Event, workspace: Path) -> AnyPolicy:
    """What the command was asked to do; each reads only its own inputs."""
    if command == "deploy":
        return deploy_inputs.deploy(inputs, workspace)
    if command == "release":
        return release_inputs.release(inputs, event, workspace)
    if command == "rollback":
        return release_inputs.rollback(inputs, workspace)
    if command == "clean-up":
        return release_inputs.clean_up(inputs, workspace)
    if command == "teardown":
        return pull_request_inputs.teardown(inputs, event, workspace)
    return pull_request_inputs.ci(inputs, workspace)


def _selection(inputs: Inputs, project: Project, command: str) -> Selection:
    if inputs.selector and (inputs.select or inputs.exclude):
        raise invalid(
            "selector",
            "is set beside `select` or `exclude`",
            "dbt takes either; put the exclusion into selectors.yml.",
        )
    default = DEFAULT_SELECT
    if command == "deploy":
        default = deploy_inputs.select(inputs)
    return Selection(
        select=None if inputs.selector else inputs.select or default or None,
        exclude=inputs.exclude or None,
        selector=inputs.selector or None,
        selectors_need_state=project.selectors_need_state,
        full_refresh=flag("full-refresh", inputs.full_refresh, default=False),
    )


def _vars(text: str) -> str | None:
    if not text:
        return None
    try:
        content = yaml_codec.load(text)
    except yaml_codec.NotYaml:
        content = None
    if not isinstance(content, dict):
        raise invalid("vars", "is not a YAML mapping", 'Write it as {"name": "value"}.')
    return text


def _extra_args(text: str) -> tuple[str, ...]:
    try:
        arguments = tuple(shlex.split(text))
    except ValueError as cause:
        raise invalid("dbt-args", f"cannot be split: {cause}", "Close the quotes.") from None
    for argument in arguments:
        option = argument.split("=", 1)[0]
        if SHORT.match(option):
            # `-tprod` is `--target prod`, and `-xf` is `--fail-fast --full-refresh`.
            option = next((f"-{c}" for c in option[1:] if f"-{c}" in OWN_INPUTS), option)
        if option in OWN_INPUTS:
            own = OWN_INPUTS[option]
            remedy = f"Use the input `{own}` instead." if own else "dbt-deploy sets it itself."
            raise invalid("dbt-args", f"holds {option}", remedy)
    return arguments


def _from_root(folder: Path, workspace: Path) -> str:
    try:
        return folder.relative_to(workspace.resolve()).as_posix()
    except ValueError:
        return "."

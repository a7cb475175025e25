"""The one maker of runs in tests: whole, with the very defaults that the inputs have."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from dbtdeploy.base.settings import Inputs
from dbtdeploy.context import work_files
from dbtdeploy.context.inputs import deploy_inputs, pull_request_inputs, release_inputs
from dbtdeploy.context.policies import (
    AnyPolicy,
    Ci,
    CleanUp,
    Deploy,
    Release,
    Rollback,
    TeardownPolicy,
)

SHA = "9f3c2e1d5b7a8c9e0f1a2b3c4d5e6f7a8b9c0d1e"
STORE = "s3://bucket/prod"
INPUTS = Inputs.from_environ({"state"}, {"DBT_DEPLOY_STATE": STORE})
HERE = Path("/workspace")

P = TypeVar("P", bound=AnyPolicy)


def ci(**over: Any) -> Ci:
    """What a pull request's build is asked by default; ``over`` replaces fields."""
    return replace(pull_request_inputs.ci(INPUTS, HERE), **over)


def deploy(**over: Any) -> Deploy:
    """The same of a deploy."""
    return replace(deploy_inputs.deploy(INPUTS, HERE), **over)


def release(tag: str = "v1.4.0", **over: Any) -> Release:
    """The same of a release of a tag."""
    return replace(release_inputs.release(INPUTS, event(tag=tag), HERE), **over)


def rollback(**over: Any) -> Rollback:
    """The same of a rollback."""
    return replace(release_inputs.rollback(INPUTS, HERE), **over)


def clean_up(**over: Any) -> CleanUp:
    """The same of a clean-up."""
    return replace(release_inputs.clean_up(INPUTS, HERE), **over)


def teardown(**over: Any) -> TeardownPolicy:
    """The same of a teardown, of pull request 7."""
    return replace(pull_request_inputs.teardown(INPUTS, event(pull_request=7), HERE), **over)


def event(**over: Any) -> work_files.Event:
    """A push by ann."""
    known: dict[str, Any] = {
        "name": "push",
        "repository": "acme/shop",
        "sha": SHA,
        "ref": "main",
        "actor": "ann",
        "run_id": 100,
        "run_url": "https://github.com/acme/shop/actions/runs/100",
    }
    return work_files.Event(**{**known, **over})


def project(checkout: Path | str = "/project", **over: Any) -> work_files.DbtProject:
    """The project ``shop`` in a folder."""
    known: dict[str, Any] = {
        "command": "dbt",
        "project_dir": str(checkout),
        "repository_path": ".",
        "name": "shop",
        "profiles_dir": None,
        "profile": "shop",
        "target": None,
        "target_path": f"{checkout}/target",
        "packages_path": f"{checkout}/dbt_packages",
    }
    return work_files.DbtProject(**{**known, **over})


def run(policy: AnyPolicy | None = None, **over: Any) -> work_files.Run:
    """A run of the command whose policy this is; a pull request's build by default."""
    made = work_files.Run(
        event=event(),
        dbt=project(),
        selection=work_files.Selection(),
        policy=policy or ci(),
        schema="",
        started_at="2026-11-21T09:00:00+00:00",
    )
    return replace(made, **over)


def asked(given: work_files.Run, policy: AnyPolicy) -> work_files.Run:
    """The same run with another policy on the same store."""
    return replace(given, policy=replace(policy, state=given.policy.state))


def changed(given: work_files.Run, kind: type[P], **over: Any) -> work_files.Run:
    """The same run with other fields in its policy, which is of that command."""
    return replace(given, policy=replace(given.of(kind), **over))

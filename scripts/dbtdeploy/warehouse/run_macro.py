"""A macro for a pull request's schemas, run by the caller's dbt in a root project of ours.

dbt parses all macros of a project, in each job anew, and most of ours are for production: they are
left out of the copy that is run. The output is anybody's (``print()`` of a package's macro), so the
answer bears a token.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dbtdeploy.base import errors, json_codec
from dbtdeploy.dbt import commands, dbt_error_hints, invoke
from dbtdeploy.dbt.dbt_client import Dbt

PACKAGE = Path(__file__).resolve().parents[3] / "templates" / "dbt_package"

PRODUCTION = "production"
"""Folder of the macros that no pull request needs."""

DEAF_GRACE_SECONDS = 1.0
"""run-operation hears no interrupt while it waits for a query; see ``postgres__copy_rows``."""

T = TypeVar("T")


def run_macro(
    dbt: Dbt,
    macro: str,
    job: Mapping[str, Any],
    answer: type[T],
    *,
    work: Path,
    name: str,
    failure: type[errors.DbtDeployError],
    not_done: str,
) -> T:
    """Run a macro that takes ``job`` and prints ``job.token`` and then its answer as JSON.

    Args:
        dbt: the caller's.
        macro: its name.
        job: its argument, without the token. Linux takes 128 KiB of it.
        answer: what it answers.
        work: the work folder.
        name: of the log folder of this call.
        failure: what to raise when it fails.
        not_done: what is then not done.

    Raises:
        Cancelled: the run was interrupted.
    """
    token = new_token()
    arguments = (macro, "--args", json.dumps({"job": {**job, "token": token}}))
    answers = call(
        dbt,
        arguments,
        package=_lay_out(work / "pull_request_package"),
        token=token,
        work=work,
        name=name,
        failure=failure,
        not_done=not_done,
    )
    return json_codec.decode(answers[-1], answer)


def _lay_out(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns(PRODUCTION))


def new_token() -> str:
    """What an answer of ours begins with; nobody else can guess it."""
    return f"dbt-deploy-{secrets.token_hex(16)} "


def call(
    dbt: Dbt,
    arguments: Sequence[str],
    *,
    package: Path,
    token: str,
    work: Path,
    name: str,
    failure: type[errors.DbtDeployError],
    not_done: str,
) -> list[str]:
    """Call ``dbt run-operation`` in a project of ours.

    Args:
        dbt: the caller's.
        arguments: the macro, and what it takes.
        package: the project's folder.
        token: what an answer begins with.
        work: the work folder.
        name: of the log folder of this call.
        failure: what to raise when it fails.
        not_done: what is then not done.

    Returns:
        The answers, at least one, without the token.

    Raises:
        Cancelled: the run was interrupted.
    """
    lines: list[str] = []
    outcome = dbt.run_ours(
        [*commands.READ_BY_US, "run-operation", *arguments],
        package=package,
        target=work / "warehouse",
        name=name,
        on_line=lines.append,
        grace_seconds=DEAF_GRACE_SECONDS,
    )
    if outcome.interrupted:
        raise invoke.cancelled()
    answers = [line.removeprefix(token) for line in lines if line.startswith(token)]
    if outcome.exit_code != 0 or not answers:
        said = dbt_error_hints.message(
            outcome.errors, [line for line in lines if token not in line]
        )
        raise failure(said, not_done=not_done, remedy=dbt_error_hints.remedy_for(said))
    return answers

"""A macro of ours with an argument of any size, run in the warehouse by the caller's dbt.

Linux takes 128 KiB in one argument of a command, and 5,000 relations are more; so the job is
written into a macro of a copy of our package. The answer comes as base64 where it may hold
anything: dbt puts ***** in place of the value of a DBT_ENV_SECRET_* in all that it prints.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbtdeploy.base import errors
from dbtdeploy.dbt.dbt_client import Dbt
from dbtdeploy.warehouse.run_macro import PACKAGE, call, new_token

ENTRY = "run_job"
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.,:;()[]=<>/*+-")


def run_job(
    dbt: Dbt,
    macro: str,
    job: Mapping[str, Any],
    *,
    work: Path,
    name: str,
    not_done: str,
    failure: type[errors.DbtDeployError] = errors.ProductionCheckFailed,
) -> list[bytes]:
    """Run a macro that takes ``job`` and prints ``job.token`` before each of its answers.

    Args:
        dbt: the caller's.
        macro: its name.
        job: its argument, to which a token and a quote that nobody can guess are added.
        work: the work folder.
        name: of the log folder of this call.
        not_done: what is not done if it fails.
        failure: what to raise when dbt or the warehouse failed.

    Returns:
        The answers, as JSON.

    Raises:
        Cancelled: the run was interrupted.
    """
    token = new_token()
    package = lay_out(
        work / "package", macro, {**job, "token": token, "quote": "q" + secrets.token_hex(16)}
    )
    answers = call(
        dbt,
        (ENTRY,),
        package=package,
        token=token,
        work=work,
        name=name,
        failure=failure,
        not_done=not_done,
    )
    return [_decoded(answer) for answer in answers]


def lay_out(folder: Path, macro: str, job: Mapping[str, Any]) -> Path:
    """Copy our package, with a macro that calls ``macro`` with ``job``."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PACKAGE, folder)
    (folder / "macros" / "job.sql").write_text(
        f"{{% macro {ENTRY}() %}}\n"
        f'  {{% do dbtdeploy.{macro}(fromjson("{_literal(json.dumps(job))}")) %}}\n'
        "{% endmacro %}\n",
        encoding="ascii",
    )
    return folder


def _literal(text: str) -> str:
    """The inside of a string of Jinja's, in which nothing can be taken for Jinja."""
    return "".join(c if c in PLAIN else f"\\u{ord(c):04x}" for c in text)


def _decoded(answer: str) -> bytes:
    return answer.encode() if answer[:1] in "[{" else base64.b64decode(answer, validate=True)

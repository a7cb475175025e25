"""Crash points: a real SIGKILL, and only in tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
CODE = "from dbtdeploy.base import crash; crash.point('here'); print('alive')"


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_named_point_kills() -> None:
    ended = run(DBT_DEPLOY_TEST="1", DBT_DEPLOY_CRASH_AT="here")
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == ""


@pytest.mark.parametrize(
    "variables",
    [
        {"DBT_DEPLOY_CRASH_AT": "here"},
        {"DBT_DEPLOY_CRASH_AT": "here", "DBT_DEPLOY_TEST": "true"},
        {"DBT_DEPLOY_TEST": "1"},
        {"DBT_DEPLOY_TEST": "1", "DBT_DEPLOY_CRASH_AT": "there"},
    ],
)
def test_nothing_else_does(variables: dict[str, str]) -> None:
    assert run(**variables).stdout == "alive\n"

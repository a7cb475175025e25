"""``make try`` starts as it is called: a program of its own, from any folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "demo" / "try_project.py"


def test_it_says_what_is_missing_where_there_is_no_project(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, "--project", tmp_path, "--state", tmp_path],
        env={},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"There is no dbt_project.yml in {tmp_path}. Nothing was done." in (
        done.stdout + done.stderr
    )
    assert "Traceback" not in done.stderr

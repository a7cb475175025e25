"""What mashumaro makes late is what it makes at once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from in_dbt.warm import Warm

DRIVER = Path(__file__).with_name("codecs_driver.py")
IN_DBT = Path(__file__).parents[2] / "scripts" / "in_dbt"


def told(warm: Warm, when: str, tmp_path: Path) -> Any:
    done = subprocess.run(
        [warm.command.with_name("python"), DRIVER, IN_DBT, when],
        capture_output=True,
        text=True,
        check=False,
        env=warm.variables(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_same_code_is_made_and_none_that_is_not_used(any_warm: Warm, tmp_path: Path) -> None:
    early, late = (told(any_warm, when, tmp_path) for when in ("early", "late"))
    assert late["made"].keys() == early["made"].keys()
    assert [k for k, code in late["made"].items() if code != early["made"][k]] == []
    assert late["at once"] < 0.1 * early["at once"]

"""The ``run`` blocks of composite actions, which actionlint does not read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SHELLCHECK = Path(sys.executable).with_name("shellcheck")


@pytest.mark.parametrize(
    "action",
    [
        ROOT / "action.yml",
        *sorted(ROOT.glob("*/action.yml")),
        *sorted((ROOT / "tests/standins/actions").glob("*/action.yml")),
    ],
    ids=lambda path: path.parent.name,
)
def test_shellcheck_is_content(action: Path) -> None:
    steps = yaml.safe_load(action.read_text(encoding="utf-8"))["runs"]["steps"]
    blocks = {step["name"]: step["run"] for step in steps if "run" in step}
    assert blocks
    for name, block in blocks.items():
        assert "${{" not in block, name
        done = subprocess.run(
            [SHELLCHECK, "--shell=bash", "-"],
            input=block,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stdout}"

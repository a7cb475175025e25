"""The actions and workflows as the contract tests read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from dbtdeploy.context.inputs import input_table

ROOT = Path(__file__).resolve().parents[2]

ACTIONS = input_table.ACTIONS

SCRIPT = re.compile(r'scripts/(?:(setup_environment|refuse_command)\.py"|run\.py" (\w+) (\w+))')


def load(path: Path) -> dict[Any, Any]:
    """A YAML file."""
    content: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def action(name: str) -> dict[str, Any]:
    """The action.yml of a folder; that of the root for ``.``."""
    return load(ROOT / name / "action.yml")


def steps(name: str) -> list[dict[str, Any]]:
    """The steps of an action."""
    found: list[dict[str, Any]] = action(name)["runs"]["steps"]
    return found


def scripts(step: dict[str, Any]) -> list[str]:
    """The scripts that a step runs, ``deploy/take_lease``."""
    return ["/".join(filter(None, found)) for found in SCRIPT.findall(step.get("run", ""))]


def step(name: str, script: str) -> dict[str, Any]:
    """The first step of an action that runs a script."""
    return next(one for one in steps(name) if script in scripts(one))


def order(name: str) -> list[str]:
    """The scripts of an action, in order."""
    return [script for one in steps(name) for script in scripts(one)]

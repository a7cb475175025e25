"""nektos/act in host mode: a runner that others wrote, without containers.

Actions that would be downloaded are replaced by folders (``--local-repository``): ours by a copy of
this repository, GitHub's and AWS's by the small ones in ``standins/actions``. ``actions/checkout``
needs none: act copies the caller's repository by itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import pin_workflows
from dbtdeploy.context.inputs import input_table

ROOT = Path(__file__).resolve().parents[3]
ACTIONS = Path(__file__).resolve().parents[1] / "actions"
SHIPPED = ("action.yml", "uv.lock", "pyproject.toml")
SHIPPED_FOLDERS = (".github", "scripts", "templates", *input_table.ACTIONS)
REPOSITORY = "org/dbt-deploy"
PLACES = (ROOT / ".cache" / "bin", Path.home() / "go" / "bin")
TIMEOUT_SECONDS = 300
COMMIT = "0" * 39 + "1"
"""Ours, whatever it is: act takes it from a folder."""
UNKNOWN = re.compile(r"^ +(?:queue|deployment): .*\n", re.MULTILINE)
PIN = re.compile(r"uses: (?P<action>(?:actions|aws-actions)/[\w-]+)@(?P<commit>[0-9a-f]{40})")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """One run that is over."""

    exit_code: int
    log: str

    def steps(self, outcome: str) -> list[str]:
        """Names of the main steps that act marked ``Success`` or ``Failure``."""
        pattern = rf"{outcome} - Main (.+?) \[[\d.]+[µnm]?s"
        return [match[1].strip() for match in re.finditer(pattern, self.log)]


def find() -> str | None:
    """The command act: on PATH, where ``.ci/run`` puts it, or where ``go install`` does."""
    return shutil.which("act", path=os.pathsep.join([os.environ["PATH"], *map(str, PLACES)]))


def ship(folder: Path) -> Path:
    """Copy what a release of this action holds, without tests and caches."""
    for name in SHIPPED:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    leave = shutil.ignore_patterns("__pycache__")
    for name in SHIPPED_FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    for path in (folder / ".github" / "workflows").glob("*.yml"):
        # act 0.2.89 does not know these and refuses the workflow; it has no queues and no
        # deployments anyhow.
        text = UNKNOWN.sub("", path.read_text(encoding="utf-8"))
        text = pin_workflows.pinned(text, REPOSITORY, COMMIT)
        path.write_text(text, encoding="utf-8")
    return folder


def run(
    event: str,
    *,
    act: str,
    caller: Path,
    ours: Path,
    payload: Mapping[str, Any],
    home: Path,
    actor: str,
    secrets: Mapping[str, str],
    variables: Mapping[str, str],
    environment: Mapping[str, str],
) -> Finished:
    """Run the caller's workflows for one event.

    Args:
        event: its name.
        act: the command.
        caller: a git repository with ``.github/workflows``.
        ours: the folder that ``org/dbt-deploy`` stands for, at ``v1`` and at its commit.
        payload: the event, as GitHub sends it.
        home: an empty folder; act keeps its workspaces and caches there.
        actor: who caused the event.
        secrets: the repository's, GITHUB_TOKEN among them.
        variables: given to every step.
        environment: act's own, which its steps inherit.
    """
    home.mkdir()
    event_file = home / "event.json"
    event_file.write_text(json.dumps(payload), encoding="utf-8")
    secret_file = home / "secrets.yml"
    secret_file.write_text(yaml.safe_dump(dict(secrets)), encoding="utf-8")
    command = [act, event, "--eventpath", str(event_file), "--actor", actor]
    command += ["--platform", "ubuntu-latest=-self-hosted", "--no-cache-server", "--pull=false"]
    command += ["--secret-file", str(secret_file), "--env-file", os.devnull]
    # The caller names the workflow by its tag, and that the actions by its own commit.
    for ref in ("v1", COMMIT):
        command += ["--local-repository", f"{REPOSITORY}@{ref}={ours}"]
    for action, commit in sorted(_pins(ours)):
        stand_in = ACTIONS / action.partition("/")[2]
        if stand_in.is_dir():
            command += ["--local-repository", f"{action}@{commit}={stand_in}"]
    for name, value in variables.items():
        command += ["--env", f"{name}={value}"]
    done = subprocess.run(
        command,
        cwd=caller,
        env={**environment, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    return Finished(exit_code=done.returncode, log=done.stdout)


def _pins(ours: Path) -> set[tuple[str, str]]:
    """Every other action that ours uses, at the commit it is pinned to."""
    files = [*ours.glob("*/action.yml"), *(ours / ".github" / "workflows").glob("*.yml")]
    texts = (file.read_text(encoding="utf-8") for file in files)
    return {(m["action"], m["commit"]) for text in texts for m in PIN.finditer(text)}

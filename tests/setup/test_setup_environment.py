"""The first step of the action, run by a plain python3, with real packages."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import make_environments
from dbtdeploy.base import errors
from dbtdeploy.setup import uv_client
from standins.runner.runner import parse_outputs
from standins.store import s3

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "setup_environment.py"
PINS = make_environments.REQUIREMENTS / f"dbt-{make_environments.DBT}.txt"
UV_REQUIREMENT = ROOT / "scripts" / "uv-requirement.txt"
PYTHON = str(Path(sys.executable).resolve())
"""The Python our own environment was made from: none of our packages is in it."""


class Runner:
    """A runner's machine with a workspace and a folder for environments."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.environments = folder / "environments"
        self.work = folder / "work"
        for made in (self.workspace, self.work):
            made.mkdir()
        self._output = folder / "output"

    def run(self, mode: str, dbt: str, **variables: str) -> tuple[int, str, Mapping[str, str]]:
        """Give exit code, log and outputs."""
        self._output.write_text("")
        done = subprocess.run(
            [PYTHON, str(SCRIPT), mode],
            cwd=self.workspace,
            env={
                **{k: v for k, v in os.environ.items() if k in ("HOME", "PATH", "LANG")},
                **{k: v for k, v in os.environ.items() if k.startswith(("PIP_", "UV_", "SSL_"))},
                "GITHUB_OUTPUT": str(self._output),
                "GITHUB_WORKSPACE": str(self.workspace),
                "DBT_DEPLOY_DBT": dbt,
                "DBT_DEPLOY_ENV_FOLDER": str(self.environments),
                "DBT_DEPLOY_WORK": str(self.work),
                "UV_OVERRIDE": str(make_environments.OVERRIDE),
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr, parse_outputs(self._output.read_text())


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_both_environments_from_nothing_then_left_as_they_are(runner: Runner) -> None:
    shutil.copy(PINS, runner.workspace / "requirements.txt")
    code, _, key = runner.run("key", "requirements.txt")
    assert code == 0
    assert key["folder"] == str(runner.environments)
    assert not runner.environments.exists()

    code, log, outputs = runner.run("own", "requirements.txt")
    assert code == 0, log
    found = subprocess.run(
        [outputs["python"], "-c", "import boto3, github, jinja2, msgspec"], check=False
    )
    assert found.returncode == 0
    assert outputs["dbt-ready"] == "false"

    code, log, _ = runner.run("dbt", "requirements.txt")
    assert code == 0, log
    version = subprocess.run(
        [outputs["dbt"], "--version"], capture_output=True, text=True, check=True
    )
    assert f"{make_environments.DBT}." in version.stdout

    for mode in ("own", "dbt"):
        assert "complete already" in runner.run(mode, "requirements.txt")[1]
    assert runner.run("own", "requirements.txt")[2]["dbt-ready"] == "true"
    assert runner.run("key", "requirements.txt")[2] == key
    # Another version of ours finds the caller's dbt, another dbt finds nothing.
    assert key["key"].startswith(key["restore-keys"])
    assert runner.run("key", "dbt-core==1.11.0")[2]["restore-keys"] != key["restore-keys"]


CHAIN = """
import boto3
assert boto3.client("s3").list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200
assert boto3.Session().get_credentials().method == "assume-role-with-web-identity"
"""


GITHUB = """
import importlib.util
from dbtdeploy.github import comments, deployments_api, pull_requests_api, releases_api, tags_api
assert importlib.util.find_spec("cryptography") is None
"""


def test_our_environment_reaches_github_without_what_signs_in_as_an_app(runner: Runner) -> None:
    code, log, outputs = runner.run("own", "installed")
    assert code == 0, log
    scripts = str(Path(__file__).parents[2] / "scripts")
    subprocess.run(
        [outputs["python"], "-c", GITHUB], check=True, env={**os.environ, "PYTHONPATH": scripts}
    )


def test_our_environment_reaches_the_store_in_each_way(runner: Runner, s3_open: s3.Store) -> None:
    """By a role, too, which another of AWS's services gives."""
    code, log, outputs = runner.run("own", "installed")
    assert code == 0, log
    token = runner.work / "token"
    token.write_text("of GitHub's")
    role = {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/dbt-pull-requests",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ENDPOINT_URL": s3_open.url,
        "AWS_DEFAULT_REGION": s3_open.region,
    }
    chained = subprocess.run(
        [outputs["python"], "-c", CHAIN], env=role, capture_output=True, text=True, check=False
    )
    assert chained.returncode == 0, chained.stderr
    # uv is needed for making them only, and not kept with them.
    assert [path.name for path in runner.environments.iterdir()] == ["own"]


def test_dbt_on_path_is_left_alone(runner: Runner, dbt_command: Path) -> None:
    path = f"{dbt_command.parent}{os.pathsep}{os.environ['PATH']}"
    assert runner.run("dbt", "installed", PATH=path)[0] == 0
    assert not runner.environments.exists()


def test_no_dbt_on_path(runner: Runner) -> None:
    code, log, _ = runner.run("dbt", "installed", PATH="/usr/bin:/bin")
    assert code == errors.DbtNotFound.exit_code
    assert "::error title=dbt is not installed::" in log
    assert (runner.work / "failure.json").exists()


def test_a_version_that_does_not_exist(runner: Runner) -> None:
    code, log, _ = runner.run("dbt", "dbt-core==0.0.999")
    assert code == errors.EnvironmentNotMade.exit_code
    (error,) = [line for line in log.splitlines() if line.startswith("::error ")]
    assert "dbt-core==0.0.999" in error
    assert "the versions must exist" in error
    assert "Traceback" not in log
    # Half-made, so not taken for whole the next time.
    assert runner.run("dbt", "dbt-core==0.0.999")[0] == code


def test_requirements_without_dbt(runner: Runner) -> None:
    code, log, _ = runner.run("dbt", "six==1.17.0")
    assert code == errors.InvalidInput.exit_code
    assert "no dbt command is in it" in log


def test_a_hostile_requirement_is_refused_and_run_by_no_shell(runner: Runner) -> None:
    code, log, outputs = runner.run("key", "dbt-core;touch${IFS}owned")
    assert code == errors.InvalidInput.exit_code
    assert log.startswith("::error title=An input is not valid::")
    assert outputs == {}
    assert list(runner.workspace.iterdir()) == []


def test_without_uv_a_pinned_one_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if shutil.which("uv"):
        pytest.skip("this machine's uv is in /usr/bin")
    found = uv_client.find(tmp_path / "tools", UV_REQUIREMENT)
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    assert f"uv=={version.stdout.split()[1]} " in UV_REQUIREMENT.read_text()
    assert uv_client.find(tmp_path / "tools", UV_REQUIREMENT) == found


def test_a_python_without_venv_and_pip_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    # As on Debian, where both are packages of their own.
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(errors.EnvironmentNotMade, match="apt-get install python3-venv"):
        uv_client.find(tmp_path / "tools", UV_REQUIREMENT)

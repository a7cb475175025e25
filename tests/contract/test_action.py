"""action.yml, the workflows, the settings and the README say the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from contract.readme_tables import ROOT, load_action, placed
from dbtdeploy.settings import Inputs

ACTION = load_action()
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SCRIPT = re.compile(r'scripts/(\w+\.py)"')

NOT_SETTINGS = {
    "dbt",  # setup_environment.py; the scripts get the command it found
    "dbt-env",  # a secret: only the steps that run dbt
    "redact",
    "github-token",
    "aws-region",
    "aws-endpoint-url",
    "aws-role",
    "aws-access-key-id",
    "aws-secret-access-key",
    "cache",
}


def workflow() -> dict[Any, Any]:
    text = (ROOT / ".github" / "workflows" / "slim-ci.yml").read_text(encoding="utf-8")
    content: dict[Any, Any] = yaml.safe_load(text)
    return content


def step(script: str) -> dict[str, Any]:
    (found,) = [s for s in STEPS if f"scripts/{script}" in s.get("run", "")]
    return found


def test_every_input_is_a_setting_and_reaches_the_script_that_reads_it() -> None:
    settings = {name.replace("_", "-") for name in Inputs.__dataclass_fields__}
    assert set(ACTION["inputs"]) - NOT_SETTINGS == settings - {"dbt-command"}
    env = step("start_run.py")["env"]
    for name in set(ACTION["inputs"]) - NOT_SETTINGS:
        assert env[f"DBT_DEPLOY_{name.upper().replace('-', '_')}"] == f"${{{{ inputs.{name} }}}}"


def test_every_input_is_used() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    for name in ACTION["inputs"]:
        assert f"inputs.{name} " in text


def test_every_script_is_a_step_and_every_step_a_script() -> None:
    used = {name for s in STEPS for name in SCRIPT.findall(s.get("run", ""))}
    there = {path.name for path in (ROOT / "scripts").glob("*.py")}
    assert used == there


def test_no_expression_stands_in_a_shell_line() -> None:
    for found in STEPS:
        assert "${{" not in found.get("run", ""), found["name"]


@pytest.mark.fault(51)
def test_secrets_reach_only_the_steps_that_need_them() -> None:
    holders = {
        secret: {
            name
            for s in STEPS
            if any(f"inputs.{secret} " in str(value) for value in s.get("env", {}).values())
            for name in SCRIPT.findall(s["run"])
        }
        for secret in ("dbt-env", "github-token", "aws-access-key-id", "aws-secret-access-key")
    }
    assert holders["aws-access-key-id"] == {"fetch_state.py"}
    assert holders["aws-secret-access-key"] == {"fetch_state.py"}
    assert holders["dbt-env"] == {"plan_build.py", "prepare_schema.py", "build_modified.py"}
    assert holders["github-token"] == {"post_comment.py"}


def test_what_must_run_after_a_failure_does() -> None:
    assert step("write_report.py")["if"].startswith("always()")
    final = STEPS[-1]
    assert "finished" in final["run"]
    assert final["if"].startswith("always()")
    assert final["continue-on-error"] is True


def test_scripts_replace_the_shell_so_that_signals_reach_them() -> None:
    for found in STEPS:
        if "run" in found:
            assert found["run"].startswith("exec "), found["name"]


def test_the_workflow_hands_every_input_on() -> None:
    called = workflow()[True]["workflow_call"]
    own = {"runs-on", "timeout-minutes", "artifact-name", "python-version"}
    secrets = set(called["secrets"])
    not_offered = {"command", "github-token", "comment-author"} | secrets
    assert set(called["inputs"]) - own == set(ACTION["inputs"]) - not_offered
    steps = workflow()["jobs"]["slim-ci"]["steps"]
    (uses,) = [step for step in steps if "dbt-deploy" in step.get("uses", "")]
    assert set(uses["with"]) == set(ACTION["inputs"]) - {"github-token", "comment-author"}
    for name in set(called["inputs"]) - own:
        assert uses["with"][name] == f"${{{{ inputs.{name} }}}}"
    for name in secrets:
        assert uses["with"][name] == f"${{{{ secrets.{name} }}}}"


def test_the_workflow_asks_for_the_least() -> None:
    assert workflow()["permissions"] == {}
    (job,) = workflow()["jobs"].values()
    assert job["permissions"] == {
        "contents": "read",
        "pull-requests": "write",
        "id-token": "write",
    }
    assert job["timeout-minutes"]


def test_actions_are_pinned_by_commit() -> None:
    for path in [ROOT / "action.yml", *(ROOT / ".github" / "workflows").glob("*.yml")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := re.search(r"uses: ([^ ]+)(.*)", line):
                name, rest = found.groups()
                if name.startswith(("org/dbt-deploy", "./")):
                    continue
                assert re.fullmatch(r"[^@]+@[0-9a-f]{40}", name), f"{path.name}: {line}"
                assert re.search(r"# v\d", rest), f"{path.name}: {line}"


def test_the_readme_holds_every_input_and_output() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert placed(readme) == readme, "run: .venv/bin/python tests/contract/readme_tables.py"


def test_the_readme_quotes_the_policy_that_the_tests_use() -> None:
    policy = (ROOT / "tests" / "fixtures" / "policy-pull-request.json").read_text(encoding="utf-8")
    assert policy.strip() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_caller_workflow_asks_only_for_inputs_that_exist() -> None:
    text = (ROOT / "templates" / "workflows" / "slim-ci.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)["jobs"]["slim-ci"]
    called = workflow()[True]["workflow_call"]
    assert set(job["with"]) <= set(called["inputs"])
    assert set(job["secrets"]) <= set(called["secrets"])
    assert text in (ROOT / "README.md").read_text(encoding="utf-8")

"""action.yml, the workflows, the settings and the README say the same."""

from __future__ import annotations

import re
from typing import Any

import pytest

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
    "aws-role-seconds",
    "aws-access-key-id",
    "aws-secret-access-key",
    "cache",
    # Secrets of notify.py alone.
    "slack-webhook-url",
    "pagerduty-routing-key",
    "pagerduty-url",
    "webhook-url",
    "webhook-secret",
}


TOLD_WITH = (
    *("slack-webhook-url", "pagerduty-routing-key", "pagerduty-url"),
    *("webhook-url", "webhook-secret"),
)


def step(script: str) -> dict[str, Any]:
    return next(s for s in STEPS if f"scripts/{script}" in s.get("run", ""))


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
        for secret in (
            *("dbt-env", "github-token", "aws-access-key-id", "aws-secret-access-key"),
            *TOLD_WITH,
        )
    }
    in_warehouse = {
        *("check_freshness.py", "plan_build.py", "build_modified.py"),
        *("check_production.py", "build_production.py", "restore_dependents.py"),
        *("generate_docs.py", "find_schemas.py", "drop_schemas.py"),
        *("settle_release.py", "plan_release.py", "stage_release.py", "build_staging.py"),
        *("check_release.py", "swap_release.py", "check_live.py"),
        *("plan_rollback.py", "roll_back.py", "clean_up.py"),
    }
    on_github = {
        *("start_pull_request.py", "report_pull_request.py", "post_comment.py"),
        *("choose_schemas.py", "check_tag.py", "write_github_release.py"),
    }
    in_store = {
        *("take_lease.py", "fetch_state.py", "publish_artifacts.py", "release_lease.py"),
        *("start_pull_request.py", "report_pull_request.py"),
        *("register_pull_request.py", "choose_schemas.py"),
        *("show_status.py", "list_versions.py", "prune_versions.py", "adopt_state.py"),
        *("set_driver.py", "set_hold.py", "break_lease.py"),
        *("settle_release.py", "swap_release.py", "publish_release.py", "upload_docs.py"),
        *("check_live.py", "plan_direct.py", "plan_rollback.py", "roll_back.py", "clean_up.py"),
    }
    # Each renews the lease while dbt works, or keeps in the store what dbt may take along.
    under_the_lease = {
        *("check_freshness.py", "check_production.py", "build_production.py"),
        *("restore_dependents.py", "generate_docs.py"),
        *("plan_release.py", "stage_release.py", "build_staging.py", "check_release.py"),
    }
    assert holders["aws-access-key-id"] == in_store | under_the_lease
    assert holders["aws-secret-access-key"] == in_store | under_the_lease
    # Manifest and parse hold values of env_var(): what stores them must know what to take out.
    storing = {"publish_artifacts.py", "upload_docs.py", "report_pull_request.py"}
    assert holders["dbt-env"] == in_warehouse | storing
    assert holders["github-token"] == on_github
    for secret in TOLD_WITH:
        assert holders[secret] == {"notify.py"}


@pytest.mark.fault(51)
def test_foreign_packages_are_installed_where_no_secret_is() -> None:
    """Building one runs its code, which could read what a process beside it holds."""
    installing = [s for s in STEPS if "setup_environment.py" in s.get("run", "")]
    assert len(installing) == 3
    for found in installing:
        assert not [n for n in found["env"] if "AWS" in n or "TOKEN" in n or "DBT_ENV" in n]


def test_what_must_run_after_a_failure_does() -> None:
    for script in (
        *("write_report.py", "report_pull_request.py"),
        *("restore_dependents.py", "publish_artifacts.py", "release_lease.py"),
    ):
        assert step(script)["if"].startswith("always()"), script
    for script in (
        "write_github_release.py",
        "write_release_summary.py",
        "write_rollback_summary.py",
        "notify.py",
    ):
        last = [s for s in STEPS if f"scripts/{script}" in s.get("run", "")][-1]
        assert last["if"].startswith("always()"), script
    # What people are told of never changes the verdict.
    told = STEPS[-1]
    assert "notify.py" in told["run"]
    assert told["continue-on-error"] is True


def test_a_lease_that_was_taken_is_released_though_its_step_did_not_end_well() -> None:
    assert "lease.outcome == 'success'" not in step("release_lease.py")["if"]


def test_what_a_killed_run_took_along_is_looked_for_with_nothing_to_build_too() -> None:
    assert "'0'" not in step("check_production.py")["if"]
    assert "nodes != '0'" in step("build_production.py")["if"]


def test_the_lease_is_released_when_nothing_writes_any_more() -> None:
    order = [name for s in STEPS for name in SCRIPT.findall(s.get("run", ""))]
    work = order[order.index("take_lease.py") : order.index("release_lease.py")]
    assert {"build_production.py", "restore_dependents.py", "publish_artifacts.py"} <= set(work)
    assert work.index("check_production.py") < work.index("build_production.py")
    assert work.index("restore_dependents.py") < work.index("publish_artifacts.py")


def test_a_release_goes_live_only_after_all_that_can_refuse_it_and_is_published_after_that() -> (
    None
):
    order = [name for s in STEPS for name in SCRIPT.findall(s.get("run", ""))]
    flow = [
        *("check_tag.py", "take_lease.py", "settle_release.py", "fetch_state.py"),
        *("plan_build.py", "plan_release.py", "check_freshness.py", "stage_release.py"),
        *("build_staging.py", "check_release.py", "write_github_release.py", "swap_release.py"),
        *("check_live.py", "publish_release.py", "plan_direct.py", "check_production.py"),
        *("build_production.py", "publish_artifacts.py", "upload_docs.py", "release_lease.py"),
    ]
    assert [name for name in dict.fromkeys(order) if name in flow] == flow


def test_scripts_replace_the_shell_so_that_signals_reach_them() -> None:
    for found in STEPS:
        if "run" in found:
            assert found["run"].startswith("exec "), found["name"]


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


@pytest.mark.parametrize(
    "name", ["policy-pull-request", "policy-deploy", "trust-pull-request", "trust-deploy"]
)
def test_the_readme_quotes_the_policies_that_the_tests_use(name: str) -> None:
    policy = (ROOT / "tests" / "fixtures" / f"{name}.json").read_text(encoding="utf-8")
    assert policy.strip() in (ROOT / "README.md").read_text(encoding="utf-8")

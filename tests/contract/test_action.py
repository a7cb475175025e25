"""action.yml, the workflows, the settings and the documentation say the same."""

from __future__ import annotations

import re
from typing import Any

import pytest

import run
from contract.readme_tables import PAGE, ROOT, load_action, placed
from dbtdeploy.base.settings import Inputs

ACTION = load_action()
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SCRIPT = re.compile(r'scripts/(?:(setup_environment)\.py|run\.py" (\w+) (\w+))')


def scripts(run: str) -> list[str]:
    """The scripts that a step runs, ``deploy/take_lease``."""
    return ["/".join(filter(None, found)) for found in SCRIPT.findall(run)]


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


def scripts_named(prefix: str) -> set[str]:
    """The scripts of one command that are steps."""
    return {n for s in STEPS for n in scripts(s.get("run", "")) if n.startswith(prefix)}


def step(script: str) -> dict[str, Any]:
    return next(s for s in STEPS if script in scripts(s.get("run", "")))


def test_every_input_is_a_setting_and_reaches_the_script_that_reads_it() -> None:
    settings = {name.replace("_", "-") for name in Inputs.__dataclass_fields__}
    assert set(ACTION["inputs"]) - NOT_SETTINGS == settings - {"dbt-command"}
    env = step("start/start_run")["env"]
    for name in set(ACTION["inputs"]) - NOT_SETTINGS:
        assert env[f"DBT_DEPLOY_{name.upper().replace('-', '_')}"] == f"${{{{ inputs.{name} }}}}"


def test_every_input_is_used() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    for name in ACTION["inputs"]:
        assert f"inputs.{name} " in text


def test_every_script_is_a_step_and_every_step_a_script() -> None:
    used = {name for s in STEPS for name in scripts(s.get("run", ""))}
    there = {"setup_environment", *run.names()}
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
            for name in scripts(s["run"])
        }
        for secret in (
            *("dbt-env", "github-token", "aws-access-key-id", "aws-secret-access-key"),
            *TOLD_WITH,
        )
    }
    in_warehouse = {
        *("deploy/check_freshness", "deploy/plan_build", "ci/build_modified"),
        *("deploy/check_production", "deploy/build_production", "deploy/restore_dependents"),
        *("deploy/generate_docs", "teardown/find_schemas", "teardown/drop_schemas"),
        *(
            "deploy/recover_release",
            "release/plan_release",
            "release/stage_release",
            "release/build_staging",
        ),
        *("release/check_release", "release/swap_release", "release/check_live"),
        *("rollback/plan_rollback", "rollback/roll_back", "clean_up/clean_up"),
    }
    on_github = {
        *("ci/report_pull_request", "ci/post_comment"),
        *("teardown/choose_schemas", "release/check_tag", "release/write_github_release"),
    }
    in_store = {
        *(
            "deploy/take_lease",
            "deploy/fetch_state",
            "deploy/publish_artifacts",
            "deploy/release_lease",
        ),
        "ci/report_pull_request",
        *("ci/register_pull_request", "teardown/choose_schemas"),
        *("store/show_status", "store/list_versions", "store/prune_versions"),
        *("store/set_driver", "store/set_hold", "store/break_lease"),
        *(
            "deploy/recover_release",
            "release/swap_release",
            "release/publish_release",
            "deploy/upload_docs",
        ),
        *(
            "release/check_live",
            "release/plan_direct",
            "rollback/plan_rollback",
            "rollback/roll_back",
            "clean_up/clean_up",
        ),
    }
    # Each renews the lease while dbt works, or keeps in the store what dbt may take along.
    under_the_lease = {
        *("deploy/check_freshness", "deploy/check_production", "deploy/build_production"),
        *("deploy/restore_dependents", "deploy/generate_docs"),
        *(
            "release/plan_release",
            "release/stage_release",
            "release/build_staging",
            "release/check_release",
        ),
    }
    assert holders["aws-access-key-id"] == in_store | under_the_lease
    assert holders["aws-secret-access-key"] == in_store | under_the_lease
    # What writes for people, or keeps what dbt made, must know what to take out of it.
    writing = {
        *("deploy/publish_artifacts", "deploy/upload_docs", "deploy/write_report"),
        *("release/publish_release", "release/plan_direct", "release/write_github_release"),
        *("release/write_release_summary", "rollback/write_rollback_summary"),
        *("teardown/choose_schemas", "notify/notify"),
        *(name for name in scripts_named("ci/")),
    }
    assert holders["dbt-env"] == in_warehouse | writing
    assert holders["github-token"] == on_github
    for secret in TOLD_WITH:
        assert holders[secret] == {"notify/notify"}


@pytest.mark.fault(51)
def test_foreign_packages_are_installed_where_no_secret_is() -> None:
    """Building one runs its code, which could read what a process beside it holds."""
    installing = [s for s in STEPS if "setup_environment.py" in s.get("run", "")]
    assert len(installing) == 3
    for found in installing:
        assert not [n for n in found["env"] if "AWS" in n or "TOKEN" in n or "DBT_ENV" in n]


def test_what_must_run_after_a_failure_does() -> None:
    for script in (
        *("deploy/write_report", "ci/report_pull_request"),
        *("deploy/restore_dependents", "deploy/publish_artifacts", "deploy/release_lease"),
    ):
        assert step(script)["if"].startswith("always()"), script
    for script in (
        "release/write_github_release",
        "release/write_release_summary",
        "rollback/write_rollback_summary",
        "notify/notify",
    ):
        last = [s for s in STEPS if script in scripts(s.get("run", ""))][-1]
        assert last["if"].startswith("always()"), script
    # What people are told of never changes the verdict.
    told = STEPS[-1]
    assert scripts(told["run"]) == ["notify/notify"]
    assert told["continue-on-error"] is True


def test_a_lease_that_was_taken_is_released_though_its_step_did_not_end_well() -> None:
    assert "lease.outcome == 'success'" not in step("deploy/release_lease")["if"]


def test_what_a_killed_run_took_along_is_looked_for_with_nothing_to_build_too() -> None:
    assert "'0'" not in step("deploy/check_production")["if"]
    assert "nodes != '0'" in step("deploy/build_production")["if"]


def test_the_lease_is_released_when_nothing_writes_any_more() -> None:
    order = [name for s in STEPS for name in scripts(s.get("run", ""))]
    work = order[order.index("deploy/take_lease") : order.index("deploy/release_lease")]
    assert {
        "deploy/build_production",
        "deploy/restore_dependents",
        "deploy/publish_artifacts",
    } <= set(work)
    assert work.index("deploy/check_production") < work.index("deploy/build_production")
    assert work.index("deploy/restore_dependents") < work.index("deploy/publish_artifacts")


def test_a_release_goes_live_only_after_all_that_can_refuse_it_and_is_published_after_that() -> (
    None
):
    order = [name for s in STEPS for name in scripts(s.get("run", ""))]
    flow = [
        *("release/check_tag", "deploy/take_lease", "deploy/recover_release", "deploy/fetch_state"),
        *(
            "deploy/plan_build",
            "release/plan_release",
            "deploy/check_freshness",
            "release/stage_release",
        ),
        *(
            "release/build_staging",
            "release/check_release",
            "release/write_github_release",
            "release/swap_release",
        ),
        *(
            "release/check_live",
            "release/publish_release",
            "release/plan_direct",
            "deploy/check_production",
        ),
        *(
            "deploy/build_production",
            "deploy/publish_artifacts",
            "deploy/upload_docs",
            "deploy/release_lease",
        ),
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


def test_the_page_of_inputs_holds_every_input_and_output() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert placed(page) == page, "run: .venv/bin/python tests/contract/readme_tables.py"


@pytest.mark.parametrize(
    "name", ["policy-pull-request", "policy-deploy", "trust-pull-request", "trust-deploy"]
)
def test_the_page_on_security_quotes_the_policies_that_the_tests_use(name: str) -> None:
    policy = (ROOT / "tests" / "fixtures" / f"{name}.json").read_text(encoding="utf-8")
    assert policy.strip() in (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

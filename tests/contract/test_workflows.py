"""Reusable workflows and callers to copy offer what action.yml has, and ask for the least."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.readme_tables import ROOT, load_action

ACTION = load_action()
REUSABLE = ROOT / ".github" / "workflows"
CALLERS = sorted((ROOT / "templates" / "workflows").glob("*.yml"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = [page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))]

OWN = {"runs-on", "timeout-minutes", "artifact-name", "python-version"}
"""Inputs of a workflow that the action has no part in."""

SECRETS = {
    *("dbt-env", "DBT_ENV", "aws-access-key-id", "aws-secret-access-key"),
    *("slack-webhook-url", "pagerduty-routing-key", "webhook-url", "webhook-secret"),
}
TELLING = {"slack-webhook-url", "pagerduty-routing-key", "webhook-url", "webhook-secret"}

PERMISSIONS = {
    "slim-ci": {"contents": "read", "pull-requests": "write", "id-token": "write"},
    "deploy": {"contents": "read", "id-token": "write"},
    "teardown": {"contents": "read", "pull-requests": "write", "id-token": "write"},
    "store": {"id-token": "write"},
    "release": {"contents": "write", "pull-requests": "read", "id-token": "write"},
    "rollback": {"contents": "write", "deployments": "write", "id-token": "write"},
    "clean-up": {"contents": "read", "id-token": "write"},
}
IN_TURN = ("deploy", "release", "rollback", "clean-up")
"""Work on production."""


def load(path: Path) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def workflow(name: str) -> dict[Any, Any]:
    return load(REUSABLE / f"{name}.yml")


def called(name: str) -> dict[str, Any]:
    found: dict[str, Any] = workflow(name)[True]["workflow_call"]
    return found


def job(name: str) -> dict[str, Any]:
    (found,) = workflow(name)["jobs"].values()
    assert isinstance(found, dict)
    return found


def main_step(name: str) -> dict[str, Any]:
    """The step that does what the workflow is for: the last that uses the action."""
    steps = [step for step in job(name)["steps"] if "dbt-deploy" in step.get("uses", "")]
    assert isinstance(steps[-1], dict)
    return steps[-1]


def test_together_the_workflows_offer_every_input() -> None:
    offered = {n for name in PERMISSIONS for n in (*called(name)["inputs"], *SECRETS)}
    kept_back = {"github-token", "comment-author"}
    assert offered - OWN == (set(ACTION["inputs"]) | SECRETS) - kept_back


@pytest.mark.parametrize("name", PERMISSIONS)
def test_a_workflow_hands_on_what_it_takes(name: str) -> None:
    given = main_step(name)["with"]
    inputs = set(called(name)["inputs"])
    assert set(given) <= set(ACTION["inputs"])
    assert set(given) == ((inputs - OWN) | (set(called(name)["secrets"]) - {"DBT_ENV"})) | (
        {"command"} - inputs
    )
    for one in inputs - OWN:
        assert given[one] == f"${{{{ inputs.{one} }}}}"
    for secret in set(called(name)["secrets"]) - {"DBT_ENV"}:
        assert given[secret].startswith(f"${{{{ secrets.{secret} ")
    if "command" not in inputs:
        assert given["command"] == {"slim-ci": "ci"}.get(name, name)


@pytest.mark.parametrize("name", PERMISSIONS)
def test_a_workflow_says_what_the_action_says(name: str) -> None:
    """Where a default differs from the action's, it is one of these, on purpose."""
    on_purpose = {"dbt", "docs"} if name in ("deploy", "release") else {"dbt"}
    for one, given in called(name)["inputs"].items():
        if one in OWN or one in on_purpose or given.get("required"):
            continue
        default = str(given["default"])
        wanted = ACTION["inputs"][one].get("default", "")
        assert default.lower() == (wanted or ("false" if given["type"] == "boolean" else "")), one


@pytest.mark.parametrize("name", PERMISSIONS)
def test_a_workflow_asks_for_the_least(name: str) -> None:
    assert workflow(name)["permissions"] == {}
    assert job(name)["permissions"] == PERMISSIONS[name]
    assert job(name)["timeout-minutes"]


@pytest.mark.parametrize("name", IN_TURN)
def test_what_works_on_production_queues_and_is_never_cancelled(name: str) -> None:
    concurrency = workflow(name)["concurrency"]
    assert concurrency["queue"] == "max"
    assert "cancel-in-progress" not in concurrency
    # Whatever writes to one store waits for the others, whoever called it.
    assert concurrency["group"] == "dbt-deploy-${{ inputs.state }}"


def test_commands_that_take_the_lease_queue_with_deploys_and_the_others_do_not() -> None:
    concurrency = workflow("store")["concurrency"]
    assert concurrency["queue"] == "max"
    assert concurrency["group"] == (
        "dbt-deploy-${{ inputs.command == 'prune' && inputs.state || github.run_id }}"
    )


def test_a_deploy_is_a_deployment_with_the_address_of_its_documentation() -> None:
    assert job("deploy")["environment"] == {
        "name": "${{ inputs.environment }}",
        "url": "${{ steps.dbt.outputs.docs-url }}",
    }
    assert main_step("deploy")["id"] == "dbt"


@pytest.mark.parametrize("name", ["store", "clean-up"])
def test_what_ships_nothing_is_no_deployment(name: str) -> None:
    assert job(name)["environment"] == {
        "name": "${{ inputs.environment }}",
        "deployment": False,
    }


@pytest.mark.parametrize("name", ["release", "rollback"])
def test_a_dry_run_is_no_deployment(name: str) -> None:
    environment = job(name)["environment"]
    assert environment["name"] == "${{ inputs.environment }}"
    assert environment["deployment"] == "${{ !inputs.dry-run }}"


def test_a_release_checks_out_its_tag() -> None:
    (checkout,) = [s for s in job("release")["steps"] if "actions/checkout@" in s.get("uses", "")]
    assert checkout["with"]["ref"] == (
        "${{ inputs.tag && format('refs/tags/{0}', inputs.tag) || github.ref }}"
    )


@pytest.mark.parametrize("name", ["deploy", "release", "rollback"])
def test_what_ships_can_tell_people(name: str) -> None:
    assert set(called(name)["secrets"]) >= TELLING


def test_a_deploy_checks_out_the_commit_that_the_environment_builds() -> None:
    steps = job("deploy")["steps"]
    (status,) = [step for step in steps if step.get("with", {}).get("command") == "status"]
    (checkout,) = [step for step in steps if "actions/checkout@" in step.get("uses", "")]
    assert checkout["with"]["ref"] == f"${{{{ steps.{status['id']}.outputs.ref }}}}"
    assert steps.index(status) < steps.index(checkout) < steps.index(main_step("deploy"))


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: path.stem)
def test_a_caller_asks_only_for_what_there_is(path: Path) -> None:
    for asked in load(path)["jobs"].values():
        found = re.fullmatch(r"org/dbt-deploy/.github/workflows/([\w-]+).yml@v1", asked["uses"])
        assert found
        given = called(found[1])
        assert set(asked["with"]) <= set(given["inputs"])
        assert {n for n, one in given["inputs"].items() if one.get("required")} <= set(
            asked["with"]
        )
        assert set(asked.get("secrets", {})) <= set(given["secrets"])
        assert asked["permissions"] == PERMISSIONS[found[1]]


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: path.stem)
def test_a_page_links_every_caller(path: Path) -> None:
    assert any(f"(../templates/workflows/{path.name})" in page for page in DOCS)


def test_the_readme_shows_the_caller_of_pull_requests_whole() -> None:
    caller = REUSABLE.parents[1] / "templates" / "workflows" / "slim-ci.yml"
    assert f"```yaml\n{caller.read_text(encoding='utf-8')}```" in README

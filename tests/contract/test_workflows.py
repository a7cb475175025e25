"""Reusable workflows and callers to copy offer what the actions have, and ask for the least."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import pin_workflows
from contract.actions import ACTIONS, ROOT, action

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

ACTION_OF = {"slim-ci": "ci"}
"""The action of a workflow that has another name."""

PERMISSIONS = {
    "slim-ci": {"contents": "read", "pull-requests": "write", "id-token": "write"},
    "deploy": {"contents": "read", "id-token": "write"},
    "teardown": {"contents": "read", "pull-requests": "write", "id-token": "write"},
    "store": {"id-token": "write"},
    "release": {"contents": "write", "pull-requests": "read", "id-token": "write"},
    "rollback": {"contents": "write", "deployments": "write", "id-token": "write"},
    "clean-up": {"contents": "read", "id-token": "write"},
    "fork-comment": {"actions": "read", "pull-requests": "write"},
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
    steps = [step for step in job(name)["steps"] if step.get("uses", "").startswith("$/")]
    assert isinstance(steps[-1], dict)
    return steps[-1]


@pytest.mark.parametrize("name", PERMISSIONS)
def test_a_workflow_offers_every_input_of_its_action_and_hands_it_on(name: str) -> None:
    ours = action(ACTION_OF.get(name, name))["inputs"]
    given = main_step(name)["with"]
    assert set(given) == set(ours) - {"github-token", "comment-author"}
    taken = {**called(name)["inputs"], **called(name).get("secrets", {})}
    assert set(taken) - (OWN - set(ours)) == set(given) | ({"DBT_ENV"} & set(taken))
    for one, value in given.items():
        kind = "secrets" if one in called(name).get("secrets", {}) else "inputs"
        assert value.startswith(f"${{{{ {kind}.{one} "), one


@pytest.mark.parametrize("name", PERMISSIONS)
def test_a_secret_is_a_secret_in_every_workflow_and_nothing_else_is(name: str) -> None:
    assert set(called(name).get("secrets", {})) <= SECRETS
    assert not set(called(name)["inputs"]) & SECRETS


@pytest.mark.fault(75)
@pytest.mark.parametrize("name", PERMISSIONS)
def test_who_pins_a_workflow_pins_the_actions_in_it(name: str) -> None:
    """``$/deploy`` is the folder at the workflow's own commit; a tag of ours could move."""
    used = [step["uses"] for step in job(name)["steps"]]
    ours = [one for one in used if "dbt-deploy" in one or one.startswith(("$/", "./"))]
    assert ours == [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one)]
    assert ours[-1] == f"$/{ACTION_OF.get(name, name)}"
    assert set(ours) <= {f"$/{one}" for one in ACTIONS}


@pytest.mark.fault(75)
@pytest.mark.parametrize("ref", ["v1.4.0", "a" * 40])
def test_a_copy_for_other_runners_names_the_actions_in_full(tmp_path: Path, ref: str) -> None:
    pin_workflows.write(tmp_path / "copy", "acme/dbt-deploy", ref)
    made = {path.stem: path for path in (tmp_path / "copy" / "workflows").iterdir()}
    assert set(made) == set(PERMISSIONS)
    for name, path in made.items():
        text = path.read_text(encoding="utf-8")
        assert "$/" not in text
        assert f"uses: acme/dbt-deploy/{ACTION_OF.get(name, name)}@{ref}\n" in text
        assert yaml.safe_load(text).keys() == workflow(name).keys()
    callers = [path.read_text() for path in (tmp_path / "copy" / "callers").iterdir()]
    assert len(callers) == len(CALLERS)
    for text in callers:
        assert re.search(rf"uses: acme/dbt-deploy/\.github/workflows/[\w-]+\.yml@{ref}\n", text)
        assert "@v1\n" not in text


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
        assert set(asked.get("secrets", {})) <= set(given.get("secrets", {}))
        assert asked["permissions"] == PERMISSIONS[found[1]]


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: path.stem)
def test_a_page_links_every_caller(path: Path) -> None:
    assert any(f"(../templates/workflows/{path.name})" in page for page in DOCS)


def test_the_readme_shows_the_caller_of_pull_requests_whole() -> None:
    caller = REUSABLE.parents[1] / "templates" / "workflows" / "slim-ci.yml"
    assert f"```yaml\n{caller.read_text(encoding='utf-8')}```" in README

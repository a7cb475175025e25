"""The steps of the actions: their order, who gets a secret, and what runs after a failure."""

from __future__ import annotations

import re

import pytest

import run
from contract.actions import ACTIONS, ROOT, action, load, order, scripts, step, steps
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.context.inputs.input_table import IN_PRODUCTION, TELLING, WITH_DBT, WITH_STORE

EVERY = (".", *ACTIONS)

TOLD_WITH = {
    *("slack-webhook-url", "pagerduty-routing-key", "pagerduty-url"),
    *("webhook-url", "webhook-secret"),
}

IN_WAREHOUSE = {
    "ci": {"ci/build_modified"},
    "deploy": {
        *("deploy/recover_release", "deploy/plan_build", "deploy/check_production"),
        *("deploy/build_production", "deploy/restore_dependents", "deploy/generate_docs"),
    },
    "release": {
        *("deploy/recover_release", "deploy/plan_build", "release/plan_release"),
        *("release/stage_release", "release/build_staging"),
        *("release/check_release", "release/swap_release"),
        *("deploy/check_production", "deploy/build_production", "deploy/restore_dependents"),
        "deploy/generate_docs",
    },
    "rollback": {"deploy/recover_release", "rollback/plan_rollback", "rollback/roll_back"},
    "teardown": {"teardown/find_schemas", "teardown/drop_schemas"},
    "clean-up": {"deploy/recover_release", "clean_up/clean_up"},
    "store": set(),
    "fork-comment": set(),
}
"""Who reaches the warehouse, by dbt."""

WRITING = {
    "ci": {"ci/announce_build", "ci/report_pull_request"},
    "deploy": {"deploy/publish_artifacts", "deploy/write_report", "notify/notify"},
    "release": {
        "deploy/publish_artifacts",
        *("release/plan_direct", "release/write_github_release"),
        *("release/write_release_summary", "notify/notify"),
    },
    "rollback": {
        *("release/write_github_release", "rollback/write_rollback_summary", "notify/notify"),
    },
    "teardown": {"teardown/choose_schemas", "teardown/report_teardown"},
}
"""What writes for people, or keeps what dbt made, must know what to take out of it."""

ON_GITHUB = {
    "ci": {"ci/announce_build", "ci/report_pull_request"},
    "deploy": {"deploy/take_lease"},
    "release": {"release/check_tag", "deploy/take_lease", "release/write_github_release"},
    "rollback": {"release/write_github_release"},
    "teardown": {"teardown/choose_schemas", "teardown/report_teardown"},
    "fork-comment": {"fork_comment/post_report"},
}

WITHOUT_THE_STORE = {
    "ci": {"ci/announce_build", "ci/build_modified"},
    "deploy": {"deploy/plan_build", "deploy/write_report", "notify/notify"},
    "release": {
        *("release/check_tag", "deploy/plan_build", "release/write_github_release"),
        *("release/write_release_summary", "notify/notify"),
    },
    "rollback": {
        *("release/write_github_release", "rollback/write_rollback_summary", "notify/notify"),
    },
    "teardown": {"teardown/find_schemas", "teardown/drop_schemas"},
    "fork-comment": {"fork_comment/post_report"},
}
"""Who gets no key of the store's. All others use it, or renew the lease while dbt works."""


def holders(name: str, secret: str) -> set[str]:
    """The scripts of an action whose step gets a secret."""
    return {
        script
        for one in steps(name)
        if any(f"inputs.{secret} " in str(value) for value in one.get("env", {}).values())
        for script in scripts(one)
    }


def test_every_script_is_a_step_and_every_step_a_script() -> None:
    used = {script for name in EVERY for script in order(name)}
    assert used == {"setup_environment", "refuse_command", *run.names()}


@pytest.mark.parametrize("name", EVERY)
def test_every_step_reaches_the_scripts_of_this_repository(name: str) -> None:
    for one in steps(name):
        for path in re.findall(r'"\$GITHUB_ACTION_PATH/([^"]+)"', one.get("run", "")):
            assert (ROOT / name / path).is_file(), one["name"]


@pytest.mark.parametrize("name", EVERY)
def test_no_expression_stands_in_a_shell_line(name: str) -> None:
    for found in steps(name):
        assert "${{" not in found.get("run", ""), found["name"]


@pytest.mark.fault(77)
@pytest.mark.parametrize("name", [".", *WITH_STORE])
def test_a_step_that_reaches_the_store_is_told_all_that_the_bucket_demands(name: str) -> None:
    fields = set(StoreAccess.__dataclass_fields__)
    told = [
        {field for field in fields if f"DBT_DEPLOY_AWS_{field.upper()}" in one.get("env", {})}
        for one in steps(name)
        if any(variable.startswith("DBT_DEPLOY_AWS_") for variable in one.get("env", {}))
    ]
    assert told
    assert all(each == fields for each in told)


@pytest.mark.fault(51)
@pytest.mark.parametrize("name", ACTIONS)
def test_secrets_reach_only_the_steps_that_need_them(name: str) -> None:
    assert holders(name, "dbt-env") == IN_WAREHOUSE[name] | WRITING.get(name, set())
    assert holders(name, "github-token") == ON_GITHUB.get(name, set())
    ours = {s for s in order(name) if s not in ("setup_environment", "start/start_run")}
    in_store = ours - WITHOUT_THE_STORE.get(name, set())
    assert holders(name, "aws-access-key-id") == in_store
    assert holders(name, "aws-secret-access-key") == in_store
    for secret in TOLD_WITH:
        assert holders(name, secret) == ({"notify/notify"} if name in TELLING else set())


@pytest.mark.fault(51)
@pytest.mark.parametrize("name", EVERY)
def test_foreign_packages_are_installed_where_no_secret_is(name: str) -> None:
    """Building one runs its code, which could read what a process beside it holds."""
    installing = [s for s in steps(name) if "setup_environment.py" in s.get("run", "")]
    assert len(installing) == {"store": 2, "fork-comment": 1}.get(name, 3)
    for found in installing:
        assert not [n for n in found["env"] if "AWS" in n or "TOKEN" in n or "DBT_ENV" in n]


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("ci", "ci/report_pull_request"),
        *(("deploy", f"deploy/{one}") for one in ("restore_dependents", "publish_artifacts")),
        *(("release", f"deploy/{one}") for one in ("restore_dependents", "publish_artifacts")),
        *((name, "deploy/release_lease") for name in IN_PRODUCTION),
        *(("deploy", "deploy/write_report"), ("release", "release/write_release_summary")),
        *((name, "release/write_github_release") for name in ("release", "rollback")),
        ("rollback", "rollback/write_rollback_summary"),
        ("teardown", "teardown/report_teardown"),
        *((name, "notify/notify") for name in TELLING),
    ],
)
def test_what_must_run_after_a_failure_does(name: str, script: str) -> None:
    last = [one for one in steps(name) if script in scripts(one)][-1]
    assert last["if"].startswith("always()")


@pytest.mark.parametrize("name", TELLING)
def test_what_people_are_told_of_never_changes_the_verdict(name: str) -> None:
    told = steps(name)[-1]
    assert scripts(told) == ["notify/notify"]
    assert told["continue-on-error"] is True


@pytest.mark.parametrize("name", IN_PRODUCTION)
def test_the_lease_is_taken_first_and_released_though_its_step_did_not_end_well(name: str) -> None:
    taken, released = step(name, "deploy/take_lease"), step(name, "deploy/release_lease")
    assert "if" not in taken
    assert f"steps.{taken['id']}.outcome != 'skipped'" in released["if"]
    assert "== 'success'" not in released["if"]
    for one in steps(name)[: steps(name).index(taken)]:
        assert set(scripts(one)) <= {"setup_environment", "start/start_run", "release/check_tag"}


@pytest.mark.parametrize("name", IN_PRODUCTION)
def test_without_the_lease_nothing_is_done_in_production(name: str) -> None:
    """Each step under the lease asks for it, or for an output of a step that does."""
    granted = {step(name, "deploy/take_lease")["id"]}
    whole = steps(name)
    began = whole.index(step(name, "deploy/take_lease")) + 1
    ended = whole.index(step(name, "deploy/release_lease"))
    for one in whole[began:ended]:
        asked = set(re.findall(r"steps\.([\w-]+)\.", one["if"])) - {"environment"}
        assert asked, one["name"]
        assert asked <= granted, one["name"]
        granted |= {one["id"]} if "id" in one else set()


@pytest.mark.parametrize("name", ["deploy", "release"])
def test_what_never_began_is_not_kept_as_a_failed_build(name: str) -> None:
    """Stale sources are refused in the build's step, whose outcome is then a failure too."""
    built, published = step(name, "deploy/build_production"), step(name, "deploy/publish_artifacts")
    assert published["if"] == f"always() && steps.{built['id']}.outputs.begun == 'true'"


def test_what_a_killed_run_took_along_is_looked_for_with_nothing_to_build_too() -> None:
    assert "'0'" not in step("deploy", "deploy/check_production")["if"]
    assert "nodes != '0'" in step("deploy", "deploy/build_production")["if"]


@pytest.mark.parametrize("name", ["deploy", "release"])
def test_the_lease_is_released_when_nothing_writes_any_more(name: str) -> None:
    found = order(name)
    work = found[found.index("deploy/take_lease") : found.index("deploy/release_lease")]
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
    flow = [
        *("release/check_tag", "deploy/take_lease", "deploy/recover_release", "deploy/fetch_state"),
        *("deploy/plan_build", "release/plan_release"),
        *("release/stage_release", "release/build_staging", "release/check_release"),
        *("release/write_github_release", "release/swap_release"),
        *("release/plan_direct", "deploy/check_production"),
        *("deploy/build_production", "deploy/publish_artifacts"),
        "deploy/release_lease",
    ]
    assert [name for name in dict.fromkeys(order("release")) if name in flow] == flow


@pytest.mark.parametrize("name", EVERY)
def test_scripts_replace_the_shell_so_that_signals_reach_them(name: str) -> None:
    for found in steps(name):
        if "run" in found:
            assert found["run"].startswith("exec "), found["name"]


@pytest.mark.parametrize("name", WITH_DBT)
def test_every_output_is_that_of_a_step(name: str) -> None:
    there = {one["id"] for one in steps(name) if "id" in one}
    for key, output in action(name).get("outputs", {}).items():
        assert set(re.findall(r"steps\.([\w-]+)\.", output["value"])) <= there, key


@pytest.mark.parametrize("name", EVERY)
def test_every_condition_and_variable_is_of_an_earlier_step(name: str) -> None:
    """An id that is not there is empty to GitHub, and the step would never run, or lack its key."""
    earlier: set[str] = set()
    for one in steps(name):
        asked = set(re.findall(r"steps\.([\w-]+)\.", f"{one.get('if')} {one.get('env')}"))
        assert asked <= earlier, one["name"]
        earlier |= {one["id"]} if "id" in one else set()


def test_actions_are_pinned_by_commit() -> None:
    files = [ROOT / name / "action.yml" for name in EVERY]
    for path in [*files, *(ROOT / ".github" / "workflows").glob("*.yml")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := re.search(r"uses: ([^ ]+)(.*)", line):
                name, rest = found.groups()
                # This repository at the same commit; a workflow that others call says `$/`.
                own = path.name.startswith("self-") and name.startswith("./")
                if own or name.startswith("$/"):
                    continue
                assert re.fullmatch(r"[^@]+@[0-9a-f]{40}", name), f"{path.name}: {line}"
                assert re.search(r"# v\d", rest), f"{path.name}: {line}"
    assert load(ROOT / "action.yml")["runs"]["using"] == "composite"


@pytest.mark.parametrize(
    "name", ["policy-pull-request", "policy-deploy", "trust-pull-request", "trust-deploy"]
)
def test_the_page_on_security_quotes_the_policies_that_the_tests_use(name: str) -> None:
    policy = (ROOT / "tests" / "fixtures" / f"{name}.json").read_text(encoding="utf-8")
    assert policy.strip() in (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

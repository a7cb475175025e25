"""Inputs: what they mean, and that each wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.base.settings import Inputs
from dbtdeploy.context.inputs import input_table, inputs
from dbtdeploy.context.policies import Ci, CleanUp, Release, Rollback
from dbtdeploy.context.project import Project
from dbtdeploy.context.work_files import Event, Run

EVENT = Event(name="pull_request", repository="o/r", sha="a" * 40, ref="fix", pull_request=482)
PROJECT = Project(
    name="analytics", profile="shop", target_path="target", packages_path="dbt_packages"
)


def parse(
    workspace: Path,
    project: Project = PROJECT,
    /,
    *,
    command: str = "ci",
    **given: str,
) -> Run:
    environ = {f"DBT_DEPLOY_{name.upper()}": text for name, text in given.items()}
    return inputs.parse(
        Inputs.from_environ(
            input_table.fields_of(command), {"DBT_DEPLOY_STATE": "s3://b/prod", **environ}
        ),
        command=command,
        event=EVENT,
        project=project,
        workspace=workspace,
        target_path=workspace / "target",
        started_at="2026-11-21T00:00:00+00:00",
    )


def test_defaults(tmp_path: Path) -> None:
    run = parse(tmp_path)
    assert run.selection.select == "state:modified+"
    policy = run.of(Ci)
    assert (policy.on_missing_state, policy.baseline_rows) == ("build-all", "all")
    assert (policy.comment, policy.fail_on_warnings) == (True, False)
    assert (run.dbt.command, run.dbt.profile, run.dbt.target) == ("dbt", "shop", None)
    assert (run.schema, run.dbt.repository_path) == ("pr_482_analytics", ".")


def test_a_project_in_a_folder_knows_its_place_in_the_repository(tmp_path: Path) -> None:
    run = parse(tmp_path, project_dir="warehouse/dbt", profiles_dir="warehouse")
    assert run.dbt.repository_path == "warehouse/dbt"
    assert run.dbt.project_dir == str(tmp_path / "warehouse/dbt")
    assert run.dbt.profiles_dir == str(tmp_path / "warehouse")


def test_a_selector_replaces_the_default_selection(tmp_path: Path) -> None:
    assert parse(tmp_path, selector="slim").selection.select is None


def test_a_state_folder_starts_from_the_workspace(tmp_path: Path) -> None:
    assert parse(tmp_path, state="prod").policy.state == str(tmp_path / "prod")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"state": ""}, "`state`"),
        ({"selector": "slim", "select": "a"}, "`selector`"),
        ({"vars": "just text"}, "`vars`"),
        ({"vars": "{a: ["}, "`vars`"),
        ({"threads": "many"}, "`threads`"),
        ({"threads": "0"}, "`threads`"),
        ({"full_refresh": "yes"}, "`full-refresh`"),
        ({"on_missing_state": "ignore"}, "`on-missing-state`"),
        ({"baseline_rows": "some"}, "`baseline-rows`"),
        ({"baseline_rows": "0", "baseline_order_by": "id"}, "`baseline-rows`"),
        ({"baseline_rows": "100"}, "`baseline-order-by`"),
        ({"baseline_rows": "100", "baseline_order_by": "id; drop table x"}, "`baseline-order-by`"),
        ({"dbt_args": "--target prod"}, "--target"),
        ({"dbt_args": "--vars={}"}, "--vars"),
        ({"dbt_args": "-tprod"}, "-t"),
        ({"dbt_args": "-xf"}, "-f"),
        ({"dbt_args": "--state elsewhere"}, "--state"),
        ({"dbt_args": "'open"}, "`dbt-args`"),
    ],
)
def test_a_wrong_input_is_named(tmp_path: Path, given: dict[str, str], named: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        parse(tmp_path, **given)
    assert named in f"{caught.value.what} {caught.value.remedy}"
    assert caught.value.not_done == "Nothing was started, nothing was written."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"build": "some"}, "Use all or modified."),
        ({"source_freshness": "loud"}, "Use warn, fail or off."),
        ({"retries": "many"}, "Use a whole number, 0 or more."),
        ({"time_limit_minutes": "0"}, "Use a whole number, 1 or more."),
        ({"docs": "maybe"}, "Use true or false."),
        ({"docs_location": "gs://docs"}, "Use `s3://bucket/prefix` or the path of a folder."),
        ({"docs_url": "docs.example.com"}, "Use an address that begins with https://."),
    ],
)
def test_a_wrong_input_of_a_deploy_is_found_before_production_is_built(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    (name,) = given
    with pytest.raises(errors.InvalidInput, match=f"`{name.replace('_', '-')}` is ") as caught:
        parse(tmp_path, command="deploy", **given)
    assert caught.value.remedy == said


@pytest.mark.fault(17)
@pytest.mark.parametrize("arguments", ["--target-path state", "--target-path=state"])
def test_dbt_args_cannot_move_the_target_onto_the_state(tmp_path: Path, arguments: str) -> None:
    with pytest.raises(errors.InvalidInput, match="--target-path") as caught:
        parse(tmp_path, dbt_args=arguments)
    assert caught.value.remedy == "dbt-deploy sets it itself."


def test_a_profile_that_only_dbt_could_read_is_asked_for(tmp_path: Path) -> None:
    jinja = Project(name="a", profile=None, target_path="t", packages_path="p")
    assert parse(tmp_path, jinja, profile="shop").dbt.profile == "shop"
    with pytest.raises(errors.InvalidInput, match="`profile`"):
        parse(tmp_path, jinja)


def test_other_dbt_args_pass(tmp_path: Path) -> None:
    run = parse(tmp_path, dbt_args="--fail-fast --exclude-resource-type unit_test")
    assert run.dbt.extra_args == ("--fail-fast", "--exclude-resource-type", "unit_test")


def test_a_release_takes_the_tag_of_the_input_or_of_the_event(tmp_path: Path) -> None:
    run = parse(tmp_path, command="release", tag="v1.4.0")
    policy = run.of(Release)
    assert (policy.tag, policy.method, policy.retry_failed) == ("v1.4.0", "blue-green", True)
    assert (run.schema, run.selection.select) == ("", "state:modified+")
    with pytest.raises(errors.InvalidInput, match="`tag` is empty, and no tag started"):
        parse(tmp_path, command="release")


def test_rollback_and_clean_up_know_their_environment(tmp_path: Path) -> None:
    given = {"version": "v1.3.0", "environment": "prod", "reason": "bad"}
    back = parse(tmp_path, command="rollback", **given).of(Rollback)
    assert (back.version, back.reason) == ("v1.3.0", "bad")
    assert back.environment == "prod"
    up = parse(tmp_path, command="clean-up", keep_hours="48", dry_run="true").of(CleanUp)
    assert (up.keep_hours, up.grace_days, up.dry_run) == (48, 14, True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "canary"}, "Use blue-green or direct."),
        ({"row_count_gate": "fail"}, "Use warn, block or off."),
        ({"row_count_tolerance": "few"}, "Use a number, 0 or more."),
        ({"row_count_tolerance": "-1"}, "Use a number, 0 or more."),
        ({"row_count_tolerance": "nan"}, "Use a number, 0 or more."),
        ({"freshness_column": "loaded_at"}, "Say how old the newest row may be, in hours."),
        ({"checks": "nowhere"}, "Name a folder of the checkout's."),
        ({"allow_breaking": "maybe"}, "Use true or false."),
        ({"keep_hours": "0"}, "Use a whole number, 1 or more."),
    ],
)
def test_a_wrong_input_of_a_release_is_found_before_anything_is_built(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        parse(tmp_path, command="release", tag="v1", **given)
    assert caught.value.remedy == said


def test_smoke_queries_need_a_role_that_runs_them(tmp_path: Path) -> None:
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "orders.sql").write_text("select 1")
    with pytest.raises(errors.InvalidInput, match="`smoke-target` is empty"):
        parse(tmp_path, command="release", tag="v1", smoke_queries="smoke")


@pytest.mark.parametrize("action", input_table.WITH_DBT)
def test_an_input_left_empty_means_its_default(tmp_path: Path, action: str) -> None:
    """A called workflow hands on what is empty, and a script run by hand is given nothing."""
    needed = {"release": {"tag": "v1"}}.get(action, {})
    defaults = {
        row.name.replace("-", "_"): row.default
        for row in input_table.settings_of(action)
        if row.default
    }
    assert parse(tmp_path, command=action, **needed) == parse(
        tmp_path, command=action, **defaults, **needed
    )


def test_an_input_that_an_action_does_not_have_is_not_read(tmp_path: Path) -> None:
    """The caller's job may have a variable of that name."""
    others = {"sweep": "no flag", "tag": "-v1", "keep_hours": "no number"}
    assert parse(tmp_path, command="ci", **others) == parse(tmp_path, command="ci")
    given = Inputs.from_environ(
        input_table.fields_of("clean-up"),
        {"DBT_DEPLOY_REASON": "r", "DBT_DEPLOY_TARGET": "prod", "DBT_DEPLOY_DBT_COMMAND": "/dbt"},
    )
    assert (given.reason, given.target, given.dbt_command) == ("", "prod", "/dbt")


@pytest.mark.parametrize("command", input_table.IN_PRODUCTION)
def test_a_fork_cannot_start_what_works_on_production(tmp_path: Path, command: str) -> None:
    with pytest.raises(errors.InvalidInput, match="fork") as caught:
        inputs.parse(
            Inputs.from_environ(input_table.fields_of(command), {"DBT_DEPLOY_STATE": "s3://b/p"}),
            command=command,
            event=replace(EVENT, skip="fork"),
            project=PROJECT,
            workspace=tmp_path,
            target_path=tmp_path / "target",
            started_at="2026-11-21T00:00:00+00:00",
        )
    assert caught.value.not_done == "Nothing was started, nothing was written."

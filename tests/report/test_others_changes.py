"""Whose changes the comment tells, and what it does not take for removed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from dbtdeploy.report import build_report, render
from dbtdeploy.report.report import History, Report
from deploy import write_report
from standins.jobs import builds, plans
from standins.jobs.builds import Built, Entry, model

SINCE = builds.LEGACY


def report(built: Built, to: Any = "newer", base: Any = "same") -> Report:
    history = History(to_production=to, base_to_production=base)
    return build_report.build_report(replace(built.inputs(), history=history))


def with_disabled(built: Built, node: Entry) -> Report:
    inputs = built.inputs()
    assert inputs.manifest is not None
    raw = msgspec.Raw(msgspec.json.encode([node]))
    manifest = msgspec.structs.replace(inputs.manifest, disabled={node["unique_id"]: raw})
    return build_report.build_report(replace(inputs, manifest=manifest))


def added_by_others() -> Built:
    built = builds.passed()
    return replace(built, before=[*(built.before or ()), SINCE])


@pytest.mark.fault(57)
@pytest.mark.parametrize("relation", ["older", "diverged"])
def test_what_others_added_to_production_is_not_taken_for_removed(relation: str) -> None:
    made = report(added_by_others(), relation)
    for text in (render.comment(made), render.summary(made)):
        assert "stg_legacy_orders" not in text
        assert "Production runs `a1b2c3d`, which is not part of what was built here." in text
        assert "`fct_orders` differs from production" in text
        assert "`fct_orders` changed" not in text
    text = render.comment(report(added_by_others()))
    assert "`stg_legacy_orders` is no longer in the project" in text
    assert "`fct_orders` changed" in text


@pytest.mark.fault(57)
def test_production_behind_main_is_told() -> None:
    text = render.comment(report(builds.passed(), base="newer"))
    assert "is behind the branch that this goes to" in text
    assert "`fct_orders` differs from production" in text
    text = render.comment(report(builds.passed(), to=None, base="unknown"))
    assert "Production runs" not in text


@pytest.mark.fault(57)
def test_a_failing_test_is_not_blamed_on_this_change_where_others_changed_things() -> None:
    text = render.comment(report(builds.failed(), "diverged"))
    assert "look at this change first" not in text


def git(folder: Path, *arguments: str) -> str:
    named = ["-c", "user.name=o", "-c", "user.email=o@example.com"]
    done = subprocess.run(
        ["git", *named, "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.fault(57)
def test_git_knows_whether_the_branch_contains_what_production_runs(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")

    def commit(words: str) -> str:
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", words)
        return git(tmp_path, "rev-parse", "HEAD")

    first, second = commit("one"), commit("two")
    git(tmp_path, "checkout", "-q", "-b", "change", first)
    mine = commit("mine")
    dbt = replace(builds.RUN.dbt, project_dir=str(tmp_path))
    event = replace(builds.RUN.event, repository="", sha=mine, base_sha=second)
    run = replace(builds.RUN, dbt=dbt, event=event)

    def history(production: str | None) -> History:
        return write_report._history(run, plans.state(commit=production))

    assert history(second) == History(to_production="diverged", base_to_production="same")
    assert history(first) == History(to_production="newer", base_to_production="newer")
    assert history(None) == History(to_production=None, base_to_production=None)
    assert history("main").to_production == "unknown"


@pytest.mark.fault(58)
@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"unrendered_config": {"enabled": "{{ target.name == 'prod' }}"}}, False),
        ({"raw_code": "{{ config(enabled=target.name == 'prod') }} select 1"}, False),
        ({"raw_code": "{{ config(enabled = false) }} select 1"}, True),
        ({"unrendered_config": {"enabled": False}}, True),
    ],
)
def test_what_only_this_target_disables_stays_productions(now: Entry, told: bool) -> None:
    made = with_disabled(added_by_others(), {**SINCE, **now})
    text = render.comment(made)
    assert ("`stg_legacy_orders` is now disabled" in text) is told
    assert (len(made.removed) == 1) is told


@pytest.mark.fault(58)
@pytest.mark.parametrize(
    "heir",
    [
        model("orders", unique_id="model.shop.orders.v2", version=2, alias="orders"),
        model("orders_of_shop", alias="orders"),
        model("orders", kind="seed"),
    ],
)
def test_a_relation_that_another_node_builds_now_is_not_to_be_dropped(heir: Entry) -> None:
    built = builds.passed()
    old = model("orders", relation_name='"db"."analytics"."orders"', schema="analytics")
    made = report(
        replace(
            built,
            before=[*(built.before or ()), old],
            now=[*built.now, {**heir, "relation_name": '"db"."pr_482"."orders"'}],
        )
    )
    assert made.removed == ()
    assert "somebody drops it" not in render.comment(made)


@pytest.mark.fault(58)
def test_a_relation_of_the_same_name_in_another_schema_is_another() -> None:
    built = builds.passed()
    old = model("orders", relation_name='"db"."analytics"."orders"')
    apart = model(
        "orders_of_shop",
        alias="orders",
        relation_name='"db"."pr_482_marts"."orders"',
        unrendered_config={"schema": "marts"},
    )
    made = report(replace(built, before=[*(built.before or ()), old], now=[*built.now, apart]))
    assert [gone.name for gone in made.removed] == ["orders"]

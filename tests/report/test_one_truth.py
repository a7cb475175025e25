"""Exit code, status, title, Slack and report.json of a build say the same, whatever dbt left."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dbtdeploy.artifacts import build_success, run_results
from dbtdeploy.base import json_codec
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import Ci
from dbtdeploy.notify import notification_builder, slack
from dbtdeploy.notify.notification import Notice
from dbtdeploy.notify.notification_builder import Left, ReportGlimpse
from dbtdeploy.report import build_report, render
from dbtdeploy.report.deploy_report import STATES
from dbtdeploy.report.report import Report
from standins.jobs import builds, deploy_builds, plans, runs
from standins.jobs.builds import Built, Entry, model, result

INLINED = model("inlined", materialized="ephemeral", relation_name=None)
SAVED = "saved_query.shop.weekly"
STATUSES = st.sampled_from(
    [
        "success",
        "pass",
        "warn",
        "error",
        "fail",
        "skipped",
        "no-op",
        "reused",
        "Success",
        "odd",
        None,
    ]
)
NODES = (builds.FCT_ORDERS, builds.DIM_CUSTOMERS, INLINED)
FCT = builds.FCT_ORDERS["unique_id"]
TESTS = (builds.UNIQUE_ORDERS,)


def of(built: Built, ends: dict[str, str | None], code: int) -> tuple[Built, str | None]:
    """The build as it would be kept, and why its exit code is not 0."""
    entries: list[Entry] = [
        {"unique_id": unique_id, "status": status, "execution_time": 1.0}
        for unique_id, status in ends.items()
        if status is not None
        and not run_results.is_inlined(unique_id, status, {INLINED["unique_id"]})
    ]
    now = [*NODES, *TESTS, builds.STG_PAYMENTS]
    build = replace(builds.BUILD, exit_code=code)
    made = replace(
        built, now=now, selected=[*NODES, *TESTS], results=entries, build=build, results_before=[]
    )
    why_not = build_success.why_not(
        plan=made.plan() or work_files.Plan(),
        build=build,
        statuses={entry["unique_id"]: entry["status"] for entry in entries},
        failure=None,
        fail_on_warnings=built.run.policy.fail_on_warnings,
    )
    return made, why_not


ENDS = st.fixed_dictionaries(
    {entry["unique_id"]: STATUSES for entry in (*NODES, *TESTS)} | {SAVED: STATUSES}
)


@pytest.mark.fault(63)
@settings(deadline=None)
@given(ENDS, st.sampled_from([0, 1]), st.booleans())
def test_a_pull_requests_comment_is_green_where_its_exit_code_is(
    ends: dict[str, str | None], code: int, strict: bool
) -> None:
    run = runs.changed(builds.RUN, Ci, fail_on_warnings=strict)
    built, why_not = of(replace(builds.passed(), run=run), ends, code)
    report = build_report.build_report(built.inputs())
    assert (report.status in ("passed", "warned")) == (why_not is None), (report.status, why_not)
    title = render.comment(report).split("\n", 1)[0]
    assert title.startswith(("### ✅", "### ⚠️")) == (why_not is None), title


@pytest.mark.fault(63)
@settings(deadline=None)
@given(ENDS, st.sampled_from([0, 1]))
def test_a_deploy_says_the_same_everywhere(ends: dict[str, str | None], code: int) -> None:
    built, why_not = of(deploy_builds.deployed(), ends, code)
    if why_not is not None:
        built = replace(built, publication=deploy_builds.KEPT_FAILED)
    report = build_report.build_report(built.inputs())
    assert report.deploy is not None
    assert (report.status in ("passed", "warned")) == (why_not is None)
    told = notice_of(built, report)
    assert told.outcome == ("failed" if why_not else "succeeded")
    title = render.summary(report).split("\n", 1)[0]
    state = STATES[report.deploy.tables]
    assert f"is {state}" in title
    if why_not is not None:
        assert title.startswith("### ❌")
        said = msgspec.json.encode(slack.message(told)).decode()
        assert f"*Tables* {state}" in said or f"*Tables*\\n{state}" in said, said
    good = {"success", "pass", "warn", "no-op", "reused"}
    models = [ends[entry["unique_id"]] for entry in NODES[:2]]
    if report.deploy.tables == "new":
        assert all(status in good for status in models)
    if report.deploy.tables == "unchanged":
        assert not any(status in good for status in models)


def notice_of(built: Built, report: Report) -> Notice:
    publication = built.inputs().deploy
    assert publication is not None
    failed = report.status not in ("passed", "warned", "nothing")
    made = notification_builder.of(
        Left(
            run=built.run,
            now="2026-11-25T23:50:00+00:00",
            job_status="failure" if failed else "success",
            build=built.build,
            to_build=built.plan(),
            publication=publication.publication,
            report=json_codec.decode(msgspec.json.encode(report), ReportGlimpse),
        )
    )
    assert made is not None
    return made


@pytest.mark.fault(63)
def test_slack_names_what_failed_where_dbt_exits_with_0() -> None:
    built, why_not = of(
        deploy_builds.deployed(),
        {
            builds.FCT_ORDERS["unique_id"]: "success",
            builds.DIM_CUSTOMERS["unique_id"]: "odd",
            builds.UNIQUE_ORDERS["unique_id"]: "pass",
        },
        0,
    )
    assert why_not is not None
    built = replace(built, publication=deploy_builds.KEPT_FAILED)
    report = build_report.build_report(built.inputs())
    told = notice_of(built, report)
    assert told.trouble is not None
    assert told.trouble.title == "dbt's build failed"
    facts = {fact.name: fact.value for fact in told.facts}
    assert facts["Failed models"] == "dim_customers"
    assert facts["Tables"] == "partly new: fct_orders, dim_customers"


@pytest.mark.fault(117)
def test_of_results_without_proof_slack_says_what_the_summary_says() -> None:
    unknown = builds.failure("ResultsUnknown", "It is not known what dbt built", "dbt ended.")
    built = replace(
        deploy_builds.deployed(),
        build=replace(builds.BUILD, results=False),
        results=None,
        selected=[*NODES[:2], *TESTS],
        publication=deploy_builds.KEPT_FAILED,
        failure=unknown,
    )
    report = build_report.build_report(built.inputs())
    title = render.summary(report).split("\n", 1)[0]
    assert "is perhaps partly new: it is not known what dbt built" in title
    told = notice_of(built, report)
    assert {fact.name: fact.value for fact in told.facts}["Tables"] == "perhaps partly new"
    assert told.trouble is not None
    assert told.trouble.title == "It is not known what dbt built"


@pytest.mark.fault(63)
@pytest.mark.parametrize(
    ("rows", "before", "meta", "green"),
    [
        (0, 10_239, {}, False),
        (1, 3, {}, False),
        (40, 100, {}, False),
        (90, 100, {}, True),
        (300, 100, {}, True),
        (0, None, {}, False),
        (0, 10_239, {"row_count": "off"}, True),
        # What YAML makes of a bare `off`.
        (0, 10_239, {"row_count": False}, True),
        (40, 100, {"row_count_tolerance": 70}, True),
        (20, 100, {"row_count_tolerance": 70}, False),
    ],
)
def test_a_table_without_most_of_its_rows_is_never_under_a_green_title(
    rows: int, before: int | None, meta: dict[str, object], green: bool
) -> None:
    config = {"materialized": "table", "meta": {"dbt_deploy": meta}}
    for built in (builds.passed(), deploy_builds.deployed()):
        now = [
            {**one, "config": config} if one["name"] == "fct_orders" else one for one in built.now
        ]
        others = [one for one in built.before or () if one["name"] != "fct_orders"]
        there = others if before is None else [*others, builds.FCT_ORDERS]
        results = [
            result(builds.FCT_ORDERS, rows=rows) if one["unique_id"] == FCT else one
            for one in built.results or ()
        ]
        made = replace(
            built,
            now=now,
            before=there,
            results=results,
            results_before=[] if before is None else [result(builds.FCT_ORDERS, rows=before)],
        )
        report = build_report.build_report(made.inputs())
        title = render.summary(report).split("\n", 1)[0]
        assert title.startswith("### ✅" if green else "### ⚠️"), title
        assert ("has lost most of its rows" in title) is not green, title
        assert report.status == ("passed" if green else "warned")


@pytest.mark.fault(63)
def test_the_schemas_named_are_those_that_were_written() -> None:
    built = builds.passed()
    inputs = built.inputs()
    assert inputs.plan is not None
    planned = [
        replace(node, schema="pr_482_marts") if node.name == "dim_customers" else node
        for node in inputs.plan.nodes
    ]
    report = build_report.build_report(replace(inputs, plan=plans.plan(*planned)))
    assert report.schemas == ("pr_482", "pr_482_marts")
    text = render.comment(report)
    assert "Built in `pr_482` and `pr_482_marts`" in text or "`pr_482`, `pr_482_marts`" in text
    failed = [{**one, "status": "error"} for one in built.results or ()]
    report = build_report.build_report(replace(built, results=failed).inputs())
    assert report.schemas == ()
    assert "schema `pr_482`" not in render.comment(report)


@pytest.mark.fault(63)
def test_only_an_ephemeral_model_changed() -> None:
    built = replace(builds.passed(), now=[INLINED], selected=[INLINED], results=[])
    report = build_report.build_report(built.inputs())
    assert report.status == "nothing"
    text = render.comment(report)
    assert "`inlined` is ephemeral, and nothing that is selected uses it" in text
    assert "No changes to models" not in text

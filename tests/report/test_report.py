from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.base import json_codec, redact
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import AnyPolicy
from dbtdeploy.report import build_report, job_annotations, redact_report, render
from dbtdeploy.report.report import NodeReport, Report, TestReport
from standins.jobs import builds, runs
from standins.jobs.builds import Built, model, result


def report(built: Built) -> Report:
    return build_report.build_report(built.inputs())


def node(made: Report, name: str) -> NodeReport:
    return next(node for node in made.nodes if node.name == name)


def checked(made: Report, name: str) -> TestReport:
    return next(test for test in made.tests if test.name == name)


# The verdict


def test_passed() -> None:
    made = report(builds.passed())
    assert made.status == "passed"
    assert (made.counts.nodes, made.counts.nodes_passed) == (3, 3)
    assert (made.counts.tests, made.counts.tests_passed) == (2, 2)
    assert made.build_seconds == 41.0
    assert made.problem is None


def test_failed() -> None:
    made = report(builds.failed())
    assert made.status == "failed"
    assert (made.counts.nodes_failed, made.counts.nodes_skipped) == (1, 2)
    assert (made.counts.tests_failed, made.counts.tests_skipped) == (1, 2)


def changed_result(built: Built, index: int, **over: Any) -> Built:
    results = list(built.results or ())
    results[index] = {**results[index], **over}
    return replace(built, results=results)


@pytest.mark.fault(22)
@pytest.mark.parametrize("status", ["partial success", "brand new", "", "SUCCESS"])
@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_status_nobody_knows_is_a_failure(status: str, exit_code: int) -> None:
    built = changed_result(builds.passed(), 0, status=status)
    made = report(replace(built, build=replace(builds.BUILD, exit_code=exit_code)))
    assert made.status == "failed"
    assert made.nodes[0].dbt_status == status
    assert made.counts.nodes_failed == 1


@pytest.mark.fault(20)
def test_an_interrupted_build_of_which_all_that_finished_is_a_success() -> None:
    built = builds.passed()
    selected = [entry for entry in built.now if entry["name"] != "stg_payments"]
    cut = replace(
        built,
        selected=selected,
        results=list(built.results or ())[:1],
        build=replace(builds.BUILD, exit_code=2, interrupted=True),
    )
    made = report(cut)
    assert made.status == "cancelled"
    assert made.counts.nodes_missing == 2
    # As when dbt was killed so hard that nobody noted the interrupt.
    unnoticed = report(replace(cut, build=replace(builds.BUILD, exit_code=2)))
    assert unnoticed.status == "error"
    # And even if dbt's exit code were 0.
    assert report(replace(cut, build=builds.BUILD)).status == "error"


@pytest.mark.fault(20)
def test_cancelled_before_dbt_built() -> None:
    stopped = builds.failure("Cancelled", "Cancelled", "The run was cancelled.")
    made = report(replace(builds.passed(), build=None, failure=stopped))
    assert made.status == "cancelled"


@pytest.mark.parametrize("exit_code", [1, 2, 137, -9])
def test_an_exit_code_is_never_green_whatever_the_results_say(exit_code: int) -> None:
    built = replace(builds.passed(), build=replace(builds.BUILD, exit_code=exit_code))
    assert report(built).status == "error"


def test_results_that_were_not_trusted_are_not_read() -> None:
    built = replace(builds.passed(), build=replace(builds.BUILD, results=False))
    made = report(built)
    assert made.status == "error"
    assert made.counts.nodes_passed == 0


def test_results_that_say_skipped_without_a_failure_are_not_green() -> None:
    assert report(changed_result(builds.passed(), 2, status="skipped")).status == "error"


@pytest.mark.fault(18)
def test_a_parse_error_has_dbts_message_and_place_and_nothing_of_an_older_build() -> None:
    said = "Compilation Error in model x (models/x.sql)\n  unexpected '}'\n    line 2\n      {{ a }"
    stopped = builds.failure("DbtStopped", "dbt stopped before it built anything", said)
    built = replace(
        builds.passed(),
        build=None,
        planned=False,
        failure=stopped,
        sources={"models/x.sql": "\n\nselect\n{{ a }"},
    )
    made = report(built)
    assert made.status == "error"
    assert made.problem is not None
    assert made.problem.what == said
    assert made.problem.place is not None
    assert (made.problem.place.file, made.problem.place.line) == ("models/x.sql", 4)
    assert not made.nodes
    assert not made.removed


@pytest.mark.parametrize(
    ("policy", "next_step"), [(runs.ci(), "push."), (runs.release(), "another tag.")]
)
def test_what_to_do_next_is_what_brings_this_command_on(policy: AnyPolicy, next_step: str) -> None:
    build = replace(
        builds.BUILD, exit_code=2, results=False, errors=(work_files.LogError(message="no"),)
    )
    made = report(replace(builds.failed(), run=runs.asked(builds.RUN, policy), build=build))
    assert made.problem is not None
    assert made.problem.remedy.endswith(next_step)


@pytest.mark.fault(18)
def test_a_path_that_dbt_cut_short_is_found() -> None:
    said = (
        "Parsing Error\n  Error reading shop: _x.yml - Runtime Error\n    Syntax error near line 3"
    )
    built = replace(
        builds.passed(),
        build=replace(
            builds.BUILD, exit_code=2, results=False, errors=(work_files.LogError(message=said),)
        ),
        sources={"models/_x.yml": "a"},
    )
    made = report(built)
    assert made.problem is not None
    assert made.problem.what == said
    assert made.problem.place is not None
    assert (made.problem.place.file, made.problem.place.line) == ("models/_x.yml", 3)


@pytest.mark.fault(19)
def test_nothing_selected() -> None:
    made = report(replace(builds.passed(), results=[], selected=[]))
    assert made.status == "nothing"
    not_even_built = replace(builds.passed(), results=[], selected=[], build=None)
    assert report(not_even_built).status == "nothing"


def test_nothing_is_said_of_a_job_that_ended_before_dbt() -> None:
    made = report(replace(builds.passed(), planned=False, build=None, schemas=None))
    assert made.status == "error"
    assert made.problem is not None
    assert made.problem.kind == "NotBuilt"


@pytest.mark.parametrize(("fail", "status"), [(False, "warned"), (True, "failed")])
def test_warnings_fail_only_where_the_input_says_so(fail: bool, status: str) -> None:
    built = changed_result(builds.passed(), 3, status="warn", failures=3)
    policy = replace(builds.RUN.policy, fail_on_warnings=fail)
    assert report(replace(built, run=replace(builds.RUN, policy=policy))).status == status


@pytest.mark.fault(40)
@pytest.mark.parametrize("reason", ["fork", "dependabot"])
def test_a_pull_request_without_secrets(reason: str) -> None:
    run = replace(builds.RUN, event=replace(builds.RUN.event, skip=reason))
    made = report(
        replace(builds.passed(), run=run, planned=False, build=None, state=None, schemas=None)
    )
    assert (made.status, made.skip_reason) == ("skipped", reason)


def test_a_failed_hook_is_shown() -> None:
    hook = {"unique_id": "operation.shop.shop-on-run-end-0", "status": "error", "message": "no"}
    built = builds.passed()
    made = report(
        replace(
            built,
            results=[*(built.results or ()), hook],
            build=replace(builds.BUILD, exit_code=1),
        )
    )
    assert made.status == "failed"
    assert [n.unique_id for n in made.nodes if n.outcome == "error"] == [hook["unique_id"]]


# What is said of a node


def test_why() -> None:
    made = report(builds.passed())
    assert node(made, "fct_orders").why.reasons == ("body",)
    assert node(made, "customer_ltv").why.kind == "downstream"
    assert node(made, "customer_ltv").why.upstream == ("fct_orders",)
    assert [n.name for n in made.nodes] == ["fct_orders", "dim_customers", "customer_ltv"]


def test_a_node_selected_for_no_reason_of_ours() -> None:
    odd = model("odd")
    built = replace(builds.passed(), now=[odd], before=[odd], results=[result(odd)])
    assert report(built).nodes[0].why.kind == "changed"
    run = replace(builds.RUN, selection=work_files.Selection(select="tag:nightly"))
    assert report(replace(built, run=run)).nodes[0].why.kind == "selected"


@pytest.mark.fault(14)
def test_without_state_there_is_no_why_and_no_production() -> None:
    built = replace(builds.passed(), state=replace(builds.STATE, found=False))
    made = report(built)
    assert made.status == "passed"
    assert {n.why.kind for n in made.nodes} == {"all"}
    assert made.production is not None
    assert not made.production.found
    assert made.nodes[0].production_rows is None


def test_rows() -> None:
    made = report(builds.passed())
    assert (node(made, "fct_orders").rows, node(made, "fct_orders").production_rows) == (
        10251,
        10239,
    )
    assert node(made, "customer_ltv").rows is None
    assert node(made, "customer_ltv").rows_written == 12


def test_a_table_with_a_contract_is_filled_by_an_insert() -> None:
    response = {"code": "INSERT", "rows_affected": 7}
    made = report(changed_result(builds.passed(), 0, adapter_response=response))
    assert (node(made, "fct_orders").rows, node(made, "fct_orders").rows_written) == (7, None)


@pytest.mark.parametrize(
    "response",
    [
        None,
        {},
        {"code": "SUCCESS", "rows_affected": 1},
        {"code": "CREATE VIEW", "rows_affected": -1},
        {"code": "SELECT", "rows_affected": "many"},
        {"code": "SELECT", "rows_affected": True},
        {"_message": "OK"},
    ],
)
def test_rows_that_an_adapter_does_not_tell(response: object) -> None:
    made = report(changed_result(builds.passed(), 0, adapter_response=response))
    assert (node(made, "fct_orders").rows, node(made, "fct_orders").rows_written) == (None, None)


def test_message_place_and_who_waits() -> None:
    made = report(builds.failed())
    failed = node(made, "fct_orders")
    assert failed.message is not None
    assert failed.message.startswith('column "amont" does not exist\nLINE 14:     sum(amont)')
    assert "compiled code at" not in failed.message
    assert failed.place is not None
    assert failed.place.url == (
        "https://github.com/acme/analytics/blob/"
        "9f3c2e1aa5b0c7d8e9f00112233445566778899a/models/fct_orders.sql#L3"
    )
    assert node(made, "customer_ltv").waits_for == ("fct_orders",)
    assert checked(made, "not_null_fct_orders_id").waits_for == ("fct_orders",)


def test_a_node_skipped_because_of_a_test_waits_for_the_test() -> None:
    built = builds.failed()
    results = [r for r in built.results or () if "fct_orders" not in r["unique_id"]]
    skipped = result(builds.FCT_ORDERS, "skipped")
    made = report(replace(built, results=[*results, skipped]))
    assert node(made, "fct_orders").waits_for == ("unique_stg_payments_id",)
    assert node(made, "customer_ltv").waits_for == ("unique_stg_payments_id",)


def test_a_model_skipped_because_of_its_own_unit_test_waits_for_it() -> None:
    unit = {
        **builds.test("sums_up", "fct_orders"),
        "unique_id": "unit_test.shop.fct_orders.sums_up",
        "resource_type": "unit_test",
        "checksum": "abc",
    }
    made = report(
        replace(
            builds.passed(),
            now=[builds.FCT_ORDERS, unit],
            results=[result(unit, "fail"), result(builds.FCT_ORDERS, "skipped")],
            build=replace(builds.BUILD, exit_code=1),
        )
    )
    assert node(made, "fct_orders").waits_for == ("sums_up",)


def test_a_project_in_a_folder_has_repository_paths() -> None:
    run = replace(builds.RUN, dbt=replace(builds.RUN.dbt, repository_path="transform"))
    made = report(replace(builds.failed(), run=run))
    place = node(made, "fct_orders").place
    assert place is not None
    assert place.file == "transform/models/fct_orders.sql"
    assert made.prepare_commands[0] == "cd transform"


def test_a_packages_file_is_no_place_in_this_repository() -> None:
    built = builds.failed()
    now = [{**entry, "package_name": "bought"} for entry in built.now]
    assert node(report(replace(built, now=now)), "fct_orders").place is None


def test_baselines() -> None:
    baseline = node(report(builds.passed()), "customer_ltv").baseline
    assert baseline is not None
    assert (baseline.how, baseline.rows) == ("all", 935)


# Tests against production


@pytest.mark.parametrize(
    ("before", "found", "compared"),
    [
        ({"status": "fail", "failures": 12}, 12, "same"),
        ({"status": "warn", "failures": 12}, 12, "same"),
        ({"status": "fail", "failures": 3}, 12, "more"),
        ({"status": "fail", "failures": 30}, 12, "fewer"),
        ({"status": "fail", "failures": None}, 12, "failing"),
        ({"status": "pass", "failures": 0}, 12, "passed"),
        ({"status": "error", "failures": None}, 12, "not_run"),
        ({"status": "skipped", "failures": None}, 12, "not_run"),
        (None, 12, "not_run"),
    ],
)
def test_whose_fault_a_failing_test_is(
    before: dict[str, Any] | None, found: int, compared: str
) -> None:
    built = builds.failed()
    others = [r for r in built.results_before or () if "unique_stg" not in r["unique_id"]]
    mine = [{**result(builds.UNIQUE_PAYMENTS), **before}] if before else []
    made = report(replace(built, results_before=[*others, *mine]))
    assert checked(made, "unique_stg_payments_id").failures == found
    assert checked(made, "unique_stg_payments_id").in_production == compared


def test_a_test_that_production_has_never_run_is_new() -> None:
    built = builds.failed()
    before = [e for e in built.before or () if e is not builds.UNIQUE_PAYMENTS]
    results = [r for r in built.results_before or () if "unique_stg" not in r["unique_id"]]
    made = report(replace(built, before=before, results_before=results))
    assert checked(made, "unique_stg_payments_id").in_production == "new"
    made = report(replace(built, results_before=None))
    assert checked(made, "unique_stg_payments_id").in_production == "unknown"


def test_the_commands_that_reproduce() -> None:
    made = report(builds.failed())
    failing = checked(made, "unique_stg_payments_id")
    assert failing.place is not None
    assert (failing.place.file, failing.place.line) == ("models/_models.yml", 6)
    assert made.prepare_commands == (
        "export DBT_DEPLOY_SCHEMA=pr_482",
        "aws s3 cp s3://acme-dbt/prod/manifest.json state/manifest.json",
    )
    assert failing.show_command == (
        "dbt show --select unique_stg_payments_id --limit 20 --defer --state state"
    )
    assert failing.command == (
        "dbt build --select stg_payments --defer --favor-state --state state"
    )


def test_the_commands_read_the_plain_copies_of_a_store_that_deploys_fill() -> None:
    state = replace(builds.STATE, version="20260704T090000Z-a1b2c3d")
    made = report(replace(builds.failed(), state=state))
    assert "aws s3 cp s3://acme-dbt/prod/latest/manifest.json state/manifest.json" in (
        made.prepare_commands
    )
    in_folder = replace(state, location="/mnt/state")
    made = report(replace(builds.failed(), state=in_folder))
    command = checked(made, "unique_stg_payments_id").show_command
    assert command is not None
    assert command.endswith("--defer --state /mnt/state/latest")


def test_commands_are_quoted_and_name_target_and_vars() -> None:
    dbt = replace(builds.RUN.dbt, target="ci; rm", vars='{"a": 1}')
    made = report(replace(builds.failed(), run=replace(builds.RUN, dbt=dbt)))
    command = node(made, "fct_orders").command
    assert command is not None
    assert command.endswith("""--target 'ci; rm' --vars '{"a": 1}'""")


# Removed


def test_removed_and_renamed() -> None:
    old, gone = model("old", sql="select 7"), model("gone", sql="select 8")
    inlined = model("inlined", materialized="ephemeral")
    new, kept = model("new", sql="select 7"), model("kept", sql="select 8")
    built = replace(
        builds.passed(),
        now=[new, kept],
        before=[old, gone, kept, inlined, builds.UNIQUE_PAYMENTS],
        results=[result(new)],
    )
    made = report(built)
    assert {entry.name: entry.renamed_to for entry in made.removed} == {"old": "new", "gone": None}
    assert "**`new`** | new name of `old` |" in render.comment(made)


# Secrets and row data


@pytest.mark.parametrize("hide", [False, True])
def test_row_data_is_left_out_where_the_input_says_so(hide: bool) -> None:
    built = changed_result(builds.failed(), 1, message="Database Error\n  Key (ssn)=(1234) exists")
    policy = replace(builds.RUN.policy, hide_row_data=hide)
    made = report(replace(built, run=replace(builds.RUN, policy=policy)))
    assert node(made, "fct_orders").message_hidden == hide
    assert ("1234" in repr(made)) != hide
    # A number of rows is no row.
    assert checked(made, "unique_stg_payments_id").message is not None


@pytest.mark.fault(51)
def test_a_secret_is_nowhere_in_the_report_and_a_short_one_breaks_nothing() -> None:
    built = changed_result(builds.failed(), 1, message="password hunter22 refused")
    whole = replace(report(built), ref="feature-hunter22")
    clean = redact_report.report(whole, redact.redactor(["hunter22", "error", "1"]))
    assert "hunter22" not in repr(clean)
    assert clean.counts == whole.counts
    assert node(clean, "fct_orders").outcome == "error"


def test_where_production_lies_has_no_credentials() -> None:
    state = replace(builds.STATE, location="https://me:secret@host/path?X-Sig=secret")
    assert "secret" not in repr(report(replace(builds.passed(), state=state)))


# Annotations


def test_annotations_errors_first_at_their_lines() -> None:
    notes = job_annotations.of(report(builds.failed()))
    assert [(n.level, n.file, n.line) for n in notes] == [
        ("error", "models/fct_orders.sql", 3),
        ("error", "models/_models.yml", 6),
    ]


def test_ten_annotations_of_each_level_and_no_more() -> None:
    models = [model(f"m{i}") for i in range(30)]
    tests = [builds.test(f"unique_m{i}", f"m{i}") for i in range(30)]
    built = replace(
        builds.passed(),
        now=[*models, *tests],
        results=[
            *(result(m, "error", message="no") for m in models),
            *(result(t, "warn") for t in tests),
        ],
        build=replace(builds.BUILD, exit_code=1),
    )
    levels = [note.level for note in job_annotations.of(report(built))]
    assert levels == ["error"] * 10 + ["warning"] * 10


def test_a_refusal_was_annotated_by_its_step_so_only_a_place_is_added() -> None:
    refused = builds.failure("WouldWriteToProduction", "No", "models")
    built = replace(builds.passed(), build=None, planned=False, failure=refused)
    assert job_annotations.of(report(built)) == ()


def test_whatever_is_missing_there_is_a_report() -> None:
    empty = build_report.BuildReportInputs(run=builds.RUN)
    assert build_report.build_report(empty).status == "error"
    whole = builds.passed().inputs()
    for name in ("state", "plan", "schemas", "build", "manifest", "results", "production_manifest"):
        without: dict[str, Any] = {name: None}
        made = build_report.build_report(replace(whole, **without))
        assert json.dumps(made.counts.nodes)
        if name in ("build", "results"):
            assert made.status == "error"


@pytest.mark.fault(60)
def test_where_only_tests_are_selected_nothing_is_said_to_be_built() -> None:
    check = builds.test("unique_fct_orders_id", "fct_orders")
    built = Built(
        now=[builds.FCT_ORDERS, check], before=[builds.FCT_ORDERS], results=[result(check, "pass")]
    )
    text = render.comment(report(built))
    assert "### ✅ dbt: 1 test passed" in text
    assert "Nothing was built: only tests were selected, and they read production." in text
    assert "Built in" not in text


@pytest.mark.fault(60)
def test_a_source_that_changed_is_named_though_nothing_is_built_of_it() -> None:
    stg = model("stg_orders", "source.shop.raw.orders")
    built = Built(now=[stg], before=[stg], results=[result(stg)]).inputs()
    old, new = (
        json_codec.decode(
            json.dumps(
                {
                    "nodes": {"model.shop.stg_orders": stg},
                    "sources": {
                        "source.shop.raw.orders": {
                            "name": "orders",
                            "source_name": "raw",
                            "resource_type": "source",
                            "fqn": ["shop", "raw", "orders"],
                            "identifier": identifier,
                        }
                    },
                }
            ),
            artifacts.Manifest,
        )
        for identifier in ("orders", "orders_2")
    )
    made = build_report.build_report(replace(built, manifest=new, production_manifest=old))
    assert "`raw.orders` changed; 1 model hangs on it. Built in" in " ".join(
        render.comment(made).split()
    )


@pytest.mark.fault(60)
def test_two_packages_with_a_model_of_one_name_are_told_apart() -> None:
    ours, theirs = (
        {
            **model("orders", sql="select 2"),
            "unique_id": f"model.{package}.orders",
            "package_name": package,
            "fqn": [package, "orders"],
        }
        for package in ("shop", "bought")
    )
    below = model("below", "model.bought.orders")
    built = Built(
        now=[ours, theirs, below],
        before=[],
        results=[result(ours), result(theirs, "error", message="no"), result(below, "skipped")],
        build=replace(builds.BUILD, exit_code=1),
    )
    made = report(built)
    names = {node.unique_id: node.name for node in made.nodes}
    assert names["model.shop.orders"] == "shop.orders"
    assert names["model.bought.orders"] == "bought.orders"
    assert node(made, "below").waits_for == ("bought.orders",)
    command = node(made, "bought.orders").command or ""
    assert "--select orders,package:bought " in command


@pytest.mark.fault(60)
@pytest.mark.parametrize("built", [builds.passed(), builds.failed()], ids=["passed", "failed"])
def test_the_same_build_gives_the_same_text_in_whatever_order_dbt_lists_it(built: Built) -> None:
    inputs = built.inputs()
    assert inputs.plan is not None
    assert inputs.results is not None
    assert inputs.manifest is not None
    assert inputs.production_manifest is not None
    turned = replace(
        inputs,
        plan=replace(inputs.plan, nodes=inputs.plan.nodes[::-1]),
        results=artifacts.RunResults(results=inputs.results.results[::-1]),
        manifest=replace(
            inputs.manifest, nodes=dict(reversed(list(inputs.manifest.nodes.items())))
        ),
        production_manifest=replace(
            inputs.production_manifest,
            nodes=dict(reversed(list(inputs.production_manifest.nodes.items()))),
        ),
    )
    assert render.comment(build_report.build_report(turned)) == render.comment(
        build_report.build_report(inputs)
    )
    assert build_report.build_report(turned) == build_report.build_report(inputs)

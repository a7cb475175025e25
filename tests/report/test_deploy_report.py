"""How an environment stands after a deploy, as report.json says it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import redact
from dbtdeploy.context import deploy_files, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.report import build_report, redact_report
from dbtdeploy.report.deploy_report import DeployReport
from dbtdeploy.report.report import Report
from standins.jobs import builds, deploy_builds
from standins.jobs.builds import result
from standins.jobs.deploy_builds import Deployed

STALE = deploy_files.SourceFreshness(unique_id="source.shop.raw.a", name="raw.a", status="warn")
FRESH = deploy_files.SourceFreshness(unique_id="source.shop.raw.b", name="raw.b", status="pass")
VIEW = deploy_files.Dependent(
    kind="view",
    schema="bi",
    name="weekly",
    full_name="bi.weekly",
    owner="ana",
    statements=("create view bi.weekly",),
)


def report(built: Deployed) -> Report:
    return build_report.build_report(built.inputs())


def deploy(built: Deployed) -> DeployReport:
    made = report(built).deploy
    assert made is not None
    return made


def failure(kind: str, **over: Any) -> work_files.Failure:
    return builds.failure(kind, "Title", "What.", **over)


def changed(built: Deployed, index: int, **over: Any) -> Deployed:
    results = list(built.results or ())
    results[index] = {**results[index], **over}
    return replace(built, results=results)


# The verdict


def test_deployed() -> None:
    made = report(deploy_builds.deployed())
    assert (made.mode, made.status, made.problem) == ("deploy", "passed", None)
    stands = deploy(deploy_builds.deployed())
    assert (stands.environment, stands.tables) == ("production", "new")
    assert (stands.version, stands.previous) == (deploy_builds.VERSION, deploy_builds.BEFORE)
    assert stands.not_published is None
    assert made.production is not None
    assert made.production.version == deploy_builds.BEFORE


def test_slim_ci_has_no_deploy() -> None:
    made = build_report.build_report(builds.passed().inputs())
    assert (made.mode, made.deploy) == ("ci", None)


@pytest.mark.parametrize(
    ("built", "status", "tables", "why"),
    [
        (deploy_builds.failed(), "failed", "partly", "build"),
        (deploy_builds.tests_failed(), "failed", "new", "build"),
        (
            replace(deploy_builds.failed(), results=(deploy_builds.failed().results or [])[1:4]),
            "failed",
            "unchanged",
            "build",
        ),
        (deploy_builds.refused("LeaseHeld", "t", "w"), "error", "unchanged", "stopped"),
        (deploy_builds.refused("Cancelled", "t", "w"), "cancelled", "unchanged", "stopped"),
        (deploy_builds.unfinished(failure("Cancelled")), "cancelled", "partly", "build"),
        (deploy_builds.unfinished(failure("TimeLimit")), "error", "partly", "build"),
        (deploy_builds.unfinished(failure("LeaseLost")), "error", "partly", "build"),
        (deploy_builds.unfinished(failure("TimeLimit"), done=0), "error", "unchanged", "build"),
        (deploy_builds.unfinished(None), "cancelled", "partly", "build"),
        (
            replace(
                deploy_builds.deployed(), publication=None, failure=failure("PublishingFailed")
            ),
            "error",
            "new",
            "publishing",
        ),
        (
            replace(deploy_builds.deployed(), failure=failure("DocsFailed")),
            "error",
            "new",
            None,
        ),
        (
            replace(deploy_builds.deployed(), results=[], selected=[], publication=None),
            "nothing",
            "unchanged",
            "nothing",
        ),
    ],
)
def test_how_the_environment_stands(
    built: Deployed, status: str, tables: str, why: str | None
) -> None:
    stands = deploy(built)
    assert (report(built).status, stands.tables, stands.not_published) == (status, tables, why)


@pytest.mark.fault(16)
def test_a_whole_build_without_a_publication_is_not_green() -> None:
    killed = replace(deploy_builds.deployed(), publication=None)
    made = report(killed)
    assert made.status == "error"
    assert made.problem is not None
    assert made.problem.kind == "NotPublished"
    assert deploy(killed).not_published == "publishing"
    kept = replace(deploy_builds.deployed(), publication=deploy_builds.KEPT_FAILED)
    assert report(kept).status == "error"


def test_too_many_warnings_are_not_published_and_no_fault_of_publishing() -> None:
    built = changed(deploy_builds.deployed(), 4, status="warn", failures=3)
    strict = replace(built.run, policy=replace(built.run.policy, fail_on_warnings=True))
    refused = replace(built, run=strict, publication=deploy_builds.KEPT_FAILED)
    assert report(refused).status == "failed"
    assert deploy(refused).not_published == "build"
    assert report(built).status == "warned"


def test_a_build_that_was_killed_may_have_replaced_anything() -> None:
    killed = replace(deploy_builds.deployed(), build=None, publication=None)
    assert deploy(killed).tables == "unknown"
    assert report(killed).status == "error"
    assert deploy(replace(killed, began=False)).tables == "unchanged"
    silent = replace(deploy_builds.deployed(), build=replace(builds.BUILD, results=False))
    assert deploy(silent).tables == "unknown"


@pytest.mark.fault(22)
@pytest.mark.parametrize("status", ["partial success", "evaporated"])
def test_a_model_that_is_new_in_part_is_not_as_before(status: str) -> None:
    only = changed(deploy_builds.deployed(), 0, status=status)
    only = replace(only, results=(only.results or [])[:1], publication=deploy_builds.KEPT_FAILED)
    assert report(only).status == "failed"
    assert deploy(only).tables == "partly"


def test_a_push_that_waits_for_a_tag_is_no_failure() -> None:
    waits = replace(
        deploy_builds.refused("x", "x", "x"),
        failure=None,
        state=None,
        not_now=deploy_files.NotNow(driver="release", version=deploy_builds.BEFORE),
    )
    made = report(waits)
    assert (made.status, made.skip_reason, made.problem) == ("skipped", "release", None)
    assert deploy(waits).not_published == "release"
    assert deploy(waits).previous == deploy_builds.BEFORE
    # Without that word the same is a failure.
    assert report(replace(waits, not_now=None)).status == "error"


@pytest.mark.parametrize("status", ["warn", "error", "runtime error", "evaporated"])
def test_a_stale_source_warns(status: str) -> None:
    sources = (replace(STALE, status=status), FRESH)
    built = replace(deploy_builds.deployed(), freshness=deploy_files.Freshness(sources=sources))
    assert report(built).status == "warned"
    assert [source.fresh for source in deploy(built).sources] == [False, True]
    fresh = replace(built, freshness=deploy_files.Freshness(sources=(FRESH,)))
    assert report(fresh).status == "passed"
    failed = replace(deploy_builds.failed(), freshness=built.freshness)
    assert report(failed).status == "failed"


# What is said of nodes and tests


def test_why_a_node_was_built() -> None:
    kinds = {node.name: node.why.kind for node in report(deploy_builds.deployed()).nodes}
    assert kinds == {
        "fct_orders": "changed",
        "dim_customers": "downstream",
        "customer_ltv": "downstream",
        "stg_payments": "all",
    }
    retried = replace(
        deploy_builds.deployed(),
        run=deploy_builds.MODIFIED,
        again=[builds.CUSTOMER_LTV, builds.FCT_ORDERS],
    )
    nodes = {node.name: node.why for node in report(retried).nodes}
    assert nodes["customer_ltv"].kind == "again"
    # It failed before, and the change of now is the better reason.
    assert nodes["fct_orders"].reasons == ("body",)


def test_nobody_is_told_to_build_production_by_hand() -> None:
    made = report(deploy_builds.failed())
    assert {node.command for node in made.nodes} == {None}
    assert {test.command for test in made.tests} == {None}
    assert made.prepare_commands == ()
    shows = [test.show_command for test in made.tests if test.show_command]
    assert shows == ["dbt show --select unique_stg_payments_id --limit 20 --target prod"]


# What the other steps left


def test_retries() -> None:
    first = work_files.Attempt(
        exit_code=1,
        seconds=30,
        nodes=6,
        transient=("model.shop.fct_orders",),
        reason="Database Error in model fct_orders (models/x.sql)\n  server closed the connection",
    )
    second = work_files.Attempt(exit_code=0, seconds=4, nodes=1)
    build = replace(builds.BUILD, attempts=(first, second))
    attempts = deploy(replace(deploy_builds.deployed(), build=build)).attempts
    assert [attempt.exit_code for attempt in attempts] == [1, 0]
    assert attempts[0].transient[0].name == "fct_orders"
    assert attempts[0].reason == "server closed the connection"


def test_what_a_partial_build_left_out() -> None:
    partial = replace(deploy_builds.PUBLISHED, pending=("model.shop.stg_payments",), carried=17)
    stands = deploy(replace(deploy_builds.deployed(), publication=partial))
    assert [node.name for node in stands.pending] == ["stg_payments"]
    assert stands.carried == 17


def test_dependents() -> None:
    gone = replace(VIEW, full_name="bi.old", removed=True)
    kept = deploy_files.Dependents(kept=(VIEW, gone), leftovers=("a.b__dbt_tmp",))
    lost = deploy_files.NotRestored(name="view bi.weekly", message="no column", statements=("x",))
    built = replace(deploy_builds.deployed(), dependents=kept)
    unchecked, checked = (
        deploy(replace(built, restored=restored))
        for restored in (None, deploy_files.Restored(restored=("bi.a",), failed=(lost,)))
    )
    assert [dependent.name for dependent in unchecked.dependents] == ["bi.weekly"]
    assert (unchecked.dependents_checked, checked.dependents_checked) == (False, True)
    assert checked.restored == ("bi.a",)
    assert checked.not_restored[0].message == "no column"
    assert not checked.not_restored[0].tolerated
    assert checked.leftovers == ("a.b__dbt_tmp",)


@pytest.mark.parametrize("why", ["failed_before", "removed"])
def test_what_is_missing_and_fails_no_deploy(why: str) -> None:
    over: dict[str, Any] = {why: True}
    lost = deploy_files.NotRestored(name="view bi.weekly", message="no column")
    built = replace(
        deploy_builds.deployed(),
        dependents=deploy_files.Dependents(kept=(replace(VIEW, **over),)),
        restored=deploy_files.Restored(failed=(lost,)),
    )
    assert deploy(built).not_restored[0].tolerated
    assert report(built).status == "passed"


def test_dbts_words_of_documentation_are_its_own() -> None:
    stopped = failure("DocsFailed", phase=Phase.DOCS)
    for left, words in ((stopped, True), (replace(stopped, phase=Phase.PUBLISH), False)):
        problem = report(replace(deploy_builds.deployed(), failure=left)).problem
        assert problem is not None
        assert problem.words_of_dbt == words


def test_where_a_failed_runs_artifacts_lie_has_no_credentials() -> None:
    kept = replace(deploy_builds.KEPT_FAILED, location="https://me:secret@host/prod?k=secret")
    stands = deploy(replace(deploy_builds.failed(), publication=kept))
    assert stands.failed_artifacts == "https://host/prod/failed/20261121T090052Z-77-1/"
    assert "secret" not in repr(stands)


def test_hidden_row_data_is_in_none_of_it() -> None:
    said = "Key (ssn)=(1234) exists"
    lost = deploy_files.NotRestored(name="v", message=said)
    attempt = work_files.Attempt(exit_code=1, seconds=1, nodes=1, reason=said)
    built = replace(
        deploy_builds.deployed(),
        freshness=deploy_files.Freshness(sources=(replace(STALE, message=said),)),
        restored=deploy_files.Restored(failed=(lost,)),
        build=replace(builds.BUILD, attempts=(attempt,)),
    )
    assert repr(deploy(built)).count("1234") == 3
    policy = replace(built.run.policy, hide_row_data=True)
    assert "1234" not in repr(deploy(replace(built, run=replace(built.run, policy=policy))))


@pytest.mark.fault(51)
def test_a_secret_is_nowhere_and_a_short_one_breaks_nothing() -> None:
    name = "hunter22"
    lost = deploy_files.NotRestored(name=name, message=name, statements=(name,))
    whole = report(
        replace(
            deploy_builds.deployed(),
            lease=replace(deploy_builds.LEASE, broken_in=name, finished=name),
            freshness=deploy_files.Freshness(sources=(replace(STALE, name=name, message=name),)),
            dependents=deploy_files.Dependents(kept=(replace(VIEW, owner=name),)),
            restored=deploy_files.Restored(restored=(name,), failed=(lost,)),
            publication=replace(deploy_builds.PUBLISHED, docs_url=f"https://{name}/"),
            build=replace(
                builds.BUILD,
                attempts=(work_files.Attempt(exit_code=1, seconds=1, nodes=1, reason=name),),
            ),
        )
    )
    assert repr(whole).count(name) > 8
    clean = redact_report.report(whole, redact.redactor([name, "new", "deploy", "build", "1"]))
    assert name not in repr(clean)
    assert clean.deploy is not None
    assert (clean.mode, clean.deploy.tables) == ("deploy", "new")


def test_whatever_is_missing_there_is_a_report() -> None:
    run = deploy_builds.RUN
    nothing = Deployed(
        run=run, state=None, lease=None, build=None, publication=None, planned=False, began=False
    )
    assert report(nothing).status == "error"
    assert deploy(nothing).tables == "unchanged"
    for name in ("state", "lease", "build", "publication", "results", "before", "results_before"):
        without: dict[str, Any] = {name: None}
        whole = deploy_builds.deployed()
        made = report(replace(whole, selected=list(whole.now), **without))
        assert made.deploy is not None
        if name in ("build", "results", "publication"):
            assert made.status == "error"


def test_only_tests_selected_and_published() -> None:
    built = replace(
        deploy_builds.deployed(), results=[result(builds.UNIQUE_ORDERS, "pass", failures=0)]
    )
    assert report(built).status == "passed"
    assert deploy(built).tables == "unchanged"
    assert deploy(built).version == deploy_builds.VERSION

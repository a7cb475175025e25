"""The summary of a deploy: is production new or old, what is live, what went wrong, what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors, markdown
from dbtdeploy.context import deploy_files, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Deploy
from dbtdeploy.report import deploy_page_model, job_annotations, page_model, render
from dbtdeploy.report.build_report import build_report
from standins.jobs import builds, deploy_builds, runs
from standins.jobs.builds import edited, model, result
from standins.jobs.deploy_builds import BEFORE, VERSION, Deployed
from standins.text import hostile
from standins.text.pages import HERE, Page, check_inert

ORDERS = deploy_files.SourceFreshness(
    unique_id="source.shop.raw.orders", name="raw.orders", status="warn", age_seconds=200_000
)
WEEKLY = deploy_files.Dependent(
    kind="view",
    schema="bi",
    name="weekly",
    full_name="bi.weekly",
    owner="ana",
    statements=("create view bi.weekly as select 1;", "grant select on bi.weekly to bob;"),
)
KEPT = deploy_files.Dependents(kept=(WEEKLY,))


def summary(built: Deployed) -> str:
    return render.summary(build_report(built.inputs()))


def title(built: Deployed) -> str:
    return summary(built).split("\n", 1)[0]


def failure(kind: str, said: str, **over: Any) -> work_files.Failure:
    return builds.failure(kind, said, "What happened.", remedy="Do this.", **over)


def changed(built: Deployed, index: int, **over: Any) -> Deployed:
    results = list(built.results or ())
    results[index] = {**results[index], **over}
    return replace(built, results=results)


WARNED = changed(deploy_builds.deployed(), 4, status="warn", failures=3)
STALE = replace(deploy_builds.deployed(), freshness=deploy_files.Freshness(sources=(ORDERS,)))
NOTHING = replace(
    deploy_builds.deployed(), run=deploy_builds.MODIFIED, results=[], publication=None, build=None
)
WAITS = replace(
    deploy_builds.refused("x", "x", "x"),
    failure=None,
    state=None,
    not_now=deploy_files.NotNow(driver="release", version=BEFORE),
)
LOST = replace(
    deploy_builds.deployed(),
    dependents=KEPT,
    restored=deploy_files.Restored(
        failed=(
            deploy_files.NotRestored(
                name="view bi.weekly", message="no column total", statements=WEEKLY.statements
            ),
        )
    ),
    failure=failure("DependentsNotRestored", "Some objects could not be recreated"),
)
LEFT_OUT = replace(
    deploy_builds.deployed(),
    publication=replace(deploy_builds.PUBLISHED, pending=("model.shop.stg_payments",), carried=17),
)
UNPUBLISHED = replace(
    deploy_builds.deployed(),
    publication=None,
    failure=failure("PublishingFailed", "The artifacts were not published"),
)


@pytest.mark.parametrize(
    ("built", "says"),
    [
        (deploy_builds.deployed(), "✅ production is new: 4 models built, 2 tests passed"),
        (WARNED, "⚠️ production is new: 4 models built, 1 of 2 tests warns"),
        (STALE, "⚠️ production is new: 4 models built, 2 tests passed, 1 source is stale"),
        (LEFT_OUT, "✅ production is new: 4 models built, 2 tests passed, 1 change left out"),
        (NOTHING, "⚪ production is up to date: nothing to build"),
        (
            replace(NOTHING, run=deploy_builds.deployed().run),
            "⚪ production is unchanged: nothing was selected",
        ),
        (WAITS, "⚪ production is unchanged: it waits for a version tag"),
        (
            deploy_builds.failed(),
            "❌ production is partly new: 1 model and 1 test failed, 2 models skipped",
        ),
        (
            replace(deploy_builds.failed(), results=(deploy_builds.failed().results or [])[1:4]),
            "❌ production is unchanged: 1 model failed, 2 models skipped",
        ),
        (deploy_builds.tests_failed(), "❌ production is new, but 1 test failed"),
        (
            deploy_builds.refused("LeaseHeld", "Someone else works on this environment", "w"),
            "❌ production is unchanged: someone else works on this environment",
        ),
        (
            deploy_builds.refused("DbtStopped", "dbt stopped before it built anything", "w"),
            "❌ production is unchanged: dbt stopped before it built anything",
        ),
        (
            deploy_builds.unfinished(failure("Cancelled", "Cancelled")),
            "⏹️ production is partly new: cancelled after 2 of 4 models",
        ),
        (
            deploy_builds.refused("Cancelled", "Cancelled", "w"),
            "⏹️ production is unchanged: cancelled",
        ),
        (
            replace(UNPUBLISHED, failure=failure("Cancelled", "Cancelled")),
            "⏹️ production is new, but cancelled before it was published",
        ),
        (
            replace(deploy_builds.refused("Cancelled", "Cancelled", "w"), began=True),
            "⏹️ production is perhaps partly new: cancelled",
        ),
        (
            deploy_builds.unfinished(failure("TimeLimit", "The time limit was reached")),
            "❌ production is partly new: the time limit was reached (2 of 4 models built)",
        ),
        (
            deploy_builds.unfinished(failure("LeaseLost", "This run no longer holds it")),
            "❌ production is partly new: this run no longer holds it (2 of 4 models built)",
        ),
        (
            changed(
                deploy_builds.unfinished(failure("TimeLimit", "The time limit was reached")),
                1,
                status="error",
                message="no",
            ),
            "❌ production is partly new: the time limit was reached"
            " (1 of 4 models built, 1 failed)",
        ),
        (UNPUBLISHED, "❌ production is new, but not published"),
        (
            replace(UNPUBLISHED, failure=failure("StateCredentials", "No valid credentials")),
            "❌ production is new, but not published: no valid credentials",
        ),
        (
            replace(UNPUBLISHED, failure=None),
            "❌ production is new, but perhaps not published",
        ),
        (
            replace(
                deploy_builds.deployed(),
                failure=failure("DocsFailed", "The documentation was not written"),
            ),
            "⚠️ production is new, but the documentation was not written",
        ),
        (LOST, "❌ production is new, but 1 dependent object is missing"),
        (
            replace(
                deploy_builds.deployed(),
                failure=failure("PublishingFailed", "The artifacts were not published"),
            ),
            "⚠️ production is new, but not all of its plain copies are written",
        ),
        (
            replace(deploy_builds.failed(), restored=LOST.restored),
            "❌ production is partly new: 1 model and 1 test failed, 2 models skipped,"
            " 1 dependent object missing",
        ),
        (
            replace(deploy_builds.deployed(), build=None, publication=None, planned=False),
            "❌ production is perhaps partly new: dbt did not run",
        ),
    ],
)
def test_the_title_says_whether_production_is_new(built: Deployed, says: str) -> None:
    assert title(built) == f"### {says}"


def test_the_environment_is_named() -> None:
    run = runs.changed(deploy_builds.RUN, Deploy, environment="staging_eu", docs_url=None)
    dbt = replace(run.dbt, repository_path="shop")
    text = summary(replace(deploy_builds.failed(), run=replace(run, dbt=dbt)))
    assert text.startswith("### ❌ staging\\_eu, `shop`, is partly new: ")
    assert "production" not in text.lower()


def test_what_is_live_is_the_first_sentence() -> None:
    text = summary(deploy_builds.deployed())
    assert text.split("\n")[2] == (
        f"Version `{VERSION}` is live: commit `9f3c2e1` of `main`, built in 41 s. It replaces "
        f"`{BEFORE}`, built 3 hours ago. [Documentation](https://acme.example/docs)"
    )
    assert "1 model has not changed and was built again." in text


def test_plain_artifacts_are_replaced_by_a_version() -> None:
    plain = replace(
        deploy_builds.deployed(),
        state=builds.STATE,
        publication=replace(deploy_builds.PUBLISHED, previous=None),
    )
    said = "It replaces the state in `s3://acme-dbt/prod`, commit `a1b2c3d`, built 3 hours ago."
    assert said in summary(plain)


def test_documentation_is_linked_only_where_it_was_written() -> None:
    link = "[Documentation](https://acme.example/docs)"
    written = replace(deploy_builds.deployed(), publication=deploy_builds.PUBLISHED)
    assert link not in summary(replace(written, publication=None))
    without = replace(deploy_builds.PUBLISHED, docs=None)
    assert link not in summary(replace(written, publication=without))
    with_docs = replace(
        deploy_builds.PUBLISHED, docs="s3://acme/docs", docs_url="https://acme.example/docs"
    )
    assert link in summary(replace(written, publication=with_docs))
    evil = replace(with_docs, docs_url="javascript:alert(1)")
    assert "javascript" not in summary(replace(written, publication=evil))


def test_failed_says_which_tables_are_new_and_what_to_do() -> None:
    text = summary(deploy_builds.failed())
    where = [
        text.index(part)
        for part in (
            "1 model is new, from commit `9f3c2e1`; 3 are as they were.",
            f"The published version is still `{BEFORE}`, commit `a1b2c3d`",
            "- 🆕 **1 new:** `stg_payments`",
            "- ❌ **1 as before, failed:** `fct_orders`",
            "- ⏭️ **2 as before, skipped:** `dim_customers`, `customer_ltv`",
            "**What to do:** Mend what failed and merge it",
            "**`fct_orders`** did not build, at [`models/fct_orders.sql:3`](",
            "It found the same 12 before this deploy.",
            "stays in production until somebody drops it",
            "in `s3://acme-dbt/prod/failed/20261121T090052Z-77-1/`",
        )
    ]
    assert where == sorted(where)
    assert "dbt build" not in text
    assert "Skipped, waiting for" not in text


def test_the_next_deploy_of_what_changed_builds_what_failed() -> None:
    text = summary(replace(deploy_builds.failed(), run=deploy_builds.MODIFIED))
    assert "builds what changed since the published version, and what failed here." in text


def test_a_step_that_failed_after_the_build_failed_comes_second() -> None:
    text = summary(
        replace(
            deploy_builds.failed(),
            publication=None,
            failure=failure("StateAccessDenied", "No access", phase=Phase.PUBLISH),
        )
    )
    assert text.startswith("### ❌ production is partly new: 1 model and 1 test failed")
    assert text.index("Mend what failed") < text.index("**Besides:** No access.")
    assert "Do this." in text


def test_nothing_changed_says_so_with_the_version() -> None:
    said = f"This run changed nothing in production: its version is still `{BEFORE}`"
    refused = deploy_builds.refused(
        "SourcesStale", errors.SourcesStale.title, "w", remedy="Load them."
    )
    for built in (refused, NOTHING, WAITS):
        assert said in summary(built)
    text = summary(replace(refused, state=None))
    assert "This run changed nothing in production." in text
    assert "**What to do:** Load them." in text


def test_a_lost_lease_claims_nothing_of_what_others_did_since() -> None:
    text = summary(deploy_builds.unfinished(failure("LeaseLost", "Lost")))
    assert f"when it began, the version was `{BEFORE}`" in text
    assert "is still" not in text
    assert "Whoever holds production now may have changed it since." in text


@pytest.mark.fault(8)
@pytest.mark.parametrize("left", [UNPUBLISHED.failure, None, failure("Cancelled", "Cancelled")])
def test_what_may_be_published_is_not_said_to_be_old(left: work_files.Failure | None) -> None:
    """Killed or cut off around the pointer's move, nobody here knows on which side."""
    text = summary(replace(UNPUBLISHED, failure=left))
    assert f"When this run began, the version was `{BEFORE}`; whether that has changed" in text
    assert "is still" not in text


def test_cancelled_after_publishing() -> None:
    text = summary(replace(deploy_builds.deployed(), failure=failure("Cancelled", "Cancelled")))
    assert text.startswith("### ⏹️ production is new: 4 models built, 2 tests passed")
    assert "The job was cancelled after that" in text


@pytest.mark.fault(20)
def test_what_was_not_finished_is_listed() -> None:
    text = summary(deploy_builds.unfinished(failure("Cancelled", "Cancelled")))
    assert "- 🆕 **2 new:** `stg_payments`, `fct_orders`" in text
    assert "**2 as before, not finished:** `dim_customers`, `customer_ltv`" in text
    assert "Not built:" not in text
    killed = replace(
        deploy_builds.deployed(),
        selected=list(deploy_builds.deployed().now),
        results=None,
        build=None,
        publication=None,
        failure=failure("Cancelled", "Cancelled"),
    )
    assert "**4 perhaps new:** `stg_payments`" in summary(killed)


@pytest.mark.fault(14)
def test_the_first_deploy() -> None:
    first = replace(
        deploy_builds.deployed(),
        state=deploy_builds.NO_STATE,
        publication=replace(deploy_builds.PUBLISHED, previous=None),
    )
    text = summary(first)
    assert "It is the first." in text
    assert "From now on pull requests build only what they change." in text
    refused = replace(
        deploy_builds.failed(),
        state=deploy_builds.NO_STATE,
        publication=replace(deploy_builds.KEPT_FAILED, previous=None),
    )
    assert "No version is published yet." in summary(refused)


def test_what_was_left_out_is_named() -> None:
    text = summary(LEFT_OUT)
    assert "> This build left out 1 changed node: `stg_payments`. It stays as before" in text
    assert "17 results of the version before carried over" in text


def test_stale_sources() -> None:
    worse = replace(ORDERS, name="raw.pay", status="error")
    unread = replace(ORDERS, name="raw.x", status="runtime error", age_seconds=None, message="no")
    fresh = replace(ORDERS, name="raw.fresh", status="pass")
    freshness = deploy_files.Freshness(sources=(ORDERS, worse, unread, fresh))
    text = summary(replace(STALE, freshness=freshness))
    assert "**2 of 4 sources are stale**" in text
    assert "**The age of 1 of 4 sources could not be read**" in text
    assert "2 sources are stale, the age of 1 source is unknown" in text.splitlines()[0]
    assert "- `raw.orders`: its newest row is 2 days old, a warning by its own limits." in text
    assert "- `raw.pay`: its newest row is 2 days old, an error by its own limits." in text
    assert "- `raw.x`: `no`." in text
    assert "raw.fresh" not in text


@pytest.mark.parametrize(("again", "says"), [("success", "That helped."), ("error", "That did no")])
def test_retries_are_said(again: str, says: str) -> None:
    attempt = work_files.Attempt(
        exit_code=1,
        seconds=1,
        nodes=1,
        transient=("model.shop.dim_customers",),
        reason="connection lost\nand more",
    )
    built = changed(deploy_builds.deployed(), 2, status=again)
    code = 0 if again == "success" else 1
    build = replace(builds.BUILD, exit_code=code, attempts=(attempt,))
    text = summary(replace(built, build=build))
    assert "`dim_customers` failed on a fault of the moment, `connection lost`, and was" in text
    assert says in text


def test_what_hangs_on_production() -> None:
    text = summary(LOST)
    assert "> [!CAUTION]\n> 1 object that hung on rebuilt tables is gone" in text
    assert "> - `view bi.weekly`: `no column total`" in text
    assert "What happened." not in text
    assert "**What to do:** Make it again with the statements below" in text
    assert "create view bi.weekly as select 1;\n\ngrant select on bi.weekly to bob;" in text
    back = deploy_files.Restored(restored=("bi.weekly",))
    fine = replace(deploy_builds.deployed(), dependents=KEPT, restored=back)
    assert "1 object outside this build hangs on what was rebuilt, and is there; made" in summary(
        fine
    )
    # A view of the project's own hangs on others, is built too, and is nothing to speak of.
    own = replace(WEEKLY, unique_id="model.shop.dim_customers")
    assert "outside this build" not in summary(
        replace(
            fine, dependents=deploy_files.Dependents(kept=(own,)), restored=deploy_files.Restored()
        )
    )
    unsure = summary(replace(fine, restored=None))
    assert "before it was seen whether it is still there" in unsure
    assert "create view bi.weekly" in unsure
    told = deploy_files.Dependents(kept=(replace(WEEKLY, failed_before=True),))
    still = summary(replace(LOST, dependents=told, failure=None))
    assert still.startswith("### ✅ production is new: 4 models built")
    assert "> Still missing:\n> - `view bi.weekly`: `no column total`" in still
    refused = replace(deploy_builds.refused("PrivilegesMissing", "No", "w"), dependents=KEPT)
    assert "bi.weekly" not in summary(refused)


def test_a_lease_that_was_taken_over() -> None:
    run = f"{HERE}actions/runs/70"
    taken_over = "20261120T000000Z-a1b2c3d"
    lease = replace(deploy_builds.LEASE, broken_in=run, finished=BEFORE, taken_over=taken_over)
    text = summary(replace(deploy_builds.deployed(), lease=lease))
    assert f"this run took it over: [`{run}`]({run})." in text
    assert f"had ended just before it published `{BEFORE}`; this run did that first." in text
    assert f"Took over the artifacts that were here as version `{taken_over}`." in text
    person = replace(lease, broken_in="ana", finished=None)
    assert "took it over: `ana`." in summary(replace(deploy_builds.deployed(), lease=person))


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (60.0, "Slower than before: `fct_orders` (60 s, was 2.0 s)."),
        (5.0, None),
        (3.9, None),
    ],
)
def test_slower(seconds: float, says: str | None) -> None:
    text = summary(changed(deploy_builds.deployed(), 1, execution_time=seconds))
    assert (says in text) if says else ("Slower" not in text and "Faster" not in text)


def test_faster_and_fewer_rows() -> None:
    built = deploy_builds.deployed()
    before = [result(builds.FCT_ORDERS, rows=90_000, seconds=600.0)]
    text = summary(replace(built, results_before=before))
    assert "Faster than before: `fct_orders` (2.1 s, was 10 min 0 s)." in text
    assert "> `fct_orders` has 10,251 rows now, and had 90,000 before." in text
    assert "79,749) | 2.1 s | 90,000 rows, 10 min 0 s |" in text


# Long, hostile


def test_a_large_deploy_shows_what_changed_and_folds_the_rest() -> None:
    text = summary(deploy_builds.large())
    head = text[: text.index("<details>")]
    assert head.count("| **`int_orders_by_region_") == 3
    assert head.count("\n| ") == 5
    assert "<summary>297 more models, with rows and times</summary>" in text
    assert "<summary>1,000 tests passed</summary>" in text
    assert Page(text).open == []
    failing = summary(deploy_builds.large(failing=40))
    assert "- 🆕 **260 new:** " in failing
    assert "and 248 more\n" in failing
    assert failing.count("```text") == deploy_page_model.DEPLOY.in_full


@pytest.mark.fault(44)
@pytest.mark.parametrize("failing", [0, 400])
def test_a_huge_deploy_fits_and_says_what_is_left_out(failing: int) -> None:
    models = [model(f"a_rather_long_model_name_{i}", sql=f"select {i}") for i in range(1500)]
    tests = [builds.test(f"unique_{'x' * 90}_{i}", models[i % 1500]["name"]) for i in range(6500)]
    bad = "Database Error\n" + "🧨 `@team` <img>\n" * 300
    lost = deploy_files.NotRestored(name="v" * 500, message=bad, statements=("x" * 300_000,))
    built = replace(
        deploy_builds.deployed(),
        now=[*models, *tests],
        before=[edited(entry, "old") for entry in models],
        results=[
            result(entry, "error", message=bad) if i < failing else result(entry, rows=1)
            for i, entry in enumerate([*models, *tests])
        ],
        build=replace(builds.BUILD, exit_code=1 if failing else 0),
        publication=deploy_builds.KEPT_FAILED if failing else deploy_builds.PUBLISHED,
        restored=deploy_files.Restored(failed=(lost,) * 30) if failing else None,
    )
    text = summary(built)
    assert len(text.encode()) <= render.SUMMARY_LIMIT_BYTES
    assert Page(text).open == []
    assert "more in the [report](" in text
    assert text.startswith("### ❌ production is partly new" if failing else "### ✅ production")


@pytest.mark.fault(44)
def test_three_hundred_kilobytes_in_one_message() -> None:
    built = changed(deploy_builds.failed(), 1, message="x" * 300_000)
    text = summary(built)
    assert len(text.encode()) < 20_000
    assert "1 more line in the [report]" in text


@pytest.mark.fault(44)
def test_statements_are_shown_whole_or_not_at_all() -> None:
    for long, shown in ((20_000, True), (300_000, False)):
        lost = deploy_files.NotRestored(name="v", message="m", statements=("x" * long,))
        text = summary(replace(LOST, restored=deploy_files.Restored(failed=(lost,))))
        assert ("x" * long in text) == shown
        assert ("again is in the [report](" in text) != shown
    unsure = deploy_files.Dependents(kept=(replace(WEEKLY, statements=("x" * 300_000,)),))
    assert "under `dependents`" in summary(replace(deploy_builds.deployed(), dependents=unsure))


@pytest.mark.fault(44)
def test_one_entry_longer_than_a_summary_leaves_the_title_and_the_link() -> None:
    said = "x" * 1_100_000
    text = summary(deploy_builds.refused("OnHold", "The environment is on hold", said))
    assert text.startswith("### ❌ production is unchanged: the environment is on hold\n")
    assert f"[report]({HERE}actions/runs/77#artifacts)" in text
    assert len(text) < 1000


def hostile_deploy(text: str) -> Deployed:
    """A deploy of which all that others write is ``text``."""
    name = text or "x"
    entry = {**edited(model("up"), "select 2"), "name": name}
    check = {**builds.test("check", "up"), "name": name}
    warns = {**builds.test("warns", "up"), "name": name}
    lost = deploy_files.NotRestored(name=name, message=name, statements=(name,))
    source = replace(ORDERS, name=name, status=name, message=name, age_seconds=None)
    event = replace(deploy_builds.RUN.event, ref=name, sha=name)
    asked = runs.deploy(environment=name, docs_url=name)
    attempt = work_files.Attempt(
        exit_code=1, seconds=1, nodes=1, transient=("model.shop.up", name), reason=name
    )
    return replace(
        deploy_builds.deployed(),
        run=replace(
            deploy_builds.RUN,
            event=event,
            policy=asked,
            dbt=replace(deploy_builds.RUN.dbt, target=name, repository_path="a"),
        ),
        state=replace(builds.STATE, location=name, version=name, commit=None, dbt_version=name),
        lease=replace(deploy_builds.LEASE, broken_in=name, finished=name),
        freshness=deploy_files.Freshness(sources=(source,)),
        dependents=deploy_files.Dependents(
            kept=(replace(WEEKLY, full_name=name, statements=(name,)),), leftovers=(name,)
        ),
        restored=deploy_files.Restored(restored=(name,), failed=(lost,)),
        publication=replace(
            deploy_builds.PUBLISHED,
            location=name,
            version=name,
            previous=name,
            pending=(name,),
            docs=name,
            docs_url=name,
        ),
        now=[entry, check, warns],
        before=[model("up"), {**model("gone"), "name": name, "relation_name": name}],
        results=[result(entry, rows=3), result(check, "pass"), result(warns, "warn", failures=2)],
        results_before=[result(model("up"), rows=90, seconds=900.0)],
        build=replace(builds.BUILD, attempts=(attempt,)),
    )


def hostile_failure(text: str) -> Deployed:
    """A deploy that failed in every way at once."""
    name = text or "x"
    whole = hostile_deploy(text)
    return replace(
        changed(changed(whole, 0, status="error", message=name), 1, status="fail", failures=2),
        build=replace(
            builds.BUILD, exit_code=1, attempts=whole.build.attempts if whole.build else ()
        ),
        restored=None,
        publication=replace(deploy_builds.KEPT_FAILED, location=name, failed=name),
        failure=builds.failure("PublishingFailed", f"Title {name}", name, remedy=name),
    )


def hostile_refusal(text: str) -> Deployed:
    """Stopped before anything was built, in words of others."""
    said = f"Held:\n- {text}\n    {text}\nby `{text}` and {text}"
    run = runs.asked(deploy_builds.RUN, runs.deploy(environment=text or "x"))
    refused = deploy_builds.refused("OnHold", f"Title {text}", said, remedy=f"Do {text}")
    return replace(refused, run=run, state=replace(deploy_builds.STATE, version=text or "x"))


@pytest.mark.fault(44, 45, 71)
@pytest.mark.parametrize("make", [hostile_deploy, hostile_failure, hostile_refusal])
@hostile.written
def test_whatever_others_write_is_inert(make: Callable[[str], Deployed], text: str) -> None:
    shown = summary(make(text))
    # The documentation's address is the input `docs-url`.
    check_inert(shown, links=(HERE, markdown.address(text)))


def test_annotations_are_those_of_a_build() -> None:
    made = build_report(deploy_builds.failed().inputs())
    assert [(note.level, note.line) for note in job_annotations.of(made)] == [
        ("error", 3),
        ("error", 6),
    ]
    assert job_annotations.of(build_report(UNPUBLISHED.inputs())) == ()


def test_the_limits_of_a_deploy_end() -> None:
    limits: page_model.Limits | None = deploy_page_model.DEPLOY
    steps = 0
    while limits is not None:
        limits, steps = page_model.narrower(limits), steps + 1
    assert steps < 90

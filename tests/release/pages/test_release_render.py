"""A release's pages: what is live now, what to do, what changed, and how to go back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors, markdown
from dbtdeploy.context import work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.release_files import Gate, Released, ReleasePlan, RemovedNode, Spot
from dbtdeploy.release.gates import gates, losses
from dbtdeploy.release.pages import release_render
from dbtdeploy.release.pages.release_page_model import ReleasePageInputs
from dbtdeploy.release.pages.release_plan_page_model import NOTES, RELEASE
from dbtdeploy.report import build_report, page_model
from dbtdeploy.report.report import Report
from dbtdeploy.warehouse.release_macro_types import Measured, QueryResult
from standins.jobs import builds, plans, releases
from standins.jobs.builds import edited
from standins.jobs.releases import (
    MEASURED,
    ORDERS,
    POLICY,
    RUN,
    column,
    final,
    first,
    measured_node,
)
from standins.text import hostile
from standins.text.pages import ALLOWED_TAGS, HERE, Page, check_inert

VERSION = "20261125T231720Z-9f3c2e1"
LIVE = Released(
    version=VERSION, swapped_at="2026-11-25T23:17:02+00:00", swap_seconds=0.08, attempts=1
)
GITHUB = "https://github.com/acme/analytics/releases/tag/v1.4.0"
DOCS = "https://acme.example/docs"


def failure(kind: str, title: str, what: str = "What happened.") -> work_files.Failure:
    return builds.failure(kind, title, what, remedy="Do this.", not_done="Nothing went live.")


def facts(**over: Any) -> ReleasePageInputs:
    return ReleasePageInputs(**{"run": RUN, "plan": final(), "before_tag": "v1.3.0", **over})


def live(**over: Any) -> ReleasePageInputs:
    given = {"released": LIVE, "swap": "done", "github_release": GITHUB, "docs_url": DOCS}
    return facts(**{**given, **over})


def report(built: builds.Built) -> Report:
    return build_report.build_report(replace(built, run=RUN, state=releases.STATE).inputs())


def closed(plan: ReleasePlan) -> work_files.Failure:
    with pytest.raises(errors.GateClosed) as refused:
        gates.refuse(plan.gates)
    return work_files.Failure.of(refused.value, phase=Phase.GATES)


DRY = replace(RUN, policy=replace(POLICY, dry_run=True))
BROKEN = replace(
    MEASURED,
    nodes=(
        measured_node(ORDERS, 10_239, 8_120, columns_after=(column("id", "bigint"),)),
        *MEASURED.nodes[1:],
    ),
    checks=(QueryResult(name="no_negative_totals.sql", rows=3),),
)
STOPPED = final(measured=BROKEN)
ALLOWED = final(measured=replace(BROKEN, checks=MEASURED.checks), allowed_by="#482")


def summary(of: ReleasePageInputs) -> str:
    return release_render.release_summary(of)


def notes(plan: ReleasePlan, **over: Any) -> str:
    given = {"repository": "acme/analytics", "server_url": "https://github.com"}
    return release_render.release_notes(plan, **{**given, **over})


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (live(), "✅ production is v1.4.0: 4 models released, 2 tests passed"),
        (
            live(plan=ALLOWED),
            "⚠️ production is v1.4.0: 4 models released, 2 tests passed, 2 breaking changes, "
            "1 gate warns",
        ),
        (
            live(failure=failure("ReleaseNotWritten", "The GitHub release was not written")),
            "⚠️ production is v1.4.0, but the GitHub release was not written",
        ),
        (
            live(failure=failure("LeaseLost", "This run no longer holds the environment")),
            "⚠️ production is v1.4.0, but this run no longer holds the environment",
        ),
        (
            live(
                released=replace(LIVE, resumed="finished"),
                failure=failure("LeaseLost", "This run no longer holds the environment"),
            ),
            "⚠️ production is v1.4.0, but this run no longer holds the environment",
        ),
        (
            live(report=report(builds.failed())),
            "❌ production is v1.4.0, but 1 model failed after the swap",
        ),
        (
            live(released=replace(LIVE, resumed="finished")),
            "✅ production is v1.4.0: an earlier run had swapped it, this one published it",
        ),
        (
            facts(plan=None, released=Released(version=VERSION, resumed="nothing")),
            "⚪ production is v1.4.0 already: nothing was done",
        ),
        (
            facts(swap="done", failure=failure("PublishingFailed", "The artifacts were not p")),
            "❌ production is v1.4.0, but not published",
        ),
        (
            facts(swap="done", failure=failure("StateUnreachable", "The store cannot be reached")),
            "❌ production is v1.4.0, but not published: the store cannot be reached",
        ),
        (facts(swap="begun"), "❌ production is perhaps v1.4.0: the swap was cut off"),
        (
            facts(
                released=replace(LIVE, version=None, taken_back="smoke query a.sql: no"),
                swap="done",
                failure=failure("TakenBack", "The release was rolled back"),
            ),
            "❌ production is v1.3.0 again: v1.4.0 was taken back",
        ),
        (
            facts(failure=failure("Cancelled", "Cancelled")),
            "⏹️ production is still v1.3.0: cancelled",
        ),
        (
            facts(plan=None, failure=failure("ReleaseEmpty", "This release has no changes")),
            "❌ production is still v1.3.0: v1.4.0 brings nothing",
        ),
        (
            facts(plan=STOPPED, failure=closed(STOPPED)),
            "❌ production is still v1.3.0: a gate stopped v1.4.0 (breaking changes, checks)",
        ),
        (
            facts(plan=first(), report=report(builds.failed())),
            "❌ production is still v1.3.0: 1 model and 1 test of v1.4.0 failed",
        ),
        (
            facts(run=DRY, plan=first()),
            "📋 v1.4.0 would change production: 1 new, 1 changed, 2 downstream",
        ),
        (
            facts(run=DRY, plan=first(planned=plans.plan())),
            "📋 v1.4.0 would change production: no model",
        ),
        (
            facts(plan=None, failure=failure("TagRefused", "This tag cannot be released")),
            "❌ production is still v1.3.0: this tag cannot be released",
        ),
        (
            facts(plan=None, before_tag=None, failure=failure("TagRefused", "This tag")),
            "❌ production is unchanged: this tag",
        ),
        (facts(), "❌ production is still v1.3.0: v1.4.0 was not released"),
    ],
)
def test_the_title_says_what_is_live(of: ReleasePageInputs, says: str) -> None:
    assert summary(of).split("\n", 1)[0] == f"### {says}"


def test_a_release_that_went_well_says_what_is_live_and_how_to_go_back() -> None:
    text = summary(live(report=report(builds.passed())))
    assert text.split("\n")[2] == (
        f"Version `{VERSION}` is live: swapped in 80 ms, after 41 s of building and testing beside "
        f"production. It replaces `v1.3.0`. [GitHub release]({GITHUB}) · [Documentation]({DOCS})"
    )
    assert text.split("\n")[4] == (
        "**To go back:** run the rollback workflow. Until 2026-11-26 23:17 UTC that puts `v1.3.0` "
        "back at once. `customer_ltv` keeps the rows it has then."
    )


def test_what_moves_is_told_and_who_reads_the_old_relation() -> None:
    plan = final()
    (gone,) = plan.removed
    new = replace(gone.production, schema="marts")
    moved = replace(gone, moved_to=new, readers=("bi.legacy",))
    text = summary(live(plan=replace(plan, removed=(moved,))))
    assert "No longer in the project" not in text
    assert (
        "> Moves: `stg_legacy_orders` from `analytics.stg_legacy_orders` to"
        " `marts.stg_legacy_orders`. The old relation stays as it is, without new rows, until the"
        " clean-up drops it, after the grace period; not while something reads it."
        " `stg_legacy_orders` is read by `bi.legacy`."
    ) in text


def test_the_plan_stands_in_one_table() -> None:
    text = summary(live())
    rows = [line for line in text.split("\n") if line.startswith("| ") and "fct_orders" in line]
    assert rows == [
        "| **`fct_orders`** | replaced, table | SQL changed | 10,251 (+12) | 2.1 s | moved back |"
    ]
    assert "| **`dim_segments`** | new, table | new | 4 | 0.2 s | taken away |" in text
    row = "| `customer_ltv` | changed in place, incremental | downstream | 947 (+12) | 0.4 s |"
    assert f"{row} stays |" in text
    assert "No longer in the project: `stg_legacy_orders`" in text
    assert "- `fct_orders`: `Weekly sales`; outside the project `bi.weekly_orders`" in text
    assert "<summary>6 gates passed</summary>" in text
    assert "2 other models untouched" in text
    assert "gates that are off: freshness" in text


def test_what_a_rollback_would_do_is_told_by_name() -> None:
    text = summary(live())
    assert "<summary>What a rollback does: 3 at once, 1 stays</summary>" in text
    assert "**Moved back at once**, with the rows they had: `fct_orders`, `dim_customers`" in text
    assert "**Taken away at once**, for they are new: `dim_segments`" in text
    assert (
        "**Left as they are**, for they are changed in place, not replaced: `customer_ltv`" in text
    )


def test_a_dry_run_says_that_nothing_was_done_and_what_is_checked_later() -> None:
    text = summary(facts(run=DRY, plan=first()))
    assert "A dry run: nothing was built, and nothing in production was changed." in text
    assert "⏳ Gates to come: **dbt tests**, 2 tests; **breaking changes**, " in text
    assert "Rows |" not in text
    assert "Time |" not in text


def test_a_dry_run_names_what_will_be_lost_by_leave() -> None:
    plan = first()
    lossy = replace(plan.nodes[0], losses=("trigger audit", 'publication "out"'))
    allowed = losses.gate([lossy], "the input `allow-loss`", "allow-loss", final=False)
    text = summary(facts(run=DRY, plan=replace(plan, gates=(*plan.gates, allowed))))
    said = "2 parts of 1 relation would be lost, allowed by the input `allow-loss`"
    assert f"⚠️ **losses:** {said}." in text
    assert f"- `{lossy.name}`: trigger audit" in text


def test_a_closed_gate_comes_first_with_its_figures_and_what_to_do() -> None:
    text = summary(facts(plan=STOPPED, failure=closed(STOPPED)))
    where = [
        text.index(part)
        for part in (
            "**breaking changes:** 2 breaking changes in 1 model.",
            "- `fct_orders`: column `amount` is removed",
            "Read by `Weekly sales`, `bi.weekly_orders`, `bi.weekly_top`.",
            "**What to do:** If it is meant, tell those who read these models",
            "**checks:** 1 of 1 check found rows or could not run.",
            "- `no_negative_totals.sql` found 3 rows",
            "**What to do:** Look at the rows",
            "production is as it was: `v1.3.0`. What was built stays in `dbt_green_",
            "⚠️ **row counts:** 1 of 3 tables beyond ±5 % of production.",
            "- `fct_orders`: 10,239 → 8,120 rows",
            "<summary>2 gates closed, 1 warned, 3 passed</summary>",
        )
    ]
    assert where == sorted(where)
    assert "[!" not in text.split("| Model |")[0], "the breaking columns are told once"
    assert "What a rollback does" not in text


def test_an_allowed_breaking_change_is_told_before_the_table() -> None:
    text = summary(live(plan=ALLOWED))
    assert "> [!IMPORTANT]\n> 2 breaking changes in 1 model, allowed by" in text
    assert "> - **`fct_orders`**: column `amount` is removed" in text
    assert "> Read by `Weekly sales`" in text
    assert text.index("[!IMPORTANT]") < text.index("| Model |")
    assert "| ⚠️ **`fct_orders`** |" in text


def test_a_failed_build_names_nodes_and_tests_as_a_pull_request_does() -> None:
    text = summary(facts(plan=releases.staged(first()), report=report(builds.failed())))
    assert "**`fct_orders`** did not build, at [`models/fct_orders.sql:3`](" in text
    assert 'column "amont" does not exist' in text
    assert "Same 12 in production: it was failing before this change." in text
    assert "**What to do:** Mend what failed, and release the mended commit by a new tag." in text
    assert "dbt build" not in text
    assert "dbt show" not in text


@pytest.mark.parametrize("told", ["by the report", "by the step"])
def test_dbts_own_words_stand_in_a_fence(told: str) -> None:
    said = "Database Error\n  could not connect to server: *refused*"
    if told == "by the report":
        build = replace(
            builds.BUILD, exit_code=2, results=False, errors=(work_files.LogError(message=said),)
        )
        of = facts(plan=first(), report=report(replace(builds.passed(), build=build)))
    else:
        of = facts(plan=None, failure=failure("DbtStopped", "dbt stopped", said))
    text = summary(of)
    assert text.startswith("### ❌ production is still v1.3.0: dbt stopped")
    assert "```text\nDatabase Error\n  could not connect to server: *refused*\n```" in text
    assert text.count("Nothing went live.") == (told == "by the step")
    assert "as it was: `" not in text


def test_a_release_that_was_taken_back_says_why() -> None:
    said = "smoke query `a.sql`: permission denied for view fct_orders"
    of = facts(
        released=replace(LIVE, version=None, taken_back=said),
        swap="done",
        failure=failure("TakenBack", "The release was rolled back"),
    )
    text = summary(of)
    assert "`v1.4.0` was live from 2026-11-25 23:17 UTC, failed a check there" in text
    assert "smoke query `a.sql`: permission denied for view fct\\_orders" in text
    assert text.index("smoke query") < text.index("**What to do:** Do this.")
    nameless = replace(of, before_tag=None, plan=replace(final(), before=None))
    assert "taken back by itself: production is as it was. What failed:" in summary(nameless)


@pytest.mark.fault(27)
def test_a_killed_swap_claims_nothing() -> None:
    text = summary(facts(swap="begun"))
    assert "production is `v1.3.0` as a whole or `v1.4.0` as a whole" in text
    assert "is live" not in text


@pytest.mark.fault(27)
@pytest.mark.parametrize(
    ("resumed", "says"),
    [
        ("finished", "The previous run was killed after the swap. Nothing was built again."),
        ("undone", "What it had staged was dropped, and this run started over."),
    ],
)
def test_a_resumed_release_says_so(resumed: Any, says: str) -> None:
    assert says in summary(live(released=replace(LIVE, resumed=resumed)))


def test_what_is_built_in_place_is_told_apart() -> None:
    plan = final()
    direct = replace(plan.nodes[2], method="direct", back_by="rebuild")
    mixed = replace(plan, nodes=(*plan.nodes[:2], direct, plan.nodes[3]))
    text = summary(live(plan=mixed))
    assert "| Model | Type | Why | Method | Rows | Time | On rollback |" in text
    assert "| downstream | in place |" in text
    assert "| SQL changed | blue-green |" in text
    assert "`customer_ltv` has to be built again." in text
    assert "**To be built again**, for they are built in place" in text


def in_place() -> ReleasePlan:
    plan = first()
    nodes = [replace(node, method="direct", back_by="rebuild") for node in plan.nodes]
    return replace(plan, nodes=tuple(nodes))


def test_what_is_built_in_place_and_failed_is_not_said_to_be_old() -> None:
    text = summary(facts(plan=in_place(), report=report(builds.failed())))
    assert text.startswith("### ❌ production is partly v1.4.0: 1 model and 1 test failed\n")
    assert "what was built is live already: `stg_payments`." in text
    assert "as it was: `v1.3.0`" not in text
    built = replace(builds.failed(), results=(builds.failed().results or [])[1:4])
    text = summary(facts(plan=in_place(), report=report(built)))
    assert text.startswith("### ❌ production is still v1.3.0: 1 model of v1.4.0 failed\n")
    assert "production is as it was: `v1.3.0`" in text


def test_a_dry_run_of_what_is_built_in_place() -> None:
    text = summary(facts(run=DRY, plan=in_place()))
    assert "all of it is built in place, so only tests check it, and only afterwards." in text


def test_cancelled_while_built_in_place() -> None:
    ended = failure("Cancelled", "Cancelled")
    text = summary(facts(plan=in_place(), report=report(builds.passed()), failure=ended))
    assert text.startswith("### ⏹️ production is partly v1.4.0: cancelled\n")
    assert "`fct_orders`, `dim_customers`, `customer_ltv`" in text


def test_released_in_place_has_to_be_built_again_to_go_back() -> None:
    text = summary(live(plan=in_place(), released=Released(version=VERSION), swap=""))
    assert text.split("\n")[2].startswith(f"Version `{VERSION}` is live. It replaces `v1.3.0`.")
    assert "**To go back:** run the rollback workflow. `fct_orders`, `dim_segments`" in text
    assert "have to be built again." in text


def test_the_first_release_offers_no_way_back() -> None:
    plan = replace(final(), before=None, before_commit=None)
    text = summary(live(plan=plan, before_tag=None))
    assert "To go back" not in text
    assert "It replaces" not in text
    assert "**No rollback:** the store held no version from before `v1.4.0`." in text
    assert "On rollback" not in text
    assert "What a rollback does" not in text
    assert "On rollback" not in notes(plan)
    assert "This is the first version: there is nothing to go back to." in notes(plan)


@pytest.mark.fault(103)
def test_a_dry_run_over_plain_artifacts_says_that_they_are_kept() -> None:
    text = summary(facts(plan=replace(first(), before=None), before_tag=None, run=DRY))
    assert "makes a version of them first, so it can be rolled back" in text
    assert "No rollback" not in text
    none = replace(first(), before=None, before_commit=None)
    text = summary(facts(plan=none, before_tag=None, run=DRY))
    assert "makes a version of them" not in text
    assert "No rollback" in text


@pytest.mark.fault(103)
def test_the_version_that_was_made_of_plain_artifacts_is_named() -> None:
    version = "20261121T062042Z-a1b2c3d"
    said = f"Took over the artifacts that were here as version `{version}`."
    assert said in summary(live(taken_over=version))
    assert said in summary(facts(taken_over=version, plan=STOPPED, failure=closed(STOPPED)))
    assert "Took over" not in summary(live())


def test_outside_objects_that_were_made_again_are_named() -> None:
    text = summary(live(released=replace(LIVE, repointed=("bi.weekly_orders",))))
    assert "was made again on the new ones: `bi.weekly_orders`." in text


# The GitHub release's notes


def test_notes_say_what_changed_breaking_first() -> None:
    text = notes(
        ALLOWED,
        previous_tag="v1.3.0",
        run_url=RUN.event.run_url,
        docs_url=DOCS,
        version=VERSION,
        swap_seconds=0.08,
        rollback_workflow="go back.yml",
    )
    where = [
        text.index(part)
        for part in (
            "4 models go live in production: 1 new, 1 changed, 2 downstream of them. 1 left the",
            "#### ⚠️ Breaking",
            "- **`fct_orders`**: column `amount` is removed",
            "Read by `Weekly sales`",
            "#### What changed",
            "| **`dim_segments`** | new, table | new | 4 |",
            "#### Gates",
            "| ✅ dbt tests | 2 of 2 tests passed |",
            "#### Going back",
            "gh workflow run 'go back.yml' -f reason='why'",
            "It puts `v1.3.0` back, data and artifacts both, and for 24 hours after",
            f"version `{VERSION}` · swapped in 80 ms · [Documentation]({DOCS})",
            "[What changed in the code](https://github.com/acme/analytics/compare/v1.3.0...v1.4.0)",
        )
    ]
    assert where == sorted(where)


def test_notes_link_only_what_there_is() -> None:
    text = notes(final(), docs_url="javascript:alert(1)")
    assert "javascript" not in text
    assert "compare" not in text
    assert "[Run]" not in text
    assert "Breaking" not in text
    assert notes(final(), previous_tag="v1.4.0").count("compare") == 0


def test_notes_of_a_release_that_only_removes() -> None:
    text = notes(first(planned=plans.plan()))
    assert text.startswith("No model goes live in production. 1 left the project.")
    assert "| Model |" not in text


# Limits


def large(models: int, name: str = "int_orders_by_region") -> ReleasePlan:
    nodes = [releases.node(f"{name}_{i}") for i in range(models)]
    now = [edited(one, f"select {i}") for i, one in enumerate(nodes)]
    plan = first(
        manifest=releases.manifest(now),
        production=releases.manifest(nodes),
        planned=releases.planned(now),
        look=releases.live(nodes),
    )
    figures = [
        measured_node(one, 1000 + i, 10 * i, columns_after=(column("id"),))
        for i, one in enumerate(now)
    ]
    return final(
        plan,
        Measured(nodes=tuple(figures)),
        policy=replace(POLICY, checks=None),
        allowed_by="the input `allow-breaking`",
        ended=[builds.result(one, rows=10) for one in now],
        now=now,
        before=nodes,
    )


@pytest.mark.fault(43)
@pytest.mark.parametrize("models", [500, 6000])
def test_a_huge_release_keeps_to_the_limits_and_says_what_is_left_out(models: int) -> None:
    plan = large(models)
    text, body = summary(live(plan=plan)), notes(plan)
    assert len(text.encode()) <= 1_000_000
    assert len(body) <= 125_000
    assert f"{models:,} models released" in text
    assert f"and {models - 50:,} more models" in body
    for page in (Page(text), Page(body)):
        assert page.open == []
    for shown in (text, body):
        assert re.search(r"<summary>[\d,]+ more models</summary>", shown)
        assert "more rows in the plan, `release_plan.json`" in shown or models == 500


@pytest.mark.fault(43)
def test_a_sentence_without_end_is_left_out_and_counted() -> None:
    node = replace(final().nodes[0], breaking=("x" * 1_200_000,))
    plan = replace(final(), nodes=(node,))
    text, body = summary(live(plan=plan)), notes(plan)
    assert len(text.encode()) <= 1_000_000
    assert len(body) <= 125_000
    assert text.startswith("### ✅ production is v1.4.0: 1 model released, 2 tests passed, 1 br")
    assert "- and 1 more model" in text
    assert "- and 1 more model" in body


@pytest.mark.fault(43)
def test_a_failure_without_end_leaves_the_title_and_the_way_to_the_plan() -> None:
    said = failure("SwapFailed", "The swap failed", "x" * 1_200_000)
    text = summary(facts(failure=said))
    assert text.startswith("### ❌ production is still v1.3.0: the swap failed\n")
    assert "This is too long to be shown here." in text
    assert "`release_plan.json`" in text


def test_the_limits_end() -> None:
    for begin in (RELEASE, NOTES):
        limits: page_model.Limits | None = begin
        steps = 0
        while limits is not None:
            limits, steps = page_model.narrower(limits), steps + 1
        assert steps < 90


# Names of others


def hostile_plan(text: str) -> ReleasePlan:
    name = text or "x"
    plan = final(measured=BROKEN)
    node = replace(
        plan.nodes[0],
        name=name,
        materialized=name,
        reasons=(name,),
        exposures=(name,),
        outside=(name,),
        breaking=(f"column `{text}` becomes {text}",),
        staging=Spot(database="db", schema=name, identifier="x"),
    )
    spot = Spot(database="db", schema="analytics", identifier=name)
    removed = RemovedNode(
        unique_id="model.shop.x", resource_type="model", name=name, production=spot
    )
    odd = Gate(
        name="row counts", outcome="warned", figures=f"1 of {text}", details=(f"`{text}`: x",)
    )
    return replace(
        plan,
        tag=name,
        environment=name,
        before=name,
        nodes=(node, *plan.nodes[1:]),
        removed=(removed,),
        gates=(*plan.gates, odd, Gate(name="off", outcome="off", figures=text)),
    )


def hostile_live(text: str) -> str:
    said = replace(LIVE, version=text or "x", repointed=(text,))
    run = replace(
        RUN,
        policy=replace(POLICY, tag=text or "x", environment=text or "x"),
    )
    return summary(live(run=run, plan=hostile_plan(text), released=said, before_tag=text or "x"))


def hostile_refusal(text: str) -> str:
    plan = hostile_plan(text)
    blocked = Gate(
        name="checks",
        outcome="blocked",
        figures=f"{text} found",
        details=(f"`{text}` could not run: {text}",),
        remedy=f"Do {text}",
    )
    stopped = replace(plan, gates=(blocked,))
    return summary(facts(plan=stopped, failure=failure("GateClosed", f"Title {text}", text)))


def hostile_end(text: str) -> str:
    said = replace(LIVE, version=None, taken_back=text or "x")
    return summary(facts(plan=hostile_plan(text), released=said, swap="done", before_tag=text))


def hostile_notes(text: str) -> str:
    return notes(
        hostile_plan(text),
        previous_tag=text or "x",
        docs_url=text,
        version=text,
        rollback_workflow=text or "x",
    )


@pytest.mark.fault(44, 45, 71)
@pytest.mark.parametrize("make", [hostile_live, hostile_refusal, hostile_end, hostile_notes])
@hostile.written
def test_whatever_others_write_is_inert(make: Callable[[str], str], text: str) -> None:
    shown = make(text)
    # The documentation's address is the input `docs-url`.
    ours = (HERE, GITHUB, DOCS, markdown.address(text))
    check_inert(shown, links=ours, tags={*ALLOWED_TAGS, "h4"})

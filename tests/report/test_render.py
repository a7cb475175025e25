from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from dbtdeploy.base import markdown
from dbtdeploy.context import work_files
from dbtdeploy.report import page_model, render
from dbtdeploy.report.build_report import build_report
from standins.jobs import builds
from standins.jobs.builds import Built, edited, model, result
from standins.text import hostile, preview
from standins.text.pages import ALLOWED_TAGS, HERE, HOSTILE, Page, check_inert


def comment(built: Built) -> str:
    return render.comment(build_report(built.inputs()))


def hostile_build(text: str) -> Built:
    """A build in which everything that others write is ``text``."""
    name = text or "x"
    upstream = edited(model("up"), "select 2")
    upstream["name"] = name
    upstream["columns"] = {f"{name}2": {"data_type": f"{name} 2"}}
    upstream["config"] = {"materialized": "table", "pre-hook": [{"sql": f"drop table {name}.x"}]}
    entry = {**model("bad", "up"), "name": name, "original_file_path": f"models/{name}.sql"}
    check = {**builds.test("check", "bad"), "name": name, "original_file_path": f"m/{name}.yml"}
    warns, passes = ({**builds.test(n, "bad"), "name": name} for n in ("warns", "passes"))
    gone = {**model("gone"), "name": name, "relation_name": name}
    below = {**model("below", "bad"), "name": name}
    event = replace(builds.RUN.event, ref=name, sha=name)
    dbt = replace(builds.RUN.dbt, target=name, repository_path="a", vars=name)
    baseline = work_files.Baseline(unique_id="model.shop.up", how="none", reason=name)
    latest = work_files.Baseline(unique_id="model.shop.bad", how="latest", rows=3, order_by=name)
    return replace(
        builds.passed(),
        run=replace(builds.RUN, event=event, dbt=dbt, schema=name),
        state=replace(builds.STATE, location=name, commit=None, dbt_version=name),
        now=[upstream, entry, below, check, warns, passes],
        before=[
            {
                **model("up", schema=name),
                "columns": {name: {"data_type": name}, f"{name}2": {"data_type": name}},
                "contract": {"enforced": True},
            },
            model("bad", "up"),
            gone,
        ],
        results=[
            result(upstream, name, message=name),
            result(entry, "error", message=name),
            result(below, "skipped"),
            result(check, "error", message=name),
            result(warns, "warn", failures=2, message=name),
            result(passes, "pass"),
        ],
        results_before=[],
        schemas=work_files.Schemas(baselines=(baseline, latest)),
        build=replace(builds.BUILD, exit_code=1),
    )


def refused_build(text: str) -> Built:
    said = f"Nodes:\n- {text}\n    {text}\nin `{text}` and {text}"
    stopped = builds.failure("WouldWriteToProduction", f"Title {text}", said, remedy=f"Do {text}")
    return replace(builds.passed(), build=None, planned=False, failure=stopped)


@pytest.mark.fault(44, 45, 71)
@pytest.mark.parametrize("make", [hostile_build, refused_build])
@hostile.written
def test_whatever_others_write_is_inert(make: Callable[[str], Built], text: str) -> None:
    report = build_report(make(text).inputs())
    for shown in (render.comment(report), render.summary(report)):
        check_inert(shown)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_span_shows_the_text_and_only_that(text: str) -> None:
    for around in ("{}", "| a | b |\n| - | - |\n| {} | c |", "- **{}**, see", "> {}"):
        page = Page(around.format(markdown.code(text)))
        assert page.tags <= ALLOWED_TAGS - {"a"}
        if around.count("|"):
            # GitHub drops cells beyond the last column, so the one after must be where it was.
            assert "<td>c</td>" in preview.body(around.format(markdown.code(text)))
    wanted = re.sub(r"[\n\t]", " ", markdown.clean(text)).strip()
    shown = re.search(r"<code>(.*?)</code>", preview.body(markdown.code(text)), re.DOTALL)
    assert shown is not None
    told = html.unescape(shown[1]).replace(markdown.ZERO_WIDTH_SPACE, "")
    assert told.strip() == markdown.shortened(wanted, markdown.NAME_CHARS)


def test_prose_keeps_code_lists_and_blocks() -> None:
    made = preview.body(markdown.prose("Two:\n- a_b\n- c\nIn `x` write\n    y: 1\nthen go."))
    assert "<li><code>a_b</code></li>" in made
    assert "In <code>x</code> write" in made
    assert '<pre><code class="language-text">y: 1\n</code></pre>' in made or "y: 1" in made


@pytest.mark.fault(44)
@pytest.mark.parametrize("failing", [0, 400])
def test_a_huge_report_fits_and_says_what_is_left_out(failing: int) -> None:
    models = [model(f"a_rather_long_model_name_{i}", sql=f"select {i}") for i in range(2500)]
    tests = [builds.test(f"unique_{'x' * 90}_{i}", models[i]["name"]) for i in range(2500)]
    bad = "Database Error\n" + "🧨 `@team` <img>\n" * 300
    outcomes = [
        result(entry, "error", message=bad) if i < failing else result(entry, rows=1)
        for i, entry in enumerate([*models, *tests])
    ]
    built = replace(
        builds.passed(),
        now=[*models, *tests],
        before=[edited(entry, "old") for entry in models],
        results=outcomes,
        build=replace(builds.BUILD, exit_code=1 if failing else 0),
    )
    report = build_report(built.inputs())
    text, summary = render.comment(report), render.summary(report)
    assert len(text.encode()) <= render.COMMENT_LIMIT_BYTES
    assert len(summary.encode()) <= render.SUMMARY_LIMIT_BYTES
    assert len(summary) > len(text)
    for shown in (text, summary):
        assert Page(shown).open == []
    assert "more rows, " in text
    assert (
        "of them changed, in the [report](https://github.com/acme/analytics/actions/runs/77#artifacts)"
        in text
    )
    if failing:
        assert "### ❌ dbt: 400 models failed" in text
        assert "And 350 more failures" in text


@pytest.mark.fault(44)
def test_three_hundred_kilobytes_in_one_message() -> None:
    built = builds.failed()
    results = [dict(entry) for entry in built.results or ()]
    results[1]["message"] = "x" * 300_000
    text = comment(replace(built, results=results))
    assert len(text.encode()) < 8000
    assert "1 more line in the [report]" in text


def test_passed() -> None:
    text = comment(builds.passed())
    assert text.startswith(
        "### ✅ dbt: 3 models built, 2 tests passed\n\n`fct_orders` changed; 2 models hang on it."
    )
    assert "| **`fct_orders`** | SQL changed | 10,251 (+12) | 2.1 s | 10,239 rows, 2.0 s |" in text
    assert "| `customer_ltv` | downstream, incremental | 12 written | 0.4 s | 0.3 s |" in text
    assert "Built on production's rows: `customer_ltv` (all 935)." in text
    assert "against production `a1b2c3d`, built 3 hours ago" in text


def test_failed() -> None:
    text = comment(builds.failed())
    assert text.startswith("### ❌ dbt: 1 model and 1 test failed, 2 models skipped\n")
    where = [
        text.index(part)
        for part in (
            "**`fct_orders`** did not build, at [`models/fct_orders.sql:3`](",
            "2 models wait for it: `dim_customers`, `customer_ltv`.",
            '```text\ncolumn "amont" does not exist\n',
            "**`unique_stg_payments_id`** found 12 rows in `stg_payments`",
            "Same 12 in production: it was failing before this change.",
            "dbt show --select unique_stg_payments_id",
            "> [!WARNING]\n> `stg_legacy_orders` is no longer in the project.",
            "| ❌ **`fct_orders`** | SQL changed |",
            "<sub>Commit `9f3c2e1`",
        )
    ]
    assert where == sorted(where)


def test_columns_without_a_figure_are_left_out() -> None:
    view = model("v", materialized="view", sql="new")
    bare = result(view, adapter_response={}, execution_time=None)
    built = replace(
        builds.passed(), now=[view], before=[], results=[bare], results_before=None, schemas=None
    )
    assert "| Model | Why | Rows |\n| :-- | :-- | --: |\n| **`v`** | new | view |\n" in comment(
        built
    )
    table = replace(built, now=[model("v", sql="new")])
    assert "| Model | Why |\n| :-- | :-- |\n| **`v`** | new |\n" in comment(table)


@pytest.mark.fault(14)
def test_a_first_run_says_that_all_was_built_and_why() -> None:
    text = comment(replace(builds.passed(), state=replace(builds.STATE, found=False)))
    assert "Production has no state at `s3://acme-dbt/prod` yet" in text
    assert "everything was built" in text
    assert "against production" not in text


@pytest.mark.fault(19)
def test_nothing_to_build() -> None:
    built = replace(builds.passed(), results=[], selected=[])
    text = comment(built)
    assert text.startswith("### ⚪ dbt: nothing to build\n")
    assert "No changes to models, seeds, snapshots or tests." in text
    without = replace(built, state=replace(builds.STATE, found=False))
    assert "`on-missing-state` says not to build" in comment(without)
    deleted = replace(built, before=[*(built.before or ()), builds.LEGACY])
    assert "`stg_legacy_orders` is no longer in the project" in comment(deleted)


@pytest.mark.fault(26)
def test_a_refusal_leads_with_cause_and_remedy() -> None:
    stopped = builds.failure(
        "StateAccessDenied",
        "No access to production's state",
        "S3 says AccessDenied for `s3://acme-dbt/prod`.",
        remedy="Let the role read the bucket.",
    )
    text = comment(replace(builds.passed(), planned=False, build=None, failure=stopped))
    assert text.startswith(
        "### ❌ dbt: no access to production's state\n\n"
        "S3 says AccessDenied for `s3://acme-dbt/prod`.\n\n"
        "**What to do:** Let the role read the bucket.\n\nNothing was built.\n"
    )


@pytest.mark.fault(26)
def test_what_was_planned_before_a_refusal_is_listed_once() -> None:
    stopped = builds.failure("WarehouseStepFailed", "The schema could not be prepared", "No.")
    built = builds.passed()
    planned = built.now[:1]
    text = comment(replace(built, build=None, results=None, selected=planned, failure=stopped))
    assert text.count(f"`{planned[0]['name']}`") == 1, text
    assert "No result for" not in text


@pytest.mark.fault(26)
def test_dbts_own_words_stand_in_a_fence_with_no_prefix_twice() -> None:
    stopped = builds.failure(
        "DbtStopped",
        "dbt stopped before it built anything",
        "Runtime Error\n  Could not find profile named 'shop'",
        remedy="Check the profile's name.",
    )
    text = comment(replace(builds.passed(), planned=False, build=None, failure=stopped))
    assert text.startswith(
        "### ❌ dbt stopped before it built anything\n\n```text\nRuntime Error\n"
    )
    assert "Traceback" not in text


@pytest.mark.fault(20)
def test_cancelled_is_not_green() -> None:
    built = builds.passed()
    text = comment(
        replace(
            built,
            selected=built.now[1:],
            results=list(built.results or ())[:1],
            build=replace(builds.BUILD, exit_code=2, interrupted=True),
        )
    )
    assert text.startswith("### ⏹️ dbt: cancelled after 1 of 3 models\n")
    assert "Not built: `dim_customers`, `customer_ltv`." in text


@pytest.mark.fault(22)
def test_an_unknown_status_is_shown() -> None:
    built = builds.passed()
    results = [{**(built.results or [])[0], "status": "evaporated"}, *(built.results or [])[1:]]
    text = comment(replace(built, results=results))
    assert "ended with the status `evaporated`, which dbt-deploy does not know" in text


@pytest.mark.fault(40)
def test_a_fork_is_told_what_a_maintainer_can_do() -> None:
    run = replace(builds.RUN, event=replace(builds.RUN.event, skip="fork"))
    built = replace(builds.passed(), run=run, planned=False, build=None, state=None)
    text = render.summary(build_report(built.inputs()))
    assert "comes from a fork" in text
    assert "git fetch origin pull/482/head:fork-482" in text


@pytest.mark.fault(40)
def test_dependabot_is_run_by_hand() -> None:
    event = replace(builds.RUN.event, skip="dependabot", ref="dependabot/pip/a;b")
    built = replace(
        builds.passed(), run=replace(builds.RUN, event=event), planned=False, build=None, state=None
    )
    text = render.summary(build_report(built.inputs()))
    assert "gh workflow run WORKFLOW.yml --ref 'dependabot/pip/a;b'" in text


def test_hidden_row_data_is_said_with_a_way_to_see_it() -> None:
    policy = replace(builds.RUN.policy, hide_row_data=True)
    text = comment(replace(builds.failed(), run=replace(builds.RUN, policy=policy)))
    assert "amont" not in text
    assert "`hide-row-data` leaves it out" in text
    assert "dbt build --select fct_orders" in text


@pytest.mark.parametrize(
    ("rows", "before", "says"),
    [
        (0, 10_239, "`fct_orders` is empty here, and 10,239 in production."),
        (0, 3, "`fct_orders` is empty here, and 3 in production."),
        (40, 100, "`fct_orders` has 40 rows here, and 100 in production."),
        (300, 100, "`fct_orders` has 300 rows here, and 100 in production."),
        (90, 100, None),
        (1, 3, "`fct_orders` has 1 row here, and 3 in production."),
        (9, 3, None),
        (0, 0, None),
    ],
)
def test_a_table_that_lost_its_rows_is_a_warning(rows: int, before: int, says: str | None) -> None:
    built = builds.passed()
    results = [result(builds.FCT_ORDERS, rows=rows), *(built.results or [])[1:]]
    production = [result(builds.FCT_ORDERS, rows=before)]
    text = comment(replace(built, results=results, results_before=production))
    assert (f"> [!WARNING]\n> {says}" in text) if says else ("[!WARNING]" not in text)


def test_warnings_come_with_the_rows() -> None:
    built = builds.passed()
    results = list(built.results or ())
    results[3] = result(builds.UNIQUE_ORDERS, "warn", failures=3)
    text = comment(replace(built, results=results))
    assert text.startswith("### ⚠️ dbt: 3 models built, 1 of 2 tests warns\n")
    assert "- `unique_fct_orders_id` found 3 rows in `fct_orders`" in text
    assert "None in production." in text
    assert "dbt show --select unique_fct_orders_id" in text


@pytest.mark.fault(44)
def test_one_entry_longer_than_a_comment_leaves_the_title_and_the_link() -> None:
    text = comment(hostile_build("x" * 70_000))
    assert len(text.encode()) < render.COMMENT_LIMIT_BYTES
    assert text.startswith("### ❌ dbt in `a`: 2 models and 1 test failed")
    assert f"[report]({HERE}actions/runs/77#artifacts)" in text


def test_everything_has_its_limits_and_they_end() -> None:
    limits: page_model.Limits | None = page_model.COMMENT
    steps = 0
    while limits is not None:
        limits, steps = page_model.narrower(limits), steps + 1
    assert steps < 60


def test_templates_have_no_exclamation_mark_for_people() -> None:
    for path in render.TEMPLATES.rglob("*.j2"):
        words = re.sub(r"\[!|!=|<!--", "", path.read_text(encoding="utf-8"))
        assert "!" not in words, path

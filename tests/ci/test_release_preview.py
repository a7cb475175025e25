"""A pull request's comment says what its release would do."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.base import json_codec
from dbtdeploy.ci import release_preview
from dbtdeploy.report import build_report, redact_report, render
from dbtdeploy.report.release_preview_report import NodeWhenReleased, WhenReleased
from dbtdeploy.report.report import Report
from standins.jobs import builds, deploy_builds, releases
from standins.jobs.builds import Built, Entry
from standins.text import hostile
from standins.text.pages import check_inert


def report(built: Built, exposure: Entry | None = None) -> Report:
    inputs = built.inputs()
    if exposure is not None and inputs.manifest is not None:
        node = json_codec.decode(json.dumps(exposure), artifacts.Node)
        known = {exposure["unique_id"]: node}
        inputs = replace(inputs, manifest=msgspec.structs.replace(inputs.manifest, exposures=known))
    return release_preview.added(build_report.build_report(inputs), inputs)


def released(made: Report) -> dict[str, NodeWhenReleased]:
    assert made.when_released is not None
    return {one.name: one for one in made.when_released.nodes}


def with_meta(built: Built, name: str, meta: Any) -> Built:
    now = [
        {**one, "config": {**one["config"], "meta": {"dbt_deploy": meta}}}
        if one["name"] == name
        else one
        for one in built.now
    ]
    return replace(built, now=now)


WEEKLY = releases.exposure("Weekly sales", "customer_ltv")


def test_the_report_says_type_method_and_way_back() -> None:
    nodes = released(report(builds.passed(), WEEKLY))
    assert {name: (one.kind, one.method, one.back_by) for name, one in nodes.items()} == {
        "fct_orders": ("B", "blue-green", "restore"),
        "dim_customers": ("B", "blue-green", "restore"),
        "customer_ltv": ("C", "blue-green", "leave"),
    }
    assert nodes["fct_orders"].exposures == ("Weekly sales",)


def test_the_comment_folds_it() -> None:
    text = render.comment(report(builds.passed(), WEEKLY))
    assert (
        "<details><summary>When released: 2 replaced, 1 incremental, read by 1 exposure</summary>"
    ) in text
    assert "| `customer_ltv` | changed in place, incremental | `Weekly sales` | stays |" in text
    assert "| Method |" not in text


def test_a_model_that_is_built_in_place_is_told() -> None:
    built = with_meta(builds.passed(), "customer_ltv", {"method": "direct"})
    text = render.comment(report(built))
    assert "| `customer_ltv` | changed in place, incremental | in place | built again |" in text


def test_what_no_longer_is_incremental_is_told() -> None:
    table = {**builds.CUSTOMER_LTV, "config": {"materialized": "table"}}
    built = builds.passed()
    now = [table if one is builds.CUSTOMER_LTV else one for one in built.now]
    text = render.comment(report(replace(built, now=now)))
    assert "⚠️ `customer_ltv`: it is a table now and no longer incremental: rows that" in text


def test_what_a_release_would_refuse_is_told_openly() -> None:
    text = render.comment(report(with_meta(builds.passed(), "fct_orders", {"metod": "direct"})))
    assert "**A release of this would be refused:** Model `fct_orders`" in text
    assert "<summary>When released" not in text
    early = with_meta(builds.passed(), "fct_orders", {"method": "direct"})
    text = render.comment(report(early))
    assert "- `model dim_customers, which reads model fct_orders`" in text
    assert "`dbt_deploy: {method: direct}`" in text


def test_a_failed_build_is_not_told_how_it_would_be_released() -> None:
    made = report(builds.failed())
    assert made.when_released is not None
    assert "When released" not in render.comment(made)


@pytest.mark.parametrize(
    "built",
    [
        replace(builds.passed(), state=replace(builds.STATE, found=False)),
        replace(builds.passed(), state=replace(builds.STATE, driver="deploy")),
        replace(builds.passed(), state=replace(builds.STATE, driver=None)),
        replace(builds.passed(), planned=False),
        replace(builds.passed(), results=(builds.passed().results or [])[3:]),
        deploy_builds.deployed(),
    ],
)
def test_where_nothing_can_be_said_nothing_is(built: Built) -> None:
    made = report(built)
    assert made.when_released is None
    assert "When released" not in render.summary(made)


def test_a_full_refresh_of_the_pull_request_is_none_of_the_release() -> None:
    run = replace(builds.RUN, selection=replace(builds.RUN.selection, full_refresh=True))
    nodes = released(report(replace(builds.passed(), run=run)))
    assert not nodes["customer_ltv"].full_refresh


def test_our_own_words_survive_redaction() -> None:
    made = redact_report.report(
        report(builds.passed()), lambda text: "***" if text in ("B", "restore") else text
    )
    assert released(made)["fct_orders"].back_by == "restore"


@pytest.mark.fault(44, 45, 71)
@hostile.written
def test_whatever_others_write_is_inert(text: str) -> None:
    made = report(builds.passed(), {**WEEKLY, "label": text})
    assert made.when_released is not None
    odd = [replace(one, materialized=text, breaking=(text,)) for one in made.when_released.nodes]
    told = replace(made, when_released=WhenReleased(nodes=tuple(odd), refused=None))
    refused = replace(made, when_released=WhenReleased(nodes=(), refused=text))
    for shown in (render.comment(told), render.comment(refused)):
        check_inert(shown)


def test_a_huge_release_keeps_to_the_comments_limit() -> None:
    made = report(builds.passed())
    assert made.when_released is not None
    one = made.when_released.nodes[0]
    many = tuple(replace(one, name=f"{'long' * 25}{i}") for i in range(3000))
    told = replace(made, when_released=WhenReleased(nodes=many, refused=None))
    text = render.comment(told)
    assert len(text.encode()) <= render.COMMENT_LIMIT_BYTES
    assert "more rows in the [report]" in text

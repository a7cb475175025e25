"""What dbt itself does not say: told where it is so, and only there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.base import json_codec
from dbtdeploy.report import cautions, render
from dbtdeploy.report.build_report import build_report
from standins.jobs import builds, modified_builds, runs
from standins.jobs.builds import Built, edited, model, result
from standins.warehouse import postgres


def told(built: Built) -> tuple[cautions.Caution, ...]:
    return build_report(built.inputs()).cautions


def sentence(built: Built) -> str:
    """The notes of the comment."""
    text = render.comment(build_report(built.inputs()))
    return text[text.index("[!NOTE]") :].split("\n\n")[0]


def changed(entry: dict[str, Any], before: dict[str, Any], *, ended: str = "success") -> Built:
    """One node that was built, as it is and as production has it."""
    return Built(now=[entry], before=[before], results=[result(entry, ended)])


def incremental(sql: str, **over: Any) -> dict[str, Any]:
    return model("events", sql=sql, materialized="incremental", **over)


def test_a_changed_incremental_model_is_told_to_need_a_full_refresh() -> None:
    built = changed(incremental("select 2"), incremental("select 1"))
    assert told(built) == (cautions.NewRowsOnly(node="events"),)
    assert "`full-refresh: true`" in sentence(built)


def test_no_full_refresh_is_asked_for_where_none_is_needed() -> None:
    entry, before = incremental("select 2"), incremental("select 1")
    selection = replace(builds.RUN.selection, full_refresh=True)
    refreshed = replace(changed(entry, before), run=replace(builds.RUN, selection=selection))
    table = changed(model("events", sql="select 2"), model("events", sql="select 1"))
    unchanged = changed(incremental("select 1"), incremental("select 1"))
    failed = changed(entry, before, ended="error")
    new = Built(now=[entry], before=[], results=[result(entry)])
    for built in (refreshed, table, unchanged, failed, new):
        assert told(built) == ()


def contract(*, enforced: bool = True, **types: str) -> dict[str, Any]:
    columns = {name: {"name": name, "data_type": kind} for name, kind in types.items()}
    return {"columns": columns, "contract": {"enforced": enforced, "checksum": str(types)}}


def test_a_broken_contract_is_told_column_by_column() -> None:
    before = model("orders", **contract(id="integer", at="date", total="numeric"))
    built = changed(model("orders", sql="select 2", **contract(id="BIGINT", at="DATE")), before)
    assert told(built) == (
        cautions.ContractChanged(
            node="orders",
            enforced=True,
            removed=("total",),
            retyped=(("id", "integer", "BIGINT"),),
        ),
    )
    assert "`total` is gone, `id` is `BIGINT` and was `integer`." in sentence(built)
    lifted = changed(model("orders", sql="select 2", **contract(enforced=False)), before)
    assert "it is no longer enforced, " in sentence(lifted)
    wider = contract(id="integer", at="date", total="numeric", more="text")
    assert told(changed(model("orders", sql="select 2", **wider), before)) == ()


def hook(sql: str, kind: str = "post-hook") -> dict[str, Any]:
    return {"config": {"materialized": "table", kind: [{"sql": sql, "index": None}]}}


PRODUCTION = model("orders", schema="analytics", relation_name='"db"."analytics"."orders"')


@pytest.mark.parametrize("name", ["analytics.", '"analytics".', "Analytics ."])
@pytest.mark.parametrize("kind", ["pre-hook", "post-hook"])
def test_a_hook_that_names_a_schema_of_productions_is_told(kind: str, name: str) -> None:
    built = changed(
        model("orders", sql="select 2", **hook(f"delete from {name}log", kind)), PRODUCTION
    )
    assert [(c.hook, c.node) for c in told(built)] == [(kind, "orders")]  # type: ignore[union-attr]
    assert "which is not this pull request's" in sentence(built)


def test_a_hook_at_the_runs_end_is_told_too() -> None:
    entry = model("orders", sql="select 2")
    end = {
        **model("end", sql="grant select on analytics.orders to r"),
        "unique_id": "operation.shop.shop-on-run-end-0",
        "resource_type": "operation",
        "name": "shop-on-run-end-0",
    }
    built = Built(now=[entry, end], before=[PRODUCTION], results=[result(entry)])
    assert told(built) == (
        cautions.HookElsewhere(hook="on-run-end", node=None, schema="analytics"),
    )
    assert "An `on-run-end` names the schema `analytics`" in sentence(built)


@pytest.mark.parametrize(
    "sql", ["analyze {{ this }}", "select my_analytics.f()", "delete from pr_482.log", "analytics"]
)
def test_a_hook_that_stays_where_it_may_is_not_told(sql: str) -> None:
    assert told(changed(model("orders", sql="select 2", **hook(sql)), PRODUCTION)) == ()


def with_source(schema: str, built: Built) -> artifacts.Manifest:
    source = {
        "name": "orders",
        "source_name": "raw",
        "schema": schema,
        "resource_type": "source",
        "relation_name": f'"db"."{schema}"."orders"',
    }
    document = json.loads(built.manifest(built.now))
    document["sources"] = {"source.shop.raw.orders": source}
    return json_codec.decode(json.dumps(document), artifacts.Manifest)


@pytest.mark.fault(118)
def test_a_source_in_the_pull_requests_own_schema_is_the_cause() -> None:
    entry = model("stg", "source.shop.raw.orders", sql="select 2")
    built = changed(entry, model("stg"), ended="error")
    inputs = built.inputs()
    inputs = replace(
        inputs,
        manifest=with_source("pr_482", built),
        production_manifest=with_source("analytics", built),
    )
    assert build_report(inputs).cautions[0] == cautions.SourceInOwnSchema(
        source="raw.orders", schema="pr_482", production_schema="analytics"
    )
    text = render.comment(build_report(inputs))
    assert "where nothing loads it" in text
    assert "`analytics` in production" in text
    elsewhere = replace(inputs, manifest=with_source("raw", built))
    assert build_report(elsewhere).cautions == ()
    seed = model("orders", kind="seed")
    loaded = with_source("pr_482", replace(built, now=[entry, seed]))
    assert build_report(replace(inputs, manifest=loaded)).cautions == ()


@pytest.mark.fault(118)
def test_a_model_that_looks_in_its_own_schema_is_told_where_the_relation_is() -> None:
    entry = model("union", sql="select 2")
    message = 'Database Error\n  relation "pr_482.orders" does not exist\n  LINE 1: select'
    failed = result(entry, "error", message=message)
    built = Built(now=[entry, PRODUCTION], before=[PRODUCTION], results=[failed])
    assert told(built) == (
        cautions.NotInOwnSchema(
            node="union",
            relation="pr_482.orders",
            production_relation='"db"."analytics"."orders"',
        ),
    )
    assert "Name it with `ref()`" in sentence(built)
    unknown = result(entry, "error", message=message.replace("orders", "nowhere"))
    assert told(replace(built, results=[unknown])) == ()


FUNCTION = {
    "functions/twice.sql": "select value * 2",
    "functions/functions.yml": "functions:\n  - name: twice\n    arguments: "
    "[{name: value, data_type: integer}]\n    returns: {data_type: integer}\n",
    "models/calls.sql": "select {{ function('twice') }}(id) as id from {{ ref('apart') }}",
}


@pytest.mark.fault(54)
def test_a_model_built_with_productions_function_is_told(
    tmp_path: Path, database: postgres.Database, dbt_command: Path
) -> None:
    """Real dbt; where it begins to call the pull request's function, nothing is told any more."""
    production = modified_builds.production(dbt_command, tmp_path / "production", database)
    modified_builds.write(production.project, FUNCTION)
    production.run("build", folder=production.project)
    shutil.copytree(production.project / "target", production.state)
    pull_request = modified_builds.PullRequest(
        production, tmp_path / "pull-request", command=dbt_command
    )
    done = pull_request.build({"functions/twice.sql": "select value * 3"})
    assert done.returncode == 0, done.stdout + done.stderr
    of_production = database.rows(f"select id from {modified_builds.SCHEMA}.calls") == [(6,)]
    inputs = replace(
        builds.Built().inputs(),
        run=replace(builds.RUN, schema=modified_builds.SCHEMA),
        manifest=artifacts.read_manifest(pull_request.target / "manifest.json"),
        production_manifest=artifacts.read_manifest(production.state / "manifest.json"),
        results=artifacts.read_run_results(pull_request.target / "run_results.json"),
    )
    found = build_report(inputs).cautions
    assert (
        found == (cautions.ProductionFunction(node="calls", function="twice"),)
    ) == of_production
    if of_production:
        assert "production's function `twice`" in render.comment(build_report(inputs))


def test_a_deploy_has_none() -> None:
    built = changed(edited(incremental("select 1"), "select 2"), incremental("select 1"))
    deploy = runs.run(runs.deploy(state="s"), event=builds.RUN.event, dbt=builds.RUN.dbt)
    assert told(replace(built, run=deploy)) == ()

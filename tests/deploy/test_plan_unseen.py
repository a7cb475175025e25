"""What dbt's state does not see is planned and told: large seeds, variables, the environment."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.built_with import BuiltWith, UnseenChanges
from dbtdeploy.dbt import unseen_changes
from standins.jobs import plans, runs
from standins.warehouse import postgres
from standins.warehouse.production import PROJECT, Production

LARGE = "id,word\n" + "1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 25_000

USING = {
    "dbt_project.yml": PROJECT["dbt_project.yml"]
    + "vars:\n  days: 7\n  shop: {region: eu}\n  unused: 1\n",
    "macros/since.sql": "{% macro since() %}{{ var('days') }}{% endmacro %}",
    "models/by_macro.sql": "select {{ since() }} as days",
    "models/by_region.sql": "select '{{ var(\"region\") }}' as region",
    "models/below.sql": "select * from {{ ref('by_region') }}",
    "models/by_environment.sql": 'select \'{{ env_var("REGION", "eu") }}\' as region',
    "models/on_seed.sql": "select * from {{ ref('large') }}",
    "seeds/large.csv": LARGE,
}


@pytest.fixture
def production(tmp_path: Path, database: postgres.Database, any_imported_dbt: Path) -> Production:
    """Planned once, and that made its state."""
    made = Production(tmp_path, database, any_imported_dbt)
    made.write(USING)
    made.plan()
    (made.work / work_files.STATE_FOLDER).mkdir()
    shutil.copy(made.target / "manifest.json", made.work / work_files.STATE_FOLDER)
    made.select(select="state:modified+")
    return made


def built_with(production: Production, **environment: str) -> BuiltWith:
    manifest = artifacts.read_manifest(production.target / "manifest.json")
    assert manifest is not None
    return unseen_changes.taken(production.run, manifest, environment)


def planned(production: Production, before: BuiltWith | None) -> tuple[set[str], UnseenChanges]:
    production.store.delete("lease.json")
    hand_over.remove(production.work, UnseenChanges)
    state = plans.state
    try:
        plans.state = lambda **over: replace(state(**over), built_with=before)
        found = production.plan(state=True)
    finally:
        plans.state = state
    names = {node.name for node in found.nodes if node.resource_type != "test"}
    return names, hand_over.read(production.work, UnseenChanges)


def told(found: UnseenChanges) -> set[tuple[str, str, bool]]:
    return {(one.what, one.name, one.added) for one in found.changes}


@pytest.mark.fault(55)
def test_nothing_changed(production: Production) -> None:
    names, found = planned(production, built_with(production))
    assert names == set()
    assert found == UnseenChanges()


@pytest.mark.fault(55)
def test_a_seed_of_more_than_a_mebibyte(production: Production) -> None:
    before = built_with(production)
    assert set(before.seeds) == {"seed.shop.large"}
    production.write({"seeds/large.csv": LARGE.replace("1,a", "2,a", 1)})
    names, found = planned(production, before)
    assert names == {"large", "on_seed"}
    assert told(found) == {("seed", "large", True)}


@pytest.mark.fault(55)
def test_variables_of_the_project_of_a_package_and_of_the_command_line(
    production: Production,
) -> None:
    before = built_with(production)
    text = (
        USING["dbt_project.yml"].replace("days: 7", "days: 8").replace("region: eu", "region: us")
    )
    production.write({"dbt_project.yml": text.replace("unused: 1", "unused: 2")})
    names, found = planned(production, before)
    assert names == {"by_macro", "by_region", "below"}
    shown = {("variable", "days", True), ("variable", "region", True)}
    assert told(found) >= shown | {("variable", "unused", False)}

    production.write({"dbt_project.yml": USING["dbt_project.yml"]})
    production.run = production.replaced(dbt={"vars": "{days: 9}"})
    names, found = planned(production, before)
    assert names == {"by_macro"}
    assert told(found) == {("variable", "days", True)}


@pytest.mark.fault(55)
def test_an_environment_variable_that_the_project_names(production: Production) -> None:
    assert "REGION" in built_with(production).environment
    production.environment = {"DBT_DEPLOY_PASS_ENV": "REGION", "REGION": "us"}
    names, found = planned(production, built_with(production, REGION="eu"))
    assert names == {"by_environment"}
    assert told(found) == {("environment", "REGION", True)}
    names, found = planned(production, built_with(production, REGION="us"))
    assert names == set()
    assert found.changes == ()


@pytest.mark.fault(55)
def test_a_selection_of_ones_own_is_left_alone_and_told(production: Production) -> None:
    before = built_with(production)
    production.write({"seeds/large.csv": LARGE.replace("1,a", "2,a", 1)})
    production.select(select="state:modified+ first")
    names, found = planned(production, before)
    assert names == {"first"}
    assert told(found) == {("seed", "large", False)}


@pytest.mark.fault(55)
def test_without_word_of_what_it_was_built_with_that_is_told(production: Production) -> None:
    names, found = planned(production, None)
    assert names == set()
    assert found.unknown


@pytest.mark.fault(55)
def test_what_a_run_left_out_is_found_by_the_next(production: Production) -> None:
    before = built_with(production)
    manifest = artifacts.read_manifest(production.target / "manifest.json")
    assert manifest is not None
    production.select(select="first")
    assert unseen_changes.kept(production.run, manifest, before) is before
    production.select(select="state:modified+", exclude="tag:slow")
    assert unseen_changes.kept(production.run, manifest, before) is before
    production.select(select="state:modified+")
    kept = unseen_changes.kept(production.run, manifest, before)
    assert kept is not None
    assert kept.seeds == before.seeds
    assert kept.salt != before.salt


@pytest.mark.fault(55)
def test_a_pull_request_is_not_compared_by_its_own_environment(production: Production) -> None:
    manifest = artifacts.read_manifest(production.target / "manifest.json")
    assert manifest is not None
    before = built_with(production, REGION="eu")
    run = replace(
        production.replaced(dbt={"vars": "{days: 9}"}), policy=runs.ci(state="s"), schema="pr_1"
    )
    assert unseen_changes.find(run, before, manifest, {"REGION": "us"}) == ()
    other = replace(before, distributions=("dbt_core-1.0.0",))
    run = replace(run, dbt=replace(run.dbt, command="/nowhere/dbt"))
    assert unseen_changes.find(run, other, manifest, {}) == ()

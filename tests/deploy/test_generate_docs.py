"""generate_docs.py after a real build: the page, and the build's own artifacts untouched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.store.publication import versions
from standins.jobs import releases, runs
from standins.warehouse import postgres
from standins.warehouse.production import Production


@pytest.fixture
def production(tmp_path: Path, database: postgres.Database, imported_dbt: Path) -> Production:
    return Production(tmp_path, database, imported_dbt)


def built(production: Production) -> Production:
    production.plan()
    done = production.script("deploy/build_production")
    assert done.returncode == 0, done.stdout + done.stderr
    return production


def own(production: Production) -> dict[str, bytes]:
    """The build's artifacts."""
    names = ("manifest.json", work_files.RUN_RESULTS)
    return {name: (production.target / name).read_bytes() for name in names}


def test_the_page_shows_the_builds_own_manifest(
    tmp_path: Path, database: postgres.Database, any_imported_dbt: Path
) -> None:
    production = built(Production(tmp_path, database, any_imported_dbt))
    before = own(production)
    done = production.script("deploy/generate_docs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--no-compile" in done.stdout
    page = (production.target / "static_index.html").read_bytes()
    assert before["manifest.json"] in page
    assert own(production) == before
    docs = hand_over.read(production.work, deploy_files.Docs)
    assert docs == deploy_files.Docs(file="static_index.html", bytes=len(page))
    catalog = json.loads((production.target / "catalog.json").read_bytes())
    assert set(catalog["nodes"]) == {f"model.shop.{name}" for name in ("first", "second", "third")}


def test_after_a_build_of_some_the_page_still_has_all_sql(production: Production) -> None:
    built(production)
    production.store.delete("lease.json")
    production.select(select="third")
    built(production)
    before = own(production)
    done = production.script("deploy/generate_docs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--no-compile" not in done.stdout
    assert own(production) == before
    page = (production.target / "static_index.html").read_text()
    assert page.count("nextval('raw.first_builds') as build") > before["manifest.json"].count(
        b"nextval('raw.first_builds') as build"
    )


def test_a_failure_is_named_and_leaves_the_build_alone(production: Production) -> None:
    built(production)
    before = own(production)
    (production.target / "static_index.html").write_text("an older one")
    production.write({"models/first.sql": "{{ oops"})
    done = production.script("deploy/generate_docs")
    assert done.returncode == 65, done.stdout + done.stderr
    assert "only its documentation is missing" in production.failure().not_done
    assert own(production) == before
    assert not hand_over.is_there(production.work, deploy_files.Docs)
    assert not (production.target / "static_index.html").exists()


def test_nobody_wants_it(production: Production) -> None:
    production.ask(docs=False)
    hand_over.write(production.work, production.run)
    assert production.script("deploy/generate_docs").returncode == 0
    assert not hand_over.is_there(production.work, deploy_files.Docs)


@pytest.mark.parametrize("in_place", [False, True])
def test_of_a_release_that_is_current_it_is_uploaded_too(
    production: Production, in_place: bool
) -> None:
    built(production)
    wanted = runs.release(docs_url="https://docs.example.com", state=production.run.policy.state)
    hand_over.write(production.work, replace(production.run, policy=wanted))
    plan = releases.first()
    if in_place:
        plan = replace(plan, nodes=(replace(plan.nodes[0], method="direct"),))
    hand_over.write(production.work, plan)
    location = production.store.location
    hand_over.write(production.work, deploy_files.Publication(location=location, version="v1"))
    done = production.script("deploy/generate_docs")
    assert done.returncode == 0, done.stdout + done.stderr
    keys = (versions.LATEST + "catalog.json", versions.DOCS)
    page = production.store.get(versions.DOCS)
    assert [production.store.get(key) is None for key in keys] == [in_place, in_place]
    assert ("docs.example.com" in production.output.read_text()) is not in_place
    assert page is None or b"shop" in page.body

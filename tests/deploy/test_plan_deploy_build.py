"""plan_build.py for a deploy, with the real dbt command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dbtdeploy.context import work_files
from dbtdeploy.store import failed_nodes
from dbtdeploy.store.publication import versions
from standins.warehouse import postgres
from standins.warehouse.production import Production

SELECTORS = "selectors:\n  - name: nightly\n    definition: {method: fqn, value: third}\n"


@pytest.fixture
def production(tmp_path: Path, database: postgres.Database, any_imported_dbt: Path) -> Production:
    """Planned once, and that made its state; lists what is modified and what failed."""
    made = Production(tmp_path, database, any_imported_dbt)
    made.plan()
    (made.work / work_files.STATE_FOLDER).mkdir()
    shutil.copy(made.target / "manifest.json", made.work / work_files.STATE_FOLDER)
    made.ask(retry_failed=True)
    made.select(select="state:modified+")
    return made


def planned(production: Production, *, state: bool = True) -> set[str]:
    production.store.delete("lease.json")
    return {
        node.name for node in production.plan(state=state).nodes if node.resource_type == "model"
    }


def fail(production: Production, *unique_ids: str) -> None:
    """A run since the current version in which these failed."""
    index = versions.Index(
        version="x",
        environment="production",
        project="shop",
        kind=versions.FAILED_RUN,
        created_at="",
        objects={},
        results=dict.fromkeys(unique_ids, "error"),
    )
    production.store.put("failed/20261121T070000Z-1-1/index.json", versions.encode(index))
    failed_nodes.lay(production.store, production.work, production.work / work_files.STATE_FOLDER)


def test_what_is_modified_and_what_failed_with_all_below(production: Production) -> None:
    assert planned(production) == set()
    fail(production, "model.shop.second", "model.shop.long_gone")
    production.write({"models/other.sql": "select 1 as id"})
    assert planned(production) == {"second", "third", "other"}

    production.select(select="state:modified+", exclude="third")
    assert planned(production) == {"second", "other"}

    # As asked for: a selection of one's own is no retry.
    production.ask(retry_failed=False)
    production.select(select="state:modified+")
    assert planned(production) == {"other"}


@pytest.mark.fault(14)
def test_the_first_run_is_of_everything(production: Production) -> None:
    assert planned(production, state=False) == {"first", "second", "third"}
    production.select()
    assert planned(production, state=False) == {"first", "second", "third"}


def test_everything_a_selection_or_a_selector(production: Production) -> None:
    production.select()
    assert planned(production) == {"first", "second", "third"}
    production.select(select="second+", exclude="third")
    assert planned(production) == {"second"}
    production.write({"selectors.yml": SELECTORS})
    production.select(selector="nightly")
    assert planned(production) == {"third"}

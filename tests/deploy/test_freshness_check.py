"""The check of the sources: real dbt on sources of every age, and on one whose table is gone."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.deploy import freshness
from standins import entry
from standins.jobs import releases, runs
from standins.warehouse import postgres
from standins.warehouse.production import Production

ALONE = "tests/standins/freshness_alone.py"

TABLES = {"fresh": "1 minute", "ageing": "8 hours", "stale": "3 days"}

SOURCES = """
sources:
  - name: till
    schema: raw
    loaded_at_field: loaded_at
    freshness:
      warn_after: {count: 6, period: hour}
      error_after: {count: 2, period: day}
    tables: [%s]
"""


@pytest.fixture
def production(tmp_path: Path, database: postgres.Database, forked_dbt: Path) -> Production:
    return prepared(tmp_path, database, forked_dbt)


def prepared(folder: Path, database: postgres.Database, dbt: Path) -> Production:
    made = Production(folder, database, dbt)
    for name, age in TABLES.items():
        database.run(f"create table raw.{name} as select now() - interval '{age}' as loaded_at")
    return made


def check(production: Production, *tables: str, policy: str = "warn") -> tuple[int, str]:
    """Plan, check; gives the exit code and what was said."""
    listed = ", ".join(f"{{name: {table}}}" for table in tables)
    production.write({"models/sources.yml": SOURCES % listed})
    production.ask(source_freshness=policy)
    production.plan()
    done = production.script(ALONE)
    return done.returncode, done.stdout + done.stderr


def found(production: Production) -> dict[str, str]:
    written = hand_over.read(production.work, deploy_files.Freshness)
    return {source.name: source.status for source in written.sources}


def test_the_age_of_each_source_is_told(
    tmp_path: Path, database: postgres.Database, any_dbt_command: Path
) -> None:
    production = prepared(tmp_path, database, any_dbt_command)
    code, said = check(production, *TABLES)
    assert code == 0, said
    assert found(production) == {
        "till.fresh": "pass",
        "till.ageing": "warn",
        "till.stale": "error",
    }
    assert "Sources are stale" in said
    assert "till.stale: stale (error), newest row is 3 days old" in said
    assert (production.target / "sources.json").is_file()


@pytest.mark.parametrize(("tables", "code"), [(("fresh", "ageing"), 0), (("fresh", "stale"), 63)])
def test_stale_sources_stop_the_deploy_where_they_shall(
    production: Production, tables: tuple[str, ...], code: int
) -> None:
    ended, said = check(production, *tables, policy="fail")
    assert ended == code, said
    if code:
        failure = production.failure()
        assert failure.kind == "SourcesStale"
        assert failure.what == "till.stale: stale (error), newest row is 3 days old"
        assert "Nothing was built" in failure.not_done


@pytest.mark.parametrize(("policy", "code"), [("warn", 0), ("fail", 63)])
def test_a_source_that_cannot_be_asked_is_not_fresh(
    production: Production, policy: str, code: int
) -> None:
    ended, said = check(production, "fresh", "gone", policy=policy)
    assert ended == code, said
    assert found(production) == {"till.fresh": "pass", "till.gone": "runtime error"}
    assert 'gone" does not exist' in said


@pytest.mark.fault(60)
@pytest.mark.parametrize(("policy", "code"), [("warn", 0), ("fail", 63)])
def test_a_source_without_loaded_at_field_is_not_called_stale(
    production: Production, policy: str, code: int
) -> None:
    unasked = "unasked, loaded_at_field: null, config: {loaded_at_field: null}"
    ended, said = check(production, "fresh", unasked, policy=policy)
    assert ended == code, said
    assert found(production) == {"till.fresh": "pass", "till.unasked": "runtime error"}
    assert "loaded_at_field" in said
    assert "stale" not in said.replace(str(production.work), "")
    if code:
        assert "needs a `loaded_at_field`" in production.failure().remedy


@pytest.mark.fault(60)
def test_what_was_said_of_one_source_is_not_told_of_another(production: Production) -> None:
    code, said = check(production, "gone", "unasked, loaded_at_field: null")
    assert code == 0, said
    written = hand_over.read(production.work, deploy_files.Freshness)
    messages = {source.name: source.message or "" for source in written.sources}
    assert "does not exist" not in messages["till.unasked"]


def test_its_message_is_hidden_with_the_rows(production: Production) -> None:
    production.ask(hide_row_data=True)
    code, said = check(production, "gone")
    assert code == 0, said
    assert "does not exist" not in said
    written = hand_over.read(production.work, deploy_files.Freshness)
    assert "does not exist" not in (written.sources[0].message or "")


@pytest.mark.parametrize(("policy", "code"), [("warn", 0), ("fail", 31)])
def test_a_check_that_cannot_run_stops_the_deploy_where_it_shall(
    production: Production, policy: str, code: int
) -> None:
    production.write({"models/sources.yml": SOURCES % "{name: fresh}"})
    production.ask(source_freshness=policy)
    production.plan()
    (production.target / "sources.json").write_text("{}")
    production.write({"models/first.sql": "{{ oops"})
    done = production.script(ALONE)
    assert done.returncode == code, done.stdout + done.stderr
    assert not hand_over.is_there(production.work, deploy_files.Freshness)
    assert not (production.target / "sources.json").exists()


@pytest.mark.parametrize("policy", ["off", "warn"])
def test_dbt_is_not_started_for_nothing(production: Production, policy: str) -> None:
    if policy == "off":
        production.write({"models/sources.yml": SOURCES % "{name: stale}"})
    production.ask(source_freshness=policy)
    production.plan()
    production.run = production.replaced(dbt={"command": "/nowhere/dbt"})
    hand_over.write(production.work, production.run)
    done = production.script(ALONE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not hand_over.is_there(production.work, deploy_files.Freshness)


def test_a_manifest_that_says_nothing_is_no_reason_to_skip(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    assert freshness.watched(path) is None
    for limits, watched in (
        ({"warn_after": {"count": None, "period": None}}, False),
        ({"warn_after": None, "error_after": {"count": 1, "period": "day"}}, True),
        (None, False),
    ):
        path.write_text(json.dumps({"sources": {"s": {"freshness": limits, "config": {}}}}))
        assert freshness.watched(path) == (frozenset("s") if watched else frozenset())
        path.write_text(json.dumps({"sources": {"s": {"config": {"freshness": limits}}}}))
        assert freshness.watched(path) == (frozenset("s") if watched else frozenset())


@pytest.mark.parametrize("script", ["deploy/build_production", "release/stage_release"])
def test_a_release_asks_how_old_the_sources_are_as_a_deploy_does(
    tmp_path: Path, script: str
) -> None:
    hand_over.write(tmp_path, runs.run(runs.release(source_freshness="off")))
    environ = {"PATH": os.defpath, "DBT_DEPLOY_WORK": str(tmp_path)}
    done = subprocess.run(
        entry.script(script), env=environ, capture_output=True, text=True, check=False
    )
    assert "source-freshness: off" in done.stdout
    assert hand_over.read(tmp_path, work_files.Failure).phase is not Phase.FRESHNESS


def test_what_was_staged_is_not_asked_for_again(tmp_path: Path) -> None:
    hand_over.write(tmp_path, runs.run(runs.release(source_freshness="off")))
    hand_over.write(tmp_path, releases.first())
    environ = {"PATH": os.defpath, "DBT_DEPLOY_WORK": str(tmp_path)}
    done = subprocess.run(
        entry.script("deploy/build_production"),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "source-freshness" not in done.stdout


@pytest.mark.parametrize("policy", ["warn", "fail"])
def test_a_deploy_that_is_refused_has_not_begun(production: Production, policy: str) -> None:
    production.write({"models/sources.yml": SOURCES % "{name: stale}"})
    production.ask(source_freshness=policy)
    production.plan()
    done = production.script("deploy/build_production")
    assert done.returncode == (63 if policy == "fail" else 0), done.stdout + done.stderr
    begun = "begun<<" in production.output.read_text()
    assert begun is (policy == "warn")
    assert begun is hand_over.is_there(production.work, work_files.Build)
    if not begun:
        assert production.failure().phase is Phase.FRESHNESS

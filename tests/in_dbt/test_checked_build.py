"""A build that stops before its first write: what it tells, what it has done by then, its end."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dbtdeploy.artifacts import run_results
from dbtdeploy.dbt import commands
from in_dbt import warm
from in_dbt.warm import Shop, Warm
from standins.warehouse import postgres

RUN_BY_BUILD = {"model", "test", "seed", "snapshot", "unit_test"}


def by_name(lines: list[str]) -> dict[str, object]:
    """What is listed, by its unique id, of what a build runs."""
    found = {(node := json.loads(line))["unique_id"]: node for line in lines}
    return {name: node for name, node in found.items() if node["resource_type"] in RUN_BY_BUILD}


def is_gone(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def sleeping(database: postgres.Database) -> int:
    found = database.value(
        "select count(*) from pg_stat_activity where query like '%pg\\_sleep(60)%'"
        " and state = 'active' and pid <> pg_backend_pid()"
    )
    assert isinstance(found, int)
    return found


def soon(is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)
    return is_so()


def test_what_it_tells_is_what_is_listed_and_nothing_is_done_by_then(
    any_warm: Warm, shop: Shop, tmp_path: Path
) -> None:
    dbt = any_warm.edge(shop.folder, tmp_path / "logs", shop.variables)
    selection = ["--select", "+alone+", "stg_orders+", "--exclude", "last"]
    before = shop.schemas()
    (shop.folder / "target" / "run_results.json").unlink(missing_ok=True)
    shown: list[str] = []
    # More than a pipe holds comes out before it stops.
    extra = {"PROBE_SAYS": "1", "DBT_LOG_FORMAT": "json"}
    with dbt.checked_build(
        warm.lines(*selection), name="build", variables=extra, saved_parse=None
    ) as build:
        plan = build.plan()
        assert plan is not None
        assert shop.schemas() == before
        assert shop.database.rows("select 1 from pg_class where relname = 'hooked'") == []
        pid = build._process.pid
        ended = build.finish(on_line=shown.append, go_on=False)
    assert ended.exit_code == 0
    assert soon(lambda: is_gone(pid))
    assert shop.schemas() == before
    assert not (shop.folder / "target" / "run_results.json").exists()
    assert not any("unique_id" in line for line in shown)

    keys = ["--output-keys", commands.LISTED_KEYS]
    listed = any_warm.plain(
        ["ls", *selection, "--output", "json", *keys, "--quiet", *dbt.options()],
        shop.folder,
        variables=shop.variables,
    )
    assert by_name(plan) == by_name(listed.lines)
    kinds = {json.loads(line)["resource_type"] for line in plan}
    assert kinds >= RUN_BY_BUILD


def test_told_to_go_on_it_is_a_build(any_warm: Warm, shop: Shop, tmp_path: Path) -> None:
    dbt = any_warm.edge(shop.folder, tmp_path / "logs", shop.variables)
    results, manifest = (
        shop.folder / "target" / name for name in ("run_results.json", "manifest.json")
    )
    lines: list[str] = []
    unchecked = any_warm.plain(
        ["build", "--no-use-colors", *dbt.options()], shop.folder, variables=shop.variables
    )
    plain = [warm.plain_json(results), warm.plain_json(manifest)]
    shop.database.run("drop schema made cascade")
    for path in (results, manifest):
        path.unlink()
    probe = {"PROBE": str(tmp_path), "PROBE_WRITES": "1"}
    with dbt.checked_build(warm.lines(), name="build", variables=probe, saved_parse=None) as build:
        assert build.plan() is not None
        assert not manifest.exists()
        outcome = build.finish(on_line=lines.append)
    found = [warm.plain_json(results), warm.plain_json(manifest)]
    assert (outcome.exit_code, outcome.interrupted) == (unchecked.code, False) == (1, False)
    for each in (plain[0], found[0]):
        for name in ("log_path", "invocation_command", "log_level_file", "log_format_file"):
            each["args"].pop(name, None)
    assert found == plain
    assert any("Done. PASS=" in line for line in lines)
    assert "hooked" in {name for (name,) in shop.database.rows("select relname from pg_class")}
    noted = [
        json.loads(line) for line in (tmp_path / "dbt_processes.jsonl").read_text().splitlines()
    ]
    assert [each["name"] for each in noted] == ["build"]
    assert (tmp_path / "parses").read_text().split() == ["once"]
    assert (tmp_path / "writes").read_text().split().count("manifest.json") == 1
    assert set((tmp_path / "collects").read_text().split()) == {"True"}


def test_what_stops_it_earlier_is_told_in_dbts_words(
    newest: Warm, newest_shop: Shop, tmp_path: Path
) -> None:
    dbt = newest.edge(newest_shop.folder, tmp_path / "logs", newest_shop.variables)
    lines: list[str] = []
    with dbt.checked_build(
        warm.lines("--select", "state:modified"), name="build", variables={}, saved_parse=None
    ) as build:
        assert build.plan() is None
        outcome = build.finish(on_line=lines.append, go_on=False)
    assert (outcome.exit_code, outcome.interrupted) == (2, False)
    said = [error.message for error in outcome.errors]
    assert any("state" in message for message in said), said


@pytest.mark.fault(18)
def test_what_cannot_be_parsed_is_told_in_dbts_words(
    newest: Warm, landed: postgres.Database, tmp_path: Path
) -> None:
    files = {
        "dbt_project.yml": warm.PROJECT,
        "models/odd.sql": "select * from {{ ref('nowhere') }}",
    }
    folder = warm.write(tmp_path / "shop", files, landed)
    dbt = newest.edge(folder, tmp_path / "logs", {"PASSWORD": landed.password})
    with dbt.checked_build(warm.lines(), name="b", variables={}, saved_parse=None) as build:
        assert build.plan() is None
        shown: list[str] = []
        outcome = build.finish(on_line=shown.append, go_on=False)
    assert outcome.exit_code == 2
    said = "\n".join(error.message for error in outcome.errors)
    assert "nowhere" in said, shown
    assert "models/odd.sql" in said


BATCHES = {
    "dbt_project.yml": warm.PROJECT,
    "models/properties.yml": """
version: 2
models:
  - name: events
    config: {event_time: at}
""",
    "models/events.sql": "{{ config(materialized='table') }} select day::timestamp as at, n from"
    " (values (current_date - 1, 0), (current_date, 1)) as v (day, n)",
    "models/by_day.sql": "{{ config(materialized='incremental', incremental_strategy='microbatch',"
    " unique_key='at', event_time='at', batch_size='day', lookback=1,"
    " begin=(modules.datetime.datetime.now() - modules.datetime.timedelta(2)).strftime('%Y-%m-%d'))"
    " }} select at, 1 / n as share from {{ ref('events') }}",
}
"""One batch divides by zero."""


@pytest.mark.fault(53)
def test_batches_are_built_and_a_failing_one_shows_the_warehouses_words(
    any_warm: Warm, landed: postgres.Database, tmp_path: Path
) -> None:
    folder = warm.write(tmp_path / "shop", BATCHES, landed)
    dbt = any_warm.edge(folder, tmp_path / "logs", {"PASSWORD": landed.password})
    with dbt.checked_build(warm.lines(), name="b", variables={}, saved_parse=None) as build:
        assert build.plan() is not None
        shown: list[str] = []
        outcome = build.finish(on_line=shown.append)
    assert outcome.exit_code == 1, shown
    results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    found = {each["unique_id"]: each["status"] for each in results}
    assert found["model.shop.events"] == "success"
    assert found["model.shop.by_day"] == "partial success"
    assert landed.rows("select share from made.by_day") == [(1,)]
    kept = tmp_path / "kept.json"
    said = [error.message for error in outcome.errors]
    run_results.keep_redacted(
        folder / "target" / "run_results.json", kept, lambda text: text, said=said
    )
    messages = {
        each["unique_id"]: each["message"] for each in json.loads(kept.read_text())["results"]
    }
    assert messages["model.shop.by_day"] == (
        "PARTIAL SUCCESS (2/3)\nDatabase Error\n  division by zero"
    )


SLOW = {
    "dbt_project.yml": warm.PROJECT,
    "models/slow.sql": "{{ config(materialized='table') }} select 1 as a from pg_sleep(60)",
}


@pytest.mark.fault(20, 21)
def test_an_interrupt_ends_it_while_it_waits_and_while_it_builds(
    newest: Warm, landed: postgres.Database, tmp_path: Path
) -> None:
    folder = warm.write(tmp_path / "shop", SLOW, landed)
    dbt = newest.edge(folder, tmp_path / "logs", {"PASSWORD": landed.password})
    landed.run("create schema made")
    with dbt.checked_build(warm.lines(), name="a", variables={}, saved_parse=None) as build:
        assert build.plan() is not None
        waiting = build._process.pid
        os.killpg(waiting, signal.SIGINT)
        assert soon(lambda: is_gone(waiting))
        outcome = build.finish(on_line=lambda _line: None)
        assert outcome.exit_code != 0
    assert landed.rows("select 1 from pg_class where relname in ('hooked', 'slow')") == []

    def interrupt() -> None:
        assert soon(lambda: sleeping(landed) == 1)
        os.kill(os.getpid(), signal.SIGINT)

    with dbt.checked_build(warm.lines(), name="b", variables={}, saved_parse=None) as build:
        assert build.plan() is not None
        building = build._process.pid
        thread = threading.Thread(target=interrupt)
        thread.start()
        began = time.monotonic()
        outcome = build.finish(on_line=lambda _line: None)
        thread.join()
    assert outcome.interrupted
    assert outcome.exit_code not in (0, -signal.SIGKILL)
    assert time.monotonic() - began < 40
    assert soon(lambda: is_gone(building))
    assert sleeping(landed) == 0

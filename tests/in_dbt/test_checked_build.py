"""A build that stops before its first write: what it tells, what it has done by then, its end."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbtdeploy.dbt import commands
from in_dbt import warm
from in_dbt.warm import Shop, Warm
from standins import postgres

BUILD = ["build", "--no-use-colors"]
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
    arguments = [*BUILD, *selection, *dbt.options()]
    (shop.folder / "target" / "run_results.json").unlink(missing_ok=True)
    parse = warm.no_parse(tmp_path)
    # More than a pipe holds comes out before it stops.
    extra = {"PROBE_SAYS": "1"}
    with dbt.checked_build(arguments, name="build", variables=extra, saved_parse=parse) as build:
        plan = build.plan()
        assert plan is not None
        assert shop.schemas() == before
        assert shop.database.rows("select 1 from pg_class where relname = 'hooked'") == []
        pid = build._process.pid
    assert soon(lambda: is_gone(pid))
    assert shop.schemas() == before
    assert not (shop.folder / "target" / "run_results.json").exists()
    manifest = json.loads((shop.folder / "target" / "manifest.json").read_text())
    assert set(by_name(plan)) <= {*manifest["nodes"], *manifest["unit_tests"]}

    keys = ["--output-keys", commands.LISTED_KEYS]
    listed = any_warm.run(
        ["ls", *selection, "--output", "json", *keys, "--quiet", *dbt.options()],
        shop.folder,
        variables=shop.variables,
    )
    assert by_name(plan) == by_name(listed.lines)
    kinds = {json.loads(line)["resource_type"] for line in plan}
    assert kinds >= RUN_BY_BUILD


def test_told_to_go_on_it_is_a_build(any_warm: Warm, shop: Shop, tmp_path: Path) -> None:
    dbt = any_warm.edge(shop.folder, tmp_path / "logs", shop.variables)
    arguments = [*BUILD, *dbt.options(), "--log-path", str(tmp_path / "logs")]
    results = shop.folder / "target" / "run_results.json"
    found: list[Any] = []
    lines: list[str] = []
    unchecked = any_warm.run(arguments, shop.folder, variables=shop.variables)
    found.append(warm.plain_json(results))
    manifest = warm.plain_json(shop.folder / "target" / "manifest.json")
    shop.database.run("drop schema made cascade")
    results.unlink()
    parse = warm.no_parse(tmp_path)
    with dbt.checked_build(
        [*BUILD, *dbt.options()], name="build", variables={}, saved_parse=parse
    ) as build:
        assert build.plan() is not None
        outcome = build.finish(on_line=lines.append)
    found.append(warm.plain_json(results))
    assert (outcome.exit_code, outcome.interrupted) == (unchecked.code, False) == (1, False)
    for each in found:
        for name in ("log_path", "invocation_command", "log_level_file", "log_format_file"):
            each["args"].pop(name, None)
    assert found[1] == found[0]
    assert warm.plain_json(shop.folder / "target" / "manifest.json") == manifest
    assert any("Done. PASS=" in line for line in lines)
    assert "hooked" in {name for (name,) in shop.database.rows("select relname from pg_class")}
    noted = [
        json.loads(line) for line in (tmp_path / "dbt_processes.jsonl").read_text().splitlines()
    ]
    assert [each["name"] for each in noted] == ["build"]


def test_what_stops_it_earlier_is_told_in_dbts_words(
    newest: Warm, newest_shop: Shop, tmp_path: Path
) -> None:
    dbt = newest.edge(newest_shop.folder, tmp_path / "logs", newest_shop.variables)
    lines: list[str] = []
    arguments = [*BUILD, "--select", "state:modified", *dbt.options()]
    with dbt.checked_build(
        arguments, name="build", variables={}, saved_parse=warm.no_parse(tmp_path)
    ) as build:
        assert build.plan() is None
        outcome = build.finish(on_line=lines.append, go_on=False)
    assert (outcome.exit_code, outcome.interrupted) == (2, False)
    said = [error.message for error in outcome.errors]
    assert any("state" in message for message in said), said
    shown = "\n".join(lines)
    assert all(line in shown for message in said for line in message.splitlines())


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
    parse = warm.no_parse(tmp_path)
    arguments = [*BUILD, *dbt.options()]
    with dbt.checked_build(arguments, name="a", variables={}, saved_parse=parse) as build:
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

    with dbt.checked_build(arguments, name="b", variables={}, saved_parse=parse) as build:
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

"""A command of a warm dbt is what the command ``dbt`` itself is."""

from __future__ import annotations

import json
import os
import shutil
import signal
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from in_dbt import warm
from in_dbt.warm import Ended, Shop, Warm
from standins.warehouse import postgres

LS = ["ls", "--output", "json", "--quiet"]
BAD_YML = "version: 2\nmodels:\n  - name: [\n"


def both(dbt: Warm, arguments: list[str], shop: Shop) -> tuple[Ended, Ended]:
    """The same command, plain and warm, each on the same ground; its files are in ``by-...``."""
    ended = []
    for name, run in (("plain", dbt.plain), ("warm", dbt.run)):
        shop.database.run("drop schema if exists made cascade")
        for folder in ("target", f"by-{name}"):
            shutil.rmtree(shop.folder / folder, ignore_errors=True)
        ended.append(run(arguments, shop.folder, variables=shop.variables))
        if (shop.folder / "target").exists():
            shutil.copytree(shop.folder / "target", shop.folder / f"by-{name}")
    return ended[0], ended[1]


def names(folder: Path) -> list[str]:
    return [name for name, _ in warm.texts(folder)]


def test_a_build_is_that_of_the_command(any_warm: Warm, shop: Shop) -> None:
    plain, served = both(any_warm, ["build", "--no-use-colors"], shop)
    assert (plain.code, served.code) == (1, 1), "\n".join(plain.lines + served.lines)
    assert served.comparable() == plain.comparable()
    one, other = shop.folder / "by-plain", shop.folder / "by-warm"
    assert names(one) == names(other)
    for name in ("manifest.json", "run_results.json", "semantic_manifest.json"):
        assert warm.plain_json(one / name) == warm.plain_json(other / name), name
    for name in ("compiled", "run"):
        assert dict(warm.texts(one / name)) == dict(warm.texts(other / name))
        assert dict(warm.texts(one / name))

    results = json.loads((other / "run_results.json").read_text())["results"]
    found = {each["unique_id"].split(".")[2]: each["status"] for each in results}
    # A failing test of two models skips what hangs on both, one of one model what hangs on that.
    skipped = {name for name, status in found.items() if status == "skipped"}
    assert skipped == {"joined", "last", "hangs_on_doubled"}
    assert (found["alone"], found["kept"], found["countries"]) == ("success",) * 3


def test_a_listing_is_that_of_the_command(newest: Warm, newest_shop: Shop) -> None:
    plain, served = both(newest, LS, newest_shop)
    assert (plain.code, served.code) == (0, 0)
    assert served.lines == plain.lines
    assert len(served.lines) > 15


def test_parsing_is_that_of_the_command(newest: Warm, newest_shop: Shop) -> None:
    plain, served = both(newest, ["parse"], newest_shop)
    assert (plain.code, served.code) == (0, 0)
    assert served.comparable() == plain.comparable()
    folder = newest_shop.folder
    assert names(folder / "by-plain") == names(folder / "by-warm")
    one, other = (folder / by / "manifest.json" for by in ("by-plain", "by-warm"))
    assert warm.plain_json(one) == warm.plain_json(other)


def test_packages_are_those_of_the_command(
    newest: Warm, landed: postgres.Database, tmp_path: Path
) -> None:
    tools = {"dbt_project.yml": "name: tools", "macros/a.sql": "{% macro a() %}{% endmacro %}"}
    warm.write(tmp_path / "tools", tools, landed)
    files = {**warm.FILES, "packages.yml": "packages: [{local: ../tools}]"}
    folder = warm.write(tmp_path / "shop", files, landed)
    left = []
    for run in (newest.plain, newest.run):
        ended = run(["deps"], folder)
        assert ended.code == 0
        left.append([ended.comparable(), (folder / "package-lock.yml").read_text()])
        assert (folder / "dbt_packages" / "tools" / "macros" / "a.sql").exists()
        shutil.rmtree(folder / "dbt_packages")
        (folder / "package-lock.yml").unlink()
    assert left[0] == left[1]


def test_a_wrong_command_line_is_refused_as_by_the_command(newest: Warm, tmp_path: Path) -> None:
    arguments = ["build", "--threads", "many"]
    plain, served = newest.plain(arguments, tmp_path), newest.run(arguments, tmp_path)
    assert (plain.code, served.code) == (2, 2)
    assert served.lines == plain.lines


def test_a_project_that_cannot_be_parsed_is_refused_as_by_the_command(
    newest: Warm, landed: postgres.Database, tmp_path: Path
) -> None:
    files = {"dbt_project.yml": warm.PROJECT, "models/bad.yml": BAD_YML}
    shop = Shop(warm.write(tmp_path, files, landed), landed)
    plain, served = both(newest, ["build"], shop)
    assert (plain.code, served.code) == (2, 2)
    assert served.comparable() == plain.comparable()
    assert any("bad.yml" in line for line in served.lines)


def seen(dbt: Warm, shop: Shop, probe: Path, folder: Path, **variables: str) -> Any:
    """What a plugin finds in a warm command that lists, started in a folder."""
    probe.mkdir()
    variables = {"PROBE": str(probe), **shop.variables, **variables}
    ended = dbt.run(listing(shop), folder, variables=variables)
    assert ended.code == 0, ended.lines
    return json.loads((probe / "seen.json").read_text())


def listing(shop: Shop) -> list[str]:
    at = ["--project-dir", str(shop.folder), "--profiles-dir", str(shop.folder)]
    return [*LS, *at, "--select", "alone"]


def test_a_command_has_its_own_variables_and_folder_and_nothing_of_ours(
    any_warm: Warm, shop: Shop, tmp_path: Path
) -> None:
    first = seen(any_warm, shop, tmp_path / "p1", shop.folder, ONLY="first", BOTH="1")
    # More than a socket takes at once.
    long = {"BOTH": "2", **{f"LONG_{n}": "é" * 50_000 for n in range(10)}}
    second = seen(any_warm, shop, tmp_path / "p2", tmp_path, **long)
    assert (first["cwd"], second["cwd"]) == (str(shop.folder), str(tmp_path))
    assert (first["environ"]["BOTH"], second["environ"]["BOTH"]) == ("1", "2")
    own = {"PROBE": str(tmp_path / "p2"), **shop.variables, **long}
    assert second["environ"] == any_warm.variables(tmp_path, **own)
    assert second["argv"] == [str(any_warm.command), *listing(shop)]
    assert first["importable"] == first["listed"] == []
    # A thread that is no daemon is waited for, and what was registered is called.
    assert (tmp_path / "p1" / "thread").read_text() == "done"
    assert (tmp_path / "p1" / "atexit").read_text() == "done"


def test_a_plugin_finds_what_it_finds_in_the_command(
    newest: Warm, newest_shop: Shop, tmp_path: Path
) -> None:
    served = seen(newest, newest_shop, tmp_path / "warm", tmp_path)
    (tmp_path / "plain").mkdir()
    variables = {"PROBE": str(tmp_path / "plain"), **newest_shop.variables}
    newest.plain(listing(newest_shop), tmp_path, variables=variables)
    plain = json.loads((tmp_path / "plain" / "seen.json").read_text())
    assert {**served, "environ": {}} == {**plain, "environ": {}}


def test_each_command_has_a_name_and_a_beginning_of_its_own(
    newest: Warm, newest_shop: Shop
) -> None:
    target = newest_shop.folder / "target"
    shutil.rmtree(target, ignore_errors=True)
    began = datetime.now(timezone.utc).replace(tzinfo=None)
    found = []
    for _ in range(2):
        assert newest.run(["parse"], newest_shop.folder, variables=newest_shop.variables).code == 0
        found.append(json.loads((target / "manifest.json").read_text())["metadata"])
    assert found[0]["invocation_id"] != found[1]["invocation_id"]
    assert datetime.fromisoformat(found[0]["invocation_started_at"][:19]) >= began.replace(
        microsecond=0
    )


def test_an_interrupt_right_after_the_start_is_not_lost(newest: Warm, tmp_path: Path) -> None:
    for _ in range(5):
        process = newest.server.start(
            ["--version"], folder=str(tmp_path), variables=newest.variables(tmp_path)
        )
        os.killpg(process.pid, signal.SIGINT)
        list(process.lines())
        # Unhandled, in dbt's or in click's hands; never the 0 of one that did not hear it.
        assert process.wait()[0] != 0


def test_what_a_command_took_is_told(newest: Warm, tmp_path: Path) -> None:
    process = newest.server.start(
        ["ls", "--help"], folder=str(tmp_path), variables=newest.variables(tmp_path)
    )
    assert len(list(process.lines())) > 10
    code, usage = process.wait()
    assert code == 0
    assert 0 < usage.cpu_seconds < 30
    assert 0 < usage.wall_seconds < 60
    assert usage.peak_bytes > 10_000_000

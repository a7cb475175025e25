"""What makes dbt faster and what is kept of it changes nothing of what comes out."""

from __future__ import annotations

import importlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from in_dbt import warm
from in_dbt.warm import Shop, Warm

DRIVER = Path(__file__).with_name("dbt_driver.py")
IN_DBT = Path(__file__).parents[2] / "scripts" / "in_dbt"
BUILD = ["build", "--no-use-colors", "--select"]


class Encoder(json.JSONEncoder):
    """As dbt's own, it knows more types."""

    def default(self, o: Any) -> Any:
        return sorted(o) if isinstance(o, set) else f"<{type(o).__name__}>"


class Listed(list[int]):
    """A list that makes its items when they are asked for."""

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2))

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cls": Encoder},
        {"cls": Encoder, "indent": 2},
        {"separators": (",", ":"), "sort_keys": True, "ensure_ascii": False},
        {"default": str, "skipkeys": True, "allow_nan": True},
    ],
    ids=str,
)
def test_json_in_one_piece_is_the_same(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(IN_DBT))
    faster: Any = importlib.import_module("faster")
    value: Any = {"ü\u2028": [1, 2.5, 1e30, None, True, float("inf")], "a": Listed([0]), "": ()}
    if "cls" in options or "default" in options:
        value["x"] = {3} if "cls" in options else Path("p")
    if options.get("skipkeys"):
        value[(1, 2)] = 3
    theirs, ours = io.StringIO(), io.StringIO()
    json.dump(value, theirs, **options)
    faster._dump_in_one_piece(value, ours, **options)
    assert ours.getvalue() == theirs.getvalue()


def test_the_manifest_is_written_once_and_the_collector_is_on_while_nodes_run(
    any_warm: Warm, shop: Shop, tmp_path: Path
) -> None:
    dbt = any_warm.edge(shop.folder, tmp_path / "logs", shop.variables)
    probe = {"PROBE": str(tmp_path), "PROBE_WRITES": "1"}
    arguments = [*BUILD, "+alone", *dbt.options()]
    with dbt.checked_build(
        arguments, name="b", variables=probe, saved_parse=warm.no_parse(tmp_path)
    ) as build:
        assert build.plan() is not None
        assert build.finish(on_line=lambda _line: None).exit_code == 0
    written = (tmp_path / "writes").read_text().split()
    assert written.count("manifest.json") == 1
    assert (tmp_path / "collects").read_text().split() == ["True"]


def test_the_manifest_is_there_after_a_build_that_could_not_connect(
    newest: Warm, newest_shop: Shop, tmp_path: Path
) -> None:
    path = newest_shop.folder / "target" / "manifest.json"
    wrong = {"PASSWORD": "wrong"}
    found = []
    for checked in (False, True):
        path.unlink(missing_ok=True)
        if checked:
            dbt = newest.edge(newest_shop.folder, tmp_path / "logs", wrong)
            parse = warm.no_parse(tmp_path)
            arguments = [*BUILD, "alone", *dbt.options()]
            with dbt.checked_build(arguments, name="b", variables={}, saved_parse=parse) as build:
                assert build.plan() is not None
                assert build.finish(on_line=lambda _line: None).exit_code == 2
        else:
            ended = newest.run([*BUILD, "alone"], newest_shop.folder, variables=wrong)
            assert ended.code == 2
        found.append(warm.plain_json(path))
    assert found[0] == found[1]


@pytest.fixture(scope="session")
def driven() -> dict[str, Any]:
    """What the driver told, by version."""
    return {}


@pytest.fixture
def told(any_warm: Warm, shop: Shop, driven: dict[str, Any], tmp_path: Path) -> Any:
    """What the driver tells about a version, and about what its warm dbt has kept."""
    if any_warm.version not in driven:
        any_warm.run(["build", "--select", "+alone"], shop.folder, variables=shop.variables)
        driven[any_warm.version] = any_warm.told(
            DRIVER, IN_DBT, any_warm.kept, tmp_path, folder=tmp_path
        )
    return driven[any_warm.version]


def test_everything_waits_for_the_tests_that_dbt_lets_it_wait_for(told: Any) -> None:
    assert told["edges"] == []


def test_dbts_own_quick_way_is_the_callers_to_choose(told: Any) -> None:
    found = told["edges by flag"]
    assert (found["asked"], found["asked, by dbt"]) == (0, 1)
    assert found["not asked"] > 0
    assert found["not asked, by dbt"] == 0


def test_the_graphs_summary_is_the_one_that_dbt_makes(told: Any) -> None:
    assert told["summaries"] == []


def test_a_cycle_is_found_where_there_is_one_and_told_as_dbt_does(told: Any) -> None:
    assert told["cycles"] == []


def test_schemas_are_those_of_all_nodes_from_one_node_of_each(told: Any) -> None:
    # Three schemas, each with and without a catalog, which dbt tells apart, and three quotings.
    assert told["schemas of adapters"]["PostgresRelation"] == [True, 6, 18]
    # An adapter that makes relations in its own way makes all of them.
    assert told["schemas of adapters"]["Another"] == [True, 6, 100]


def test_a_behaviour_flag_comes_from_the_module_that_asks(told: Any) -> None:
    assert told["callers"]["ours"] == told["callers"]["theirs"] == ["__main__", "__main__"]


def test_results_of_state_are_read_when_they_are_asked_for(told: Any) -> None:
    assert told["results"] == {
        "none": None,
        "known": [0, True],
        "known, read": [0, 1],
        "unknown": "IncompatibleSchemaError",
        "unknown, read": [0, 1],
    }


def test_quoting_is_merged_as_dbt_does(told: Any) -> None:
    assert told["quotings"] == []


def test_the_fields_of_a_configuration_are_those_that_dbt_finds(told: Any) -> None:
    assert told["fields"] == []


def test_macros_are_kept_as_jinja_compiles_them(told: Any) -> None:
    assert told["templates"]["differing"] == []
    assert told["templates"]["kept"] >= 10
    # Of the project's nothing is kept; what is debugged names a file of its own.
    assert told["templates"]["compiled"] == {"dbt's": 0, "the project's": 1, "debugged": 1}
    assert told["templates"]["new"] == 0


def test_what_is_kept_is_not_made_again(
    any_warm: Warm, shop: Shop, told: Any, tmp_path: Path
) -> None:
    assert told["templates"]["kept"]
    shutil.copytree(any_warm.kept, tmp_path / "kept")
    files = sorted(file for file in (tmp_path / "kept").iterdir() if file.is_file())
    made = [file.stat().st_mtime_ns for file in files]
    next_job = Warm(any_warm.version, any_warm.command, tmp_path)
    try:
        arguments = ["build", "--select", "+alone"]
        assert next_job.run(arguments, shop.folder, variables=shop.variables).code == 0
    finally:
        next_job.server.close()
    assert len(files) == 4  # schemas, codecs, dataclasses and templates
    assert [file.stat().st_mtime_ns for file in files] == made


def test_what_is_seldom_called_is_imported_when_it_is(told: Any) -> None:
    found = told["late imports"]
    assert found["not there"] == found["held"]
    # Only dbt 1.12 imports it.
    assert found["made"] in (None, True)
    assert found["sqlglot"] == bool(found["held"] and found["made"])


def test_kept_schemas_are_those_that_dbt_derives(told: Any) -> None:
    found = told["schemas"]
    assert found["differing"] == found["local"] == found["foreign"] == []
    assert found["known"] >= 5


def test_a_kept_file_that_is_none_costs_nothing_but_time(told: Any) -> None:
    assert told["schemas used"] == {
        **dict.fromkeys(("damaged", "binary", "a list", "foreign"), "as dbt's"),
        # That it is read at all shows that the others were.
        "another's": {"title": "kept"},
        "local": [],
        "unwritable": "ended",
    }

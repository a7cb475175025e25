"""Each lever leaves the result as it is, and is left out where dbt is not as it was compared."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dbtdeploy.context import shortcuts
from dbtdeploy.dbt import commands
from in_dbt import test_known_files, warm
from in_dbt.warm import Shop, Warm

IN_DBT = Path(__file__).parents[2] / "scripts" / "in_dbt"
LEVERS = IN_DBT / "levers"
PRIVATE: dict[str, dict[str, tuple[str, ...]]] = {
    "state_once": {"dbt/task/runnable.py": ("PreviousState",)},
}
"""What of dbt's each uses that it does not call public, by where it is defined or imported."""


def compared(lever: str) -> dict[str, tuple[str, ...]]:
    tree = ast.parse((LEVERS / f"{lever}.py").read_text())
    (found,) = (each.value for each in tree.body if isinstance(each, ast.AnnAssign))
    assert found is not None
    table: dict[str, tuple[str, ...]] = ast.literal_eval(found)
    return table


def test_each_has_a_switch_of_its_own() -> None:
    files = {path.stem for path in LEVERS.glob("*.py")} - {"__init__"}
    assert {name.replace("-", "_") for name in shortcuts.LEVERS} == files == set(PRIVATE)


def test_a_build_with_all_of_them_is_the_build_without(
    any_warm: Warm, shop: Shop, tmp_path: Path
) -> None:
    dbt = any_warm.edge(shop.folder, tmp_path / "logs", shop.variables)
    parsed = any_warm.plain(["parse", *dbt.options()], shop.folder, variables=shop.variables)
    assert parsed.code == 0, parsed.lines
    state, target = tmp_path / "state", shop.folder / "target"
    state.mkdir()
    shutil.copy(target / "manifest.json", state)
    changed = shop.folder / "models" / "stg_orders.sql"
    changed.write_text(changed.read_text() + "\nwhere true")
    selection = ["--select", "state:modified+", "--state", str(state)]
    build = ["build", *selection, "--defer", "--favor-state"]
    lines = {
        "parse": ["--no-write-json", "parse"],
        "ls": [*commands.SILENT, "ls", *selection, "--output", "json"],
        "build": build,
    }
    probe = {"PROBE": str(tmp_path)}
    found = []
    for levers in ((), shortcuts.LEVERS):
        shop.database.run("drop schema if exists made cascade")
        shown: list[str] = []
        with dbt.checked_build(
            lines, name="build", variables=probe, saved_parse=None, levers=levers
        ) as checked:
            plan = checked.plan()
            assert plan, levers
            outcome = checked.finish(on_line=shown.append)
        assert [line for line in shown if line.endswith(": used")] == [
            f"{name}: used" for name in levers
        ]
        artifacts = [
            warm.plain_json(target / name) for name in ("manifest.json", "run_results.json")
        ]
        found.append((plan, outcome.exit_code, artifacts))
        assert any("modified" in json.dumps(each) for each in artifacts)
    assert found[0] == found[1]


@pytest.mark.fault(112)
def test_with_any_private_name_renamed_a_lever_is_left_out(packages: Path, tmp_path: Path) -> None:
    known = test_known_files.known_files()
    for lever, by_file in PRIVATE.items():
        table = compared(lever)
        assert known.differing(str(packages), table) == []
        for name in table:
            copy = tmp_path / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((packages / name).read_bytes())
        for name, renamed in by_file.items():
            text = (tmp_path / name).read_text()
            for one in renamed:
                assert one in text, f"{one} is not in {name}"
                (tmp_path / name).write_text(text.replace(one, f"{one}_renamed"))
                assert known.differing(str(tmp_path), table) == [name]
            (tmp_path / name).write_text(text)


@pytest.mark.fault(112)
def test_one_that_is_left_out_changes_nothing_and_says_so(packages: Path) -> None:
    python = packages.parents[2] / "bin" / "python"
    code = (
        f"import sys; sys.path.insert(0, {str(IN_DBT)!r})\n"
        "import levers\n"
        "levers.state_once.COMPARED = {'dbt/flags.py': ('another',)}\n"
        "levers.apply(['state-once'])\n"
        "from dbt.task import runnable\n"
        "print(runnable.PreviousState.__module__)\n"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "state-once: not used, dbt/flags.py is not what it was compared with",
        "dbt.contracts.state",
    ]

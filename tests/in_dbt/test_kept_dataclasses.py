"""What is kept of dataclasses is what Python makes of them, and it is not compiled again."""

from __future__ import annotations

from pathlib import Path

from in_dbt.warm import Warm

DRIVER = Path(__file__).with_name("dataclasses_driver.py")
IN_DBT = Path(__file__).parents[2] / "scripts" / "in_dbt"


def test_methods_and_docstrings_are_those_that_python_makes(any_warm: Warm, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    plain = any_warm.told(DRIVER, IN_DBT, folder=tmp_path)
    first, again = (any_warm.told(DRIVER, IN_DBT, kept, folder=tmp_path) for _ in range(2))
    assert len(plain["made"]) > 200
    for one in (first, again):
        assert one["made"].keys() == plain["made"].keys()
        assert [k for k, told in one["made"].items() if told != plain["made"][k]] == []
    assert first["new"] > 200
    assert again["new"] == 0


def test_a_damaged_file_costs_nothing_but_time(newest: Warm, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    first = newest.told(DRIVER, IN_DBT, kept, folder=tmp_path)
    (file,) = kept.iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert newest.told(DRIVER, IN_DBT, kept, folder=tmp_path) == first
    assert newest.told(DRIVER, IN_DBT, kept, folder=tmp_path)["new"] == 0

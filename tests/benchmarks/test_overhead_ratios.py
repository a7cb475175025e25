"""The arithmetic of ``make bench``: medians and ratios."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.overhead import measured, ratios
from benchmarks.overhead.measured import Stage
from benchmarks.overhead.ratios import Medians
from benchmarks.overhead.runs import Dbt, Run
from standins.runner.runner import Usage


def usage(cpu: float, peak: int = 10) -> Usage:
    return Usage(wall_seconds=2 * cpu, cpu_seconds=cpu, peak_bytes=peak)


def run(scenario: str, *dbt: float, **stages: float) -> Run:
    return Run(
        scenario=scenario,
        stages=tuple(
            Stage(name=name.replace("_", " "), usage=usage(cpu)) for name, cpu in stages.items()
        ),
        dbt=tuple(Dbt(name="build", usage=usage(cpu)) for cpu in dbt),
        log=Path("log"),
    )


RECIPE = run("recipe-lean", Install_dbt=20, dbt_deps=2, dbt_build=8)
OURS = run("ours-first", 2.0, Restore_from_the_cache=1, Start=0.5, Build_what_was_modified=2.5)


def both() -> dict[str, Medians]:
    return {one.scenario: ratios.medians([one]) for one in (RECIPE, OURS)}


def test_a_ratio_is_the_recipes_use_by_ours() -> None:
    found = ratios.ratios(both())
    assert found["cpu_ratio_lean_job"] == pytest.approx(30 / 4)
    assert found["wall_ratio_lean_job"] == pytest.approx(60 / 8)


def test_installing_is_left_out_on_both_sides() -> None:
    assert ratios.ratios(both())["cpu_ratio_lean_dbt"] == pytest.approx(10 / 3)


def test_a_cached_pip_is_a_ratio_of_its_own() -> None:
    found = ratios.ratios(both(), warm_pip_cpu_seconds=6)
    assert found["cpu_ratio_lean_job_pip_cached"] == pytest.approx(16 / 4)
    assert found["cpu_ratio_lean_job"] == pytest.approx(30 / 4)


def test_what_was_not_run_has_no_ratio() -> None:
    assert not [name for name in ratios.ratios(both()) if "full" in name or "cold" in name]


def test_our_scripts_are_what_is_neither_dbt_nor_the_cache() -> None:
    assert ratios.own_cpu_seconds(OURS) == pytest.approx(0.5 + 2.5 - 2)
    assert ratios.medians([RECIPE]).own_cpu_seconds is None


def test_repetitions_come_to_their_median_and_the_largest_peak() -> None:
    runs = [run("ours-first", Start=cpu) for cpu in (3, 1, 50)]
    found = ratios.medians(runs)
    assert found.whole.cpu_seconds == 3
    assert found.stages["Start"].cpu_seconds == 3


def test_two_stages_of_one_name_count_together() -> None:
    twice = Run(
        scenario="ours-first",
        stages=(Stage(name=measured.LEFT, usage=usage(1)),) * 2,
        log=Path("log"),
    )
    assert ratios.medians([twice]).stages[measured.LEFT].cpu_seconds == 2

"""What ``make bench`` writes: goals, the page, the JSON and the plot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from benchmarks.overhead import chart, goals, measured, results, runs
from benchmarks.overhead.chart import Bar
from benchmarks.overhead.goals import Goal
from benchmarks.overhead.measured import Stage
from benchmarks.overhead.profiled import Spent
from benchmarks.overhead.results import Measurement
from benchmarks.overhead.runs import Dbt, Run
from standins.runner.runner import Usage

ROOT = Path(__file__).resolve().parents[2]
SVG = f"{{{chart.SPACE}}}"
ABOUT = {
    "machine": {
        "cpu": "A CPU",
        "cores": 2,
        "memory_gb": 7.8,
        "os": "Debian",
        "kernel": "Linux 6",
        "load_at_start": 0.1,
    },
    "versions": {"dbt-core": "1.12.6", "python": "3.11.7"},
    "date": "2026-11-26",
}


def usage(cpu: float) -> Usage:
    return Usage(wall_seconds=2 * cpu, cpu_seconds=cpu, peak_bytes=10**8)


def run(scenario: str, stages: dict[str, float], dbt: float = 0) -> Run:
    return Run(
        scenario=scenario,
        stages=tuple(Stage(name=name, usage=usage(cpu)) for name, cpu in stages.items()),
        dbt=(Dbt(name="build", usage=usage(dbt)),) if dbt else (),
        log=Path("log"),
    )


def measurement(size: int = 1_000, build: float = 3.0) -> Measurement:
    profiled = Run(
        scenario="ours-profiled",
        stages=(),
        log=Path("log"),
        profiles={"build": [Spent(name="parser.py:1 parse", calls=7, own_seconds=1, seconds=2)]},
    )
    jobs = [
        run("recipe-lean", {"Install dbt": 20, "dbt deps": 2, "dbt build": 18}),
        run("ours-first", {measured.RESTORE: 1, "Build what was modified": build + 1}, build),
        run("ours-cold", {"Set up dbt-deploy": 30, "Build what was modified": build + 1}, build),
        run("recipe-full", {"Install dbt": 20, "dbt ls": 20, "dbt docs generate": 20}),
        run("ours-full", {measured.RESTORE: 1, "Build what was modified": build + 2}, build),
        run("ours-nothing", {measured.RESTORE: 1, "Start": 1}),
        run("pip-cached", {measured.RESTORE: 1, "Install dbt": 9}),
        profiled,
    ]
    return results.measurement(size, jobs, 60.0)


def test_a_ratio_reaches_its_goal_from_above() -> None:
    exact = Goal(name=goals.JOB, size=100, wanted=7, measured=7)
    short = Goal(name=goals.JOB, size=100, wanted=7, measured=6.3)
    assert exact.reached
    assert not short.reached
    assert short.verdict == "**not reached**, 10 % worse"


def test_a_time_reaches_its_goal_from_below() -> None:
    assert Goal(name=goals.NOTHING, size=100, wanted=3, measured=1.5).verdict == (
        "reached, 50 % better"
    )
    assert not Goal(name=goals.OWN, size=100, wanted=3, measured=3).reached


def test_what_misses_by_less_than_it_is_rounded_to_is_still_missed() -> None:
    assert Goal(name=goals.JOB, size=100, wanted=7, measured=6.99).verdict == (
        "**not reached**, by a hair"
    )


def test_the_goals_are_the_issues() -> None:
    asked = {name: dict(by_size) for name, by_size in goals.GOALS.items()}
    assert asked["cpu_ratio_lean_job"] == {100: 4, 1_000: 5.5, 5_000: 7.5}
    assert asked["cpu_ratio_lean_dbt"] == {100: 2.2, 1_000: 4.5, 5_000: 7}
    assert asked["cpu_ratio_full_job"] == {1_000: 12}
    assert set(goals.WORDS) == set(goals.GOALS)


def test_a_goal_that_was_not_measured_is_named() -> None:
    found = {1_000: results.figures(measurement())}
    assert {goal.size for goal in goals.judge(found)} == {1_000}
    assert any("5,000" in words for words in goals.missing(found))


def test_figures_come_from_the_parts_they_are_named_after() -> None:
    found = results.figures(measurement())
    assert found["cpu_ratio_lean_job"] == pytest.approx(40 / 5)
    assert found["cpu_ratio_lean_dbt"] == pytest.approx(20 / 4)
    assert found["cpu_ratio_full_job"] == pytest.approx(60 / 6)
    assert found["cpu_ratio_dbt_processes_only"] == pytest.approx(20 / 3)
    assert found["cpu_ratio_lean_job_cold"] == pytest.approx(40 / 34)
    assert found["cpu_ratio_lean_job_pip_cached"] == pytest.approx(30 / 5)
    assert found["own_scripts_cpu_seconds"] == pytest.approx(1)
    assert found["nothing_to_do_seconds"] == pytest.approx(2)


def test_the_json_has_the_named_ratios_in_each_size() -> None:
    sizes = [measurement(100), measurement(1_000)]
    told = json.loads(json.dumps(results.as_json(sizes, **ABOUT)))  # type: ignore[arg-type]
    assert set(told) == {"date", "machine", "versions", "goals", "sizes"}
    for size in ("100", "1000"):
        assert {"cpu_ratio_lean_job", "cpu_ratio_lean_dbt", "cpu_ratio_full_job"} <= set(
            told["sizes"][size]
        )
        assert told["sizes"][size]["peak_bytes"]["ours-first"] == 10**8


def page(*sizes: Measurement) -> str:
    return results.as_markdown(sizes, **ABOUT)  # type: ignore[arg-type]


def test_every_table_of_the_page_has_one_width() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", page(measurement()), re.MULTILINE):
        lines = table.splitlines()
        assert re.fullmatch(r"\|( -+:? \|| \| \|)+", lines[1]), lines[1]
        assert {line.count("|") for line in lines} == {lines[0].count("|")}, table


def test_the_page_says_what_was_reached_and_what_was_not() -> None:
    text = page(measurement(1_000, build=3))
    assert "| 1,000 | 5.5 | 8.00 | reached, 45 % better |" in text
    assert "| 1,000 | 12 | 10.00 | **not reached**, 17 % worse |" in text
    assert "parser.py:1 parse" in text


def test_the_page_has_no_profile_where_all_is_reached() -> None:
    one = measurement(1_000, build=0.5)
    assert all(goal.reached for goal in goals.judge({1_000: results.figures(one)}))
    assert "parser.py:1 parse" not in page(one)


def test_what_was_left_out_is_said() -> None:
    one = results.measurement(5_000, [run("recipe-lean", {"dbt build": 1})], 1, ("recipe-full",))
    assert "Not run at 5,000 models" in page(one)
    assert "full recipe." in page(one)


def drawn(**bars: dict[str, float] | None) -> ET.Element:
    note = "9.0 times less, 5.0 without installing"
    group = [Bar(label=label, parts=parts, note=note) for label, parts in bars.items()]
    return ET.fromstring(chart.draw({"100 models": group}, "A title", "Below"))


def places(svg: ET.Element) -> list[tuple[ET.Element, list[ET.Element]]]:
    """The value beside each bar, and the bar's rectangles."""
    bars = [r for r in svg.iter(f"{SVG}rect") if r.get("height") == str(chart.BAR)]
    found = []
    for text in svg.iter(f"{SVG}text"):
        if re.match(r"[\d.,]+ s$", text.text or ""):
            y = float(text.get("y", 0))
            found.append((text, [r for r in bars if 0 < y - float(r.get("y", 0)) < chart.ROW]))
    return found


def end(rectangle: ET.Element) -> float:
    return float(rectangle.get("x", 0)) + float(rectangle.get("width", 0))


def test_a_value_stands_right_of_its_bar_however_small() -> None:
    svg = drawn(
        long={"installing": 300, "dbt": 500, "rest": 2},
        tiny={"installing": 0.001, "dbt": 0.02, "rest": 0.001},
    )
    found = places(svg)
    assert len(found) == 2
    for text, bars in found:
        x = float(text.get("x", 0))
        assert bars
        assert x >= max(end(bar) for bar in bars) + chart.BESIDE - 0.05
        # 8 points a letter are more than any of the fonts takes.
        words = "".join(text.itertext())
        assert x + 8 * len(words) <= chart.WIDTH


def test_labels_end_left_of_the_bars() -> None:
    svg = drawn(**{label: {"dbt": 1.0} for label in results.SHOWN.values()})
    for text in svg.iter(f"{SVG}text"):
        if text.get("text-anchor") == "end":
            assert float(text.get("x", 0)) < chart.MARGIN + chart.LABELS
            assert 7.5 * len(text.text or "") < chart.MARGIN + chart.LABELS


def test_parts_lie_side_by_side_and_are_drawn_to_scale() -> None:
    _, bars = places(drawn(one={"installing": 1, "dbt": 2, "rest": 1}))[0]
    widths = [float(bar.get("width", 0)) for bar in bars]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.02)
    assert end(bars[0]) == pytest.approx(float(bars[1].get("x", 0)), abs=0.02)


def test_a_job_that_was_not_run_has_no_bar() -> None:
    svg = drawn(run={"dbt": 1.0}, left=None)
    assert "not measured" in [text.text for text in svg.iter(f"{SVG}text")]
    assert len(places(svg)) == 1


def test_what_is_special_in_xml_stays_text() -> None:
    text = chart.draw({"<100> & more": [Bar(label="a<b", parts={"dbt": 1})]}, 'A "title" & so', "<")
    svg = ET.fromstring(text)
    words = [one.text for one in svg.iter(f"{SVG}text")]
    assert "<100> & more" in words
    assert svg.get("aria-label") == 'A "title" & so'


def test_the_plot_knows_both_themes() -> None:
    text = results.as_svg([measurement(100)], {"dbt-core": "1", "python": "3"}, "today")
    assert "prefers-color-scheme: dark" in text
    assert "8.0 times less, 5.0 without installing" in text
    assert "ours, nothing cached" in text
    assert 'class="ground"' in text


@pytest.mark.parametrize(
    ("value", "words"), [(0.244, "0.24 s"), (8.34, "8.3 s"), (218.4, "218 s"), (1234.0, "1,234 s")]
)
def test_seconds_are_rounded_as_people_read_them(value: float, words: str) -> None:
    assert chart.seconds(value) == words


def test_the_stages_that_install_are_steps_of_either_side() -> None:
    steps = set()
    for path in ("action.yml", "tests/benchmarks/recipe/action.yml"):
        action = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
        steps |= {step.get("name") for step in action["runs"]["steps"]}
    assert set(runs.INSTALLING) - {measured.RESTORE, measured.SAVE} <= steps

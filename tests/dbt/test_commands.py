"""The dbt command lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.context.work_files import Selection
from dbtdeploy.dbt import commands

STATE = Path("/w/state")


def test_build_defers_and_favours_state() -> None:
    line = commands.building(Selection(select="state:modified+"), STATE, threads=4, extra=())
    assert line == [
        *("build", "--select", "state:modified+", "--state", "/w/state"),
        *("--defer", "--favor-state", "--threads", "4"),
    ]


@pytest.mark.fault(14)
def test_without_state_everything_is_built() -> None:
    line = commands.building(Selection(select="state:modified+"), None, threads=None, extra=())
    assert line == ["build"]


@pytest.mark.fault(14)
def test_without_state_nothing_is_excluded_by_it() -> None:
    selection = Selection(select="tag:daily", exclude="state:old")
    line = commands.building(selection, None, threads=None, extra=())
    assert line == ["build", "--select", "tag:daily"]


def test_without_state_a_selection_that_needs_none_stays() -> None:
    selection = Selection(select="tag:daily", exclude="slow")
    line = commands.building(selection, None, threads=None, extra=())
    assert line == ["build", "--select", "tag:daily", "--exclude", "slow"]


def test_a_selector_stands_alone() -> None:
    line = commands.building(Selection(selector="slim"), STATE, threads=None, extra=())
    assert "--select" not in line
    assert line[:3] == ["build", "--selector", "slim"]


@pytest.mark.fault(14)
def test_without_state_a_selector_that_may_need_it_is_dropped() -> None:
    needy = Selection(selector="slim", selectors_need_state=True)
    assert commands.building(needy, None, threads=None, extra=()) == ["build"]
    assert "--selector" in commands.building(needy, STATE, threads=None, extra=())
    plain = Selection(selector="daily")
    assert "--selector" in commands.building(plain, None, threads=None, extra=())


def test_listing_gets_the_arguments_that_select_and_no_others() -> None:
    extra = ("--fail-fast", "--exclude-resource-type", "unit_test", "test", "--no-color", "x")
    line = commands.listing(Selection(select="a"), STATE, extra)
    assert line[: line.index("--output")] == [
        *(*commands.READ_BY_US, "ls", "--select", "a", "--state", "/w/state"),
        *("--exclude-resource-type", "unit_test", "test"),
    ]


def test_listing_keeps_arguments_written_with_an_equals_sign() -> None:
    line = commands.listing(Selection(select="a"), None, ("--indirect-selection=cautious",))
    assert "--indirect-selection=cautious" in line


@pytest.mark.parametrize(
    ("selection", "reads"),
    [
        (Selection(select="state:modified+"), False),
        (Selection(select="state:modified+ result:error+"), True),
        (Selection(select="a", exclude="source_status:fresher+"), True),
        (Selection(selector="slim", selectors_need_state=True), True),
        (Selection(selector="daily"), False),
        (Selection(select="selector:slim", selectors_need_state=True), True),
        (Selection(select="a", selectors_need_state=True), False),
        # The one that selectors.yml names as the default.
        (Selection(selectors_need_state=True), True),
        (Selection(), False),
    ],
)
def test_which_selections_may_read_production_s_results(selection: Selection, reads: bool) -> None:
    assert commands.reads_results(selection) is reads


@pytest.mark.parametrize(
    ("extra", "variables", "stored"),
    [
        ((), {}, False),
        (("--store-failures",), {}, True),
        ((), {"DBT_STORE_FAILURES": "True"}, True),
        ((), {"DBT_STORE_FAILURES": "1", "DBT_ENGINE_STORE_FAILURES": "0"}, False),
    ],
)
def test_who_may_say_that_tests_store_failures(
    extra: tuple[str, ...], variables: dict[str, str], stored: bool
) -> None:
    assert commands.stores_failures(extra, variables) is stored


def test_production_defers_to_nothing_and_without_a_selection_is_built_whole() -> None:
    line = commands.building(Selection(), STATE, threads=None, extra=("--fail-fast",), defers=False)
    assert line == ["build", "--state", "/w/state", "--no-defer", "--fail-fast"]


def test_beside_production_what_stands_there_already_is_read() -> None:
    line = commands.building_again(
        Selection(), Path("/w/again"), threads=None, extra=(), defer_to=Path("/w/production")
    )
    assert line[5:9] == ["--defer", "--defer-state", "/w/production", "--no-favor-state"]


def test_what_is_built_again_is_what_failed_and_no_more() -> None:
    extra = ("--fail-fast", "--exclude-resource-type", "unit_test", "--indirect-selection=eager")
    selection = Selection(select="a+", exclude="b", full_refresh=True)
    line = commands.building_again(selection, Path("/w/again"), threads=2, extra=extra)
    assert line == [
        *("build", "--select", "result:error", "--state", "/w/again", "--no-defer"),
        *("--full-refresh", "--threads", "2", "--fail-fast", "--indirect-selection", "empty"),
    ]

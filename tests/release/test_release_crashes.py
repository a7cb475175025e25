"""A release killed at every point where it may be, then the next run: old whole, or new whole."""

from __future__ import annotations

import signal
from datetime import datetime, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.admin import status_release
from dbtdeploy.base import errors
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.deploy_files import Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Released
from dbtdeploy.store import environment_settings
from standins.jobs import deploys, going_live, runs
from standins.jobs.deploys import Environment
from standins.jobs.going_live import NEW, OLD, Killed, Place, Refused
from standins.selection import more, some_of
from standins.warehouse import swaps
from standins.warehouse.swaps import Warehouse

UNTOUCHED = ("release-recorded", "release-staged", "release-checked")
"""Points before the swap; the first steps of a release leave the same files behind at these."""

PREPARED = ("before-objects", "before-index", "release-version", "release-prepared")

LIVE = (
    *("swap-done", "live-checked", "before-release-pointer", "release-claimed"),
    *("after-release-pointer", "between-latest", "before-forgotten"),
)


@pytest.fixture
def place(warehouse: Warehouse, tmp_path: Path) -> Place:
    (tmp_path / "store").mkdir()
    return going_live.make(Environment(location=str(tmp_path / "store"), temp=tmp_path), warehouse)


def test_a_release_from_the_lease_to_its_end(place: Place) -> None:
    assert place.warehouse.amounts() == OLD
    place.release(2, "v1.4.0")
    assert place.live == "new"
    # Once more: nothing changes, and nothing is red.
    before = place.warehouse.fingerprint(), place.store.pointer().version
    place.release(2, "v1.4.0")
    assert (place.warehouse.fingerprint(), place.store.pointer().version) == before


@pytest.mark.fault(27, 7, 8)
@pytest.mark.parametrize(
    "point", some_of([*UNTOUCHED, *PREPARED, *LIVE], "release-prepared", "swap-done")
)
def test_killed_and_run_again_with_the_same_tag(place: Place, point: str) -> None:
    with pytest.raises(Killed):
        place.release(2, "v1.4.0", crash_at=point)
    assert place.warehouse.amounts() == (NEW if point in LIVE else OLD)
    work = place.release(2, "v1.4.0")
    assert place.live == "new"
    told = hand_over.read(work, Released)
    assert (told.resumed == "undone") == (point not in LIVE)
    tags = place.warehouse.admin.rows("select tag, state from dbt_deploy.releases")
    assert tags == [("v1.4.0", "live")]


FAILED_TEST = "its build in staging failed"


def ended_by_itself(place: Place, *, closed: bool) -> None:
    """A release that a test in staging, or a gate, ends before the swap."""
    work = place.begin(2, "v1.4.0")
    with pytest.raises(Killed):
        place.stage(work, 2, "v1.4.0", until="release-checked")
    if closed:
        failure = errors.GateClosed("rows fell", not_done="No swap.", remedy="Look.")
        hand_over.write(work, work_files.Failure.of(failure, phase=Phase.GATES))
    else:
        hand_over.write(work, replace(deploys.BUILD, exit_code=1))
    place.good("deploy/release_lease", work)


@pytest.mark.fault(119)
@pytest.mark.parametrize("closed", [True, False])
def test_what_ended_by_itself_is_not_said_to_have_been_stopped(place: Place, closed: bool) -> None:
    ended_by_itself(place, closed=closed)
    why = errors.GateClosed.title if closed else FAILED_TEST
    now = datetime.now(timezone.utc)
    found = status_release.read(place.store.open(), None, None)
    (row,) = status_release.rows(found, now)
    assert row[:2] == (
        "Staging",
        f"of v1.4.0, which did not go live ({why}); the next run drops it",
    )
    said = place.scheduled().out
    assert f"The release of v1.4.0 did not go live ({why})." in said
    assert "was stopped" not in said
    assert "unfinished" not in said
    assert place.live == "old"


@pytest.mark.fault(119)
def test_the_same_tag_again_is_not_told_of_a_killed_run(place: Place) -> None:
    ended_by_itself(place, closed=False)
    work = place.release(2, "v1.4.0")
    assert place.live == "new"
    assert hand_over.read(work, Released).resumed == ""


@pytest.mark.fault(119)
def test_a_run_that_was_cancelled_is_said_to_have_been_stopped(place: Place) -> None:
    work = place.begin(2, "v1.4.0")
    with pytest.raises(Killed):
        place.stage(work, 2, "v1.4.0", until="release-checked")
    cancelled = errors.Cancelled("It was.", not_done="No swap.", remedy="Run it again.")
    hand_over.write(work, work_files.Failure.of(cancelled, phase=Phase.BUILD))
    place.good("deploy/release_lease", work)
    assert "A run was stopped while it released v1.4.0" in place.scheduled().out


@pytest.mark.fault(27)
@pytest.mark.parametrize(
    "point",
    some_of(
        ["release-recorded", "release-checked", "release-prepared", *LIVE],
        "release-prepared",
        "after-release-pointer",
    ),
)
def test_killed_and_followed_by_a_scheduled_deploy(place: Place, point: str) -> None:
    with pytest.raises(Killed):
        place.release(2, "v1.4.0", crash_at=point)
    ended = place.scheduled()
    assert place.live == ("new" if point in LIVE else "old")
    # What it has checked out is the old commit, unless the pointer had moved already.
    moved = LIVE[LIVE.index("after-release-pointer") :]
    late = point in LIVE and point not in moved
    assert ended.code == (errors.WrongCommit.exit_code if late else 0), ended.out


@pytest.mark.fault(27, 8)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        more("release-prepared", "settle-asked"),
        ("release-prepared", "before-undone"),
        more("swap-done", "settle-asked"),
        ("swap-done", "release-claimed"),
        more("swap-done", "before-forgotten"),
    ],
)
def test_the_run_that_settles_is_killed_too(place: Place, first: str, second: str) -> None:
    with pytest.raises(Killed):
        place.release(2, "v1.4.0", crash_at=first)
    with pytest.raises(Killed):
        place.scheduled(crash_at=second)
    place.scheduled()
    assert place.live == ("new" if first in LIVE else "old")


@pytest.mark.fault(78)
def test_what_fails_once_the_version_is_current_leaves_word_that_it_is(place: Place) -> None:
    work = place.begin(2, "v1.4.0")
    place.stage(work, 2, "v1.4.0")
    with pytest.raises(Killed):
        place.good("release/swap_release", work, crash_at="between-latest")
    current = place.store.pointer().version
    assert hand_over.read(work, Released).version == current
    assert hand_over.read(work, Publication).version == current


# A release that is taken back -------------------------------------------------------------------


def smoke(place: Place, sql: str) -> Release:
    folder = place.store.temp / "smoke"
    folder.mkdir(exist_ok=True)
    (folder / "orders.sql").write_text(sql)
    return runs.release(smoke_target="reader", smoke_queries=str(folder))


@pytest.mark.fault(27)
@pytest.mark.parametrize(
    "point", some_of(["", "before-take-back", "taken-back", "before-undone"], "", "taken-back")
)
def test_a_failed_smoke_query_takes_it_back_and_so_does_the_next_run(
    place: Place, point: str
) -> None:
    before = place.store.pointer().version
    place.policy = smoke(place, "select amonut from {{ ref('orders') }}")
    if point:
        with pytest.raises(Killed):
            place.release(2, "v1.4.0", crash_at=point)
    with pytest.raises(Refused) as caught:
        place.release(2, "v1.4.0")
    failure = caught.value.ended.failure
    assert failure.kind == errors.TakenBack.__name__
    assert "orders.sql" in failure.what
    assert "amonut" in failure.what
    assert place.live == "old"
    assert place.store.pointer().version == before
    assert list(place.versions()) == [before]
    # What was released keeps its history.
    states = place.warehouse.admin.rows("select state from dbt_deploy.releases order by 1")
    assert {state for (state,) in states} == {"taken back"}

    place.policy = smoke(place, "select amount from {{ ref('orders') }}")
    place.release(2, "v1.4.0")
    assert place.live == "new"


def test_a_hold_that_is_set_while_it_is_built_keeps_it_from_going_live(place: Place) -> None:
    work = place.begin(2, "v1.4.0")
    place.stage(work, 2, "v1.4.0")
    hold = environment_settings.Hold(
        reason="half the rows", by="mona", since="2026-11-21T06:00:00Z"
    )
    environment_settings.change(place.store.open(), lambda there: replace(there, hold=hold))
    with pytest.raises(Refused) as caught:
        place.good("release/swap_release", work)
    failure = caught.value.ended.failure
    assert failure.kind == errors.OnHold.__name__
    assert "half the rows" in failure.what
    assert place.warehouse.amounts() == OLD
    place.good("deploy/release_lease", work)

    environment_settings.change(place.store.open(), lambda there: replace(there, hold=None))
    place.release(2, "v1.4.0")
    assert place.live == "new"


@pytest.mark.fault(4, 27)
def test_a_dbt_that_outlives_its_killed_script_swaps_nothing(place: Place) -> None:
    """As after kill -9: the child tries on for the locks, and another run settles meanwhile."""
    work = place.begin(2, "v1.4.0")
    place.stage(work, 2, "v1.4.0")
    with swaps.reading(place.warehouse.reader, "analytics.orders"):
        with place.store.started("release/swap_release", work) as script:
            swaps.until_waited_for(place.warehouse.admin)
            script.send_signal(signal.SIGKILL)
            script.wait(60)
        place.good("deploy/release_lease", work)
        assert place.scheduled().code == 0
    assert place.live == "old"
    place.wait_for_dbt()
    assert place.live == "old"

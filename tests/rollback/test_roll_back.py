"""plan_rollback.py and roll_back.py as the action runs them: the store's part, on both stores.

The warehouse is a stand-in that keeps whether the release is live; what its macros do is tested on
PostgreSQL in tests/warehouse/ and in test_roll_back_warehouse.py.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.admin import status
from dbtdeploy.base import errors
from dbtdeploy.store import environment_settings, failed_nodes, in_flight
from dbtdeploy.store.environment_settings import Hold
from standins.dbt import quick_dbt
from standins.jobs import deploys, rollbacks
from standins.jobs.deploys import NAMES, Ended, Environment, commit_of
from standins.jobs.rollbacks import Place, done, node, planned
from standins.selection import some_of
from standins.store import leases, s3


def in_folder(temp: Path) -> Place:
    (temp / "store").mkdir()
    return rollbacks.make(Environment(location=str(temp / "store"), temp=temp))


@pytest.fixture
def folder(tmp_path: Path) -> Place:
    return in_folder(tmp_path)


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return in_folder(tmp_path)
    server: s3.Store = request.getfixturevalue("s3_open")
    location = f"s3://{server.create_bucket()}/prod"
    return rollbacks.make(Environment(location=location, temp=tmp_path, variables=server.environ))


def released(place: Place) -> list[str]:
    """A deploy, v1.3.0, a build of it, v1.4.0, two builds of it. Gives their versions."""
    made = [
        place.deploy(1),
        place.release(2, "v1.3.0", node("a")),
        place.deploy(3, tag="v1.3.0", commit=commit_of(2)),
        place.release(4, "v1.4.0", node("a"), node("b", "leave")),
        place.deploy(5, tag="v1.4.0", commit=commit_of(4)),
        place.deploy(6, tag="v1.4.0", commit=commit_of(4)),
    ]
    return [index.version for index in made]


def is_whole_at(place: Place, version: str, number: int) -> None:
    """Pointer, artifacts, plain copies and documentation are those of one version."""
    assert place.store.pointer().version == version
    assert place.store.current(place.store.temp / "seen") == dict.fromkeys(NAMES, number)
    assert place.store.latest() == dict.fromkeys(NAMES, number)
    assert place.store.docs() == number
    assert in_flight.read(place.store.open()) is None


def test_a_rollback_of_the_newest_release(place: Place) -> None:
    versions = released(place)
    work = place.begin(reason="Totals are doubled")
    ended = place.plan(work)
    assert ended.code == 0, ended.out
    assert ended.outputs == {"proceed": "true"}
    assert place.live == "live"
    is_whole_at(place, versions[5], 6)
    for said in (
        "v1.4.0",
        "v1.3.0",
        versions[2],
        '"analytics"."a"',
        "Restored at once: 1 relation",
    ):
        assert said in ended.summary, ended.summary
    assert "Left as it is: 1 table" in ended.summary
    assert "which a release changes in place" in ended.summary
    assert 'restored at once: "analytics"."a"' in ended.out
    assert 'left as it is: "analytics"."b"' in ended.out
    assert "cannot be brought back" in ended.out

    ended = place.back(work)
    assert ended.code == 0, ended.out
    assert ended.outputs == {"rolled-back": "true", "version": versions[2]}
    assert place.live == "taken back"
    is_whole_at(place, versions[2], 3)
    assert place.store.pointer().history[:2] == (versions[5], versions[4])
    hold = place.hold
    assert hold is not None
    expected = f"rolled back from v1.4.0 to v1.3.0 ({versions[2]}): Totals are doubled"
    assert hold.reason == expected
    assert (hold.by, hold.run_url) == ("octocat", "https://github.com/acme/shop/actions/runs/101")
    assert "rolled back to `v1.3.0`" in ended.summary
    assert "lift-hold" in ended.summary
    summed = place.sum_up(work)
    assert (summed.outputs, summed.summary) == ({"status": "passed"}, "")
    record = done(ended)
    assert [one.tag for one in record.plan.releases] == ["v1.4.0"]
    assert (record.plan.to_tag, record.plan.to_commit) == ("v1.3.0", commit_of(2))
    assert (record.by, record.seconds, record.reason) == ("octocat", 0.04, "Totals are doubled")
    (_, call) = quick_dbt.calls(place.warehouse)
    assert [one["tag"] for one in call["records"]] == ["v1.4.0"]
    assert call["restore_incremental"] is False

    # After the hold is lifted, a scheduled build checks out what is live now.
    environment_settings.change(place.store.open(), lambda there: replace(there, driver="release"))
    assert status.read(place.store.open()).ref("main") == commit_of(2)


def test_two_releases_back_in_one_transaction(folder: Place) -> None:
    versions = released(folder)
    ended = folder.roll_back(version=versions[0])
    assert ended.code == 0, ended.out
    is_whole_at(folder, versions[0], 1)
    assert (
        "from v1.4.0, v1.3.0 to version" in (folder.hold or Hold(reason="", by="", since="")).reason
    )
    calls = quick_dbt.calls(folder.warehouse)
    assert [call["dry_run"] for call in calls] == [True, False]
    assert [one["tag"] for one in calls[1]["records"]] == ["v1.4.0", "v1.3.0"]


def test_a_dry_run_changes_nothing(folder: Place) -> None:
    versions = released(folder)
    before = {e.key: e.size for e in folder.store.open().list("") if e.key != "lease.json"}
    ended = folder.roll_back(dry_run=True)
    assert ended.code == 0, ended.out
    assert ended.outputs == {"proceed": "false"}
    assert "This was a dry run" in ended.summary
    assert planned(ended).restored == ('"analytics"."a"',)
    summed = folder.sum_up(ended.work)
    assert (summed.outputs, summed.summary) == ({"status": "nothing"}, "")
    (call,) = quick_dbt.calls(folder.warehouse)
    assert call["dry_run"] is True
    after = {e.key: e.size for e in folder.store.open().list("") if e.key != "lease.json"}
    assert {k: v for k, v in after.items() if k != "current.json"} == {
        k: v for k, v in before.items() if k != "current.json"
    }
    is_whole_at(folder, versions[5], 6)
    assert folder.hold is None


def test_incremental_tables_go_back_where_asked(folder: Place) -> None:
    released(folder)
    ended = folder.roll_back(restore_incremental=True)
    assert ended.code == 0, ended.out
    assert quick_dbt.calls(folder.warehouse)[1]["restore_incremental"] is True


@pytest.mark.fault(36)
@pytest.mark.parametrize("asked", [None, "v1.3.0"])
def test_rolled_back_twice(folder: Place, asked: str | None) -> None:
    place, versions = folder, released(folder)
    assert place.roll_back(version=asked).code == 0
    hold, pointer = place.hold, place.store.pointer()
    calls = len(quick_dbt.calls(place.warehouse))
    ended = place.roll_back(version=asked)
    assert ended.code == 0, ended.out
    assert ended.outputs == {"proceed": "false"}
    assert "nothing to roll back" in ended.summary
    assert "Nothing to roll back" in ended.out
    assert place.hold == hold
    assert replace(place.store.pointer(), fence="") == replace(pointer, fence="")
    assert len(quick_dbt.calls(place.warehouse)) == calls
    is_whole_at(place, versions[2], 3)


@pytest.mark.fault(36)
def test_to_the_current_one(folder: Place) -> None:
    versions = released(folder)
    for asked in ("v1.4.0", versions[5]):
        ended = folder.roll_back(version=asked)
        assert ended.code == 0, ended.out
        assert f"{asked} is live already" in ended.out
    assert folder.hold is None
    is_whole_at(folder, versions[5], 6)


def refused(place: Place, ended: Ended, kind: type[errors.DbtDeployError]) -> str:
    """It failed so, and nothing changed."""
    assert ended.code == kind.exit_code, ended.out
    assert "Nothing was changed, neither in the warehouse nor in the store." in ended.out
    assert ended.outputs == {}
    assert place.live == "live"
    assert place.hold is None
    assert in_flight.read(place.store.open()) is None
    summed = place.sum_up(ended.work)
    assert summed.outputs == {"status": "error"}
    assert "production: the rollback did not go through" in summed.summary
    assert kind.title in summed.summary
    return ended.failure.what + "\n" + ended.failure.remedy


def test_a_rollback_that_was_cancelled_says_so(folder: Place) -> None:
    released(folder)
    work = folder.begin()
    summed = folder.sum_up(work, DBT_DEPLOY_JOB_STATUS="cancelled")
    assert summed.outputs == {"status": "cancelled"}
    assert "production: the rollback was cancelled" in summed.summary


def test_what_the_warehouse_says_of_a_refused_rollback_stays_text(folder: Place) -> None:
    released(folder)
    folder.answer(swapped={"outcome": "changed", "detail": ["``` <img src=x> @team"]})
    ended = folder.roll_back()
    assert ended.code == errors.ProductionChanged.exit_code, ended.out
    summary = folder.sum_up(ended.work).summary
    assert "Production is not as v1.4.0 left it:" in summary
    assert "- ```` ``` <img src=x> @team ````" in summary


@pytest.mark.fault(36)
def test_to_what_was_cleaned_up(folder: Place) -> None:
    versions = released(folder)
    gone = '"analytics__kept_20261121t002000"."a"'
    folder.answer(missing=[gone], swapped={"outcome": "changed", "detail": ["gone"]})
    said = refused(folder, folder.roll_back(version=versions[0]), errors.RollbackRefused)
    assert gone in said
    assert "`keep-hours`" in said
    # v1.4.0's own kept relations are there.
    assert f"- v1.3.0 ({versions[2]})" in said
    assert versions[0] not in said.split("What can be gone back to")[1]


@pytest.mark.fault(36)
def test_to_what_was_pruned_or_never_was(folder: Place) -> None:
    versions = released(folder)
    said = refused(folder, folder.roll_back(version="v9"), errors.RollbackRefused)
    assert f"- v1.3.0 ({versions[2]})" in said
    for entry in list(folder.store.open().list(f"versions/{versions[2]}/")):
        folder.store.open().delete(entry.key)
    said = refused(folder, folder.roll_back(), errors.RollbackRefused)
    assert "was pruned" in said


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        pytest.param("busy", errors.SwapTimeout, marks=pytest.mark.fault(32)),
        pytest.param("changed", errors.ProductionChanged, marks=pytest.mark.fault(35)),
        pytest.param("unfit", errors.ConsumerDoesNotFit, marks=pytest.mark.fault(30)),
        pytest.param("failed", errors.SwapFailed, marks=pytest.mark.fault(27)),
    ],
)
def test_what_the_warehouse_refuses(
    folder: Place, outcome: str, kind: type[errors.DbtDeployError]
) -> None:
    versions = released(folder)
    work = folder.begin()
    assert folder.plan(work).code == 0
    folder.answer(swapped={"outcome": outcome, "detail": ["column amount is text"]})
    said = refused(folder, folder.back(work), kind)
    assert "column amount is text" in said
    is_whole_at(folder, versions[5], 6)


@pytest.mark.fault(4)
def test_another_run_took_over_meanwhile(folder: Place) -> None:
    versions = released(folder)
    work = folder.begin()
    assert folder.plan(work).code == 0
    leases.expire(folder.store)
    other = folder.begin()
    ended = folder.back(work)
    assert ended.code == errors.LeaseLost.exit_code, ended.out
    assert folder.live == "live"
    is_whole_at(folder, versions[5], 6)
    assert folder.plan(other).code == 0
    assert folder.back(other).code == 0
    is_whole_at(folder, versions[2], 3)


def test_builds_and_releases_go_on_after_a_rollback(folder: Place) -> None:
    """Rollback-then-build: what is built next follows what was gone back to."""
    versions = released(folder)
    assert folder.roll_back().code == 0
    built = folder.deploy(7, commit=commit_of(2), tag="v1.3.0")
    assert built.previous == versions[2]
    folder.release(8, "v1.4.1", node("a"))
    folder.deploy(9, tag="v1.4.1", commit=commit_of(8))
    ended = folder.roll_back()
    assert ended.code == 0, ended.out
    assert [one.tag for one in done(ended).plan.releases] == ["v1.4.1"]
    is_whole_at(folder, built.version, 7)


# Killed ------------------------------------------------------------------------------------------

BEFORE = ("rollback-recorded", "dbt before")
AFTER = (
    "dbt after",
    "rollback-taken-back",
    "rollback-held",
    "rollback-noted",
    "rollback-pointer",
    "between-latest",
    "rollback-copied",
)


@pytest.mark.fault(27, 8)
@pytest.mark.parametrize("point", some_of([*BEFORE, *AFTER], "dbt before", "rollback-taken-back"))
def test_killed_anywhere_the_next_run_ends_right(folder: Place, point: str) -> None:
    place, versions = folder, released(folder)
    work = place.begin(reason="bad")
    assert place.plan(work).code == 0
    if point.startswith("dbt "):
        (place.warehouse / "kill").write_text(point.removeprefix("dbt "))
        killed = place.back(work)
        (place.warehouse / "kill").unlink()
    else:
        killed = place.back(work, crash_at=point)
    assert killed.code == -signal.SIGKILL, killed.out
    happened = point in AFTER
    assert in_flight.read(place.store.open()) is not None

    leases.expire(place.store)
    nonce = deploys.take(place.store.open(), "deploy of something")
    said = place.settle(nonce)
    assert ("is current" in said) == happened, said
    if happened:
        assert place.live == "taken back"
        is_whole_at(place, versions[2], 3)
        assert place.hold is not None
        assert place.hold.reason.startswith("rolled back from v1.4.0 to v1.3.0")
        assert place.hold.by == "octocat"
    else:
        assert place.live == "live"
        is_whole_at(place, versions[5], 6)
        assert place.hold is None
    assert place.settle(nonce) == ""


@pytest.mark.fault(27)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_lost_while_the_warehouse_works(folder: Place, when: str) -> None:
    """Nobody knows yet whether it happened: the run is red, and the next one finds out."""
    versions = released(folder)
    work = folder.begin()
    assert folder.plan(work).code == 0
    (folder.warehouse / "kill").write_text(f"fail {when}")
    ended = folder.back(work)
    assert ended.code == errors.ReleaseStepFailed.exit_code, ended.out
    assert "server closed the connection" in ended.failure.what
    assert "the next run asks the warehouse" in ended.failure.not_done
    assert in_flight.read(folder.store.open()) is not None
    (folder.warehouse / "kill").unlink()
    folder.end(work)
    ended = folder.roll_back()
    assert ended.code == 0, ended.out
    done_before = {"proceed": "false"}
    done_now = {"rolled-back": "true", "version": versions[2]}
    assert ended.outputs == (done_before if when == "after" else done_now)
    is_whole_at(folder, versions[2], 3)
    assert folder.hold is not None


@pytest.mark.fault(27)
@pytest.mark.parametrize("point", some_of([BEFORE[0], AFTER[1], AFTER[4]], AFTER[4]))
def test_killed_and_run_again(folder: Place, point: str) -> None:
    """The same rollback once more: it goes on, or finds that it is done."""
    versions = released(folder)
    work = folder.begin()
    assert folder.plan(work).code == 0
    assert folder.back(work, crash_at=point).code == -signal.SIGKILL
    leases.expire(folder.store)
    ended = folder.roll_back()
    assert ended.code == 0, ended.out
    is_whole_at(folder, versions[2], 3)
    assert folder.hold is not None
    assert folder.live == "taken back"


# Holds, and what has to be built again -------------------------------------------------------


def test_an_earlier_hold_is_not_forgotten(folder: Place) -> None:
    released(folder)
    earlier = Hold(reason="Finance closes the quarter", by="mona", since="2026-11-20T06:00:00Z")
    environment_settings.change(folder.store.open(), lambda there: replace(there, hold=earlier))
    ended = folder.roll_back()
    assert ended.code == 0, ended.out
    assert folder.hold is not None
    assert folder.hold.reason.startswith("rolled back from v1.4.0 to v1.3.0")
    assert "by mona: Finance closes the quarter" in folder.hold.reason


def test_nodes_built_in_place_are_built_again_by_the_next_deploy(folder: Place) -> None:
    folder.deploy(1)
    folder.release(2, "v1.4.0", node("a"), direct=("b",))
    ended = folder.roll_back()
    assert ended.code == 0, ended.out
    assert done(ended).plan.rebuild == ("model.shop.b",)
    assert "1 node waits to be built again" in ended.summary
    assert failed_nodes.failed_since(folder.store.open()) == ("model.shop.b",)
    # Once a deploy has built it, nothing waits any more.
    folder.deploy(3)
    assert failed_nodes.failed_since(folder.store.open()) == ()


def test_what_stays_with_another_definition_is_built_again(folder: Place) -> None:
    folder.deploy(1)
    folder.release(2, "v1.4.0", node("a"), node("b", "leave"))
    assert folder.roll_back().code == 0
    assert failed_nodes.failed_since(folder.store.open()) == ("model.shop.b",)


def test_a_release_that_was_built_in_place_alone(folder: Place) -> None:
    """Nothing can be moved back: the pointer goes back, and everything waits to be built."""
    first = folder.deploy(1)
    folder.release(2, "v1.4.0", direct=("a", "b"))
    ended = folder.roll_back()
    assert ended.code == 0, ended.out
    assert quick_dbt.calls(folder.warehouse) == []
    is_whole_at(folder, first.version, 1)
    assert folder.hold is not None
    assert failed_nodes.failed_since(folder.store.open()) == ("model.shop.a", "model.shop.b")


@pytest.mark.fault(27)
def test_killed_in_a_rollback_of_what_was_built_in_place(folder: Place) -> None:
    first = folder.deploy(1)
    folder.release(2, "v1.4.0", direct=("a", "b"))
    work = folder.begin()
    assert folder.plan(work).code == 0
    assert folder.back(work, crash_at="rollback-recorded").code == -signal.SIGKILL
    leases.expire(folder.store)
    assert "is current" in folder.settle(deploys.take(folder.store.open(), "deploy"))
    is_whole_at(folder, first.version, 1)
    assert folder.hold is not None


def test_a_damaged_manifest_does_not_stop_a_rollback(folder: Place) -> None:
    versions = released(folder)
    key = f"versions/{versions[5]}/manifest.json.gz"
    folder.store.open().put(key, b"damaged")
    ended = folder.roll_back()
    assert ended.code == 0, ended.out
    is_whole_at(folder, versions[2], 3)


@pytest.mark.fault(9)
@pytest.mark.parametrize(
    ("number", "name"), [(3, "release.json"), (2, "manifest.json"), (2, "static_index.html")]
)
def test_a_damaged_target_is_found_before_anything_is_done(
    folder: Place, number: int, name: str
) -> None:
    versions = released(folder)
    folder.store.open().put(f"versions/{versions[number]}/{name}.gz", b"damaged")
    ended = folder.roll_back()
    assert ended.code == errors.StateCorrupt.exit_code, ended.out
    assert name in ended.failure.what
    assert in_flight.read(folder.store.open()) is None
    assert folder.live == "live"
    assert folder.store.pointer().version == versions[5]

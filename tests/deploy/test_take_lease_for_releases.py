"""take_lease.py for releases, rollbacks and clean-ups: who drives, holds, tags of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.release_files import Released
from dbtdeploy.store import environment_settings, in_flight
from dbtdeploy.store.environment_settings import Hold
from dbtdeploy.store.lease import lease
from dbtdeploy.store.publication import versions
from dbtdeploy.store.publication.move_pointer import move_pointer
from standins.jobs import deploys, runs
from standins.jobs.deploys import Ended, Environment, commit_of, publish_at_once

HOLD = Hold(reason="Finance closes the quarter", by="mona", since="2026-11-20T06:20:00+00:00")


@pytest.fixture
def place(tmp_path: Path) -> Environment:
    """Releases drive it."""
    (tmp_path / "store").mkdir()
    made = Environment(location=str(tmp_path / "store"), temp=tmp_path)
    decide(made, driver=environment_settings.RELEASE)
    return made


def decide(place: Environment, **changes: object) -> None:
    environment_settings.change(place.open(), lambda there: replace(there, **changes))


def take(place: Environment, number: int, tag: str | None = "v1.0.0", **over: object) -> Ended:
    """A release of a tag that names the commit of that number, or another command."""
    asked = {"policy": runs.release(tag) if tag else runs.deploy(), **over}
    run = replace(deploys.RUN, **asked)
    ended = place.script("deploy/take_lease", place.prepare(number, run=run))
    if ended.code == 0 and ended.outputs.get("proceed") == "true":
        assert place.script("deploy/release_lease", ended.work).code == 0
    return ended


def released(place: Environment, number: int, tag: str, **over: Any) -> versions.Index:
    return publish_at_once(place.open(), number, kind=versions.RELEASED, tag=tag, **over)


def refused(
    ended: Ended, kind: type[errors.DbtDeployError], place: Environment
) -> work_files.Failure:
    """It failed so, and holds nothing."""
    assert ended.code == kind.exit_code, ended.out
    assert ended.failure.not_done == "Nothing was built, nothing was published."
    seen = lease.read(place.open())
    assert seen is None or seen.lease.state == "free"
    return ended.failure


def test_a_release_where_merges_drive_is_refused(place: Environment) -> None:
    decide(place, driver=environment_settings.DEPLOY)
    failure = refused(take(place, 1), errors.WrongDriver, place)
    assert "`command: drive` with `driver: release`" in failure.remedy
    assert lease.read(place.open()) is None


def test_a_push_of_a_tag_is_due_where_releases_drive(place: Environment) -> None:
    ended = take(place, 1)
    assert ended.outputs == {"proceed": "true"}
    seen = lease.read(place.open())
    assert seen is not None
    assert seen.lease.purpose == "release of v1.0.0"


def test_a_hold_stops_a_release_and_no_rollback(place: Environment) -> None:
    decide(place, hold=HOLD)
    assert HOLD.reason in refused(take(place, 1), errors.OnHold, place).what
    for policy in (runs.rollback(), runs.clean_up()):
        assert take(place, 1, None, policy=policy).outputs == {"proceed": "true"}


@pytest.mark.fault(47)
def test_a_tag_that_was_moved_since_its_release_is_refused(place: Environment) -> None:
    index = released(place, 1, "v1.0.0")
    released(place, 2, "v1.1.0")
    failure = refused(take(place, 3), errors.TagRefused, place)
    assert "from commit 0000001, and names 0000003 now" in failure.what
    assert index.version in failure.what
    assert "tag of its own" in failure.remedy


@pytest.mark.fault(47)
def test_a_tag_that_was_moved_while_its_release_was_stopped_is_refused(place: Environment) -> None:
    in_flight.write(
        place.open(),
        in_flight.InFlight(
            what="release",
            release_id="20261121t060000",
            tag="v1.0.0",
            phase="swapping",
            environment="production",
            project="shop",
            commit=commit_of(1),
        ),
    )
    assert "began to be released" in refused(take(place, 2), errors.TagRefused, place).what
    assert take(place, 1).outputs == {"proceed": "true"}


def test_a_tag_that_is_live_has_nothing_to_do(place: Environment) -> None:
    index = released(place, 1, "v1.0.0")
    ended = take(place, 1)
    assert ended.outputs == {"proceed": "true", "released": "true"}
    told = hand_over.read(ended.work, Released)
    assert told == Released(version=index.version, resumed="nothing")
    assert "::notice title=v1.0.0 was released already::" in ended.out

    # A build of its commit is v1.0.0 still; a newer tag makes it the past, and no way back.
    publish_at_once(place.open(), 1, tag="v1.0.0")
    assert take(place, 1).outputs["released"] == "true"
    released(place, 2, "v1.1.0")
    ended = take(place, 1)
    assert ended.outputs["released"] == "true"
    assert "use a rollback" in ended.out


def test_a_tag_of_which_something_is_still_to_be_built_goes_on(place: Environment) -> None:
    released(place, 1, "v1.0.0", pending=("model.shop.a",))
    assert take(place, 1).outputs == {"proceed": "true"}


def test_a_tag_that_was_taken_back_may_come_again_and_not_moved(place: Environment) -> None:
    first = released(place, 1, "v1.0.0")
    second = released(place, 2, "v1.1.0")
    opened = place.open()
    nonce = deploys.take(opened, "rollback")
    move_pointer(
        opened,
        leaving=second.version,
        to=first.version,
        index_sha256=versions.sha256(versions.encode(first)),
        nonce=nonce,
        by="mona",
        at="2026-11-21T09:00:00+00:00",
    )
    lease.release(opened, nonce)
    assert take(place, 2, "v1.1.0").outputs == {"proceed": "true"}
    refused(take(place, 3, "v1.1.0"), errors.TagRefused, place)


def test_a_scheduled_deploy_leaves_the_commit_to_be_checked_once_all_is_settled(
    place: Environment,
) -> None:
    released(place, 1, "v1.0.0")
    scheduled = replace(deploys.RUN.event, name="schedule")
    refused(take(place, 2, None, event=scheduled), errors.WrongCommit, place)
    record = in_flight.InFlight(
        what="release",
        release_id="20261121t060000",
        tag="v1.1.0",
        phase="swapping",
        environment="production",
        project="shop",
    )
    in_flight.write(place.open(), record)
    assert take(place, 2, None, event=scheduled).outputs == {"proceed": "true"}

"""take_lease.py and release_lease.py as the action runs them, on a folder and on a bucket."""

from __future__ import annotations

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.deploy_files import HeldLease, NotNow
from dbtdeploy.store import conditional_write_check, environment_settings
from dbtdeploy.store.environment_settings import EnvironmentSettings as Decided
from dbtdeploy.store.environment_settings import Hold
from dbtdeploy.store.lease import lease
from dbtdeploy.store.publication import versions
from standins import entry
from standins.jobs import deploys, runs
from standins.jobs.deploys import Ended, Environment, commit_of, publish_at_once
from standins.store import leases, s3, wire
from standins.store.leases import record


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    if request.param == "s3":
        server: s3.Store = request.getfixturevalue("s3_open")
        location = f"s3://{server.create_bucket()}/prod"
        return Environment(location=location, temp=tmp_path, variables=server.environ)
    return in_folder(tmp_path)


def in_folder(tmp_path: Path) -> Environment:
    (tmp_path / "store").mkdir()
    return Environment(location=str(tmp_path / "store"), temp=tmp_path)


def run_of(*, event: str = "push", wait_minutes: int = 0) -> work_files.Run:
    return replace(
        deploys.RUN,
        event=replace(deploys.RUN.event, name=event),
        policy=runs.deploy(wait_minutes=wait_minutes),
    )


def take(place: Environment, number: int, *, event: str = "push", **variables: str) -> Ended:
    return place.script(
        "deploy/take_lease", place.prepare(number, run=run_of(event=event)), **variables
    )


def held(ended: Ended) -> HeldLease:
    return hand_over.read(ended.work, HeldLease)


def refused(ended: Ended, kind: type[errors.DbtDeployError]) -> work_files.Failure:
    """It failed so, said it, and holds nothing."""
    assert ended.code == kind.exit_code, ended.out
    assert f"::error title={kind.title}" in ended.out
    assert ended.outputs == {}
    assert not hand_over.is_there(ended.work, HeldLease)
    assert ended.failure.kind == kind.__name__
    assert ended.failure.not_done == "Nothing was built, nothing was published."
    return ended.failure


def is_free(place: Environment) -> bool:
    seen = lease.read(place.open())
    return seen is None or seen.lease.state == "free"


def test_the_first_deploy_of_an_empty_store(place: Environment) -> None:
    ended = take(place, 1)
    assert ended.code == 0, ended.out
    assert ended.outputs == {"proceed": "true"}
    mine = held(ended)
    assert mine.commit == commit_of(1)
    assert (mine.broken_in, mine.finished) == (None, None)
    there = record(place.open())
    assert there.nonce == mine.nonce
    assert (there.holder, there.purpose) == ("octocat", "deploy of 0000001")
    assert there.run_url == "https://github.com/acme/shop/actions/runs/1"
    pointer = place.pointer()
    assert (pointer.version, pointer.fence) == (None, mine.nonce)
    assert list(place.open().list(conditional_write_check.PROBE)) == []
    assert "::warning" not in ended.out

    released = place.script("deploy/release_lease", ended.work)
    assert released.code == 0
    assert "production is free" in released.out
    assert place.script("deploy/release_lease", ended.work).code == 0
    assert take(place, 2).code == 0


@pytest.mark.fault(1)
def test_two_deploys_race(place: Environment) -> None:
    works = [place.prepare(number) for number in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda work: place.script("deploy/take_lease", work), works))
    won, lost = sorted(ended, key=lambda one: one.code)
    assert won.code == 0, won.out
    assert won.outputs == {"proceed": "true"}
    winner = hand_over.read(won.work, work_files.Run).event
    failure = refused(lost, errors.LeaseHeld)
    assert failure.what.startswith("octocat has held production since ")
    assert "UTC (less than a minute): deploy of " in failure.what
    assert winner.run_url in failure.what
    assert "The lease expires at " in failure.what
    assert "set `wait-minutes`" in failure.remedy
    assert "`command: break-lease` with a `reason`" in failure.remedy
    assert "can be taken from " in failure.remedy
    mine = held(won).nonce
    assert record(place.open()).nonce == mine
    assert place.pointer().fence == mine


def start(place: Environment, work: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        entry.script("deploy/take_lease"),
        env={"PATH": os.defpath, "DBT_DEPLOY_WORK": str(work), **place.variables},
        cwd=place.temp,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.fault(1)
@pytest.mark.parametrize("meanwhile", ["released", "put on hold", "cancelled"])
def test_waiting_for_the_other(meanwhile: str, tmp_path: Path) -> None:
    place = in_folder(tmp_path)
    first = take(place, 1)
    work = place.prepare(2, run=run_of(wait_minutes=1))
    with start(place, work) as waiting:
        assert waiting.stdout is not None
        line = waiting.stdout.readline()
        assert line.startswith("Waiting for octocat, deploy of 0000001, https://github.com/")
        if meanwhile == "cancelled":
            waiting.send_signal(signal.SIGINT)
        else:
            if meanwhile == "put on hold":
                hold = Hold(reason="broken", by="octocat", since="2026-11-21T06:00:00+00:00")
                environment_settings.change(place.open(), lambda there: replace(there, hold=hold))
            place.script("deploy/release_lease", first.work)
        said = waiting.communicate(timeout=60)[0]
    expected = {"released": 0, "put on hold": errors.OnHold.exit_code, "cancelled": 130}
    assert waiting.returncode == expected[meanwhile], said
    holder = {"released": "deploy of 0000002", "cancelled": "deploy of 0000001"}
    if meanwhile == "put on hold":
        assert is_free(place)
    else:
        assert record(place.open()).is_held
        assert record(place.open()).purpose == holder[meanwhile]


@pytest.mark.fault(4)
@pytest.mark.parametrize("point", ["lease-taken", "fenced"])
def test_a_killed_holder_and_the_next_run(place: Environment, point: str) -> None:
    killed = take(place, 1, DBT_DEPLOY_TEST="1", DBT_DEPLOY_CRASH_AT=point)
    assert killed.code == -signal.SIGKILL
    assert not hand_over.is_there(killed.work, HeldLease)
    refused(take(place, 2), errors.LeaseHeld)
    leases.expire(place)
    ended = take(place, 3)
    assert ended.code == 0, ended.out
    assert "::warning title=An expired lease was taken over::octocat, deploy of 0000001" in (
        ended.out
    )
    assert held(ended).broken_in == "https://github.com/acme/shop/actions/runs/1"
    assert place.pointer().fence == held(ended).nonce


@pytest.mark.parametrize("damage", ["fence", "environment"])
def test_a_failure_between_taking_and_working_gives_the_lease_back(
    damage: str, s3_open: s3.Store, tmp_path: Path
) -> None:
    """A store that breaks once the lease is taken."""
    key = {"fence": versions.POINTER, "environment": environment_settings.KEY}[damage]
    taken: list[int] = []

    def answer(request: wire.Request) -> wire.Answer:
        if request.method == "PUT" and request.path.endswith(lease.KEY):
            taken.append(1)
        if taken and request.path.endswith(key):
            return wire.s3_error(403, "AccessDenied")
        return wire.forward(request, s3_open.url)

    location = f"s3://{s3_open.create_bucket()}/prod"
    with wire.serve(answer) as server:
        address = {"DBT_DEPLOY_AWS_ENDPOINT_URL": server.url}
        place = Environment(location=location, temp=tmp_path, variables=s3_open.environ | address)
        ended = take(place, 1)
        assert ended.code == errors.StateAccessDenied.exit_code, ended.out
        assert not hand_over.is_there(ended.work, HeldLease)
        assert record(place.open()).state == "free"


@pytest.mark.fault(5)
def test_a_store_that_ignores_conditions_is_not_locked(s3_open: s3.Store, tmp_path: Path) -> None:
    def answer(request: wire.Request) -> wire.Answer:
        return wire.forward(request, s3_open.url, without=("if-match", "if-none-match"))

    location = f"s3://{s3_open.create_bucket()}/prod"
    with wire.serve(answer) as server:
        address = {"DBT_DEPLOY_AWS_ENDPOINT_URL": server.url}
        place = Environment(location=location, temp=tmp_path, variables=s3_open.environ | address)
        ended = take(place, 1)
        assert ended.code == errors.ConditionsIgnored.exit_code, ended.out
        assert "not locked" in ended.failure.not_done
        assert list(place.open().list("")) == []


# Who drives, and the hold


def decide(place: Environment, **decided: object) -> None:
    environment_settings.change(place.open(), lambda _: Decided(**decided))  # type: ignore[arg-type]


def test_on_hold(place: Environment) -> None:
    since = "2026-11-20T06:20:00+00:00"
    hold = Hold(reason="numbers are wrong", by="mona", since=since, run_url="https://x/1")
    decide(place, hold=hold)
    failure = refused(take(place, 1), errors.OnHold)
    assert "production has been on hold since 2026-11-20 06:20 UTC (" in failure.what
    assert "by mona (https://x/1): numbers are wrong" in failure.what
    assert "`command: lift-hold`" in failure.remedy
    assert lease.read(place.open()) is None
    decide(place)
    assert take(place, 2).code == 0


def test_a_push_waits_for_a_version_tag_where_releases_drive(place: Environment) -> None:
    index = publish_at_once(place.open(), 1)
    decide(place, driver="release", hold=Hold(reason="r", by="b", since=""))
    before = place.pointer()
    ended = take(place, 2)
    assert ended.code == 0, ended.out
    assert ended.outputs == {"proceed": "false"}
    assert "::notice title=Nothing was deployed::" in ended.out
    assert "goes live with the next version tag" in ended.out
    told = hand_over.read(ended.work, NotNow)
    assert told == NotNow(driver="release", version=index.version)
    assert is_free(place)
    assert place.pointer() == before
    released = place.script("deploy/release_lease", ended.work)
    assert released.code == 0
    assert "holds no lease" in released.out


def test_a_schedule_before_the_first_release(place: Environment) -> None:
    decide(place, driver="release")
    ended = take(place, 1, event="schedule")
    assert ended.outputs == {"proceed": "false"}
    assert "nothing is released yet" in ended.out


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch", "repository_dispatch", "local"])
def test_where_releases_drive_the_live_commit_is_built_again(
    event: str, place: Environment
) -> None:
    publish_at_once(place.open(), 1)
    decide(place, driver="release")
    assert take(place, 1, event=event).outputs == {"proceed": "true"}


def test_where_releases_drive_no_other_commit_is_built(place: Environment) -> None:
    publish_at_once(place.open(), 1)
    decide(place, driver="release")
    failure = refused(take(place, 2, event="schedule"), errors.WrongCommit)
    assert "production, which runs commit 0000001; 0000002 is checked out" in failure.what
    assert "output `ref` of `command: status`" in failure.remedy
    assert is_free(place)


def test_where_releases_drive_a_version_without_commit_is_not_built(place: Environment) -> None:
    index = publish_at_once(place.open(), 1, commit=None, kind=versions.ADOPTED)
    decide(place, driver="release")
    failure = refused(take(place, 1, event="schedule"), errors.WrongCommit)
    assert f"({index.version}) names no commit" in failure.what
    assert is_free(place)


def test_the_checkout_counts_and_not_the_event(tmp_path: Path) -> None:
    """A schedule's GITHUB_SHA is main's newest commit, whatever is checked out."""
    place = in_folder(tmp_path)
    work = place.prepare(7, run=run_of(event="schedule"))
    project = tmp_path / "checkout-7"
    git = ["git", "-c", "user.name=o", "-c", "user.email=o@example.com", "-C", str(project)]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "live"]):
        subprocess.run([*git, *arguments], check=True, timeout=60)
    live = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, timeout=60, capture_output=True, text=True
    ).stdout.strip()
    publish_at_once(place.open(), 1, commit=live)
    decide(place, driver="release")
    ended = place.script("deploy/take_lease", work)
    assert ended.code == 0, ended.out
    assert held(ended).commit == live != commit_of(7)


# Releasing what is not ours any more


@pytest.mark.fault(4)
def test_a_stale_owner_releases(place: Environment) -> None:
    old = take(place, 1)
    leases.expire(place)
    new = take(place, 2)
    ended = place.script("deploy/release_lease", old.work)
    assert ended.code == errors.LeaseLost.exit_code
    assert "took it over" in ended.out
    assert "left as it is" in ended.failure.not_done
    assert record(place.open()).nonce == held(new).nonce
    assert record(place.open()).is_held


@pytest.mark.fault(4)
def test_a_stale_owner_publishes(place: Environment) -> None:
    old = take(place, 1)
    place.fetch(old.work)
    leases.expire(place)
    new = take(place, 2)
    place.fetch(new.work)
    ended = place.script("deploy/publish_artifacts", old.work)
    assert ended.code == errors.LeaseLost.exit_code, ended.out
    assert place.pointer().version is None
    assert place.latest() == {}
    assert place.script("deploy/publish_artifacts", new.work).code == 0
    assert place.latest() == dict.fromkeys(deploys.NAMES, 2)


@pytest.mark.fault(4)
def test_an_owner_that_was_late_but_had_published_is_not_failed(place: Environment) -> None:
    old = take(place, 1)
    place.fetch(old.work)
    assert place.script("deploy/publish_artifacts", old.work).code == 0
    leases.expire(place)
    new = take(place, 2)
    ended = place.script("deploy/release_lease", old.work)
    assert ended.code == 0
    assert "::warning title=This run no longer holds the environment::" in ended.out
    assert "Its version was published before" in ended.out
    assert record(place.open()).nonce == held(new).nonce

"""Keeping the lease while dbt runs, in real processes: what loses it interrupts the real child."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import versioned_json
from dbtdeploy.store.lease import lease
from standins.store import leases, s3, stores, wire
from standins.store.leases import record, take, wanted

DBT = """#!/usr/bin/env python3
import signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit("dbt was interrupted"))
print("dbt is at work", flush=True)
while True:
    signal.pause()
"""

KEEP = """
from dbtdeploy.base import errors
from dbtdeploy.context import cli
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.work_files import DbtProject
from dbtdeploy.dbt.dbt_client import Dbt
from dbtdeploy.store.lease import lease_renewal

nonce, seconds, every, minutes, what, folder = sys.argv[1:]
held = HeldLease(nonce=nonce, purpose="", taken_at="", seconds=int(seconds))

def main():
    with lease_renewal.kept(store, held, every=float(every)) as keeper:
        if float(minutes):
            keeper.limit(float(minutes))
        if what.startswith("dbt"):
            project = DbtProject(command=folder + "/dbt", project_dir=folder, repository_path=".",
                name="", profiles_dir=None, profile=None, target=None, target_path="",
                packages_path="")
            run = Dbt(project, variables={"PATH": "/usr/bin:/bin"}, redact=str,
                          logs=Path(folder))
            outcome = run.run([], name="logs", on_line=lambda line: print(line, flush=True))
            print("interrupted" if outcome.interrupted else "ended", flush=True)
            if what == "dbt fails":
                raise errors.DbtStopped("dbt stopped.", not_done="", remedy="")
        elif what == "lines":
            print("at work", flush=True)
            sys.stdin.readline()
        else:
            import signal
            print("at work", flush=True)
            signal.pause()
    keeper.refuse_if_lost()
    print("the lease is still ours", flush=True)

cli.run(main, phase=Phase.BUILD)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> stores.Place:
    if request.param == "folder":
        return stores.in_folder(tmp_path / "store")
    return stores.in_bucket(request.getfixturevalue("s3_open"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a process that works under a lease; waits until it is at work."""
    (tmp_path / "dbt").write_text(DBT)
    (tmp_path / "dbt").chmod(0o755)
    started: list[subprocess.Popen[str]] = []

    def run(
        place: stores.Place,
        nonce: str,
        *,
        seconds: int = lease.SECONDS,
        every: float = 0.05,
        minutes: float = 0,
        what: str = "dbt",
    ) -> subprocess.Popen[str]:
        process = place.start(KEEP, nonce, seconds, every, minutes, what, tmp_path)
        started.append(process)
        assert process.stdout is not None
        assert "at work" in process.stdout.readline()
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def until(happened: Callable[[], bool]) -> None:
    """Look again and again, for at most half a minute."""
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end


def ended(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=60)[0]


@pytest.mark.fault(4)
def test_a_broken_lease_interrupts_dbt(place: stores.Place, start: Start) -> None:
    nonce = take(place.open(), "one")
    process = start(place, nonce)
    lease.mark_broken(place.open(), by="octocat", reason="looked dead")
    said = ended(process)
    assert process.returncode == 51
    assert "dbt was interrupted\ninterrupted\n" in said
    assert "This run no longer holds the environment" in said
    assert "octocat broke this run's lease at" in said
    assert "looked dead" in said
    assert "Cancelled" not in said


@pytest.mark.fault(4)
def test_a_stolen_lease_interrupts_dbt(place: stores.Place, start: Start) -> None:
    nonce = take(place.open(), "one")
    process = start(place, nonce)
    place.open().put(lease.KEY, versioned_json.encode(wanted("thief")))
    said = ended(process)
    assert process.returncode == 51
    assert "dbt was interrupted\ninterrupted\n" in said
    assert "thief, deploy of abc1234" in said
    assert record(place.open()).holder == "thief"


def test_a_lease_that_is_lost_before_dbt_starts(place: stores.Place, tmp_path: Path) -> None:
    store = place.open()
    nonce = take(store, "one")
    lease.mark_broken(store, by="octocat", reason="looked dead")
    process = place.start(KEEP, nonce, 900, 60, 0, "dbt", str(tmp_path))
    said = ended(process)
    assert process.returncode == 51
    assert "octocat broke" in said
    assert "DbtNotFound" not in said


def test_what_an_interrupted_dbt_left_undone_is_not_the_cause(
    place: stores.Place, start: Start
) -> None:
    process = start(place, take(place.open(), "one"), what="dbt fails")
    lease.mark_broken(place.open(), by="octocat", reason="looked dead")
    said = ended(process)
    assert process.returncode == 51
    assert "octocat broke" in said
    assert "dbt stopped." not in said


def test_a_lease_lost_outside_dbt_is_no_cancellation(place: stores.Place, start: Start) -> None:
    nonce = take(place.open(), "one")
    process = start(place, nonce, what="pause")
    lease.mark_broken(place.open(), by="octocat", reason="looked dead")
    said = ended(process)
    assert process.returncode == 51
    assert "octocat broke" in said


def test_a_real_cancellation_stays_one(place: stores.Place, start: Start) -> None:
    store = place.open()
    process = start(place, take(store, "one"), what="pause")
    process.send_signal(signal.SIGINT)
    said = ended(process)
    assert process.returncode == 130
    assert "Cancelled" in said
    assert record(store).is_held


def test_the_time_limit_interrupts_dbt(place: stores.Place, start: Start) -> None:
    process = start(place, take(place.open(), "one"), minutes=0.005)
    said = ended(process)
    assert process.returncode == 64
    assert "dbt was interrupted\ninterrupted\n" in said
    assert "The time limit was reached" in said
    assert "time-limit-minutes" in said


def test_it_renews_while_the_block_runs_and_not_after(place: stores.Place, start: Start) -> None:
    store = place.open()
    process = start(place, take(store, "one"), what="lines")
    before = record(store).renewals
    until(lambda: record(store).renewals >= before + 3)
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert "still ours" in ended(process)
    assert process.returncode == 0
    after = record(store)
    assert after.is_held
    assert record(store) == after


def test_it_outlives_the_leases_length(place: stores.Place, start: Start) -> None:
    """Real time: renewed every 0.2 s, a lease of 2 s is held for 4 s."""
    store = place.open()
    process = start(place, take(store, "one", seconds=2), seconds=2, every=0.2, what="lines")
    before = record(store).renewals
    until(
        lambda: (
            isinstance(lease.take(store, wanted("thief")), lease.Seen)
            and record(store).renewals >= before + 20
        )
    )
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert "still ours" in ended(process)


def test_a_store_that_answers_no_more_loses_the_lease_by_our_own_clock(
    s3_open: s3.Store, start: Start
) -> None:
    """However long the requests hang and are tried again."""
    gone: list[int] = []

    def answer(request: wire.Request) -> wire.Answer:
        return wire.Answer(lost=True) if gone else wire.forward(request, s3_open.url)

    place = stores.in_bucket(s3_open)
    store = place.open()
    nonce = take(store, "one", seconds=2)
    with wire.serve(answer) as server:
        process = start(stores.through(place, server.url), nonce, seconds=2)
        gone.append(1)
        said = ended(process)
    assert process.returncode == 51
    assert "dbt was interrupted\ninterrupted\n" in said
    assert "could not renew its lease" in said


def test_a_fault_of_the_stores_is_tried_again(s3_open: s3.Store, start: Start) -> None:
    faults: list[int] = []

    def answer(request: wire.Request) -> wire.Answer:
        if faults and request.method == "PUT":
            faults.pop()
            return wire.s3_error(403, "AccessDenied")
        return wire.forward(request, s3_open.url)

    place = stores.in_bucket(s3_open)
    store = place.open()
    nonce = take(store, "one")
    with wire.serve(answer) as server:
        process = start(stores.through(place, server.url), nonce, what="lines")
        faults += [1, 1, 1]
        until(lambda: not faults)
        before = record(store).renewals
        until(lambda: record(store).renewals > before)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert "still ours" in ended(process)


def test_an_expired_lease_that_nobody_took_is_renewed(place: stores.Place, start: Start) -> None:
    """A runner that slept goes on, if it wakes before anybody else came."""
    store = place.open()
    nonce = take(store, "one")
    leases.expire(place)
    process = start(place, nonce, what="lines")
    if record(store).seconds < 0:
        store.put(lease.KEY, versioned_json.encode(replace(record(store), seconds=lease.SECONDS)))
    assert isinstance(lease.take(store, wanted("two")), lease.Seen)
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert "still ours" in ended(process)

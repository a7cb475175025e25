"""Many deploys, prunes and reads of one store at the same time: no reader may see a mixed version.

    .venv/bin/python tests/benchmarks/bench_soak.py [deploys] [reads]

Two processes deploy in turn, for they wait for each other's lease, and remove old versions; four
read, each artifact of a version bearing its deploy's number. On moto. Ends with 1 when a reader saw
two numbers at once, an older one after a newer, or nothing at all.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from dbtdeploy.admin import prune, retention
from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import errors
from dbtdeploy.deploy import lease_acquire
from dbtdeploy.store import inventory
from dbtdeploy.store.lease import lease
from dbtdeploy.store.lease.lease_record import Lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import fencing, publish, version_reader, versions
from standins.jobs.deploys import NAMES, Environment, artifacts_of, number_in, publish_at_once
from standins.store import s3

DEPLOYS, READS = 200, 2_000
DEPLOYERS, READERS = 2, 4
PRUNE_EVERY = 10
KEEP = 3
POLL_SECONDS = 0.02
PACE_SECONDS = 0.1
PATIENCE_SECONDS = 600
RESTARTS = 20
"""Far more than production's readers need: here ten versions go every few seconds."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What one process deployed."""

    deploys: int
    pruned: int
    waits: int
    """How often it found the lease in the other's hands."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What one process read."""

    reads: int
    restarts: int
    """How often a version was pruned under it, and it began again."""
    seen: frozenset[int]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Soaked:
    """All of it."""

    deployed: Sequence[Deployed]
    read: Sequence[Read]
    seconds: float
    last: int
    """The number of the version that is current in the end."""
    faults: tuple[str, ...] = field(default=())

    @property
    def deploys(self) -> int:
        return sum(each.deploys for each in self.deployed)

    @property
    def reads(self) -> int:
        return sum(each.reads for each in self.read)


def main() -> int:
    """Soak, print what happened, and judge."""
    given = [int(number) for number in sys.argv[1:]]
    deploys, reads = (given + [DEPLOYS, READS][len(given) :])[:2]
    with s3.serve() as server, tempfile.TemporaryDirectory() as folder:
        location = f"s3://{server.create_bucket()}/prod"
        place = Environment(location=location, temp=Path(folder), variables=server.environ)
        done = soak(place, deploys=deploys, reads=reads)
    seen = frozenset[int]().union(*(each.seen for each in done.read))
    print(
        f"soak: {done.deploys:,} deploys by {DEPLOYERS} processes and {done.reads:,} reads by "
        f"{READERS}, in {done.seconds:.0f} s; {sum(d.pruned for d in done.deployed):,} versions "
        f"pruned meanwhile, {len(seen):,} versions seen by readers; the lease was waited for "
        f"{sum(d.waits for d in done.deployed):,} times, "
        f"{sum(r.restarts for r in done.read):,} reads began again"
    )
    for fault in done.faults:
        print(fault)
    print("no reader saw a mixed version" if not done.faults else "FAULTS")
    return 1 if done.faults else 0


def soak(place: Environment, *, deploys: int, reads: int) -> Soaked:
    """Deploy and read at the same time, in processes of their own."""
    publish_at_once(place.open(), 0)
    began = time.monotonic()
    # As real ones: nothing shared but the store.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(DEPLOYERS + READERS, mp_context=context) as pool:
        writing = [pool.submit(deploy, place, n) for n in _shares(deploys, DEPLOYERS)]
        reading = [pool.submit(read, place, n, deploys) for n in _shares(reads, READERS)]
        deployed, done = [f.result() for f in writing], [f.result() for f in reading]
    seconds = time.monotonic() - began
    last = _number(place.open())
    faults = [fault for each in done for fault in each.faults]
    if last != deploys:
        faults.append(f"{deploys} deploys, and version {last} is current")
    return Soaked(deployed=deployed, read=done, seconds=seconds, last=last, faults=tuple(faults))


def deploy(place: Environment, times: int) -> Deployed:
    """Publish so many versions, each numbered after the one before, and prune now and then."""
    opened = place.open()
    waits: list[str] = []
    pruned = 0
    for _ in range(times):
        wanted = Lease(nonce=lease.new_nonce(), holder="soak", purpose="deploy")
        lease_acquire.acquire(
            opened,
            wanted,
            environment="production",
            wait_seconds=PATIENCE_SECONDS,
            poll_seconds=POLL_SECONDS,
            say=waits.append,
        )
        try:
            fencing.fence(opened, wanted.nonce)
            number = _number(opened) + 1
            _publish(opened, number, wanted.nonce)
            if number % PRUNE_EVERY == 0:
                pruned += sum(1 for _ in _prune(opened, wanted.nonce))
        finally:
            lease.release(opened, wanted.nonce)
    return Deployed(deploys=times, pruned=pruned, waits=len(waits))


def read(place: Environment, times: int, deploys: int) -> Read:
    """Fetch the current version at least so many times, and until the last one is seen.

    The reads are spread over the deploys: who is ahead of them waits a little.
    """
    opened, folder = place.open(), Path(tempfile.mkdtemp(dir=place.temp))
    ends = time.monotonic() + PATIENCE_SECONDS
    reads, restarts, newest = 0, 0, 0
    seen: set[int] = set()
    faults: list[str] = []
    while reads < times or newest < deploys:
        if time.monotonic() > ends:
            faults.append(f"version {deploys} was not seen within {PATIENCE_SECONDS} s")
            break
        fetched, again = _fetch(opened, folder)
        reads, restarts = reads + 1, restarts + again
        numbers = {name: number_in((folder / name).read_bytes()) for name in fetched.names}
        if set(fetched.names) != set(NAMES) or len(set(numbers.values())) != 1:
            faults.append(f"mixed: {numbers} in {fetched.version}")
            continue
        number = numbers[NAMES[0]]
        if number < newest:
            faults.append(f"version {number} after version {newest}")
        newest = max(newest, number)
        seen.add(number)
        if reads * deploys > (newest + 1) * times:
            threading.Event().wait(PACE_SECONDS)
    return Read(reads=reads, restarts=restarts, seen=frozenset(seen), faults=tuple(faults))


def _fetch(opened: Store, folder: Path) -> tuple[artifact_check.Fetched, int]:
    """As readers do, but counting how often it began again."""
    for again in range(RESTARTS):
        with contextlib.suppress(errors.StateVersionMissing):
            return version_reader.fetch(opened, folder, restarts=0), again
    return version_reader.fetch(opened, folder), RESTARTS


def _publish(opened: Store, number: int, nonce: str) -> None:
    contents = {name: artifacts_of(number)[name] for name in NAMES}
    draft = versions.Index(
        version="",
        environment="production",
        project="shop",
        kind=versions.DEPLOYED,
        created_at="",
        objects={},
        commit=f"{number:07x}",
        run_id=number,
    )
    publish.publish(
        opened,
        draft,
        contents,
        moment=datetime.now(timezone.utc),
        nonce=nonce,
        by="soak",
        claim=lambda version: lease.renew(opened, nonce, publishing=version),
    )
    publish.copy_latest(opened, contents, prove=lambda: lease.renew(opened, nonce))
    lease.renew(opened, nonce, done=True)


def _prune(opened: Store, nonce: str) -> Iterator[str]:
    """All but the newest, as if retention were over at once."""
    found = inventory.take(opened)
    # Forget the history, which would keep what was current today.
    found = replace(found, pointer=replace(found.pointer, history=found.pointer.history[:1]))
    policy = retention.RetentionPolicy(days=0, keep=KEEP)
    for decision in retention.decide(found, policy, datetime.now(timezone.utc)).going:
        prune.remove(opened, decision.folder, nonce=nonce)
        yield decision.folder.name


def _number(opened: Store) -> int:
    pointer, _ = version_reader.read_current(opened)
    assert pointer is not None
    return version_reader.read_index(opened, pointer).run_id


def _shares(whole: int, among: int) -> list[int]:
    return [whole // among + (1 if n < whole % among else 0) for n in range(among)]


if __name__ == "__main__":
    raise SystemExit(main())

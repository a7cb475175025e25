"""The lease and its fence, on a folder and on a bucket, with owners that are late."""

from __future__ import annotations

import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from msgspec import to_builtins

from dbtdeploy.base import errors, versioned_json
from dbtdeploy.store.lease import lease
from dbtdeploy.store.lease.lease_record import BROKEN, FREE, HELD, Lease
from dbtdeploy.store.object_store import Conflict, Store
from dbtdeploy.store.publication import fencing, versions
from dbtdeploy.store.publication.move_pointer import move_pointer
from standins.store import leases, s3, stores, wire
from standins.store.leases import Interleaved, record, take, wanted


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> stores.Place:
    if request.param == "folder":
        return stores.in_folder(tmp_path / "store")
    return stores.in_bucket(request.getfixturevalue("s3_open"))


@pytest.fixture
def store(place: stores.Place) -> Store:
    return place.open()


def pointer(store: Store) -> versions.Pointer:
    found = store.get(versions.POINTER)
    assert found is not None
    return versions.decode_pointer(found.body, source="current.json")


def move(store: Store, nonce: str, version: str, *, previous: str | None = None) -> None:
    """Move the pointer as publishing does."""
    digest = "0" * 64
    move_pointer(
        store, leaving=previous, to=version, index_sha256=digest, nonce=nonce, by="me", at=""
    )


FIRST, SECOND = "20261121T060000Z-aaaaaaa", "20261121T070000Z-bbbbbbb"


def test_taken_renewed_released_and_taken_again(store: Store) -> None:
    assert lease.read(store) is None
    mine = take(store, "one")
    first = record(store)
    assert (first.holder, first.state, first.publishing) == ("one", HELD, None)
    taken_at = datetime.fromisoformat(first.taken_at)
    assert abs((datetime.now(timezone.utc) - taken_at).total_seconds()) < 5

    held = lease.take(store, wanted("two"))
    assert isinstance(held, lease.Seen)
    assert held.lease == first
    assert not held.expired
    assert 0 <= (held.expires - held.now).total_seconds() - lease.SECONDS + 5 <= 5

    lease.renew(store, mine)
    lease.release(store, mine)
    assert record(store).state == FREE
    lease.release(store, mine)

    got = lease.take(store, wanted("two"))
    assert isinstance(got, lease.Taken)
    assert got.before is None
    assert got.held.broken_in is None


RACE = """
from standins.store.leases import wanted
from dbtdeploy.store.lease import lease
sys.stdin.readline()
got = lease.take(store, wanted(sys.argv[1]))
print("won" if isinstance(got, lease.Taken) else got.lease.holder)
"""


def race(place: stores.Place, racers: int) -> list[str]:
    """So many real processes at once; what each said."""
    started = [place.start(RACE, number) for number in range(racers)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * racers
    return said


@pytest.mark.fault(1)
@pytest.mark.parametrize("before", ["nobody", "released", "broken"])
def test_one_of_two_processes_gets_it(before: str, place: stores.Place) -> None:
    store = place.open()
    if before != "nobody":
        mine = take(store, "earlier")
        if before == "released":
            lease.release(store, mine)
        else:
            lease.mark_broken(store, by="octocat", reason="dead")
    said = race(place, 2)
    winner = said.index("won")
    assert said[1 - winner] == str(winner)
    assert record(store).holder == str(winner)


@pytest.mark.fault(3)
def test_an_expired_lease_and_a_dozen_stealing_processes(place: stores.Place) -> None:
    store = place.open()
    take(store, "dead")
    leases.expire(place)
    said = race(place, 12)
    winner = said.index("won")
    assert said == [str(winner)] * winner + ["won"] + [str(winner)] * (11 - winner)
    assert record(store).holder == str(winner)


@pytest.mark.fault(3)
def test_a_lease_that_lasts_is_not_stolen(place: stores.Place) -> None:
    take(place.open(), "alive")
    assert set(race(place, 4)) == {"alive"}


@pytest.mark.fault(3)
def test_the_stores_clock_says_what_has_expired(s3_open: s3.Store) -> None:
    """Ours is never asked: here the store's is two hours ahead of it, or behind."""
    ahead = 0

    def answer(request: wire.Request) -> wire.Answer:
        given = wire.forward(request, s3_open.url)
        now = datetime.now(timezone.utc).timestamp() + ahead
        date = datetime.fromtimestamp(now, timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return wire.Answer(
            status=given.status, body=given.body, headers={**given.headers, "Date": date}
        )

    with wire.serve(answer, dated=False) as server:
        place = stores.in_bucket(s3_open)
        store = stores.through(place, server.url).open()
        take(store, "dead")
        for ahead in (-7200, 0):  # noqa: B007 - answer() reads it
            assert isinstance(lease.take(store, wanted("thief")), lease.Seen)
        ahead = 7200
        got = lease.take(store, wanted("thief"))
        assert isinstance(got, lease.Taken)
        assert got.held.broken_in == wanted("dead").run_url


@pytest.mark.fault(3)
def test_a_renewal_between_a_thiefs_reading_and_writing_wins(place: stores.Place) -> None:
    """A renewal that wrote the same bytes would leave the ETag as the thief read it."""
    mine = take(place.open(), "slow")
    leases.expire(place)
    late = Interleaved(place.open(), lease.KEY, lambda: lease.renew(place.open(), mine))
    got = lease.take(late, wanted("thief"))
    assert isinstance(got, lease.Seen)
    assert got.lease.nonce == mine


@pytest.mark.fault(2)
@pytest.mark.parametrize("lost", ["connection", "500"])
@pytest.mark.parametrize("before", ["nobody", "released"])
def test_the_lost_answer_to_the_locks_put(lost: str, before: str, s3_open: s3.Store) -> None:
    """The write was made, its answer is lost, and boto3's next try is refused with 412."""
    dropped: list[str] = []
    statuses: list[int] = []

    def answer(request: wire.Request) -> wire.Answer:
        given = wire.forward(request, s3_open.url)
        if request.method == "PUT" and request.path.endswith(lease.KEY):
            statuses.append(given.status)
            if request.path not in dropped:
                dropped.append(request.path)
                if lost == "connection":
                    return wire.Answer(lost=True)
                return wire.s3_error(500, "InternalError")
        return given

    place = stores.in_bucket(s3_open)
    if before == "released":
        lease.release(place.open(), take(place.open(), "earlier"))
    with wire.serve(answer) as server:
        store = stores.through(place, server.url).open()
        asked = wanted("one")
        got = lease.take(store, asked)
        assert isinstance(got, lease.Taken)
        assert got.held.nonce == asked.nonce
        assert statuses == [200, 412]
        for step in (lambda: lease.renew(store, asked.nonce), lambda: release(store, asked.nonce)):
            dropped.clear()
            statuses.clear()
            step()
            assert statuses == [200, 412]
    assert record(place.open()).state == FREE


def release(store: Store, nonce: str) -> None:
    lease.release(store, nonce)


@pytest.mark.fault(2)
def test_a_refused_write_that_was_made_all_the_same_is_found_by_its_nonce(
    place: stores.Place,
) -> None:
    store, asked = place.open(), wanted("one")

    def made_and_changed() -> None:
        # Another thread of this run renewed before the answer was understood.
        store.put(lease.KEY, versioned_json.encode({**to_builtins(asked), "renewals": 1}))

    got = lease.take(Interleaved(store, lease.KEY, made_and_changed), asked)
    assert isinstance(got, lease.Taken)
    assert got.held.nonce == asked.nonce


# A stale owner


@pytest.mark.fault(4)
def test_a_stale_owner_neither_renews_nor_releases(place: stores.Place) -> None:
    store = place.open()
    old = take(store, "old")
    leases.expire(place)
    take(store, "new")
    before = record(store)
    for step in (lease.renew, lease.release):
        with pytest.raises(errors.LeaseLost) as refused:
            step(store, old)
        assert "new, deploy of abc1234, https://github.com/acme" in refused.value.what
        assert "took it over at 20" in refused.value.what
        assert "left as it is" in refused.value.not_done
        assert "command: status" in refused.value.remedy
    assert record(store) == before


@pytest.mark.fault(4)
def test_the_owner_of_a_broken_lease_neither_renews_nor_releases(store: Store) -> None:
    old = take(store, "old")
    broken = lease.mark_broken(store, by="octocat", reason="runner died")
    assert broken is not None
    assert broken.lease.nonce == old
    for step in (lease.renew, lease.release):
        with pytest.raises(errors.LeaseLost, match=r"octocat broke this run's lease at .*: runner"):
            step(store, old)
    assert record(store).state == BROKEN
    got = lease.take(store, wanted("new"))
    assert isinstance(got, lease.Taken)
    assert got.before is not None
    assert got.before.reason == "runner died"


@pytest.mark.fault(4)
def test_a_stale_owner_publishes_after_the_new_one_fenced(place: stores.Place) -> None:
    store = place.open()
    old = take(store, "old")
    fencing.fence(store, old)
    leases.expire(place)
    fencing.fence(store, take(store, "new"))
    with pytest.raises(errors.LeaseLost, match="fence of another run"):
        move(store, old, FIRST)
    assert pointer(store).version is None


@pytest.mark.fault(4)
def test_a_stale_owner_has_read_the_pointer_and_then_is_fenced(place: stores.Place) -> None:
    """Its write is on its way while the new owner takes lease and pointer."""
    store = place.open()
    old = take(store, "old")
    fencing.fence(store, old)

    def stolen() -> None:
        leases.expire(place)
        fencing.fence(store, take(store, "new"))

    with pytest.raises(errors.LeaseLost, match="fence of another run"):
        move(Interleaved(store, versions.POINTER, stolen), old, FIRST)
    assert pointer(store).version is None


@pytest.mark.fault(4)
def test_a_stale_owner_publishes_between_the_theft_and_the_fence(place: stores.Place) -> None:
    """It is the last to publish before the thief begins, and the thief builds upon it."""
    store = place.open()
    old = take(store, "old")
    fencing.fence(store, old)
    leases.expire(place)
    new = take(store, "new")
    move(store, old, FIRST)
    assert fencing.fence(store, new).version == FIRST
    with pytest.raises(errors.LeaseLost):
        move(store, old, SECOND, previous=FIRST)
    move(store, new, SECOND, previous=FIRST)
    assert pointer(store).history == (FIRST,)


@pytest.mark.fault(4)
def test_a_pointer_that_moves_while_a_thief_fences_keeps_its_move(place: stores.Place) -> None:
    store = place.open()
    old = take(store, "old")
    fencing.fence(store, old)
    leases.expire(place)
    new = take(store, "new")
    late = Interleaved(store, versions.POINTER, lambda: move(store, old, FIRST))
    fenced = fencing.fence(late, new)
    assert (fenced.version, fenced.fence) == (FIRST, new)
    assert pointer(store) == fenced


@pytest.mark.fault(4)
@pytest.mark.parametrize(
    "stalls", ["before fencing", "before reading the pointer", "before writing the pointer"]
)
def test_a_thief_that_stalls_does_not_fence_out_its_own_thief(
    stalls: str, place: stores.Place
) -> None:
    store = place.open()
    take(store, "dead")
    leases.expire(place)
    slow = take(store, "slow")

    def stolen_again() -> str:
        leases.expire(place)
        quick = take(store, "quick")
        fencing.fence(store, quick)
        return quick

    if stalls == "before fencing":
        stolen_again()
        with pytest.raises(errors.LeaseLost):
            fencing.fence(store, slow)
    else:
        reading = stalls == "before reading the pointer"
        late = Interleaved(store, versions.POINTER, stolen_again, reading=reading)
        with pytest.raises(errors.LeaseLost):
            fencing.fence(late, slow)
    quick = record(store)
    assert quick.holder == "quick"
    move(store, quick.nonce, FIRST)


@pytest.mark.fault(4)
def test_the_owner_of_a_broken_lease_publishes_nothing_from_then_on(store: Store) -> None:
    """Though nobody has taken it yet."""
    old = take(store, "old")
    fencing.fence(store, old)
    lease.mark_broken(store, by="octocat", reason="dead")
    fencing.shut_out(store, old)
    with pytest.raises(errors.LeaseLost, match="fence of another run"):
        move(store, old, FIRST)
    new = take(store, "new")
    fencing.fence(store, new)
    move(store, new, FIRST)


@pytest.mark.fault(4)
def test_breaking_does_not_shut_out_who_took_it_since(store: Store) -> None:
    old = take(store, "old")
    fencing.fence(store, old)
    lease.mark_broken(store, by="octocat", reason="dead")
    new = take(store, "new")
    fencing.fence(store, new)
    fencing.shut_out(store, old)
    move(store, new, FIRST)


@pytest.mark.fault(4)
def test_who_takes_a_broken_lease_while_its_breaker_fences_is_not_shut_out(store: Store) -> None:
    old = take(store, "old")
    fencing.fence(store, old)
    lease.mark_broken(store, by="octocat", reason="dead")
    nonces = []

    def taken() -> None:
        nonces.append(take(store, "new"))
        fencing.fence(store, nonces[0])

    fencing.shut_out(Interleaved(store, versions.POINTER, taken), old)
    move(store, nonces[0], FIRST)


def test_what_was_being_published_goes_from_owner_to_owner(place: stores.Place) -> None:
    """Until it is done: a thief may be killed too, or stop without an answer of the store's."""
    store = place.open()
    lease.renew(store, take(store, "dead"), publishing=FIRST)
    leases.expire(place)
    second = take(store, "killed too")
    lease.renew(store, second)
    lease.mark_broken(store, by="octocat", reason="dead")
    third = take(store, "stopped")
    lease.release(store, third)
    fourth = take(store, "done")
    assert record(store).publishing == FIRST
    lease.renew(store, fourth, done=True)
    lease.release(store, fourth)
    assert record(store).publishing is None


# Breaking


def test_nothing_to_break(store: Store) -> None:
    assert lease.mark_broken(store, by="octocat", reason="dead") is None
    lease.release(store, take(store, "one"))
    assert lease.mark_broken(store, by="octocat", reason="dead") is None
    assert record(store).state == FREE


def test_a_renewal_does_not_save_a_lease_from_being_broken(store: Store) -> None:
    mine = take(store, "one")
    late = Interleaved(store, lease.KEY, lambda: lease.renew(store, mine))
    assert lease.mark_broken(late, by="octocat", reason="dead") is not None
    assert record(store).state == BROKEN


def test_a_lease_that_changed_hands_is_not_broken_by_mistake(store: Store) -> None:
    mine = take(store, "one")

    def changes_hands() -> None:
        lease.release(store, mine)
        take(store, "two")

    late = Interleaved(store, lease.KEY, changes_hands)
    with pytest.raises(errors.LeaseHeld) as refused:
        lease.mark_broken(late, by="octocat", reason="dead")
    assert "two, deploy of abc1234" in refused.value.what
    assert "not broken" in refused.value.not_done
    assert record(store).state == HELD


def test_a_damaged_record_is_refused_until_it_is_broken(store: Store) -> None:
    store.put(lease.KEY, b'{"nonce": 7')
    for step in (lambda: lease.read(store), lambda: lease.take(store, wanted("one"))):
        with pytest.raises(errors.StateCorrupt) as refused:
            step()
        assert store.address(lease.KEY) in refused.value.what
        assert "command: break-lease" in refused.value.remedy
    assert lease.mark_broken(store, by="octocat", reason="damaged") is not None
    take(store, "one")


def test_a_newer_layout_is_left_alone(store: Store) -> None:
    store.put(lease.KEY, versioned_json.encode({**to_builtins(wanted("one")), "layout": 2}))
    for step in (
        lambda: lease.take(store, wanted("two")),
        lambda: lease.mark_broken(store, by="octocat", reason="dead"),
    ):
        with pytest.raises(errors.StoreTooNew, match="layout 2"):
            step()


def test_fields_and_states_of_a_newer_dbt_deploy(store: Store) -> None:
    newer = {**to_builtins(wanted("one")), "state": "handing over", "more": [1]}
    store.put(lease.KEY, versioned_json.encode(newer))
    got = lease.take(store, wanted("two"))
    assert isinstance(got, lease.Seen)
    assert got.lease.is_held


def test_a_lease_fought_over_without_end_is_given_up(store: Store) -> None:
    class Fought(Interleaved):
        def put(self, key: str, *_: object, **__: object) -> str:
            raise Conflict(key)

    with pytest.raises(errors.StateUnreachable, match="20 times"):
        lease.take(Fought(store, "", print), wanted("one"))


def test_a_killed_process_leaves_its_lease_until_it_expires(place: stores.Place) -> None:
    code = (
        "from standins.store.leases import take\ntake(store, 'killed')\n"
        "print('taken', flush=True)\nsys.stdin.read()\n"
    )
    process: subprocess.Popen[str] = place.start(code)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        process.kill()
    assert isinstance(lease.take(place.open(), wanted("next")), lease.Seen)
    leases.expire(place)
    take(place.open(), "next")


def test_a_record_is_written_for_people_too(store: Store) -> None:
    take(store, "one")
    found = store.get(lease.KEY)
    assert found is not None
    assert b'\n  "holder": "one",\n' in found.body
    assert isinstance(record(store), Lease)

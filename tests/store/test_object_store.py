"""What both kinds of store promise: the same tests on a folder and on a bucket."""

from __future__ import annotations

import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.store import conditional_write_check
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.object_store import ABSENT, Conflict, Store
from dbtdeploy.store.s3.s3_client import Bucket
from dbtdeploy.store.store_location import open_store
from standins.store import stores

ANOTHER_ETAG = '"00000000000000000000000000000000"'


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> stores.Place:
    if request.param == "folder":
        return stores.in_folder(tmp_path / "store")
    return stores.in_bucket(request.getfixturevalue("s3_open"))


@pytest.fixture
def store(place: stores.Place) -> Store:
    return place.open()


def body_of(store: Store, key: str) -> bytes | None:
    found = store.get(key)
    return found.body if found else None


def test_what_is_written_is_read(store: Store) -> None:
    etag = store.put("a/b.json", b"content")
    found = store.get("a/b.json")
    assert found is not None
    assert found.body == b"content"
    assert found.etag == etag
    assert abs(found.now - datetime.now(timezone.utc)) < timedelta(seconds=5)
    assert timedelta(0) <= found.now - found.modified < timedelta(seconds=5)


def test_what_is_not_there(store: Store) -> None:
    assert store.get("a/b.json") is None
    store.delete("a/b.json")
    assert list(store.list("")) == []
    store.put("a", b"1")
    assert store.get("a/b.json") is None
    store.delete("a/b.json")
    assert body_of(store, "a") == b"1"


def test_an_object_of_45_megabytes(store: Store) -> None:
    body = bytes(range(256)) * (45_000_000 // 256)
    store.put("manifest.json", body)
    assert body_of(store, "manifest.json") == body


def test_what_is_deleted_is_gone(store: Store) -> None:
    for key in ("versions/a/one", "versions/a/two", "versions/b/one"):
        store.put(key, b"1")
    store.delete("versions/a/one")
    assert [entry.key for entry in store.list("versions/")] == ["versions/a/two", "versions/b/one"]
    store.delete("versions/a/two")
    assert [entry.key for entry in store.list("")] == ["versions/b/one"]


def test_a_listing_is_by_prefix_in_order_with_sizes(store: Store) -> None:
    keys = ["a", "b-c", "b/1", "b/10", "b/2", "b0", "c/ü x+y%20"]
    for number, key in enumerate(keys):
        store.put(key, b"x" * number)
    everything = list(store.list(""))
    assert [(entry.key, entry.size) for entry in everything] == [
        (key, number) for number, key in enumerate(keys)
    ]
    assert all(datetime.now(timezone.utc) - e.modified < timedelta(minutes=1) for e in everything)
    assert [entry.key for entry in store.list("b")] == ["b-c", "b/1", "b/10", "b/2", "b0"]
    assert [entry.key for entry in store.list("b/1")] == ["b/1", "b/10"]
    assert [entry.key for entry in store.list("nothing/")] == []


@pytest.mark.fault(11)
def test_over_a_thousand_objects_are_all_listed(store: Store) -> None:
    keys = [f"versions/{number:04}/index.json" for number in range(1_005)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: store.put(key, b"{}"), keys))
    assert [entry.key for entry in store.list("versions/")] == keys


def test_only_where_nothing_is(store: Store) -> None:
    store.put("lease.json", b"ours", only_if=ABSENT)
    with pytest.raises(Conflict, match=r"lease\.json"):
        store.put("lease.json", b"theirs", only_if=ABSENT)
    assert body_of(store, "lease.json") == b"ours"


def test_only_where_it_is_still_the_same(store: Store) -> None:
    first = store.put("lease.json", b"first")
    second = store.put("lease.json", b"second", only_if=first)
    with pytest.raises(Conflict):
        store.put("lease.json", b"third", only_if=first)
    with pytest.raises(Conflict):
        store.put("lease.json", b"third", only_if=ANOTHER_ETAG)
    with pytest.raises(Conflict):
        store.put("nothing.json", b"third", only_if=second)
    assert body_of(store, "lease.json") == b"second"
    assert store.get("nothing.json") is None


def test_a_write_that_finds_itself_has_been_made(store: Store) -> None:
    etag = store.put("lease.json", b"ours", only_if=ABSENT)
    assert store.put("lease.json", b"ours", only_if=ABSENT) == etag
    assert store.put("lease.json", b"ours", only_if=ANOTHER_ETAG) == etag


TAKE = """
sys.stdin.readline()
try:
    store.put("lease.json", sys.argv[1].encode(), only_if=object_store.ABSENT)
    print("won")
except object_store.Conflict:
    print("lost")
"""


@pytest.mark.fault(1)
def test_one_of_a_dozen_processes_gets_the_lease(place: stores.Place) -> None:
    racers = [place.start(TAKE, f"racer {number}") for number in range(12)]
    outcomes = released(racers)
    assert sorted(outcomes) == ["lost"] * 11 + ["won"]
    winner = outcomes.index("won")
    assert body_of(place.open(), "lease.json") == f"racer {winner}".encode()


COUNT = """
sys.stdin.readline()
for _ in range(10):
    while True:
        there = store.get("counter")
        value = int(there.body.split()[0]) + 1
        try:
            store.put("counter", f"{value} {sys.argv[1]}".encode(), only_if=there.etag)
            break
        except object_store.Conflict:
            pass
print("done")
"""


def test_no_update_is_lost_between_processes(place: stores.Place) -> None:
    place.open().put("counter", b"0")
    assert released([place.start(COUNT, number) for number in range(6)]) == ["done"] * 6
    body = body_of(place.open(), "counter")
    assert body is not None
    assert body.split()[0] == b"60"


def released(racers: list[subprocess.Popen[str]]) -> list[str]:
    """Let all go at once; what each said."""
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=60)[0].strip() for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * len(racers)
    return said


def test_a_reader_sees_one_write_or_the_other(place: stores.Place) -> None:
    store, reader = place.open(), place.open()
    bodies = [bytes([letter]) * 300_000 for letter in b"ab"]
    store.put("current.json", bodies[0])
    ended = threading.Event()

    def write() -> None:
        for number in range(40):
            store.put("current.json", bodies[number % 2])
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not ended.is_set():
        seen.add(body_of(reader, "current.json"))
    writer.join()
    assert seen <= set(bodies)


@pytest.mark.fault(5)
def test_the_probe_is_content_and_leaves_nothing(store: Store) -> None:
    conditional_write_check.check_conditional_writes(store)
    assert list(store.list("")) == []


KILLED_WHILE_WRITING = """
import os, signal
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
store.put("current.json", b"second")
"""


@pytest.mark.fault(7)
def test_a_write_to_a_folder_that_is_killed_leaves_what_was_there(tmp_path: Path) -> None:
    place = stores.in_folder(tmp_path / "store")
    store = place.open()
    store.put("current.json", b"first")
    killed = place.start(KILLED_WHILE_WRITING)
    killed.communicate(timeout=30)
    assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "store").glob(".partial-*"))) == 1
    assert [entry.key for entry in store.list("")] == ["current.json"]
    assert body_of(store, "current.json") == b"first"
    store.put("other.json", b"1")
    assert list((tmp_path / "store").glob(".partial-*")) == []


FULL = """
import resource, signal
from dbtdeploy.base import errors
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store.put("current.json", b"x" * 200_000)
except errors.StateUnreachable as failure:
    print(failure)
"""


def test_a_write_to_a_folder_that_has_no_room_leaves_what_was_there(tmp_path: Path) -> None:
    place = stores.in_folder(tmp_path / "store")
    place.open().put("current.json", b"first")
    said = place.start(FULL).communicate(timeout=30)[0]
    assert f"{tmp_path}/store/current.json could not be written: File too large" in said
    assert "Nothing was written" in said
    assert body_of(place.open(), "current.json") == b"first"
    assert list((tmp_path / "store").glob(".partial-*")) == []


AS_ANOTHER_USER = """
import os
from dbtdeploy.base import errors
if os.getuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
for do in (
    lambda: store.get("current.json"),
    lambda: store.put("current.json", b"second"),
    lambda: store.delete("current.json"),
    lambda: list(store.list("")),
):
    try:
        do()
        print("done")
    except errors.StateAccessDenied as failure:
        print(failure.what, failure.not_done)
"""


@pytest.mark.fault(13)
def test_a_folder_that_may_not_be_used(tmp_path: Path) -> None:
    place = stores.in_folder(tmp_path / "store")
    place.open().put("current.json", b"first")
    (tmp_path / "store").chmod(0)
    said = place.start(AS_ANOTHER_USER).communicate(timeout=30)[0].splitlines()
    (tmp_path / "store").chmod(0o700)
    verbs = ["read", "written", "deleted", "read"]
    assert len(said) == len(verbs)
    for line, verb in zip(said, verbs, strict=True):
        assert str(tmp_path / "store") in line
        assert f"may not be {verb} by this user" in line
    assert "not taken for a first run" in said[0]
    assert "Nothing was written" in said[1]
    assert body_of(place.open(), "current.json") == b"first"


def test_files_of_a_folder_can_be_read_as_the_umask_says(tmp_path: Path) -> None:
    place = stores.in_folder(tmp_path / "store")
    code = "import os; os.umask(0o022); store.put('latest/manifest.json', b'1')"
    place.start(code).communicate(timeout=30)
    assert (tmp_path / "store" / "latest" / "manifest.json").stat().st_mode & 0o777 == 0o644


def opened(location: str, workspace: Path) -> Store:
    access = StoreAccess(region=None, endpoint_url=None)
    return open_store(location, workspace=workspace, access=access)


def test_a_location_says_which_store_it_is(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    folder = opened("state", tmp_path)
    assert isinstance(folder, Folder)
    assert folder.location == str(tmp_path / "state")
    assert folder.address("a/b") == str(tmp_path / "state" / "a" / "b")
    bucket = opened("s3://bucket/prod/", tmp_path)
    assert isinstance(bucket, Bucket)
    assert (bucket.location, bucket.address("a/b")) == ("s3://bucket/prod", "s3://bucket/prod/a/b")
    root = opened("s3://bucket", tmp_path)
    assert (root.location, root.address("a/b")) == ("s3://bucket", "s3://bucket/a/b")


@pytest.mark.parametrize("location", ["nowhere", "file", "gs://bucket/prod", "s3://", "s3:///prod"])
def test_locations_that_are_no_store(location: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.InvalidInput):
        opened(location, tmp_path)

"""Reading what is current: proven whole, or refused by name; what moves meanwhile is read anew."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import errors, json_codec
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader, versions
from dbtdeploy.store.s3.s3_client import Bucket
from standins.dbt.artifacts import all_artifacts, artifact
from standins.store import s3, stores, wire
from standins.store.published import COMMIT, publish_index, published, withdraw

NAMES = list(all_artifacts())


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return stores.in_folder(tmp_path / "store").open()
    return stores.in_bucket(request.getfixturevalue("s3_open")).open()


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return stores.in_folder(tmp_path / "store").open()


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    made = tmp_path / "fetched"
    made.mkdir()
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(
    store: Store, fetched: Path, kind: type[errors.DbtDeployError]
) -> errors.DbtDeployError:
    """It failed so, and left nothing that could be used."""
    with pytest.raises(kind) as caught:
        version_reader.fetch(store, fetched)
    assert contents(fetched) == {}
    assert type(caught.value) is kind
    return caught.value


def test_the_current_version_comes_whole(store: Store, fetched: Path) -> None:
    index = published(store)
    got = version_reader.fetch(store, fetched)
    assert got == artifact_check.Fetched(
        names=artifact_check.ARTIFACTS,
        version=index.version,
        commit=COMMIT,
        keys={name: f"versions/{index.version}/{name}.gz" for name in NAMES},
    )
    assert contents(fetched) == all_artifacts()


def test_a_version_without_documentation_or_freshness(folder: Store, fetched: Path) -> None:
    published(folder, {"manifest.json": artifact("manifest.json")})
    assert version_reader.fetch(folder, fetched).names == ("manifest.json",)


def test_what_dbt_does_not_need_as_state_is_not_fetched(folder: Store, fetched: Path) -> None:
    published(folder, all_artifacts() | {"static_index.html": b"<html></html>"})
    version_reader.fetch(folder, fetched)
    assert contents(fetched) == all_artifacts()


def test_a_version_comes_before_plain_files(store: Store, fetched: Path) -> None:
    for name in NAMES:
        store.put(name, artifact(name, version="1.8.0"))
    published(store)
    version_reader.fetch(store, fetched)
    assert contents(fetched) == all_artifacts()


def test_plain_files_are_read_until_something_is_published(store: Store, fetched: Path) -> None:
    for name, content in all_artifacts().items():
        store.put(name, content)
    store.put(versions.POINTER, versions.encode(versions.Pointer(fence="a lease")))
    got = version_reader.fetch(store, fetched)
    assert got == artifact_check.Fetched(names=artifact_check.ARTIFACTS)
    assert contents(fetched) == all_artifacts()


def test_an_empty_store_has_no_state(store: Store, fetched: Path) -> None:
    assert version_reader.fetch(store, fetched) == artifact_check.Fetched(names=())


def truncated(content: bytes) -> bytes:
    return content[:-7]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def emptied(_: bytes) -> bytes:
    return b""


@pytest.mark.fault(9)
@pytest.mark.parametrize("damage", [truncated, flipped, emptied])
@pytest.mark.parametrize("name", [*(f"{name}.gz" for name in NAMES), "index.json"])
def test_a_damaged_object_is_named_and_nothing_is_used(
    name: str, damage: Callable[[bytes], bytes], store: Store, fetched: Path
) -> None:
    key = versions.prefix_of(published(store).version) + name
    there = store.get(key)
    assert there is not None
    store.put(key, damage(there.body))
    failure = refused(store, fetched, errors.StateCorrupt)
    assert store.address(key) in failure.what
    assert "not used" in failure.not_done
    assert "build: all" in failure.remedy


@pytest.mark.fault(9)
def test_an_object_of_another_version_is_not_taken_for_this_ones(
    folder: Store, fetched: Path
) -> None:
    older = published(folder, {"manifest.json": artifact("manifest.json", env={"A": "1"})})
    newer = published(
        folder, {"manifest.json": artifact("manifest.json", env={"A": "2"})}, number=2
    )
    there = folder.get(f"versions/{older.version}/manifest.json.gz")
    assert there is not None
    folder.put(f"versions/{newer.version}/manifest.json.gz", there.body)
    failure = refused(folder, fetched, errors.StateCorrupt)
    assert "has another SHA-256 than the index says" in failure.what


@pytest.mark.fault(9)
@pytest.mark.parametrize(
    "pointer",
    [
        b"",
        b"<html></html>",
        b'{"layout": 1, "version": "20261121T0601',
        b"[]",
        b'{"version": "20261121T060100Z-3d3c42e"}',
        b'{"layout": 1, "version": 7}',
        b'{"layout": 1, "version": "../../elsewhere"}',
        b'{"layout": 1, "version": "20261121T060100Z-3d3c42e"}',
        b'{"layout": 1, "version": "20261121T060100Z-3d3c42e", "index_sha256": "abc"}',
    ],
)
def test_a_damaged_pointer_is_named_and_plain_files_do_not_stand_in(
    pointer: bytes, folder: Store, fetched: Path
) -> None:
    published(folder)
    for name, content in all_artifacts().items():
        folder.put(name, content)
    folder.put(versions.POINTER, pointer)
    failure = refused(folder, fetched, errors.StateCorrupt)
    assert "current.json" in failure.what


@pytest.mark.fault(9)
@pytest.mark.parametrize("key", ["../manifest.json", "/etc/passwd", "", ".."])
def test_an_index_cannot_point_outside_its_version(key: str, folder: Store, fetched: Path) -> None:
    index = published(folder)
    item = replace(index.objects["manifest.json"], key=key)
    publish_index(folder, replace(index, objects={"manifest.json": item}))
    assert "outside" in refused(folder, fetched, errors.StateCorrupt).what


@pytest.mark.fault(9)
def test_an_index_without_a_manifest(folder: Store, fetched: Path) -> None:
    index = published(folder, {"catalog.json": artifact("catalog.json")})
    failure = refused(folder, fetched, errors.StateCorrupt)
    assert f"versions/{index.version}/index.json lists no manifest.json" in failure.what


@pytest.mark.fault(9)
def test_an_index_of_another_version_is_not_taken_for_this_ones(
    folder: Store, fetched: Path
) -> None:
    older, newer = published(folder), published(folder, number=2)
    content = versions.encode(older)
    folder.put(versions.index_key(newer.version), content)
    pointer = versions.Pointer(version=newer.version, index_sha256=versions.sha256(content))
    folder.put(versions.POINTER, versions.encode(pointer))
    failure = refused(folder, fetched, errors.StateCorrupt)
    assert f"is the index of {older.version}" in failure.what


@pytest.mark.fault(10)
@pytest.mark.parametrize("left", ["nothing", "objects only", "all but the manifest"])
def test_a_pointer_to_a_version_that_is_not_there(left: str, store: Store, fetched: Path) -> None:
    version = published(store).version
    missing = "manifest.json.gz" if left == "all but the manifest" else "index.json"
    if left == "nothing":
        withdraw(store, version)
    store.delete(versions.prefix_of(version) + missing)
    for name, content in all_artifacts().items():
        store.put(name, content)
    failure = refused(store, fetched, errors.StateVersionMissing)
    assert f"current.json names version {version}" in failure.what
    assert store.address(versions.prefix_of(version) + missing) in failure.what
    assert "not taken for a first run" in failure.not_done
    assert "lifecycle" in failure.remedy


@pytest.mark.parametrize("which", ["current.json", "index.json"])
def test_a_store_of_a_newer_dbt_deploy(which: str, folder: Store, fetched: Path) -> None:
    index = replace(published(folder), layout=2 if which == "index.json" else 1)
    content = versions.encode(index)
    pointer = versions.Pointer(
        layout=2 if which == "current.json" else 1,
        version=index.version,
        index_sha256=versions.sha256(content),
    )
    folder.put(versions.index_key(index.version), content)
    folder.put(versions.POINTER, versions.encode(pointer))
    failure = refused(folder, fetched, errors.StoreTooNew)
    assert f"{which} has layout 2" in failure.what


def test_fields_nobody_knows_are_passed_over(folder: Store, fetched: Path) -> None:
    index = published(folder)
    more = json_codec.decode(versions.encode(index)) | {"colour": "blue"}
    more["objects"]["manifest.json"]["colour"] = "red"
    content = msgspec.json.encode(more)
    pointer = versions.Pointer(version=index.version, index_sha256=versions.sha256(content))
    folder.put(versions.index_key(index.version), content)
    told = json_codec.decode(versions.encode(pointer)) | {"colour": "green"}
    folder.put(versions.POINTER, msgspec.json.encode(told))
    assert version_reader.fetch(folder, fetched).version == index.version


def moving(store: Bucket, times: int, *, at: str) -> Callable[[str], None]:
    """A deploy and a prune between two requests of a reader's."""
    left = list(range(2, 2 + times))

    def move(path: str) -> None:
        if left and path.split("?", maxsplit=1)[0].endswith(at):
            current, _ = version_reader.read_current(store)
            assert current is not None
            assert current.version is not None
            published(store, number=left.pop(0))
            withdraw(store, current.version)

    return move


def reader_of(
    s3_open: s3.Store, fetched: Path, times: int, at: str
) -> tuple[artifact_check.Fetched | errors.DbtDeployError, list[str]]:
    place = stores.in_bucket(s3_open)
    store = place.open()
    assert isinstance(store, Bucket)
    published(store)
    move, lock = moving(store, times, at=at), threading.Lock()

    def answer(request: wire.Request) -> wire.Answer:
        with lock:
            move(request.path)
            return wire.forward(request, s3_open.url)

    with wire.serve(answer) as server:
        access = dataclasses.replace(place.access, endpoint_url=server.url)
        try:
            got: artifact_check.Fetched | errors.DbtDeployError
            got = version_reader.fetch(Bucket(place.location, access), fetched)
        except errors.DbtDeployError as failure:
            got = failure
    return got, [request.path for request in server.requests]


@pytest.mark.fault(12)
@pytest.mark.parametrize("at", ["/index.json", "/manifest.json.gz", "/sources.json.gz"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_version_that_is_pruned_while_it_is_read(
    times: int, at: str, s3_open: s3.Store, fetched: Path
) -> None:
    got, _ = reader_of(s3_open, fetched, times, at)
    assert isinstance(got, artifact_check.Fetched)
    assert got.version == f"20261121T060{1 + times}00Z-3d3c42e"
    assert contents(fetched) == all_artifacts()


@pytest.mark.fault(12)
def test_a_reader_does_not_run_after_the_pointer_for_ever(s3_open: s3.Store, fetched: Path) -> None:
    got, asked = reader_of(s3_open, fetched, 50, "/index.json")
    assert isinstance(got, errors.StateVersionMissing)
    assert contents(fetched) == {}
    assert len(asked) < 20


def test_artifacts_are_fetched_side_by_side(s3_open: s3.Store, fetched: Path) -> None:
    """Each waits until all have been asked for; one after the other they would wait for ever."""
    place = stores.in_bucket(s3_open)
    published(place.open())
    together = threading.Barrier(len(NAMES), timeout=10)

    def answer(request: wire.Request) -> wire.Answer:
        if ".gz" in request.path:
            together.wait()
        return wire.forward(request, s3_open.url)

    with wire.serve(answer) as server:
        access = dataclasses.replace(place.access, endpoint_url=server.url)
        version_reader.fetch(Bucket(place.location, access), fetched)
    assert contents(fetched) == all_artifacts()

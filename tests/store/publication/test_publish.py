"""Publishing into a real folder, with others writing in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.publication import fencing, publish, version_reader, versions
from dbtdeploy.store.publication.move_pointer import move_pointer
from dbtdeploy.store.publication.versions import Index
from standins.jobs.deploys import artifacts_of, number_in, publish_at_once, take

MOMENT = datetime(2026, 11, 21, 6, 20, 42, tzinfo=timezone.utc)
ID = "20261121T062042Z-3d3c42e"
DRAFT = Index(
    version="",
    environment="production",
    project="shop",
    kind="deploy",
    created_at="",
    objects={},
    commit="3d3c42e" + "0" * 33,
)


class Interrupted(Folder):
    """A folder to which somebody else writes just before one write of ours."""

    def __init__(self, root: Path, key: str, between: Callable[[Folder], object]) -> None:
        super().__init__(root)
        self._key = key
        self._between: Callable[[Folder], object] | None = between

    def put(
        self,
        key: str,
        body: bytes,
        *,
        only_if: str | None = None,
        content_type: str = "application/json",
    ) -> str:
        between, self._between = self._between, None if key == self._key else self._between
        if key == self._key and between is not None:
            between(self)
        return super().put(key, body, only_if=only_if, content_type=content_type)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def run(store: Folder, number: int, nonce: str, claims: list[str] | None = None) -> str:
    contents = {name: artifacts_of(number)[name] for name in ("manifest.json", "run_results.json")}
    published = publish.publish(
        store,
        DRAFT,
        contents,
        moment=MOMENT,
        nonce=nonce,
        by="octocat",
        claim=(claims if claims is not None else []).append,
    )
    return published.index.version


def current(store: Folder) -> int:
    pointer, _ = version_reader.read_current(store)
    assert pointer is not None
    index = version_reader.read_index(store, pointer)
    return number_in(version_reader.read_object(store, index, "manifest.json"))


def test_two_versions_of_one_second_and_commit(folder: Folder) -> None:
    nonce = take(folder, "deploy")
    claims: list[str] = []
    assert [run(folder, number, nonce, claims) for number in (1, 2, 3)] == [
        ID,
        f"{ID}-2",
        f"{ID}-3",
    ]
    assert claims == [ID, f"{ID}-2", f"{ID}-3"]
    assert current(folder) == 3


@pytest.mark.parametrize(("left", "version"), [(1, ID), (2, f"{ID}-2")])
def test_objects_that_a_killed_run_left(folder: Folder, left: int, version: str) -> None:
    """The same ones are used, others are not written over."""
    item, stored = versions.pack("manifest.json", artifacts_of(left)["manifest.json"])
    folder.put(f"versions/{ID}/{item.key}", stored)
    assert run(folder, 1, take(folder, "deploy")) == version
    assert current(folder) == 1
    there = folder.get(f"versions/{ID}/{item.key}")
    assert there is not None
    assert there.body == stored


def test_an_index_that_appears_while_ours_is_written(tmp_path: Path) -> None:
    key = versions.index_key(ID)
    store = Interrupted(tmp_path, key, lambda folder: folder.put(key, b"another's"))
    assert run(store, 1, take(store, "deploy")) == f"{ID}-2"
    there = store.get(key)
    assert there is not None
    assert there.body == b"another's"


@pytest.mark.fault(4)
def test_another_owner_fences_while_we_write(tmp_path: Path) -> None:
    publish_at_once(Folder(tmp_path), 1)
    nonce = take(Folder(tmp_path), "deploy")

    def steal(folder: Folder) -> None:
        found = folder.get(versions.POINTER)
        assert found is not None
        pointer = versions.decode_pointer(found.body, source="")
        folder.put(versions.POINTER, versions.encode(replace(pointer, fence="another's")))

    for key in (f"versions/{ID}/manifest.json.gz", versions.POINTER):
        with pytest.raises(errors.LeaseLost, match=r"current\.json") as lost:
            run(Interrupted(tmp_path, key, steal), 2, nonce)
        assert "not published" in lost.value.not_done
        assert current(Folder(tmp_path)) == 1
        folder = Folder(tmp_path)
        found = folder.get(versions.POINTER)
        assert found is not None
        pointer = versions.decode_pointer(found.body, source="")
        folder.put(versions.POINTER, versions.encode(replace(pointer, fence=nonce)))


@pytest.mark.fault(4)
def test_a_pointer_that_is_gone_or_never_was(folder: Folder) -> None:
    with pytest.raises(errors.LeaseLost, match="is gone"):
        run(folder, 1, "nonce")
    nonce = take(folder, "deploy")
    with pytest.raises(errors.LeaseLost, match="fence of another run"):
        run(folder, 1, "an older nonce")
    folder.delete(versions.POINTER)
    with pytest.raises(errors.LeaseLost, match="is gone"):
        run(folder, 1, nonce)
    assert not list(folder.list(versions.VERSIONS))


def test_a_version_that_does_not_follow_the_current_one_does_not_become_current(
    folder: Folder,
) -> None:
    older = publish_at_once(folder, 1, days_ago=2)
    publish_at_once(folder, 2)
    nonce = take(folder, "deploy")
    assert fencing.fence(folder, nonce).fence == nonce
    with pytest.raises(errors.LeaseLost, match="as before"):
        move_pointer(
            folder,
            leaving=older.previous,
            to=older.version,
            index_sha256="",
            nonce=nonce,
            by="",
            at="",
        )
    assert current(folder) == 2


@pytest.mark.fault(9)
def test_what_does_not_read_back_does_not_become_current(tmp_path: Path) -> None:
    key = versions.index_key(ID)

    def damage(folder: Folder) -> None:
        name = f"versions/{ID}/manifest.json.gz"
        folder.delete(name)
        folder.put(name, b"damaged")

    publish_at_once(Folder(tmp_path), 1)
    store = Interrupted(tmp_path, key, damage)
    nonce = take(store, "adopt")
    contents = {"manifest.json": artifacts_of(2)["manifest.json"]}
    with pytest.raises(errors.StateCorrupt, match=r"manifest\.json\.gz"):
        publish.publish(
            store,
            DRAFT,
            contents,
            moment=MOMENT,
            nonce=nonce,
            by="",
            claim=lambda _version: None,
            read_back=True,
        )
    assert current(store) == 1


def test_plain_copies_are_the_version_s_and_no_other(folder: Folder) -> None:
    publish.copy_latest(folder, artifacts_of(1), prove=lambda: None)
    assert {entry.key for entry in folder.list("latest/")} == {
        f"latest/{name}"
        for name in ("manifest.json", "run_results.json", "catalog.json", "sources.json")
    }
    manifest = {"manifest.json": artifacts_of(2)["manifest.json"]}
    publish.copy_latest(folder, manifest, prove=lambda: None)
    assert [entry.key for entry in folder.list("latest/")] == ["latest/manifest.json"]

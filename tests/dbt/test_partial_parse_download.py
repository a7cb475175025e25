"""The saved parse that a run starts from, and that it is not needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.dbt import partial_parse_download
from dbtdeploy.store import partial_parse
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.object_store import Stored
from dbtdeploy.store.publication import version_reader, versions
from standins.dbt import parses
from standins.store.published import publish_index, published


class Refusing(Folder):
    """A folder of which saved parses may not be read."""

    def get(self, key: str) -> Stored | None:
        if versions.SAVED_PARSE in key:
            raise errors.StateAccessDenied("No.", not_done="", remedy="Give s3:GetObject.")
        return super().get(key)


@pytest.fixture
def store(tmp_path: Path) -> Folder:
    """With a version that has a parse."""
    made = Folder(tmp_path / "store")
    packed = partial_parse.pack(parses.laid(tmp_path / "environments", content=b"environment's"))
    index = published(made)
    made.put(f"versions/{index.version}/{packed.item.key}", packed.body)
    objects = {**index.objects, versions.SAVED_PARSE: packed.item}
    publish_index(made, replace(index, objects=objects, dbt_version="1.11.16"))
    return made


def fetched(
    store: Folder, tmp_path: Path, *, dbt: str | None = "1.11.16"
) -> tuple[bool, list[str]]:
    """Whether the version's parse is there, proven, and what was said."""
    there, said = tmp_path / "saved_parse", list[str]()
    destination = tmp_path / "state"
    destination.mkdir()

    def beside(index: versions.Index) -> None:
        partial_parse_download.of_version(
            store, index, there, installed=lambda: dbt, say=said.append
        )

    assert set(version_reader.fetch(store, destination, beside=beside).names) >= {"manifest.json"}
    laid = there.is_dir()
    if laid:
        assert parses.read(there) == parses.read(tmp_path / "environments")
    return laid, said


def test_every_push_starts_from_the_version_s(store: Folder, tmp_path: Path) -> None:
    laid, said = fetched(store, tmp_path)
    assert laid
    assert len(said) == 1


def test_a_version_s_of_another_dbt_is_not_fetched(store: Folder, tmp_path: Path) -> None:
    assert fetched(store, tmp_path, dbt="1.12.6") == (False, [])


def test_what_cannot_be_told_is_fetched(store: Folder, tmp_path: Path) -> None:
    assert fetched(store, tmp_path, dbt=None)[0]


def test_a_version_without_one(tmp_path: Path) -> None:
    made = Folder(tmp_path / "store")
    published(made)
    assert fetched(made, tmp_path) == (False, [])


@pytest.mark.fault(9)
@pytest.mark.parametrize("damage", ["cut short", "gone", "altered"])
def test_a_damaged_one_is_a_line(store: Folder, tmp_path: Path, damage: str) -> None:
    (key,) = [e.key for e in store.list("versions/") if versions.SAVED_PARSE in e.key]
    stored = store.get(key)
    assert stored is not None
    # Packed anew it is whole by itself, and not what the index says.
    other = partial_parse.pack(parses.laid(tmp_path / "other", content=b"other")).body
    if damage == "gone":
        store.delete(key)
    else:
        store.put(key, stored.body[:-9] if damage == "cut short" else other)
    laid, (line,) = fetched(store, tmp_path)
    assert not laid
    assert line.startswith("No saved parse, so that dbt may have to parse everything anew.")
    assert key in line
    assert "\n" not in line


@pytest.mark.fault(13)
def test_who_may_not_read_them_is_told_the_right(store: Folder, tmp_path: Path) -> None:
    laid, said = fetched(Refusing(tmp_path / "store"), tmp_path)
    assert not laid
    (line,) = said
    assert line.endswith("No. Give s3:GetObject.")

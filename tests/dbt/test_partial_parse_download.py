"""Which saved parse a run starts from, and that none of them is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import work_files
from dbtdeploy.dbt import partial_parse_download
from dbtdeploy.store import partial_parse, pull_request_registry, version_reader, versions
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.object_store import Stored
from standins import parses, runs
from standins.deploys import RUN
from standins.published import publish_index, published

RUN_7 = replace(RUN, policy=runs.ci(state=""), event=replace(RUN.event, pull_request=7))
OWN = {partial_parse_download.OWN}
BOTH = {partial_parse_download.OWN, partial_parse_download.ENVIRONMENT}


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


def leave(store: Folder, tmp_path: Path, *, dbt: str = "1.11.16") -> None:
    """What an earlier push of the pull request left."""
    folder = parses.laid(tmp_path / "own", content=b"own", dbt=dbt)
    pull_request_registry.put_parse(store, RUN_7, 7, partial_parse.pack(folder))


def fetched(
    store: Folder, tmp_path: Path, *, run: work_files.Run = RUN_7, dbt: str | None = "1.11.16"
) -> tuple[set[str], list[str]]:
    """What lies in ``saved_parse/``, proven, and what was said."""
    there, said = tmp_path / "saved_parse", list[str]()
    own = partial_parse_download.own(store, run, there, installed=lambda: dbt, say=said.append)
    destination = tmp_path / "state"
    destination.mkdir()

    def beside(index: versions.Index) -> None:
        if not own:
            partial_parse_download.of_version(
                store, index, there, installed=lambda: dbt, say=said.append
            )

    assert set(version_reader.fetch(store, destination, beside=beside).names) >= {"manifest.json"}
    laid = {path.name for path in there.iterdir()} if there.is_dir() else set()
    for name, origin in (
        (partial_parse_download.OWN, "own"),
        (partial_parse_download.ENVIRONMENT, "environments"),
    ):
        if name in laid:
            assert parses.read(there / name) == parses.read(tmp_path / origin)
    return laid, said


def test_a_first_push_starts_from_the_version_s(store: Folder, tmp_path: Path) -> None:
    laid, said = fetched(store, tmp_path)
    assert laid == {partial_parse_download.ENVIRONMENT}
    assert len(said) == 1


def test_a_later_push_starts_from_its_own_and_fetches_no_other(
    store: Folder, tmp_path: Path
) -> None:
    leave(store, tmp_path)
    assert fetched(store, tmp_path)[0] == OWN


def test_both_are_fetched_where_its_own_is_of_another_dbt(store: Folder, tmp_path: Path) -> None:
    leave(store, tmp_path, dbt="1.10.0")
    assert fetched(store, tmp_path)[0] == BOTH


def test_a_version_s_of_another_dbt_is_not_fetched(store: Folder, tmp_path: Path) -> None:
    assert fetched(store, tmp_path, dbt="1.12.6") == (set(), [])


def test_what_cannot_be_told_is_fetched(store: Folder, tmp_path: Path) -> None:
    assert fetched(store, tmp_path, dbt=None)[0] == {partial_parse_download.ENVIRONMENT}


def test_a_deploy_never_reads_what_pull_requests_wrote(store: Folder, tmp_path: Path) -> None:
    leave(store, tmp_path)
    run = replace(RUN_7, command="deploy")
    assert fetched(store, tmp_path, run=run)[0] == {partial_parse_download.ENVIRONMENT}


def test_a_version_without_one(tmp_path: Path) -> None:
    made = Folder(tmp_path / "store")
    published(made)
    assert fetched(made, tmp_path) == (set(), [])


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
    assert laid == set()
    assert line.startswith("No saved parse, so that dbt may have to parse everything anew.")
    assert key in line
    assert "\n" not in line


def test_the_version_s_stands_in_for_a_damaged_one_of_its_own(
    store: Folder, tmp_path: Path
) -> None:
    leave(store, tmp_path)
    store.put(pull_request_registry.parse_key(RUN_7, 7), b"damaged")
    laid, said = fetched(store, tmp_path)
    assert laid == {partial_parse_download.ENVIRONMENT}
    assert len(said) == 2


@pytest.mark.fault(13)
def test_who_may_not_read_them_is_told_the_right(store: Folder, tmp_path: Path) -> None:
    laid, said = fetched(Refusing(tmp_path / "store"), tmp_path)
    assert laid == set()
    assert all(line.endswith("No. Give s3:GetObject.") for line in said)
    assert len(said) == 2

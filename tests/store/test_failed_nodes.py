"""What failed since the current version, out of a store's failed runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbtdeploy.store import failed_nodes
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.publication import versions

CURRENT = "20261121T060000Z-aaaaaaa"
BEFORE = "20261120T060000Z-bbbbbbb"


@pytest.fixture
def store(tmp_path: Path) -> Folder:
    (tmp_path / "store").mkdir()
    made = Folder(tmp_path / "store")
    publish(made)
    return made


def publish(store: Folder, *, unsettled: tuple[str, ...] = ()) -> None:
    """Make CURRENT the current version."""
    index = versions.encode(
        versions.Index(
            version=CURRENT,
            environment="production",
            project="shop",
            kind=versions.DEPLOYED,
            created_at="",
            objects={},
            unsettled=unsettled,
        )
    )
    store.put(versions.index_key(CURRENT), index)
    pointer = versions.Pointer(version=CURRENT, index_sha256=versions.sha256(index))
    store.put(versions.POINTER, versions.encode(pointer))


def fail(
    store: Folder,
    time: str,
    *,
    previous: str | None = CURRENT,
    unsettled: tuple[str, ...] = (),
    **results: str,
) -> None:
    """A failed run that was to build a, b and c."""
    index = versions.Index(
        version=f"{time}-1-1",
        environment="production",
        project="shop",
        kind=versions.FAILED_RUN,
        created_at="",
        objects={},
        previous=previous,
        unsettled=unsettled,
        planned=("a", "b", "c"),
        results=results,
    )
    store.put(f"{versions.FAILED}{time}-1-1/index.json", versions.encode(index))
    store.put(f"{versions.FAILED}{time}-1-1/run_results.json.gz", b"")


def test_what_failed_was_skipped_or_never_reached_is_built_again(store: Folder) -> None:
    fail(store, "20261121T070000Z", a="success", b="skipped")
    assert failed_nodes.failed_since(store) == ("b", "c")


def test_the_newest_result_of_a_node_counts(store: Folder) -> None:
    fail(store, "20261121T070000Z", a="error", b="success", c="evaporated")
    fail(store, "20261121T080000Z", a="success", b="fail", c="warn")
    assert failed_nodes.failed_since(store) == ("b",)


def test_runs_from_before_the_current_version_do_not_count(store: Folder) -> None:
    fail(store, "20261120T070000Z", previous=BEFORE, a="error")
    assert failed_nodes.failed_since(store) == ()


def test_what_a_failed_run_built_from_another_definition_is_built_again(store: Folder) -> None:
    fail(store, "20261121T070000Z", a="success", b="success", c="fail", unsettled=("a",))
    assert failed_nodes.failed_since(store) == ("a", "c")


def test_it_is_settled_by_a_later_build_as_the_current_version_says(store: Folder) -> None:
    fail(store, "20261121T070000Z", a="success", b="success", c="fail", unsettled=("a",))
    fail(store, "20261121T080000Z", a="success", b="error", c="success")
    assert failed_nodes.failed_since(store) == ("b",)


def test_what_the_current_version_left_unsettled_counts_until_it_is_built(store: Folder) -> None:
    publish(store, unsettled=("a", "d"))
    fail(store, "20261121T070000Z", a="success", b="success", c="success")
    assert failed_nodes.failed_since(store) == ("d",)


def test_a_late_run_that_lost_its_lease_hides_no_other(store: Folder) -> None:
    fail(store, "20261121T070000Z", a="success", b="success", c="error")
    fail(store, "20261121T080000Z", previous=BEFORE, a="error")
    assert failed_nodes.failed_since(store) == ("c",)


@pytest.mark.fault(16)
def test_a_failed_run_is_no_state(store: Folder, tmp_path: Path) -> None:
    fail(store, "20261121T070000Z", a="error", b="success", c="success")
    state, work = tmp_path / "state", tmp_path / "work"
    state.mkdir()
    work.mkdir()
    (state / "manifest.json").write_text("the current version's")
    assert failed_nodes.lay(store, work, state) == ("a",)
    assert (work / "retry" / "manifest.json").read_text() == "the current version's"
    found = json.loads((work / "retry" / "run_results.json").read_bytes())["results"]
    assert [(r["unique_id"], r["status"]) for r in found] == [("a", "error")]


def test_a_folder_of_an_earlier_run_goes(store: Folder, tmp_path: Path) -> None:
    (tmp_path / "retry").mkdir()
    assert failed_nodes.lay(store, tmp_path, tmp_path) == ()
    assert not (tmp_path / "retry").exists()

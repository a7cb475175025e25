"""The store's records at random: read, or refused by a named error, and nothing outside is read."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dbtdeploy.base import errors, versioned_json
from dbtdeploy.store import environment_settings, in_flight, inventory, pull_request_registry
from dbtdeploy.store.environment_settings import EnvironmentSettings, Hold
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.lease import lease
from dbtdeploy.store.lease.lease_record import Lease
from dbtdeploy.store.publication import version_reader, versions
from standins.jobs.deploys import RUN
from standins.store.published import published
from standins.text.mutants import mutated

pytestmark = pytest.mark.fuzz

REGISTERED = pull_request_registry.RegisteredPullRequest(
    repository=RUN.event.repository,
    pull_request=7,
    project=RUN.dbt.name,
    target=RUN.dbt.target or "",
    schemas=("dbt_pr_7",),
    sha="a" * 40,
    run_url="",
    at="2026-11-21T00:00:00Z",
)
RECORDS: dict[str, tuple[str, object, Callable[[Folder], object]]] = {
    "lease": (lease.KEY, Lease(nonce="a", holder="ada", purpose="deploy"), lease.read),
    "environment": (
        environment_settings.KEY,
        EnvironmentSettings(hold=Hold(reason="why", by="ada", since="2026-11-21T00:00:00Z")),
        environment_settings.read,
    ),
    "in flight": (
        in_flight.KEY,
        InFlight(
            what="release",
            release_id="r",
            tag="v1.0.0",
            phase="swapping",
            environment="production",
            project="shop",
        ),
        in_flight.read,
    ),
    "registered": (
        pull_request_registry.key(RUN, 7),
        REGISTERED,
        lambda store: pull_request_registry.read(store, RUN, 7),
    ),
}


@contextlib.contextmanager
def folder() -> Iterator[Folder]:
    with tempfile.TemporaryDirectory() as root:
        yield Folder(Path(root))


@pytest.mark.parametrize("name", RECORDS)
@given(data=st.data())
def test_records(name: str, data: st.DataObject) -> None:
    key, value, read = RECORDS[name]
    content = data.draw(mutated(versioned_json.encode(value)))
    with folder() as store, contextlib.suppress(errors.StateCorrupt, errors.StoreTooNew):
        store.put(key, content)
        msgspec.json.encode(read(store))


def fetched(store: Folder) -> None:
    with (
        tempfile.TemporaryDirectory() as destination,
        contextlib.suppress(
            errors.StateCorrupt,
            errors.StoreTooNew,
            errors.StateVersionMissing,
            errors.StateUnreachable,
        ),
    ):
        found = version_reader.fetch(store, Path(destination))
        assert set(found.names) <= {"manifest.json", "run_results.json", "catalog.json"} | {
            "sources.json"
        }
    with contextlib.suppress(errors.StateCorrupt, errors.StoreTooNew):
        msgspec.json.encode(inventory.take(store).pointer)


@given(data=st.data())
def test_the_pointer(data: st.DataObject) -> None:
    with folder() as store:
        published(store)
        pointer = store.get(versions.POINTER)
        assert pointer is not None
        store.put(versions.POINTER, data.draw(mutated(pointer.body)))
        fetched(store)


@given(data=st.data())
def test_an_index_that_the_pointer_vouches_for(data: st.DataObject) -> None:
    with folder() as store:
        index = published(store)
        content = data.draw(mutated(versions.encode(index)))
        store.put(versions.index_key(index.version), content)
        pointer = store.get(versions.POINTER)
        assert pointer is not None
        known = versions.decode_pointer(pointer.body, source="")
        store.put(
            versions.POINTER,
            versions.encode(replace(known, index_sha256=versions.sha256(content))),
        )
        fetched(store)


@pytest.mark.parametrize("size", [-1, -2, -(2**31), 2**62, 2**64])
@pytest.mark.parametrize("which", ["size", "content_size"])
def test_sizes_that_no_object_has(size: int, which: str) -> None:
    """Of -1 zlib would unpack a bomb whole, and of -2 it knows nothing."""
    item, stored = versions.pack("manifest.json", b"{}")
    index = versions.Index(
        version="20261121T060100Z-3d3c42e",
        environment="",
        project="",
        kind="deploy",
        created_at="",
        objects={"manifest.json": replace(item, **{which: size})},
    )

    def read() -> bytes:
        found = versions.decode_index(versions.encode(index), source="s")
        return versions.unpack(found.objects["manifest.json"], stored, source="s")

    with pytest.raises(errors.StateCorrupt):
        read()

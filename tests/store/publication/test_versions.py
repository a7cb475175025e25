from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.store.publication import versions
from dbtdeploy.store.publication.versions import Index, Pointer

MOMENT = datetime(2026, 11, 21, 6, 20, 42, tzinfo=timezone.utc)
ITEM, STORED = versions.pack("manifest.json", b'{"nodes": {}}' * 50)
INDEX = Index(
    version="20261121T062042Z-3d3c42e",
    environment="production",
    project="shop",
    kind="deploy",
    created_at="2026-11-21T06:20:42.000+00:00",
    objects={"manifest.json": ITEM},
)


def test_ids() -> None:
    commit = "3d3c42e" + "0" * 33
    first = versions.version_id(MOMENT, commit)
    assert first == "20261121T062042Z-3d3c42e"
    assert versions.version_id(MOMENT, commit, clash=2) == first + "-2"
    unknown = versions.version_id(MOMENT.astimezone(timezone(timedelta(hours=5))), None)
    assert unknown == "20261121T062042Z-unknown"
    assert all(versions.ID.fullmatch(name) for name in (first, first + "-2", unknown))
    assert versions.failed_name(MOMENT, 77, 2) == "20261121T062042Z-77-2"
    assert versions.FAILED_NAME.fullmatch(versions.failed_name(MOMENT, 0, 1))


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    for value in (INDEX, Pointer(version=INDEX.version, history=("x",))):
        content = json.loads(versions.encode(value)) | {"new": {"field": 1}}
        decode = versions.decode_index if isinstance(value, Index) else versions.decode_pointer
        assert decode(json.dumps(content).encode(), source="s") == value


@pytest.mark.parametrize("value", [INDEX, Pointer()])
def test_a_newer_layout_is_refused(value: Index | Pointer) -> None:
    content = json.loads(versions.encode(value)) | {"layout": 2, "version": {"of": "another form"}}
    decode = versions.decode_index if isinstance(value, Index) else versions.decode_pointer
    with pytest.raises(errors.StoreTooNew, match=r"S has layout 2; .* up to 1"):
        decode(json.dumps(content).encode(), source="S")


@pytest.mark.fault(9)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"layout": "1"}',
        b'{"layout": 1, "version": "../../elsewhere"}',
        b'{"layout": 1, "version": "\xff"}',
        versions.encode(Pointer())[:-10],
    ],
)
def test_a_damaged_pointer_is_named(content: bytes) -> None:
    with pytest.raises(errors.StateCorrupt, match=r"s3://b/current\.json"):
        versions.decode_pointer(content, source="s3://b/current.json")


@pytest.mark.fault(9)
@pytest.mark.parametrize("key", ["../current.json", "", ".", "..", "a/b"])
def test_an_index_names_nothing_outside_its_version(key: str) -> None:
    content = json.loads(versions.encode(INDEX))
    content["objects"]["manifest.json"]["key"] = key
    with pytest.raises(errors.StateCorrupt, match="outside its version"):
        versions.decode_index(json.dumps(content).encode(), source="S")


def test_packing_gives_the_same_bytes_each_time() -> None:
    assert versions.pack("manifest.json", b'{"nodes": {}}' * 50) == (ITEM, STORED)
    assert versions.unpack(ITEM, STORED, source="S") == b'{"nodes": {}}' * 50
    assert versions.unpack(*versions.pack("empty", b""), source="S") == b""


@pytest.mark.fault(9)
@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (STORED[:-1], "bytes, the index says"),
        (STORED[:-1] + b"x", "another SHA-256"),
        (b"", "0 bytes"),
    ],
)
def test_an_altered_object_is_named_and_not_unpacked(stored: bytes, said: str) -> None:
    with pytest.raises(errors.StateCorrupt, match=said) as failure:
        versions.unpack(ITEM, stored, source="s3://b/versions/x/manifest.json.gz")
    assert "s3://b/versions/x/manifest.json.gz" in failure.value.what


@pytest.mark.fault(9)
def test_an_object_that_unpacks_to_more_than_was_said_is_not_unpacked() -> None:
    """Both digests of the stored bytes hold: the index itself was altered."""
    bomb, stored = versions.pack("manifest.json", b"0" * 50_000_000)
    said_small = replace(bomb, content_size=10)
    with pytest.raises(errors.StateCorrupt, match="something else"):
        versions.unpack(said_small, stored, source="S")


def test_the_pointer_remembers_the_last_fifty() -> None:
    pointer = Pointer(fence="nonce")
    for number in range(60):
        pointer = pointer.moved_to(f"v{number}", f"digest {number}", at="now", by="me")
    assert pointer.version == "v59"
    assert pointer.index_sha256 == "digest 59"
    assert pointer.fence == "nonce"
    assert pointer.history == tuple(f"v{number}" for number in range(58, 8, -1))

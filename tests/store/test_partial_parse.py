"""A saved parse as one object: what goes in comes out, and nothing else does."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.store import partial_parse
from dbtdeploy.store.object_store import LARGEST
from dbtdeploy.store.publication import versions
from standins.dbt import parses


def packed(tmp_path: Path) -> bytes:
    return partial_parse.pack(parses.laid(tmp_path / "in")).body


def archive(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as out:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    partial_parse.unpack(packed(tmp_path), tmp_path / "out", source="s")
    assert parses.read(tmp_path / "out") == parses.read(tmp_path / "in")


def test_the_index_says_what_an_older_reader_looks_at(tmp_path: Path) -> None:
    """A dbt-deploy that knows of no saved parse proves it as any other artifact."""
    made = partial_parse.pack(parses.laid(tmp_path / "in"))
    assert made == partial_parse.pack(tmp_path / "in")
    content = versions.unpack(made.item, made.body, source="s")
    assert content == gzip.decompress(made.body)
    assert made.item.key == "saved_parse.tar.gz"
    assert made.item.size == len(made.body) < made.item.content_size == len(content)


def test_another_one_is_replaced_whole(tmp_path: Path) -> None:
    (parses.laid(tmp_path / "out", content=b"older") / "third").write_bytes(b"x")
    partial_parse.unpack(packed(tmp_path), tmp_path / "out", source="s")
    assert parses.read(tmp_path / "out") == parses.read(tmp_path / "in")


@pytest.mark.parametrize("name", partial_parse.PARTS)
def test_one_file_alone_is_none(tmp_path: Path, name: str) -> None:
    (parses.laid(tmp_path / "in") / name).unlink()
    with pytest.raises(partial_parse.NotWhole, match=name):
        partial_parse.read(tmp_path / "in")


def altered(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        altered,
        lambda body: body[:-4],
        lambda body: body[:60],
        lambda _: b"",
        lambda _: b"not packed",
        lambda _: gzip.compress(b""),
        lambda body: gzip.compress(gzip.decompress(body) + b"0" * (1 << 20)),
        lambda _: archive({partial_parse.PARSE: b"alone"}),
        lambda _: archive({"/tmp/evil": b"x"}),
        lambda _: archive({"../evil": b"x"}),
    ],
)
def test_what_is_damaged_or_no_saved_parse_lays_nothing(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    body = damage(packed(tmp_path))
    before = parses.read(parses.laid(tmp_path / "out", content=b"older"))
    with pytest.raises(errors.StateCorrupt, match="s cannot be unpacked"):
        partial_parse.unpack(body, tmp_path / "out", source="s")
    assert parses.read(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as out:
        entry = tarfile.TarInfo(partial_parse.PARSE)
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(entry)
    with pytest.raises(errors.StateCorrupt, match="no part of a saved parse"):
        partial_parse.unpack(made.getvalue(), tmp_path / "out", source="s")


def test_more_than_fits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = packed(tmp_path)
    monkeypatch.setattr(partial_parse, "MOST_BYTES", 100)
    with pytest.raises(errors.StateCorrupt):
        partial_parse.unpack(body, tmp_path / "out", source="s")


def test_another_object_than_the_index_says(tmp_path: Path) -> None:
    made = partial_parse.pack(parses.laid(tmp_path / "in"))
    partial_parse.prove(made.item, made.body, source="s")
    for other in (altered(made.body), made.body[:-1]):
        with pytest.raises(errors.StateCorrupt, match="is not what the index says"):
            partial_parse.prove(made.item, other, source="s")


@pytest.mark.fault(73)
@pytest.mark.parametrize("kind", ["a long name", "a long attribute", "the same file again"])
def test_an_archive_is_unpacked_no_further_than_its_files_go(tmp_path: Path, kind: str) -> None:
    """Each packs into kilobytes, and would fill memory or disk."""
    zeros, made = 64 << 20, io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as out:
        if kind == "the same file again":
            for _ in range(3):
                entry = tarfile.TarInfo(partial_parse.ABOUT)
                entry.size = 2
                out.addfile(entry, io.BytesIO(b"{}"))
        else:
            entry = tarfile.TarInfo("long")
            entry.type = tarfile.GNUTYPE_LONGNAME if kind == "a long name" else tarfile.XHDTYPE
            entry.size = zeros
            out.addfile(entry, io.BytesIO(b"a" * zeros))
    tracemalloc.start()
    try:
        with pytest.raises(errors.StateCorrupt, match="cannot be unpacked"):
            partial_parse.unpack(made.getvalue(), tmp_path / "out", source="s")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < zeros / 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(73)
def test_an_index_that_promises_gigabytes_is_not_believed() -> None:
    item, stored = versions.pack("manifest.json", b"{}")
    greedy = replace(item, content_size=LARGEST + 1)
    with pytest.raises(errors.StateCorrupt, match="by its index"):
        versions.unpack(greedy, stored, source="s")

"""One file of an archive that a stranger packed."""

from __future__ import annotations

import random
import stat
import struct
import tracemalloc
import zipfile

import pytest

from dbtdeploy.base import errors
from dbtdeploy.fork_comment.report_archive import REPORT_BYTES, report_json
from standins.jobs.fork_reports import archive

CONTENT = b'{"version": 1}'


def entry(
    name: str = "report.json", *, mode: int = 0, method: int = zipfile.ZIP_DEFLATED
) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    made.compress_type = method
    return made


def refused(content: bytes) -> str:
    with pytest.raises(errors.ReportRefused) as caught:
        report_json(content)
    return caught.value.what


def test_the_report_is_read_and_nothing_else() -> None:
    others = (("comment.md", b"x"), ("compiled/report.json", b"other"), ("report.json.bak", b"x"))
    assert report_json(archive(*others, ("report.json", CONTENT))) == CONTENT
    stored = (entry(mode=stat.S_IFREG | 0o644, method=zipfile.ZIP_STORED), CONTENT)
    assert report_json(archive(stored)) == CONTENT


@pytest.mark.parametrize(
    "name",
    ["../report.json", "/report.json", "./report.json", "a/../report.json", "..\\report.json"],
)
def test_a_path_that_leads_to_it_is_another_name(name: str) -> None:
    assert "holds no report.json" in refused(archive((name, CONTENT)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["report.json", "report.json\0.txt"])
def test_of_two_none_is_believed(second: str) -> None:
    made = zipfile.ZipInfo(second)
    made.filename = second
    assert "holds 2 files named report.json" in refused(
        archive(("report.json", CONTENT), (made, CONTENT))
    )


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_a_device_is_no_report(kind: int) -> None:
    assert "is a link or another special file" in refused(
        archive((entry(mode=kind | 0o777), b"/etc/passwd"))
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_not_unpacked(method: int) -> None:
    assert "not packed as GitHub packs it" in refused(archive((entry(method=method), CONTENT)))


def test_an_encrypted_one_is_not_unpacked() -> None:
    made = bytearray(archive(("report.json", CONTENT)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = made.index(signature) + offset
        made[at] |= 1
    assert "not packed as GitHub packs it" in refused(bytes(made))


@pytest.mark.fault(73)
@pytest.mark.parametrize("states_its_size", [True, False])
def test_what_unpacks_to_gigabytes_is_not_unpacked(states_its_size: bool) -> None:
    bomb = bytearray(archive(("report.json", bytes(REPORT_BYTES * 4))))
    assert len(bomb) < REPORT_BYTES / 100
    said = "unpacks to more than"
    if not states_its_size:
        # It states the largest size that is allowed; its CRC is never reached.
        at = bomb.index(b"PK\x01\x02") + 24
        bomb[at : at + 4] = struct.pack("<I", REPORT_BYTES)
        said = "cannot be unpacked"
    tracemalloc.start()
    try:
        assert said in refused(bytes(bomb))
        most = REPORT_BYTES if states_its_size else REPORT_BYTES * 3
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("content", [b"", b"PK", b"report.json", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_said_to_be_none(content: bytes) -> None:
    assert refused(content)


def test_the_largest_report_is_read() -> None:
    content = b" " * REPORT_BYTES
    assert report_json(archive(("report.json", content))) == content
    assert "unpacks to more than" in refused(archive(("report.json", content + b" ")))


def test_damage_anywhere_is_a_refusal_or_does_no_harm() -> None:
    whole = archive(("comment.md", b"x" * 300), ("report.json", CONTENT * 20), ("é", b"y"))
    chance = random.Random(4)
    for _ in range(3000):
        made = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            made[chance.randrange(len(made))] = chance.randrange(256)
        cut = bytes(made[: chance.randrange(len(made))]) if chance.random() < 0.1 else bytes(made)
        try:
            content = report_json(cut)
        except errors.ReportRefused:
            continue
        assert content == CONTENT * 20, "zip's own checksum holds"

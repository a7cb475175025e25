"""The artifact of a fork's run -> its report.json, whatever else the archive holds. Pure.

Whoever wrote the pull request may have made the archive. One file is read, by its exact name and
into memory; nothing is written to disk, so that a path or a link in it leads nowhere.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib

from dbtdeploy.base import errors

NAME = "report.json"

ARCHIVE_BYTES = 32 * 1024 * 1024
"""Of the artifact as it is downloaded, with its log and compiled SQL."""

REPORT_BYTES = 32 * 1024 * 1024
"""Of report.json unpacked; that of 5,000 models and 15,000 tests has 13 MB."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What GitHub's own action writes. The others take memory as the archive asks for."""

ENCRYPTED = 0x1

BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    # Of names that are no text, numbers out of range, and versions of the format to come.
    *(ValueError, RuntimeError),
)
"""What Python's reader of archives ends with where one is damaged, or made to be."""

NOT_DONE = "No comment was written or changed."

REMEDY = (
    "Nothing is wrong with this repository: the pull request's own run wrote that file. "
    "If its workflow was not changed, look at that run's log."
)


def refused(what: str) -> errors.ReportRefused:
    """The failure for an artifact that is not believed.

    Args:
        what: is wrong with it, as a sentence.
    """
    return errors.ReportRefused(what, not_done=NOT_DONE, remedy=REMEDY)


def report_json(archive: bytes) -> bytes:
    """The content of the one report.json at the archive's top.

    Args:
        archive: a zip file.

    Raises:
        ReportRefused: there is none or more than one, it is not a plain file or too large, or the
            archive cannot be unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entry = _only_report(opened.infolist())
            with opened.open(entry) as file:
                # The size that the archive states is its own word: no more than the limit is read.
                content = file.read(REPORT_BYTES + 1)
    except BROKEN as cause:
        raise refused(f"The run's artifact cannot be unpacked ({type(cause).__name__}).") from None
    if len(content) > REPORT_BYTES:
        raise _too_large()
    return content


def _only_report(entries: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    found = [entry for entry in entries if entry.filename == NAME]
    if not found:
        raise refused(f"The run's artifact holds no {NAME}.")
    if len(found) > 1:
        raise refused(f"The run's artifact holds {len(found):,} files named {NAME}.")
    (entry,) = found
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise refused(f"The {NAME} in the run's artifact is a link or another special file.")
    if entry.flag_bits & ENCRYPTED or entry.compress_type not in METHODS:
        raise refused(f"The {NAME} in the run's artifact is not packed as GitHub packs it.")
    if entry.file_size > REPORT_BYTES:
        raise _too_large()
    return entry


def _too_large() -> errors.ReportRefused:
    return refused(f"The {NAME} in the run's artifact unpacks to more than {REPORT_BYTES:,} bytes.")

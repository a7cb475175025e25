"""Files that outlive the job: written whole or not at all, and never worth a failure."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import marshal
import os
import tempfile
from typing import Any, Dict

DIGEST_BYTES = 32


def write(path: str, content: bytes) -> None:
    """Replace the file, with its folder where that is missing; nothing where it cannot be written.

    Args:
        path: of the file.
        content: all of it.
    """
    folder, name = os.path.split(path)
    partial = None
    try:
        os.makedirs(folder, exist_ok=True)
        number, partial = tempfile.mkstemp(dir=folder, prefix=name)
        with os.fdopen(number, "wb") as out:
            out.write(content)
        os.replace(partial, path)
    except OSError:
        # A cache that cannot be written costs time and nothing else.
        with contextlib.suppress(OSError):
            if partial is not None:
                os.unlink(partial)


class KeptCode:
    """Code objects in one file, and what ``marshal`` can write beside them, each by a key."""

    def __init__(self, name: str) -> None:
        """Nothing is known until a folder is.

        Args:
            name: of the file.
        """
        self.name = name
        self.path = ""
        self.known: Dict[str, Any] = {}
        self.new: Dict[str, Any] = {}
        """What the file does not have."""

    def use(self, folder: str) -> None:
        """Know what is in this folder.

        Args:
            folder: of this environment and of no other; it may be missing, and its file damaged or
                of another Python.
        """
        self.path = os.path.join(folder, self.name)
        self.read()

    def add(self, key: str, code: Any) -> None:
        """Know this too, and write it at the end."""
        self.known[key] = self.new[key] = code

    def write_new(self) -> None:
        """Write what was added, if another process has not written the same meanwhile."""
        if self.new:
            there = self._content()
            if not self.new.keys() <= there.keys():
                content = marshal.dumps({**there, **self.new})
                write(self.path, _digest(content) + content)

    def read(self) -> None:
        """Know what other processes have written by now."""
        self.known.update(self._content())

    def _content(self) -> Dict[str, Any]:
        try:
            with open(self.path, "rb") as kept:
                whole = kept.read()
        except OSError:
            return {}
        digest, content = whole[:DIGEST_BYTES], whole[DIGEST_BYTES:]
        # ``marshal`` trusts what it reads, so it reads nothing but what was written whole.
        return marshal.loads(content) if digest == _digest(content) else {}  # noqa: S302


def _digest(content: bytes) -> bytes:
    """Of the content and of the Python that can read it."""
    return hashlib.sha256(importlib.util.MAGIC_NUMBER + content).digest()

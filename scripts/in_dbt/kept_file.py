"""Files that outlive the job: written whole or not at all, and never worth a failure."""

from __future__ import annotations

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
    try:
        os.makedirs(folder, exist_ok=True)
        number, partial = tempfile.mkstemp(dir=folder, prefix=name)
        with os.fdopen(number, "wb") as out:
            out.write(content)
        os.replace(partial, path)
    except OSError:
        # A cache that cannot be written costs time and nothing else.
        return


def read_code(path: str) -> Dict[str, Any]:
    """What ``add_code`` wrote; nothing where that is missing, damaged or of another Python."""
    try:
        with open(path, "rb") as kept:
            whole = kept.read()
    except OSError:
        return {}
    digest, content = whole[:DIGEST_BYTES], whole[DIGEST_BYTES:]
    # ``marshal`` trusts what it reads, so it reads nothing but what was written whole.
    return marshal.loads(content) if digest == _digest(content) else {}  # noqa: S302


def add_code(path: str, new: Dict[str, Any]) -> None:
    """Write code objects, and what ``marshal`` writes beside them, to those that are kept already.

    Args:
        path: of the file. Another process may have written it meanwhile: what it made stays.
        new: by any name.
    """
    content = marshal.dumps({**read_code(path), **new})
    write(path, _digest(content) + content)


def _digest(content: bytes) -> bytes:
    """Of the content and of the Python that can read it."""
    return hashlib.sha256(importlib.util.MAGIC_NUMBER + content).digest()

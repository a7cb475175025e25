"""A file that outlives the job: written whole or not at all, and never worth a failure."""

from __future__ import annotations

import os
import tempfile


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

"""Our own modules, compiled once and kept with our environment.

The runner downloads the action anew for each job, and Python would compile a hundred modules of it
each time: 0.2 s of CPU. What is kept is checked by the source's hash as it is imported, so another
version of the action is compiled anew where it differs.

Standard library only: ``setup_environment.py`` runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import py_compile
import shutil
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "dbtdeploy"


def sizes(scripts: Path) -> list[str]:
    """What tells one version of our scripts from another without reading them."""
    return [f"{path.relative_to(scripts)} {path.stat().st_size}" for path in _sources(scripts)]


def keep(scripts: Path, kept: Path) -> None:
    """Compile our modules into a folder.

    Args:
        scripts: the folder of the scripts.
        kept: where to; what is in it goes.
    """
    shutil.rmtree(kept, ignore_errors=True)
    for source in _sources(scripts):
        py_compile.compile(
            str(source),
            cfile=str(kept / _compiled(source).relative_to(scripts)),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        )


def lay(kept: Path, scripts: Path) -> None:
    """Put what is kept where Python looks for it, if there is nothing.

    Nothing is lost where that cannot be: Python compiles what it does not find.
    """
    for source in _sources(scripts):
        there = _compiled(source)
        with contextlib.suppress(OSError):
            if not there.exists():
                there.parent.mkdir(exist_ok=True)
                partial = there.with_name(f"{there.name}.{os.getpid()}")
                shutil.copyfile(kept / there.relative_to(scripts), partial)
                partial.replace(there)


def _sources(scripts: Path) -> Iterator[Path]:
    """Of the package alone: Python keeps no bytecode of what it is told to run."""
    for folder in (scripts / PACKAGE, scripts / PACKAGE / "edges"):
        yield from sorted(folder.glob("*.py"))


def _compiled(source: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(source)))

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
import shutil
from collections.abc import Iterator
from pathlib import Path

CACHE = "__pycache__"


def sizes(scripts: Path, templates: Path) -> list[str]:
    """What tells one version of our scripts and templates from another without reading them."""
    found = [*_sources(scripts), *sorted(templates.rglob("*.j2"))]
    return [f"{path.parent.name}/{path.name} {path.stat().st_size}" for path in found]


def keep(scripts: Path, kept: Path) -> None:
    """Compile our modules into a folder.

    Args:
        scripts: the folder of the scripts.
        kept: where to; what is in it goes.
    """
    # Not needed, and not imported, where it is all kept already.
    import py_compile  # noqa: PLC0415

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
    for package in _packages(scripts):
        there, here = scripts / package / CACHE, kept / package / CACHE
        with contextlib.suppress(OSError):
            there.mkdir(exist_ok=True)
            for name in set(os.listdir(here)) - set(os.listdir(there)):  # noqa: PTH208  names only
                _link_or_copy(f"{here}/{name}", f"{there}/{name}")


def _link_or_copy(kept: str, there: str) -> None:
    """Link, where both are on one disk: Python replaces bytecode, and never writes into it."""
    try:
        os.link(kept, there)
    except OSError:
        partial = f"{there}.{os.getpid()}"
        shutil.copyfile(kept, partial)
        os.replace(partial, there)  # noqa: PTH105


def _sources(scripts: Path) -> Iterator[Path]:
    """Of what is imported alone: Python keeps no bytecode of what it is told to run."""
    for package in _packages(scripts):
        yield from sorted((scripts / package).glob("*.py"))


def _packages(scripts: Path) -> list[str]:
    """Every folder with modules, from ``scripts`` on."""
    found = {path.parent for path in scripts.rglob("*.py")} - {scripts}
    return sorted(path.relative_to(scripts).as_posix() for path in found)


def _compiled(source: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(source)))

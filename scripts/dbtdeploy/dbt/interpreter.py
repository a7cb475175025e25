"""The Python that runs the caller's ``dbt``, where dbt's programmatic interface can be used.

That is so on Linux for the versions that it was tried with, where ``dbt`` is the script that an
installer makes for an entry point. A wrapper, a binary or another version is run as the command
that it is.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dbtdeploy.dbt import installed_version

VERSIONS = ((1, 11), (1, 12))
"""Minor versions of dbt-core that this was tried with."""

MOST_BYTES = 4096

SHEBANG = re.compile(
    r"#!(/\S*python[\d.]*)[ \t]*\n"
    r"|#!/bin/sh\n'''exec' ([\"']?)(/[^\"'\n]*python[\d.]*)\2 \"\$0\" \"\$@\"\n' '''\n"
)
"""The second is what pip and uv write where the path is long or holds a blank."""

ENTRY, RUN = "from dbt.cli.main import cli", "sys.exit(cli())"
OTHER_LINES = re.compile(
    r"#.*|import (re|sys)|if __name__ == [\"']__main__[\"']:"
    r"|(el)?if sys\.argv\[0\]\.endswith\([^()]*\):|sys\.argv\[0\] = [^;]*"
)
"""What else stands in the script that pip, uv, conda or Poetry makes for an entry point. One with
another line does something of its own, and is run as it is."""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """What can be started in place of the command ``dbt``."""

    command: str
    """The command, in full."""
    python: str
    version: str
    """Of dbt-core, as the metadata beside the command says."""


def find(command: str, *, folder: Path, variables: Mapping[str, str]) -> Interpreter | str:
    """The interpreter of a command, or why the command itself is to be run.

    Args:
        command: a name on PATH, or a path; a relative one starts from ``folder``.
        folder: dbt's working folder.
        variables: dbt's environment, for PATH.
    """
    if sys.platform != "linux":
        return "this is not Linux"
    looked_up = str(folder / command) if "/" in command else command
    executable = shutil.which(looked_up, path=variables.get("PATH", ""))
    python = _interpreter(executable) if executable else None
    if executable is None or python is None:
        return "it is not the script that pip, uv, conda or Poetry makes"
    found = installed_version.beside(Path(executable))
    if found is None:
        return "which dbt-core is installed beside it is not known"
    if not _is_known(found.version):
        return f"its version, {found.version}, is none of {_known_versions()}"
    return Interpreter(command=executable, python=python, version=found.version)


def _interpreter(executable: str) -> str | None:
    """The Python that runs a command, None where it is no script that dbt-core installs."""
    try:
        with Path(executable).open("rb") as script:
            text = script.read(MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        return None
    shebang = SHEBANG.match(text)
    if shebang is None:
        return None
    lines = [line.strip() for line in text[shebang.end() :].splitlines() if line.strip()]
    others = [line for line in lines if line not in (ENTRY, RUN)]
    if lines.count(ENTRY) != 1 or lines[-1] != RUN or lines.count(RUN) != 1:
        return None
    if not all(OTHER_LINES.fullmatch(line) for line in others):
        return None
    python = shebang[1] or shebang[3]
    return python if os.access(python, os.X_OK) else None


def _is_known(version: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)\.", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) in VERSIONS


def _known_versions() -> str:
    return " and ".join(f"{major}.{minor}" for major, minor in VERSIONS)

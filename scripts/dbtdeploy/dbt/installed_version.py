"""Which dbt the caller's environment holds.

Read from the metadata that pip and uv leave beside the command (1 ms), since ``dbt --version``
takes 1.5 to 3 s and asks PyPI for the newest release. The command is run only where there is no
such metadata: a shim of pyenv's, a single binary.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dbtdeploy.base import errors

TIMEOUT_SECONDS = 60

CORE = re.compile(r"dbt_core-([^-]+)\.dist-info")
PLUGIN = re.compile(r"dbt_([a-z0-9_]+)-([^-]+)\.dist-info", re.IGNORECASE)
INSTALLED = re.compile(r"^\s*- installed:\s*v?(\d+\.\d+\S*)", re.MULTILINE)
ONE_LINE = re.compile(r"^\s*dbt\S*\s+v?(\d+\.\d+\S*)", re.MULTILINE)
LISTED_PLUGIN = re.compile(r"^\s*- (\w+):\s*v?(\d+\.\d+\S*)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class InstalledDbt:
    """The caller's dbt: dbt-core's version, and each adapter's by its name (``postgres``)."""

    version: str
    adapters: Mapping[str, str] = field(default_factory=dict)
    distributions: tuple[str, ...] = ()
    """All of dbt's own packages with their versions, ``dbt_adapters-1.16.3`` for one; none where
    only the command itself could be asked."""


def find(command: str, *, folder: Path, variables: Mapping[str, str]) -> InstalledDbt:
    """What the command would run.

    Args:
        command: a name on PATH, or a path; a relative one starts from ``folder``.
        folder: dbt's working folder.
        variables: dbt's environment, for PATH.

    Raises:
        DbtNotFound: there is no such command, or it does not tell a version.
    """
    executable = _executable(command, folder, variables)
    if executable is None:
        raise not_found(f"`{command}` is not on PATH or cannot be run")
    return beside(Path(executable)) or _from_command(executable, command, variables)


def distributions(command: str, *, folder: Path, variables: Mapping[str, str]) -> tuple[str, ...]:
    """What the dbt is made of that a command would run; empty where that is not known at once."""
    executable = _executable(command, folder, variables)
    found = beside(Path(executable)) if executable else None
    return found.distributions if found else ()


def _executable(command: str, folder: Path, variables: Mapping[str, str]) -> str | None:
    looked_up = str(folder / command) if "/" in command else command
    return shutil.which(looked_up, path=variables.get("PATH", ""))


def beside(executable: Path) -> InstalledDbt | None:
    """What is installed beside the command; None unless that is exactly one dbt-core."""
    prefix = executable.resolve().parent.parent
    found = [
        (path.parent, match[1])
        for pattern in ("lib/python3*/site-packages", "lib/python3*/dist-packages")
        for path in prefix.glob(f"{pattern}/dbt_core-*.dist-info")
        if (match := CORE.fullmatch(path.name))
    ]
    if len(found) != 1:
        return None
    packages, version = found[0]
    adapters = {
        match[1]: match[2]
        for path in sorted(packages.glob("dbt_*.dist-info"))
        # dbt-common, dbt-adapters and the like are no adapters: they bring no such folder.
        if (match := PLUGIN.fullmatch(path.name))
        and (packages / "dbt" / "adapters" / match[1]).is_dir()
    }
    parts = (path.name.removesuffix(".dist-info") for path in packages.glob("dbt_*.dist-info"))
    return InstalledDbt(
        version=version,
        adapters=adapters,
        distributions=tuple(sorted(parts)),
    )


def _from_command(executable: str, command: str, variables: Mapping[str, str]) -> InstalledDbt:
    try:
        output = subprocess.run(
            [executable, "--version"],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired:
        raise not_found(
            f"`{command} --version` did not answer within {TIMEOUT_SECONDS} s"
        ) from None
    except OSError as cause:
        raise not_found(f"`{command}` cannot be started: {cause.strerror}") from None
    version = INSTALLED.search(output) or ONE_LINE.search(output)
    if version is None:
        raise not_found(f"`{command} --version` names no version of dbt")
    plugins = output.partition("Plugins:")[2]
    return InstalledDbt(version=version[1], adapters=dict(LISTED_PLUGIN.findall(plugins)))


def not_found(said: str) -> errors.DbtNotFound:
    """The failure of a command that is not there or does not start; ``said`` has no full stop."""
    return errors.DbtNotFound(
        f"{said}.",
        not_done="Nothing was built.",
        remedy="Set the input `dbt` to a requirements file or to requirements such as "
        "`dbt-core~=1.12.0 dbt-postgres`, or install dbt in a step before this one.",
    )

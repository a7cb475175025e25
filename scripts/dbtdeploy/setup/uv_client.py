"""The command ``uv``: found, or installed at a pinned version, and run.

Standard library only: ``setup_environment.py`` runs before anything is installed.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import site
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbtdeploy.base import actions_runner, certificates, errors, settings

OLDEST = (0, 5)
"""The first uv whose ``sync`` reads our lock file."""

TIMEOUT_SECONDS = 900

TAIL_LINES = 12
"""How much of a failure's output goes into its message; the log holds all of it."""

REMEDIES = (
    (
        r"(?i)407 proxy authentication required|tunnel error|proxy error|proxyerror"
        r"|cannot connect to proxy",
        "The proxy did not let the request through. Check HTTPS_PROXY and NO_PROXY in the job's "
        "`env`, and the user and password in them.",
    ),
    (
        r"(?i)401 unauthorized|403 forbidden",
        "The package index refused the credentials. Check UV_INDEX_URL, or the index's user and "
        "password, in the job's `env`.",
    ),
    (
        r"(?i)failed to lookup address|name or service not known|name resolution"
        r"|connection refused|network is unreachable|timed out",
        "The package index did not answer. Run the job again; where the runner has no way out, set "
        "HTTPS_PROXY, or UV_INDEX_URL to an index that it reaches, in the job's `env`.",
    ),
)
"""What uv's or pip's output shows, and what mends it; the first that is found counts."""


def find(tools: Path, requirement: Path) -> str:
    """The uv to use: the one on PATH, else a pinned one installed into ``tools``.

    Args:
        tools: a folder of ours, kept for the next run.
        requirement: the requirements file that pins uv, with hashes.

    Raises:
        EnvironmentNotMade: it is not there and cannot be installed.
    """
    found = shutil.which("uv")
    if found and _version(found) >= OLDEST:
        return found
    ours = tools / "bin" / "uv"
    if not ours.is_file() or not _version(str(ours)):
        _install(tools, requirement)
    return str(ours)


def run(arguments: Sequence[str], *, folder: Path, extra: Mapping[str, str], purpose: str) -> None:
    """Run a command, its output shown when it has ended.

    Args:
        arguments: the command and its arguments; no shell reads them.
        folder: where it runs.
        extra: variables laid over the environment.
        purpose: what it is for, as in "`purpose` failed".

    Raises:
        EnvironmentNotMade: it failed, or took longer than 15 minutes.
    """
    try:
        done = subprocess.run(
            arguments,
            cwd=folder,
            # Building a package may run code of the project's choice.
            env={**settings.for_installers(), **extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _not_made(purpose, f"It had not ended after {TIMEOUT_SECONDS} s.") from None
    if done.stdout.strip():
        with actions_runner.foreign_output():
            actions_runner.show(done.stdout.rstrip("\n"))
    if done.returncode != 0:
        raise _not_made(
            purpose, "\n".join(done.stdout.strip().splitlines()[-TAIL_LINES:]), done.stdout
        )


def _version(command: str) -> tuple[int, ...]:
    try:
        done = subprocess.run(
            [command, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    numbers = re.match(r"uv (\d+)\.(\d+)", done.stdout)
    return tuple(map(int, numbers.groups())) if numbers and done.returncode == 0 else ()


def _install(tools: Path, requirement: Path) -> None:
    shutil.rmtree(tools, ignore_errors=True)
    if _has_pip():
        # No environment of its own: making one takes longer than installing uv.
        pip = [sys.executable, "-I", "-m", "pip", "install", "--target", str(tools)]
    elif importlib.util.find_spec("ensurepip"):
        run(
            [sys.executable, "-I", "-m", "venv", str(tools)],
            folder=requirement.parent,
            extra={},
            purpose="Making a small environment for uv",
        )
        pip = [str(tools / "bin" / "python"), "-I", "-m", "pip", "install"]
    else:
        # Debian and Ubuntu ship python3 without either.
        raise errors.EnvironmentNotMade(
            f"There is no uv on PATH, and {sys.executable} has neither venv nor pip to install it.",
            not_done="No environment was made and dbt was not started.",
            remedy="On Debian and Ubuntu: apt-get install python3-venv. Elsewhere install uv "
            "(https://docs.astral.sh/uv/) or use actions/setup-python before this action.",
        )
    run(
        [*pip, "--quiet", "--require-hashes", "--requirement", str(requirement)],
        folder=requirement.parent,
        extra={"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        purpose="Installing uv",
    )


def _has_pip() -> bool:
    """Whether this Python has pip where an isolated one finds it, too."""
    found = importlib.util.find_spec("pip")
    own = site.getusersitepackages()
    return found is not None and not (found.origin or "").startswith(own)


def _not_made(purpose: str, detail: str, output: str = "") -> errors.EnvironmentNotMade:
    causes = (remedy for pattern, remedy in REMEDIES if re.search(pattern, output))
    return errors.EnvironmentNotMade(
        f"{purpose} failed.\n{detail}",
        not_done="The environment is not complete and dbt was not started.",
        remedy=certificates.remedy(output, "the package index")
        or next(causes, None)
        or "If the package index could not be reached, run the job again. Otherwise check the "
        "input `dbt`: the versions must exist and fit each other and this Python "
        f"({sys.version_info.major}.{sys.version_info.minor}).",
    )

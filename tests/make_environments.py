"""uv.lock, tests/requirements/ -> .venv and one dbt per version in .cache/dbt/.

Usage: ``python3 tests/make_environments.py [VERSION ...]``, as the Makefile does. Standard library
only; what is complete already is left as it is.
"""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from dbtdeploy.base import errors
from dbtdeploy.setup import (
    uv_client,
    virtualenvs,
)

CACHE = ROOT / ".cache"
REQUIREMENTS = ROOT / "tests" / "requirements"
OVERRIDE = REQUIREMENTS / "override.txt"
"""What uv leaves out where GitHub cannot be reached; uv reads its path in ``UV_OVERRIDE``."""

DBT = "1.12"
"""The version of dbt that the demo and most tests run on."""

NEWEST_PYTHON = {"1.8": (3, 12), "1.9": (3, 12)}
"""What a dbt can be installed on, where that is older than what we run on."""


def dbt_command(version: str) -> Path:
    """Where the command ``dbt`` of one version lies, made or not."""
    return CACHE / "dbt" / version / "bin" / "dbt"


def why_not(version: str) -> str | None:
    """Why a version of dbt cannot be had on this Python; None if it can."""
    newest = NEWEST_PYTHON.get(version)
    if newest is None or sys.version_info[:2] <= newest:
        return None
    return f"dbt {version} needs Python {newest[0]}.{newest[1]} or older"


def main(versions: list[str]) -> int:
    """Make .venv and the given versions of dbt.

    Returns:
        0, or 1 with the reason printed.
    """
    try:
        command = uv_client.find(CACHE / "tools", ROOT / "scripts" / "uv-requirement.txt")
        uv_client.run(
            [command, "sync", "--frozen", "--quiet", "--python", sys.executable],
            folder=ROOT,
            extra={"UV_PROJECT_ENVIRONMENT": str(ROOT / ".venv")},
            purpose="Making .venv",
        )
        for version in versions:
            _make_dbt(command, version)
    except errors.DbtDeployError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _make_dbt(command: str, version: str) -> None:
    if reason := why_not(version):
        print(f"{reason}: its tests will be skipped.")
        return
    listing = REQUIREMENTS / f"dbt-{version}.txt"
    folder = dbt_command(version).parent.parent
    made = virtualenvs.Virtualenv(
        folder=folder,
        key=virtualenvs.digest([platform.python_version(), sys.executable, listing.read_bytes()]),
    )
    if made.is_complete():
        return
    print(f"Installing dbt {version} for the tests ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv = [command, "venv", "--quiet", "--python", sys.executable, str(folder)]
    # sync, not install: it takes the list as whole, so dbt 1.12 goes without its parser.
    sync = [command, "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes"]
    into = ["--python", str(folder / "bin" / "python"), str(listing)]
    for call in (venv, [*sync, *into]):
        uv_client.run(call, folder=ROOT, extra={}, purpose=f"Installing dbt {version}")
    made.mark_complete()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

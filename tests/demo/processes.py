"""Commands that the demo runs: quiet when they succeed, whole when they do not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "SSL_CERT_FILE", "UV_CACHE_DIR")
"""All that a step gets of the machine it runs on: no account, no database, no dbt setting."""

KEPT_PREFIXES = ("UV_", "PIP_", "HTTP", "http", "NO_PROXY", "no_proxy")
"""How the machine reaches its package index."""


class CommandFailed(Exception):
    """A command the demo needs did not succeed."""


def clean_environment(**more: str) -> dict[str, str]:
    """The machine's environment without its accounts, and what is given."""
    kept = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith(KEPT_PREFIXES)}
    return {**kept, **more}


def forget_accounts() -> None:
    """Put this machine's accounts, and its proxy for loopback, out of this process's reach."""
    kept = clean_environment(
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        NO_PROXY="127.0.0.1",
        no_proxy="127.0.0.1",
    )
    os.environ.clear()
    os.environ.update(kept)


def run(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout: float = 600
) -> str:
    """Run a command to its end; gives its standard output.

    Raises:
        CommandFailed: it did not exit with 0; the message holds all it printed.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        shown = " ".join(command)
        raise CommandFailed(f"{shown} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout

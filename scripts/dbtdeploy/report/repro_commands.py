"""Commands a reader can copy. Pure; shell-quoted, without secrets.

Rows are shown with plain ``--defer``: then ``dbt show`` reads what this pull request built, and
production for the rest. With ``--favor-state`` it would read production only (tried with dbt 1.11).
A rebuild needs ``--favor-state``, as the build itself had it.

Of a deploy, rows are shown as production has them, and nothing is built by hand: that would go
around the lease, and no version would know of it.
"""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit, urlunsplit

from dbtdeploy.context import work_files
from dbtdeploy.store.publication import versions

ROWS_SHOWN = 20
STATE_COPY = "state"


def prepare(run: work_files.Run, state: work_files.State | None) -> tuple[str, ...]:
    """What to do once before ``show`` and ``rebuild``, in the dbt project's folder."""
    lines = [] if _deploys(run) else [f"export DBT_DEPLOY_SCHEMA={shlex.quote(run.schema)}"]
    if run.dbt.repository_path not in ("", "."):
        lines.insert(0, f"cd {shlex.quote(run.dbt.repository_path)}")
    if _in_s3(state) and not _deploys(run):
        source = f"{_artifacts(state)}/manifest.json" if state else ""
        lines.append(f"aws s3 cp {shlex.quote(source)} {STATE_COPY}/manifest.json")
    return tuple(lines)


def show(run: work_files.Run, state: work_files.State | None, selector: str) -> str:
    """Show the rows that a test found."""
    words = ["dbt", "show", "--select", selector, "--limit", str(ROWS_SHOWN)]
    if state is not None and state.found and not _deploys(run):
        words += ["--defer", "--state", _state_folder(state)]
    return shlex.join(words + _project(run))


def rebuild(
    run: work_files.Run, state: work_files.State | None, selectors: tuple[str, ...]
) -> str | None:
    """Build and test again, as this run did; None for a deploy."""
    if _deploys(run):
        return None
    words = ["dbt", "build", "--select", *selectors]
    if state is not None and state.found:
        words += ["--defer", "--favor-state", "--state", _state_folder(state)]
    return shlex.join(words + _project(run))


def without_credentials(location: str) -> str:
    """A URL without user, password and query; anything else as it is."""
    parts = urlsplit(location) if "://" in location else None
    if parts is None:
        return location
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _deploys(run: work_files.Run) -> bool:
    return run.command == "deploy"


def _in_s3(state: work_files.State | None) -> bool:
    return state is not None and state.found and state.location.startswith("s3://")


def _state_folder(state: work_files.State) -> str:
    return STATE_COPY if _in_s3(state) else _artifacts(state)


def _artifacts(state: work_files.State) -> str:
    """Where manifest.json lies for dbt: a store that deploys fill has plain copies in a folder."""
    location = without_credentials(state.location).rstrip("/")
    return f"{location}/{versions.LATEST.rstrip('/')}" if state.version else location


def _project(run: work_files.Run) -> list[str]:
    words = ["--target", run.dbt.target] if run.dbt.target else []
    return words + (["--vars", run.dbt.vars] if run.dbt.vars else [])

"""What a fork's run uploads: slim CI's own report, and what a stranger might make of it."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import msgspec
from msgspec.structs import replace

from dbtdeploy.fork_comment.fork_run import ForkRun, Origin
from dbtdeploy.report.build_report import build_report
from dbtdeploy.report.report import Report
from standins.jobs import builds

REPOSITORY = "acme/analytics"
FORK = "stranger/analytics"
NUMBER = 482
COMMIT = builds.RUN.event.sha
BRANCH = "better-orders"
RUN_ID = 77


def run(origin: Origin = "fork", **over: Any) -> ForkRun:
    """The run, as GitHub's event describes it."""
    made = ForkRun(
        origin=origin,
        repository=REPOSITORY,
        server_url="https://github.com",
        run_id=RUN_ID,
        run_attempt=1,
        commit=COMMIT,
        branch=BRANCH,
        head_repository=FORK if origin == "fork" else REPOSITORY,
        began_at="2026-11-21T06:00:00Z",
    )
    return replace(made, **over)


def skipped(reason: str = "fork") -> Report:
    """What slim CI writes today for a run without secrets."""
    event = replace(builds.RUN.event, skip=reason)
    made = replace(builds.passed(), run=replace(builds.RUN, event=event))
    return build_report(replace(made, planned=False, build=None, state=None).inputs())


def failed() -> Report:
    """One of a build with failures of each kind."""
    return build_report(builds.failed().inputs())


def as_json(report: Report, **over: Any) -> dict[str, Any]:
    """The report's JSON, with other fields laid over it."""
    found: dict[str, Any] = json.loads(msgspec.json.encode(report))
    return {**found, **over}


def encoded(report: Report, **over: Any) -> bytes:
    """The same as a file's content."""
    return json.dumps(as_json(report, **over)).encode()


def archive(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A zip file with these entries, in their order, whatever they are called."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in entries:
            opened.writestr(name, content)
    return made.getvalue()


def uploaded(report: Report, **over: Any) -> bytes:
    """The artifact as slim CI's workflow uploads it."""
    files = (("comment.md", b"### ready to merge"), ("report.json", encoded(report, **over)))
    return archive(*files, ("summary.md", b"ready"))

"""What build_modified.py and build_production.py share: one dbt build, and what to make of it."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dbtdeploy import ansi, dbt_step, files, moments, run_results, settings, succeeded
from dbtdeploy.edges.dbt import Outcome
from dbtdeploy.outcomes import NODE_FAILED


@dataclass(frozen=True, kw_only=True)
class Called:
    """One dbt build as it ended. ``found`` is None without results that are surely its own."""

    arguments: Sequence[str]
    outcome: Outcome
    last: list[str]
    found: Mapping[str, str] | None
    started_at: str
    finished_at: str


def results_path(run: files.Run) -> Path:
    """Where dbt writes its results."""
    return Path(run.dbt.target_path) / files.RUN_RESULTS


def call(
    run: files.Run,
    work: Path,
    arguments: Sequence[str],
    *,
    name: str = "build",
    extra: Mapping[str, str] | None = None,
) -> Called:
    """Run one ``dbt build``, shown and logged.

    Args:
        run: this run.
        work: the work folder.
        arguments: everything after ``dbt`` but project, profile and target.
        name: of this call's log folder; with another than ``build`` the log goes on.
        extra: further variables for dbt.
    """
    proof = secrets.token_hex(16)
    variables = {**(extra or {}), f"DBT_ENV_CUSTOM_ENV_{run_results.PROOF}": proof}
    dbt = dbt_step.dbt_of(run, work, extra=variables)
    results_path(run).unlink(missing_ok=True)
    started = moments.now()
    log = work / files.LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w" if name == "build" else "a", encoding="utf-8") as kept:
        outcome, last = dbt_step.call(
            dbt,
            [*arguments, *dbt.options()],
            name=name,
            title=shlex.join(["dbt", *arguments]),
            keep=lambda line: print(ansi.plain(line), file=kept),
            hide_rows=run.policy.hide_row_data,
        )
    return Called(
        arguments=arguments,
        outcome=outcome,
        last=last,
        found=run_results.statuses(results_path(run), proof=proof),
        started_at=started,
        finished_at=moments.now(),
    )


def keep(
    run: files.Run, work: Path, called: Called, *, attempts: tuple[files.Attempt, ...] = ()
) -> files.Build:
    """Write build.json, and the results and the compiled SQL without secrets.

    Args:
        run: this run.
        work: the work folder.
        called: how it ended; its results are in the target folder.
        attempts: of a deploy.
    """
    redact = settings.redactor()
    if called.found is not None:
        run_results.keep_redacted(results_path(run), work / files.RUN_RESULTS, redact)
    # It holds values of env_var().
    source = Path(run.dbt.target_path) / "compiled"
    for path in sorted(source.rglob("*.sql")):
        copy = work / files.ARTIFACT_FOLDER / "compiled" / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8", errors="replace")
        copy.write_text(redact(text), encoding="utf-8")
    build = files.Build(
        exit_code=called.outcome.exit_code,
        interrupted=called.outcome.interrupted,
        results=called.found is not None,
        started_at=called.started_at,
        finished_at=called.finished_at,
        command=redact(shlex.join(["dbt", *called.arguments])),
        errors=called.outcome.errors,
        attempts=attempts,
    )
    files.write(work / files.BUILD, build)
    return build


def verdict(run: files.Run, work: Path, called: Called, build: files.Build) -> int:
    """The exit code of dbt; it is not believed where it says 0 and not all is good.

    Raises:
        Cancelled: dbt was interrupted.
        DbtStopped: dbt built nothing, or left no results of this call.
    """
    if called.outcome.interrupted:
        raise dbt_step.cancelled()
    if called.found is None or called.outcome.exit_code not in (0, NODE_FAILED):
        raise dbt_step.stopped(called.outcome, called.last, doing="before it finished")
    reason = succeeded.why_not(
        plan=files.read(work / files.PLAN, files.Plan),
        build=build,
        statuses=called.found,
        failure=None,
        fail_on_warnings=run.policy.fail_on_warnings,
    )
    if called.outcome.exit_code == 0 and reason is not None:
        print(settings.redactor()(reason))
        return NODE_FAILED
    return called.outcome.exit_code

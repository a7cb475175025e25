"""plan.json + state/ -> dbt build -> build.json, run_results.json, the log and the compiled SQL."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from dbtdeploy import ansi, cli, commands, dbt_step, files, moments, run_results, settings
from dbtdeploy.edges.dbt import Outcome
from dbtdeploy.outcomes import NODE_FAILED, OUTCOMES
from dbtdeploy.redact import Redact
from dbtdeploy.report import GOOD


def main() -> int:
    """Build, and end with dbt's verdict."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    state = files.read(work / files.STATE, files.State)
    files.read(work / files.SCHEMAS, files.Schemas)
    proof = secrets.token_hex(16)
    dbt = dbt_step.dbt_of(run, work, extra={f"DBT_ENV_CUSTOM_ENV_{run_results.PROOF}": proof})
    arguments = commands.building(
        run.selection,
        dbt_step.state_folder(work, state),
        threads=run.dbt.threads,
        extra=run.dbt.extra_args,
    )
    results = Path(run.dbt.target_path) / "run_results.json"
    results.unlink(missing_ok=True)
    started = moments.now()
    log = work / files.LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as kept:
        outcome, last = dbt_step.call(
            dbt,
            arguments + dbt.options(),
            name="build",
            title=shlex.join(["dbt", *arguments]),
            keep=lambda line: print(ansi.plain(line), file=kept),
            hide_rows=run.policy.hide_row_data,
        )
    found = run_results.statuses(results, proof=proof)
    redact = settings.redactor()
    if found is not None:
        run_results.keep_redacted(results, work / files.RUN_RESULTS, redact)
    _keep_compiled(run, work, redact)
    files.write(
        work / files.BUILD,
        files.Build(
            exit_code=outcome.exit_code,
            interrupted=outcome.interrupted,
            results=found is not None,
            started_at=started,
            finished_at=moments.now(),
            command=redact(shlex.join(["dbt", *arguments])),
            errors=outcome.errors,
        ),
    )
    code = _verdict(outcome, last, found)
    plan = files.read(work / files.PLAN, files.Plan)
    if code == 0 and (open_ends := _open_ends(plan, found or {})):
        print(redact("dbt's exit code is 0, and these did not pass:\n" + "\n".join(open_ends)))
        return NODE_FAILED
    if code == 0 and run.policy.fail_on_warnings and "warn" in (found or {}).values():
        print("A test warned, and `fail-on-warnings` is true.")
        return NODE_FAILED
    return code


def _open_ends(plan: files.Plan, found: Mapping[str, str]) -> list[str]:
    """What was skipped, ended in a way nobody knows, or has no result; the report says the same."""
    listed = [node.unique_id for node in plan.nodes if node.has_result]
    ends = {**dict.fromkeys(listed, "no result"), **found}
    return [f"{name}: {end}" for name, end in ends.items() if OUTCOMES.get(end) not in GOOD]


def _verdict(outcome: Outcome, last: list[str], found: Mapping[str, str] | None) -> int:
    if outcome.interrupted:
        raise dbt_step.cancelled()
    if found is None or outcome.exit_code not in (0, NODE_FAILED):
        raise dbt_step.stopped(outcome, last, doing="before it finished")
    return outcome.exit_code


def _keep_compiled(run: files.Run, work: Path, redact: Redact) -> None:
    """Copy the compiled SQL into the artifact: it holds values of env_var(), so redacted."""
    source = Path(run.dbt.target_path) / "compiled"
    for path in sorted(source.rglob("*.sql")):
        copy = work / files.ARTIFACT_FOLDER / "compiled" / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(
            redact(path.read_text(encoding="utf-8", errors="replace")), encoding="utf-8"
        )


if __name__ == "__main__":
    cli.run(main)

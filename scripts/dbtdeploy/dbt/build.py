"""What the scripts that build share: one dbt build, and what to make of it."""

from __future__ import annotations

import contextlib
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from dbtdeploy.artifacts import approved_build, build_success, run_results
from dbtdeploy.artifacts.node_status import NODE_FAILED
from dbtdeploy.base import actions_runner, ansi, errors, settings, text, timestamps
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.dbt import dbt_error_hints, invoke
from dbtdeploy.dbt.dbt_client import CheckedBuild, Dbt, Outcome, streamed
from dbtdeploy.dbt.dbt_server_client import SavedParse

MANIFEST = "manifest.json"

NAMED = 20
"""Lines of what went astray in one message."""


class Called(Struct, frozen=True, kw_only=True):
    """One dbt build as it ended. ``found`` is None without results that are surely its own."""

    arguments: Sequence[str]
    outcome: Outcome
    last: list[str]
    found: Mapping[str, str] | None
    strayed: tuple[str, ...]
    """What was built elsewhere than approved, or was not approved."""
    began: bool
    """Whether a node had begun, or results were written, as far as is known."""
    started_at: str
    finished_at: str


def results_path(run: work_files.Run) -> Path:
    """Where dbt writes its results."""
    return Path(run.dbt.target_path) / work_files.RUN_RESULTS


def manifest_path(run: work_files.Run) -> Path:
    """Where dbt writes its manifest."""
    return Path(run.dbt.target_path) / MANIFEST


def call(
    run: work_files.Run,
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
    attempt = _Attempt(run, work, arguments, name)
    dbt = invoke.dbt_of(run, work, extra={**(extra or {}), **attempt.variables})
    with attempt.shown() as shown:
        outcome = dbt.run([*arguments, *dbt.options()], name=name, on_line=shown)
    return attempt.ended(outcome, shown)


class CommandLines(Struct, frozen=True, kw_only=True):
    """What follows ``dbt`` in the commands of a checked build, without project and profile."""

    parse: Sequence[str]
    listing: Sequence[str]
    build: Sequence[str]
    then: Sequence[str] = ()
    """Of what goes on with the same parse if the build ends well."""


@contextlib.contextmanager
def checked(dbt: Dbt, run: work_files.Run, work: Path, lines: CommandLines) -> Iterator[Checked]:
    """A ``dbt build`` that stops before its first write; it ends there if it is not told to go on.

    Args:
        dbt: one that is not plain, see ``Dbt.why_plain``.
        run: this run.
        work: the work folder.
        lines: of its commands.
    """
    attempt = _Attempt(run, work, lines.build, "build")
    parse = invoke.saved_parse(run, work)
    commands = {"parse": lines.parse, "ls": lines.listing, "build": lines.build}
    with dbt.checked_build(
        {**commands, "then": lines.then} if lines.then else commands,
        name="build",
        variables=attempt.variables,
        saved_parse=parse,
    ) as build:
        yield Checked(attempt, build, parse)


class Checked:
    """A build that has stopped before its first write."""

    def __init__(self, attempt: _Attempt, build: CheckedBuild, parse: SavedParse | None) -> None:
        self._attempt = attempt
        self._build = build
        self._parse = parse

    def nodes(self) -> tuple[work_files.PlannedNode, ...]:
        """What it will build.

        Raises:
            Cancelled, DbtStopped: it did not get so far.
        """
        lines = self._build.plan()
        if lines is None:
            called = self._finish(go_on=False)
            invoke.require_success(called.outcome, called.last, doing=invoke.LISTING)
            raise invoke.stopped(called.outcome, called.last, doing=invoke.LISTING)
        invoke.tell_saved_parse(self._parse)
        return invoke.listed(self._attempt.run, lines)

    def go_on(self) -> Called:
        """Let it build."""
        return self._finish(go_on=True)

    def _finish(self, *, go_on: bool) -> Called:
        with self._attempt.shown() as shown:
            outcome = self._build.finish(on_line=shown, go_on=go_on)
        return self._attempt.ended(outcome, shown)


class _Attempt:
    """One call of ``dbt build``, from its beginning."""

    def __init__(
        self, run: work_files.Run, work: Path, arguments: Sequence[str], name: str
    ) -> None:
        self.run = run
        self.work = work
        self._log = work / work_files.LOG
        self._arguments = arguments
        self._goes_on = name != "build"
        self._proof = secrets.token_hex(16)
        self._started = timestamps.now()
        for path in (results_path(run), manifest_path(run)):
            # What is there afterwards is this call's.
            path.unlink(missing_ok=True)

    @property
    def variables(self) -> dict[str, str]:
        """For dbt, which writes them into its results."""
        return {f"DBT_ENV_CUSTOM_ENV_{run_results.PROOF}": self._proof}

    @contextlib.contextmanager
    def shown(self) -> Iterator[invoke.Shown]:
        """Takes the output, shows it in a group of its own and logs it."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        mode = "a" if self._goes_on else "w"
        title = shlex.join(["dbt", *self._arguments])
        with self._log.open(mode, encoding="utf-8") as kept, streamed(title):
            yield invoke.Shown(
                lambda line: kept.writelines((ansi.plain(line), "\n")),
                hide_rows=self.run.policy.hide_row_data,
            )

    def ended(self, outcome: Outcome, shown: invoke.Shown) -> Called:
        """How it ended."""
        plan = hand_over.read_if_there(self.work, work_files.Plan)
        found = run_results.statuses(
            results_path(self.run), proof=self._proof, inlined=plan.inlined if plan else ()
        )
        return Called(
            arguments=self._arguments,
            outcome=outcome,
            last=shown.last(),
            found=found,
            strayed=self._strayed(plan, found),
            began=shown.began or results_path(self.run).exists(),
            started_at=self._started,
            finished_at=timestamps.now(),
        )

    def _strayed(
        self, plan: work_files.Plan | None, found: Mapping[str, str] | None
    ) -> tuple[str, ...]:
        if plan is None:
            # It stopped while it listed.
            return ()
        path = manifest_path(self.run)
        manifest = path.read_bytes() if path.exists() else None
        return approved_build.strayed(manifest, plan.nodes, found)


def write_build(
    run: work_files.Run,
    work: Path,
    called: Called,
    *,
    attempts: tuple[work_files.Attempt, ...] = (),
) -> work_files.Build:
    """Write Build, and the results and the compiled SQL without secrets.

    Args:
        run: this run.
        work: the work folder.
        called: how it ended; its results are in the target folder.
        attempts: of a deploy.
    """
    redact = settings.redactor()
    if called.found is not None:
        said = [error.message for error in called.outcome.errors]
        kept = work / work_files.RUN_RESULTS
        plan = hand_over.read_if_there(work, work_files.Plan)
        inlined = plan.inlined if plan else ()
        run_results.keep_redacted(results_path(run), kept, redact, said=said, inlined=inlined)
    # It holds values of env_var().
    source = Path(run.dbt.target_path) / "compiled"
    for path in sorted(source.rglob("*.sql")):
        if not path.is_file():
            # dbt 1.12 puts the snapshots of x.sql into a folder of that name.
            continue
        copy = work / work_files.ARTIFACT_FOLDER / "compiled" / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8", errors="replace")
        copy.write_text(redact(text), encoding="utf-8")
    build = work_files.Build(
        exit_code=called.outcome.exit_code,
        interrupted=called.outcome.interrupted,
        results=called.found is not None,
        started_at=called.started_at,
        finished_at=called.finished_at,
        command=redact(shlex.join(["dbt", *called.arguments])),
        errors=called.outcome.errors,
        attempts=attempts,
    )
    hand_over.write(work, build)
    return build


def exit_code(run: work_files.Run, work: Path, called: Called, build: work_files.Build) -> int:
    """The exit code of dbt; it is not believed where it says 0 and not all is good.

    Raises:
        BuiltElsewhere: what dbt built is not what was approved.
        Cancelled: dbt was interrupted.
        DbtStopped: dbt built nothing.
        ResultsUnknown: it did, and left no results that are surely of this call.
    """
    if called.strayed:
        raise _elsewhere(called.strayed)
    if called.outcome.interrupted:
        raise invoke.cancelled()
    if called.found is None or called.outcome.exit_code not in (0, NODE_FAILED):
        if called.began and called.found is None:
            raise _unknown(called)
        raise invoke.stopped(called.outcome, called.last, doing="before it finished")
    reason = build_success.why_not(
        plan=hand_over.read(work, work_files.Plan),
        build=build,
        statuses=called.found,
        failure=None,
        fail_on_warnings=run.policy.fail_on_warnings,
    )
    if called.outcome.exit_code == 0 and reason is not None:
        actions_runner.say(reason)
        return NODE_FAILED
    return called.outcome.exit_code


def _elsewhere(strayed: Sequence[str]) -> errors.BuiltElsewhere:
    redact = settings.redactor()
    listed = text.bullets([redact(line) for line in strayed], NAMED)
    return errors.BuiltElsewhere(
        f"The manifest that dbt wrote is not what was checked:\n{listed}",
        not_done="This build does not count as passed. What it wrote is in the warehouse.",
        remedy="Look at what is named, and let names of schemas and relations follow from files, "
        "vars and the target alone, not from the time or from what is in the warehouse.",
    )


def _unknown(called: Called) -> errors.ResultsUnknown:
    said = dbt_error_hints.message(called.outcome.errors, called.last)
    return errors.ResultsUnknown(
        said or f"dbt ended with exit code {called.outcome.exit_code}.",
        not_done="dbt began to build and left no run_results.json of this build, so what it wrote "
        "is in the warehouse and in no report. This build does not count as passed.",
        remedy=dbt_error_hints.remedy_for(said),
    )

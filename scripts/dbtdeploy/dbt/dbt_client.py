"""The command ``dbt``: started, streamed, interrupted. Nothing of dbt is imported here.

Facts relied on, tried with dbt-core 1.8 to 1.12: exit code 0 fine, 1 a node failed, 2 usage,
parse, profile or connection.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, to_builtins

from dbtdeploy.base import actions_runner, ansi, base64_lines, json_codec
from dbtdeploy.base.redact import Redact
from dbtdeploy.context.work_files import DBT_PROCESSES, DbtProject, LogError
from dbtdeploy.dbt import dbt_server_client
from dbtdeploy.dbt.dbt_process import (
    CANCEL_GRACE_SECONDS,
    CommandProcess,
    Interrupts,
    Process,
    Usage,
)
from dbtdeploy.dbt.dbt_server_client import SavedParse, WarmDbt, WarmProcess

TRACE = "Traceback (most recent call last)"

Line = Callable[[str], None]

CACHE = ("DBT_ENGINE_CACHE_SELECTED_ONLY", "DBT_CACHE_SELECTED_ONLY")


class Outcome(Struct, frozen=True, kw_only=True):
    """How one dbt process ended."""

    exit_code: int
    interrupted: bool
    errors: tuple[LogError, ...]
    """What dbt logged as errors, redacted."""


class _Info(Struct, frozen=True, kw_only=True):
    level: str = ""
    msg: str = ""


class _Event(Struct, frozen=True, kw_only=True):
    info: _Info


class Dbt:
    """Runs dbt for one project.

    Args:
        project: where and how.
        variables: the whole environment of the process, secrets among them.
        redact: applied to every line before it is shown or kept.
        logs: a folder for dbt's own log files; beside it ``dbt_processes.jsonl`` is written, what
            each process took.
        one_process: whether dbt may be imported once and used by its programmatic interface;
            otherwise the plain command is run each time.
    """

    def __init__(
        self,
        project: DbtProject,
        *,
        variables: Mapping[str, str],
        redact: Redact,
        logs: Path,
        one_process: bool = False,
    ) -> None:
        self._project = project
        self._variables = dict(variables)
        self._redact = redact
        self._logs = logs
        self._one_process = one_process
        self._has_said_why = False

    def warm_up(self) -> None:
        """Begin to import dbt in the background where that can be, see ``dbt_server_client.py``."""
        self._begun()

    def why_plain(self) -> str | None:
        """Wait until dbt is imported; why the command itself is run, None if it is not."""
        warm = self._warm()
        return warm if isinstance(warm, str) else None

    def _begun(self) -> WarmDbt | str:
        if not self._one_process:
            return "the input `shortcuts` says so"
        return dbt_server_client.shared(
            self._project.command,
            folder=self._project.project_dir,
            variables=self._variables,
            note=lambda usage: self._note("import", usage),
        )

    def _warm(self) -> WarmDbt | str:
        warm = self._begun()
        if isinstance(warm, WarmDbt) and not warm.is_ready():
            warm = "it cannot be imported"
        if isinstance(warm, str) and self._one_process and not self._has_said_why:
            self._has_said_why = True
            actions_runner.say(f"dbt is run as the plain command: {warm}.")
        return warm

    def run_ours(
        self,
        arguments: Sequence[str],
        *,
        package: Path,
        target: Path,
        name: str,
        on_line: Line,
        grace_seconds: float,
    ) -> Outcome:
        """Run one dbt command in a project of ours, with the caller's connection.

        Args:
            arguments: everything after ``dbt`` but project and connection.
            package: the project's folder.
            target: a folder for what dbt writes; its own saved parse is there for the next call.
            name: of the log folder of this call.
            on_line: gets each line as dbt prints it, secrets and all.
            grace_seconds: as of ``run``.
        """
        options = ["--project-dir", str(package), "--target-path", str(target), "--no-write-json"]
        return self._run(
            [*arguments, *options, *self.connection()],
            name=name,
            on_line=on_line,
            grace_seconds=grace_seconds,
        )

    def options(self) -> list[str]:
        """The options that make every call mean the same project, profile and target."""
        project = self._project
        options = ["--project-dir", project.project_dir, "--target-path", project.target_path]
        return options + self.connection()

    def connection(self) -> list[str]:
        """The options that name profile and target, for a project of our own too.

        A profile may read ``var()``, so the variables belong to them.
        """
        project = self._project
        options: list[str] = []
        if project.profiles_dir:
            options += ["--profiles-dir", project.profiles_dir]
        if project.profile:
            options += ["--profile", project.profile]
        if project.target:
            options += ["--target", project.target]
        if project.vars:
            options += ["--vars", project.vars]
        return options

    def run(
        self,
        arguments: Sequence[str],
        *,
        name: str,
        on_line: Line,
        redacted: bool = True,
        grace_seconds: float | None = None,
        saved_parse: SavedParse | None = None,
    ) -> Outcome:
        """Run one dbt command to its end.

        Args:
            arguments: everything after ``dbt``.
            name: of the log folder of this call.
            on_line: gets each line of standard output and error, without its newline.
            redacted: whether secrets are taken out of those lines. Not where a script reads them:
                a secret ``true`` or one that is also a schema's name would change their meaning.
            grace_seconds: how long an interrupted dbt may take to cancel its queries before it is
                killed; ``CANCEL_GRACE_SECONDS`` if None.
            saved_parse: where its parse may start from, if dbt is warm.

        Returns:
            The outcome. An interrupt (SIGINT or SIGTERM to this process) is passed on as SIGINT and
            waited for, so that the warehouse's queries are cancelled.

        Raises:
            DbtNotFound: the command cannot be started.
        """
        return self._run(
            arguments,
            name=name,
            on_line=on_line,
            grace_seconds=CANCEL_GRACE_SECONDS if grace_seconds is None else grace_seconds,
            saved_parse=saved_parse,
            redact=self._redact if redacted else None,
        )

    def _run(
        self,
        arguments: Sequence[str],
        *,
        name: str,
        on_line: Line,
        grace_seconds: float,
        saved_parse: SavedParse | None = None,
        redact: Redact | None = None,
    ) -> Outcome:
        logged = self._logged_to(name)
        with Interrupts(grace_seconds) as interrupts:
            process: Process
            if isinstance(warm := self._warm(), WarmDbt):
                process = warm.start(
                    [*arguments, *logged],
                    folder=self._project.project_dir,
                    variables=self._variables,
                    saved_parse=saved_parse,
                )
            else:
                process = CommandProcess(
                    [self._project.command, *arguments, *logged],
                    folder=self._project.project_dir,
                    variables=self._variables,
                )
            interrupts.pass_on_to(process)
            lines = process.lines()
            for line in _shown(lines, redact) if redact else map(ansi.plain, lines):
                on_line(line)
            code, usage = process.wait()
        return self._ended(name, code, usage, interrupted=interrupts.happened)

    @contextlib.contextmanager
    def checked_build(
        self,
        lines: Mapping[str, Sequence[str]],
        *,
        name: str,
        variables: Mapping[str, str],
        saved_parse: SavedParse | None,
    ) -> Iterator[CheckedBuild]:
        """A ``dbt build`` that stops before its first write. Left behind, it ends there.

        Args:
            lines: everything after ``dbt`` of ``parse``, ``ls``, ``build`` and, for what goes on
                after a build that ended well, ``then``.
            name: of the log folder of this call.
            variables: laid over the environment.
            saved_parse: where its parse may start from.
        """
        warm = self._warm()
        if isinstance(warm, str):
            raise RuntimeError(f"checked_build cannot be: {warm}")  # noqa: TRY004  see why_plain
        logged = self._logged_to(name)
        checked = {key: [*line, *self.options(), *logged] for key, line in lines.items()}
        process = warm.start(
            checked["build"],
            folder=self._project.project_dir,
            variables={**self._variables, **variables, **_cache(self._variables)},
            saved_parse=saved_parse,
            checked=checked,
        )
        build = CheckedBuild(process, self._redact, lambda *ended: self._ended(name, *ended))
        try:
            yield build
        finally:
            # It writes manifest.json before it ends.
            build.leave()

    def _logged_to(self, name: str) -> list[str]:
        """The options for the log of one call, whose folder is made."""
        logs = self._logs / name
        logs.mkdir(parents=True, exist_ok=True)
        (logs / "dbt.log").unlink(missing_ok=True)
        return ["--log-path", str(logs), "--log-format-file", "json", "--log-level-file", "error"]

    def _ended(self, name: str, code: int, usage: Usage, interrupted: bool) -> Outcome:
        self._note(name, usage)
        return Outcome(
            exit_code=code,
            interrupted=interrupted,
            errors=self._logged(self._logs / name / "dbt.log"),
        )

    def _note(self, name: str, usage: Usage) -> None:
        with (self._logs.parent / DBT_PROCESSES).open("ab") as noted:
            noted.write(msgspec.json.encode({"name": name, **to_builtins(usage)}) + b"\n")

    def _logged(self, log: Path) -> tuple[LogError, ...]:
        """The error events of a JSON log; lines that are no events are passed over."""
        if not log.is_file():
            return ()
        found = []
        for line in log.read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                event = json_codec.decode(line, _Event)
                message = event.info.msg.strip()
                # A stack trace is for dbt's developers; the message before it says what happened.
                if event.info.level == "error" and message and not message.startswith(TRACE):
                    found.append(LogError(message=self._redact(ansi.plain(message))))
        return tuple(found)


def _shown(lines: Iterable[str], redact: Redact) -> Iterator[str]:
    """The one door for what dbt prints: lines without secrets and without control sequences.

    Colours stay but in lines in which something was hidden: they could part a secret in two.
    """
    for block in base64_lines.blocks(lines):
        plain = ansi.plain(block)
        hidden = redact(plain)
        yield from (ansi.coloured(block) if hidden == plain else hidden).split("\n")


class CheckedBuild:
    """A build that has stopped before its first write, or will."""

    def __init__(
        self, process: WarmProcess, redact: Redact, ended: Callable[[int, Usage, bool], Outcome]
    ) -> None:
        self._process = process
        self._redact = redact
        self._ended = ended
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        # The output is read all the time: dbt would wait for a pipe that is full.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._was_interrupted = False
        self._is_over = False

    def plan(self) -> list[str] | None:
        """What it has selected, a JSON object each as of ``dbt ls``; None if it ended before."""
        with Interrupts(CANCEL_GRACE_SECONDS) as interrupts:
            interrupts.pass_on_to(self._process)
            plan = self._process.plan()
        self._was_interrupted = interrupts.happened
        return plan

    def leave(self) -> None:
        """Let it end without building, unless ``finish`` has seen it through."""
        if not self._is_over:
            self.finish(on_line=lambda _line: None, go_on=False)

    def finish(self, *, on_line: Line, go_on: bool = True) -> Outcome:
        """Let it build, or only end, and see it through.

        Args:
            on_line: gets each line of its output from the beginning, secrets hidden.
            go_on: whether it builds.

        Returns:
            The outcome, as of ``Dbt.run``.
        """
        with Interrupts(CANCEL_GRACE_SECONDS) as interrupts:
            interrupts.pass_on_to(self._process)
            if go_on:
                self._process.go_on()
            else:
                self._process.stop()
            for line in _shown(iter(self._lines.get, None), self._redact):
                on_line(line)
            code, usage = self._process.wait()
        self._is_over = True
        return self._ended(code, usage, self._was_interrupted or interrupts.happened)

    def _read(self) -> None:
        for line in self._process.lines():
            self._lines.put(line)
        self._lines.put(None)


def _cache(variables: Mapping[str, str]) -> dict[str, str]:
    """Let dbt list the relations of the schemas that it builds in, unless the caller has a say.

    https://docs.getdbt.com/reference/global-configs/cache
    """
    return {} if any(name in variables for name in CACHE) else {CACHE[1]: "true"}


def echo(keep: Line | None = None) -> Line:
    """A line handler that shows each line at once, and hands it on."""

    def show(line: str) -> None:
        actions_runner.show(line)
        if keep is not None:
            keep(line)

    return show


@contextlib.contextmanager
def streamed(title: str) -> Iterator[None]:
    """Around dbt's output: a folded group in which the runner reads no workflow command."""
    with actions_runner.group(title), actions_runner.foreign_output():
        yield

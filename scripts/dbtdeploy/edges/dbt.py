"""The command ``dbt``: started, streamed, interrupted. Nothing of dbt is imported.

Facts relied on, tried with dbt-core 1.11 and 1.12: exit code 0 fine, 1 a node failed, 2 usage,
parse, profile or connection. SIGINT makes dbt cancel its queries and exit 2; SIGTERM leaves them
running, so this module turns either signal into SIGINT for dbt.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from dbtdeploy import errors
from dbtdeploy.edges import actions
from dbtdeploy.files import DbtProject, LogError
from dbtdeploy.redact import Redact

CANCEL_GRACE_SECONDS = 8.0
"""GitHub ends the whole job 10 s after it cancels (actions/runner, ``ProcessInvoker``)."""

TRACE = "Traceback (most recent call last)"

Line = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one dbt process ended."""

    exit_code: int
    interrupted: bool
    errors: tuple[LogError, ...]
    """What dbt logged as errors, redacted."""


@dataclass(frozen=True, kw_only=True)
class _Info:
    level: str = ""
    msg: str = ""


@dataclass(frozen=True, kw_only=True)
class _Event:
    info: _Info


class Dbt:
    """Runs dbt for one project.

    Args:
        project: where and how.
        variables: the whole environment of the process, secrets among them.
        redact: applied to every line before it is shown or kept.
        logs: a folder for dbt's own log files.
    """

    def __init__(
        self, project: DbtProject, *, variables: Mapping[str, str], redact: Redact, logs: Path
    ) -> None:
        self._project = project
        self._variables = dict(variables)
        self._redact = redact
        self._logs = logs

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

        Returns:
            The outcome. An interrupt (SIGINT or SIGTERM to this process) is passed on as SIGINT and
            waited for, so that the warehouse's queries are cancelled.

        Raises:
            DbtNotFound: the command cannot be started.
        """
        logs = self._logs / name
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / "dbt.log"
        log.unlink(missing_ok=True)
        command = [
            self._project.command,
            *arguments,
            *("--log-path", str(logs), "--log-format-file", "json", "--log-level-file", "error"),
        ]
        grace = CANCEL_GRACE_SECONDS if grace_seconds is None else grace_seconds
        with _Interrupts(grace) as interrupts, self._start(command) as process:
            interrupts.pass_on_to(process)
            for line in process.stdout or ():
                text = line.rstrip("\r\n")
                on_line(self._redact(text) if redacted else text)
            code = process.wait()
        return Outcome(
            exit_code=code,
            interrupted=interrupts.happened,
            errors=self._logged(log),
        )

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(
                command,
                cwd=self._project.project_dir,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                # A group of its own: the terminal's Ctrl-C reaches dbt once, through us.
                start_new_session=True,
            )
        except OSError as cause:
            raise errors.DbtNotFound(
                f"`{self._project.command}` cannot be started: {cause.strerror}.",
                not_done="Nothing was built.",
                remedy="Set the input `dbt` to a requirements file or to requirements such as "
                "`dbt-core~=1.11.0 dbt-postgres`, or install dbt in a step before this one.",
            ) from None

    def _logged(self, log: Path) -> tuple[LogError, ...]:
        """The error events of a JSON log; lines that are no events are passed over."""
        if not log.is_file():
            return ()
        found = []
        for line in log.read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                event = msgspec.json.decode(line, type=_Event)
                message = event.info.msg.strip()
                # A stack trace is for dbt's developers; the message before it says what happened.
                if event.info.level == "error" and message and not message.startswith(TRACE):
                    found.append(LogError(message=self._redact(message)))
        return tuple(found)


def echo(keep: Line | None = None) -> Line:
    """A line handler that shows each line at once, and hands it on."""

    def show(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if keep is not None:
            keep(line)

    return show


@contextlib.contextmanager
def streamed(title: str) -> Iterator[None]:
    """Around dbt's output: a folded group in which the runner reads no workflow command."""
    with actions.group(title), actions.foreign_output():
        yield


class _Interrupts:
    """Turns SIGINT or SIGTERM to this process into one SIGINT for dbt.

    dbt has ``grace_seconds`` to cancel its queries; then it is killed.
    """

    def __init__(self, grace_seconds: float) -> None:
        self.happened = False
        self._grace_seconds = grace_seconds
        self._process: subprocess.Popen[str] | None = None
        self._watchdog: threading.Timer | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Interrupts:
        # Before dbt starts: a signal between its start and here would leave it running alone.
        self._before = {n: signal.signal(n, self._seen) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def pass_on_to(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        if self.happened:
            self._interrupt(process)

    def __exit__(self, *_: object) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _seen(self, _signal: int, _frame: FrameType | None) -> None:
        first, self.happened = not self.happened, True
        if first and self._process is not None:
            self._interrupt(self._process)

    def _interrupt(self, process: subprocess.Popen[str]) -> None:
        _signal_group(process, signal.SIGINT)
        self._watchdog = threading.Timer(
            self._grace_seconds, _signal_group, (process, signal.SIGKILL)
        )
        self._watchdog.daemon = True
        self._watchdog.start()


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)

"""One dbt process: its output line by line, its exit code, what it took; and how it is interrupted.

SIGINT makes dbt cancel its queries and exit 2; SIGTERM leaves them running, so either signal to
this process becomes SIGINT for dbt. Tried with dbt-core 1.8 to 1.12.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, Protocol

from msgspec import Struct

from dbtdeploy.dbt import installed_version

CANCEL_GRACE_SECONDS = 8.0
"""GitHub ends the whole job 10 s after it cancels (actions/runner, ``ProcessInvoker``)."""


class Usage(Struct, frozen=True, kw_only=True):
    """What one process took: seconds of wall time and of CPU, and its largest memory in bytes."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


class Process(Protocol):
    """A dbt that runs, in a process group of its own that its pid names."""

    @property
    def pid(self) -> int:
        """Of the group too."""
        ...

    def lines(self) -> Iterator[str]:
        """Standard output and error, each line without its newline, until both are closed."""
        ...

    def wait(self) -> tuple[int, Usage]:
        """The exit code, negative as a signal, and what it took."""
        ...


class CommandProcess:
    """The command ``dbt`` itself.

    Args:
        command: the command and its arguments; no shell reads them.
        folder: dbt's working folder.
        variables: the whole environment.

    Raises:
        DbtNotFound: the command cannot be started.
    """

    def __init__(self, command: Sequence[str], *, folder: str, variables: Mapping[str, str]):
        self._began = time.monotonic()
        self._before = _children_cpu()
        try:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                # A group of its own: the terminal's Ctrl-C reaches dbt once, through us.
                start_new_session=True,
            )
        except OSError as cause:
            raise installed_version.not_found(
                f"`{command[0]}` cannot be started: {cause.strerror}"
            ) from None

    @property
    def pid(self) -> int:
        """Of the group too."""
        return self._process.pid

    def lines(self) -> Iterator[str]:
        """Standard output and error; see ``Process``."""
        with self._process.stdout or contextlib.nullcontext(()) as output:
            for line in output:
                yield line.rstrip("\r\n")

    def wait(self) -> tuple[int, Usage]:
        """The exit code and what it took; see ``Process``."""
        code = self._process.wait()
        return code, Usage(
            wall_seconds=time.monotonic() - self._began,
            cpu_seconds=_children_cpu() - self._before,
            # The largest child so far; a smaller one after it is not told apart.
            peak_bytes=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        )


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Interrupts:
    """Turns SIGINT or SIGTERM to this process into one SIGINT for dbt.

    dbt has ``grace_seconds`` to cancel its queries; then it is killed.
    """

    def __init__(self, grace_seconds: float) -> None:
        self.happened = False
        self._grace_seconds = grace_seconds
        self._process: Process | None = None
        self._watchdog: threading.Timer | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        # Before dbt starts: a signal between its start and here would leave it running alone.
        self._before = {n: signal.signal(n, self._seen) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def pass_on_to(self, process: Process) -> None:
        """From here on an interrupt, one that came before too, reaches this process."""
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

    def _interrupt(self, process: Process) -> None:
        _signal_group(process, signal.SIGINT)
        self._watchdog = threading.Timer(
            self._grace_seconds, _signal_group, (process, signal.SIGKILL)
        )
        self._watchdog.daemon = True
        self._watchdog.start()


def _signal_group(process: Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)

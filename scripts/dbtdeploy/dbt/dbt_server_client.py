"""dbt in the caller's own interpreter, imported once for all commands of a script.

``scripts/in_dbt/serve.py`` is started there; each command is a process that it forks. Where that
cannot be (see ``interpreter.py``), the command itself is what runs.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, to_builtins

from dbtdeploy.base import errors, json_codec
from dbtdeploy.dbt import interpreter
from dbtdeploy.dbt.dbt_process import Usage
from dbtdeploy.dbt.interpreter import Interpreter

SERVER = Path(__file__).resolve().parents[2] / "in_dbt" / "serve.py"

END_SECONDS = 20.0

GO, COMPLETE = b"go", "complete"
"""As in ``in_dbt/checked_build.py``."""


class _Answer(msgspec.Struct):
    """One answer of ``serve.py``."""

    dbt: str = ""
    pid: int = 0
    status: int | None = None
    own: bool = False
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


class SavedParse(Struct, frozen=True, kw_only=True):
    """Where dbt's parse may start from, and what becomes of it; see ``in_dbt/saved_parse/``."""

    folders: tuple[str, ...]
    """Saved parses, the best first; any of them may be missing."""
    kept: str | None
    """A folder where the parse is kept for the store; None if it is not."""
    report: str
    """A file that tells which one was used."""


_running: dict[str, WarmDbt | str] = {}
"""By the command: what runs it, or why nothing does. Each ends with this process, if not before."""


def shared(
    command: str, *, folder: str, variables: Mapping[str, str], note: Callable[[Usage], None]
) -> WarmDbt | str:
    """The one import of a command's dbt that this process has, or why only the command is run.

    It goes on in the background; ``WarmDbt.is_ready`` waits for it.

    Args:
        command: a name on PATH, or a path; a relative one starts from ``folder``.
        folder: dbt's working folder.
        variables: dbt's environment.
        note: gets what it took itself, when it ends.
    """
    if command not in _running:
        warm = _started(command, folder=folder, variables=variables)
        _running[command] = warm
        if isinstance(warm, WarmDbt):
            atexit.register(_close, warm, note)
    return _running[command]


def _close(warm: WarmDbt, note: Callable[[Usage], None]) -> None:
    note(warm.close())


def _started(command: str, *, folder: str, variables: Mapping[str, str]) -> WarmDbt | str:
    found = interpreter.find(command, folder=Path(folder), variables=variables)
    if isinstance(found, str):
        return found
    try:
        return WarmDbt(found, folder=folder, variables=variables)
    except OSError as cause:
        return f"its Python cannot be started ({cause.strerror})"


class WarmDbt:
    """A dbt that is imported, waiting for commands. To be closed.

    Args:
        found: the command and its interpreter.
        folder: dbt's working folder.
        variables: the whole environment, secrets among them.
    """

    def __init__(self, found: Interpreter, *, folder: str, variables: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._server = subprocess.Popen(
                [found.python, str(SERVER), str(theirs.fileno()), found.command],
                cwd=folder,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                # What goes wrong here goes wrong in the command too, and is told there.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._version = found.version
        self._socket = ours
        self._answers = ours.makefile("rb")
        self._ended: dict[int, _Answer] = {}
        self._is_ready: bool | None = None

    def is_ready(self) -> bool:
        """Wait until dbt is imported; False if that failed, or gave another dbt."""
        if self._is_ready is None:
            answer = self._read()
            self._is_ready = answer is not None and answer.dbt == self._version
        return self._is_ready

    def start(
        self,
        arguments: Sequence[str],
        *,
        folder: str,
        variables: Mapping[str, str],
        saved_parse: SavedParse | None = None,
        checked: Mapping[str, Sequence[str]] | None = None,
    ) -> WarmProcess:
        """Start one command.

        Args:
            arguments: everything after ``dbt``.
            folder: its working folder.
            variables: its whole environment.
            saved_parse: where its parse may start from.
            checked: the command lines of a build that stops before its first write; see
                ``in_dbt/checked_build.py``.

        Raises:
            DbtStopped: the other process is gone.
        """
        with contextlib.ExitStack() as theirs:
            output, out = _pipe(theirs)
            files, plan, word = [out], None, None
            if checked is not None:
                plan, plan_out = _pipe(theirs)
                word_in, word = os.pipe()
                theirs.callback(os.close, word_in)
                files += [plan_out, word_in]
            request = {
                "arguments": list(arguments),
                "folder": folder,
                "variables": dict(variables),
                "checked": checked,
                "saved_parse": to_builtins(saved_parse) if saved_parse else None,
            }
            try:
                data = json.dumps(request).encode() + b"\n"
                sent = socket.send_fds(self._socket, [data], files)
                self._socket.sendall(data[sent:])
            except OSError:
                raise _gone() from None
        answer = self._next(lambda answer: answer.status is None and bool(answer.pid))
        return WarmProcess(self, answer.pid, output, plan, word)

    def wait(self, pid: int) -> tuple[int, Usage]:
        """The exit code of a command that was started, negative as a signal, and what it took."""
        if pid not in self._ended:
            self._next(lambda answer: answer.pid == pid and answer.status is not None)
        answer = self._ended.pop(pid)
        return os.waitstatus_to_exitcode(answer.status or 0), _usage(answer)

    def close(self) -> Usage:
        """End it; gives what it took itself, which is dbt's import."""
        answer: _Answer | None = None
        with contextlib.suppress(OSError, errors.DbtStopped):
            self._socket.settimeout(END_SECONDS)
            self._socket.shutdown(socket.SHUT_WR)
            answer = self._next(lambda answer: answer.own)
        self._answers.close()
        self._socket.close()
        try:
            self._server.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        return _usage(answer or _Answer())

    def _next(self, wanted: Callable[[_Answer], bool]) -> _Answer:
        while (answer := self._read()) is not None:
            if answer.status is not None:
                self._ended[answer.pid] = answer
            if wanted(answer):
                return answer
        raise _gone()

    def _read(self) -> _Answer | None:
        try:
            line = self._answers.readline()
        except OSError:
            return None
        return json_codec.decode(line, _Answer) if line else None


class WarmProcess:
    """One command that a warm dbt runs; see ``dbt_process.Process``."""

    def __init__(
        self, warm: WarmDbt, pid: int, output: int, plan: int | None, word: int | None
    ) -> None:
        self._warm = warm
        self.pid = pid
        self._output = os.fdopen(output, encoding="utf-8", errors="replace")
        self._plan, self._word = plan, word

    def lines(self) -> Iterator[str]:
        """Standard output and error; see ``Process``."""
        with self._output:
            for line in self._output:
                yield line.rstrip("\r\n")

    def wait(self) -> tuple[int, Usage]:
        """The exit code and what it took; see ``Process``."""
        return self._warm.wait(self.pid)

    def plan(self) -> list[str] | None:
        """For a checked build: what it has selected, a JSON object each; None if it ended before.

        The output must be read meanwhile, or dbt waits for a pipe that is full.
        """
        if self._plan is None:
            return None
        number, self._plan = self._plan, None
        with os.fdopen(number, encoding="utf-8") as plan:
            lines = plan.read().removesuffix("\n").split("\n")
        return lines[:-1] if lines[-1:] == [COMPLETE] else None

    def go_on(self) -> None:
        """For a checked build: let it build."""
        self._say(GO)

    def stop(self) -> None:
        """For a checked build: let it end without building; also after ``go_on``, which stays."""
        self._say(b"")

    def _say(self, word: bytes) -> None:
        if self._word is not None:
            number, self._word = self._word, None
            with contextlib.suppress(BrokenPipeError):
                os.write(number, word)
            os.close(number)


def _pipe(theirs: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe to read from; its other end is closed here with ``theirs``."""
    read, write = os.pipe()
    theirs.callback(os.close, write)
    return read, write


def _usage(answer: _Answer) -> Usage:
    return Usage(
        wall_seconds=answer.wall_seconds,
        cpu_seconds=answer.cpu_seconds,
        peak_bytes=answer.peak_bytes,
    )


def _gone() -> errors.DbtStopped:
    return errors.DbtStopped(
        "The process that had imported dbt has ended.",
        not_done="What it had not finished was not done.",
        remedy="Run the job again. If it happens again, set the input `shortcuts` to false, which "
        "runs the plain command `dbt`, and report it.",
    )

"""dbt 1.x in the caller's own interpreter, imported once for all commands of a script.

``scripts/in_dbt/serve.py`` is started there; each command is a process that it forks. Where that
cannot be (another system than Linux, a ``dbt`` that is no Python script, a version that was not
tried), the command itself is what runs.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, to_builtins

from dbtdeploy.base import errors, json_codec
from dbtdeploy.dbt import installed_version
from dbtdeploy.dbt.dbt_process import Usage

SERVER = Path(__file__).resolve().parents[2] / "in_dbt" / "serve.py"

OLDEST, NEWEST = (1, 8), (1, 12)
"""Minor versions of dbt-core that this was tried with."""

MOST_BYTES = 4096

SHEBANG = re.compile(
    r"#!(/\S*python[\d.]*)[ \t]*\n"
    r"|#!/bin/sh\n'''exec' ([\"']?)(/[^\"'\n]*python[\d.]*)\2 \"\$0\" \"\$@\"\n' '''\n"
)
"""The second is what pip and uv write where the path is long or holds a blank."""

ENTRY, RUN = "from dbt.cli.main import cli", "sys.exit(cli())"
OTHER_LINES = re.compile(
    r"#.*|import (re|sys)|if __name__ == [\"']__main__[\"']:"
    r"|(el)?if sys\.argv\[0\]\.endswith\([^()]*\):|sys\.argv\[0\] = [^;]*"
)
"""What else stands in the script that pip, uv, conda or Poetry makes for an entry point. One with
another line does something of its own, and is run as it is."""

END_SECONDS = 20.0

GO, COMPLETE = b"go", "complete"
"""As in ``in_dbt/checked_build.py``."""


class _Told(msgspec.Struct):
    """One answer of ``serve.py``."""

    dbt: str = ""
    pid: int = 0
    status: int | None = None
    own: bool = False
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


def _interpreter(executable: str) -> str | None:
    """The Python that runs a command, None where it is no script that dbt-core installs."""
    if sys.platform != "linux":
        return None
    try:
        with Path(executable).open("rb") as script:
            text = script.read(MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        return None
    shebang = SHEBANG.match(text)
    if shebang is None:
        return None
    lines = [line.strip() for line in text[shebang.end() :].splitlines() if line.strip()]
    others = [line for line in lines if line not in (ENTRY, RUN)]
    if lines.count(ENTRY) != 1 or lines[-1] != RUN or lines.count(RUN) != 1:
        return None
    if not all(OTHER_LINES.fullmatch(line) for line in others):
        return None
    python = shebang[1] or shebang[3]
    return python if os.access(python, os.X_OK) else None


def _executable(command: str, folder: Path, variables: Mapping[str, str]) -> str | None:
    looked_up = str(folder / command) if "/" in command else command
    return shutil.which(looked_up, path=variables.get("PATH", ""))


class SavedParse(Struct, frozen=True, kw_only=True):
    """Where dbt's parse may start from, and what becomes of it; see ``in_dbt/saved_parse.py``."""

    folders: tuple[str, ...]
    """Saved parses, the best first; any of them may be missing."""
    kept: str
    """A folder where a parse that is worth it is kept."""
    always_keep: bool
    report: str
    """A file that tells which one was used."""


_running: dict[str, WarmDbt | None] = {}
"""By the command. Each ends with this process, if not before."""


def shared(
    command: str,
    *,
    folder: str,
    variables: Mapping[str, str],
    kept: Path,
    note: Callable[[Usage], None],
) -> WarmDbt | None:
    """The one import of a command's dbt that this process has; None where only the command runs.

    It goes on in the background; ``WarmDbt.is_ready`` waits for it.

    Args:
        command: a name on PATH, or a path; a relative one starts from ``folder``.
        folder: dbt's working folder.
        variables: dbt's environment.
        kept: a folder that outlives the job; what dbt finds out about its own packages is kept
            below it, in one folder for each environment.
        note: gets what it took itself, when it ends.
    """
    if command not in _running:
        warm = _started(command, folder=folder, variables=variables, kept=kept)
        _running[command] = warm
        if warm is not None:
            atexit.register(_close, warm, note)
    warm = _running[command]
    if warm is not None and not warm.is_usable:
        return None
    return warm


def _close(warm: WarmDbt, note: Callable[[Usage], None]) -> None:
    note(warm.close())


def _started(
    command: str, *, folder: str, variables: Mapping[str, str], kept: Path
) -> WarmDbt | None:
    executable = _executable(command, Path(folder), variables)
    python = _interpreter(executable) if executable else None
    if executable is None or python is None:
        return None
    found = installed_version.beside(Path(executable))
    if found is None or not found.digest or not _is_known(found.version):
        return None
    with contextlib.suppress(OSError):
        return WarmDbt(
            executable,
            python,
            version=found.version,
            adapters=sorted(found.adapters),
            kept=kept / found.digest,
            folder=folder,
            variables=variables,
        )
    return None


class WarmDbt:
    """A dbt that is imported, waiting for commands. To be closed.

    Args:
        command: the command ``dbt``, in full.
        python: its interpreter.
        version: of dbt-core, as the metadata beside the command says.
        adapters: those installed beside it, which are imported too.
        kept: a folder for what depends on the installed packages only.
        folder: dbt's working folder.
        variables: the whole environment, secrets among them.
    """

    def __init__(
        self,
        command: str,
        python: str,
        *,
        version: str,
        adapters: Sequence[str],
        kept: Path,
        folder: str,
        variables: Mapping[str, str],
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._server = subprocess.Popen(
                [python, str(SERVER), str(theirs.fileno()), command, str(kept), *adapters],
                cwd=folder,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                # What goes wrong here goes wrong in the command too, and is told there.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.kept = kept
        self._version = version
        self._socket = ours
        self._answers = ours.makefile("rb")
        self._ended: dict[int, _Told] = {}
        self._is_ready: bool | None = None

    @property
    def is_usable(self) -> bool:
        """Whether nothing is known against it yet."""
        return self._is_ready is not False

    def is_ready(self) -> bool:
        """Wait until dbt is imported; False if that failed, or gave another dbt."""
        if self._is_ready is None:
            told = self._read()
            self._is_ready = told is not None and told.dbt == self._version
        return self._is_ready

    def start(
        self,
        arguments: Sequence[str],
        *,
        folder: str,
        variables: Mapping[str, str],
        saved_parse: SavedParse | None = None,
        own_package: bool = False,
        checked: bool = False,
        then: Sequence[str] = (),
    ) -> WarmProcess:
        """Start one command.

        Args:
            arguments: everything after ``dbt``.
            folder: its working folder.
            variables: its whole environment.
            saved_parse: where its parse may start from.
            own_package: it runs a macro of ours, see ``in_dbt/own_package.py``.
            checked: for ``build``: stop before the first write, see ``in_dbt/checked_build.py``.
            then: arguments of another command that goes on with its manifest if it ends well.

        Raises:
            DbtStopped: the other process is gone.
        """
        with contextlib.ExitStack() as theirs:
            output, out = _pipe(theirs)
            files, plan, word = [out], None, None
            if checked:
                plan, plan_out = _pipe(theirs)
                word_in, word = os.pipe()
                theirs.callback(os.close, word_in)
                files += [plan_out, word_in]
            request = {
                "arguments": list(arguments),
                "folder": folder,
                "variables": dict(variables),
                "own_package": own_package,
                "then": list(then),
                "saved_parse": to_builtins(saved_parse) if saved_parse else None,
            }
            try:
                data = json.dumps(request).encode() + b"\n"
                sent = socket.send_fds(self._socket, [data], files)
                self._socket.sendall(data[sent:])
            except OSError:
                raise _gone() from None
        told = self._next(lambda answer: answer.status is None and bool(answer.pid))
        return WarmProcess(self, told.pid, output, plan, word)

    def wait(self, pid: int) -> tuple[int, Usage]:
        """The exit code of a command that was started, negative as a signal, and what it took."""
        if pid not in self._ended:
            self._next(lambda answer: answer.pid == pid and answer.status is not None)
        told = self._ended.pop(pid)
        return os.waitstatus_to_exitcode(told.status or 0), _usage(told)

    def close(self) -> Usage:
        """End it; gives what it took itself, which is dbt's import."""
        told: _Told | None = None
        with contextlib.suppress(OSError, errors.DbtStopped):
            self._socket.settimeout(END_SECONDS)
            self._socket.shutdown(socket.SHUT_WR)
            told = self._next(lambda answer: answer.own)
        self._answers.close()
        self._socket.close()
        try:
            self._server.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        return _usage(told or _Told())

    def _next(self, wanted: Callable[[_Told], bool]) -> _Told:
        while (told := self._read()) is not None:
            if told.status is not None:
                self._ended[told.pid] = told
            if wanted(told):
                return told
        raise _gone()

    def _read(self) -> _Told | None:
        try:
            line = self._answers.readline()
        except OSError:
            return None
        return json_codec.decode(line, _Told) if line else None


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
            lines = plan.read().splitlines()
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


def _usage(told: _Told) -> Usage:
    return Usage(
        wall_seconds=told.wall_seconds, cpu_seconds=told.cpu_seconds, peak_bytes=told.peak_bytes
    )


def _is_known(version: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)\.", version)
    return numbers is not None and OLDEST <= (int(numbers[1]), int(numbers[2])) <= NEWEST


def _gone() -> errors.DbtStopped:
    return errors.DbtStopped(
        "The process that had imported dbt has ended.",
        not_done="What it had not finished was not done.",
        remedy="Run the job again. If it happens again, set the input `shortcuts` to false, which "
        "runs the plain command `dbt`, and report it.",
    )

"""Python and dbt forked from a process that has imported what they need: a start costs little.

``dbt`` leaves two folders like virtual environments, ``python`` one command. Each hands arguments,
environment, folder and files to a server, in dbt's own Python or in ours; the server forks, and the
fork runs what was asked for. Signals that a command gets reach the fork, and the fork ends if the
command is killed. The 2 s of CPU of dbt's import and the half second of our libraries' are spent
once.

- ``Dbt.command``: a ``dbt`` that is no script of an installer's, and is run as the command that it
  is. For tests to which dbt is the way to the warehouse, and not what is tested.
- ``Dbt.entry_point``: the script that an installer makes, whose Python is such a server. What
  starts that Python with a script of its own, as ``dbtdeploy/dbt/dbt_server_client.py`` does, runs
  all of it.
- ``python``: runs a script of ours, all of it, with our libraries imported and none of our modules.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ADAPTERS = ("postgres",)

LIBRARIES = (
    *("boto3", "botocore.auth", "botocore.endpoint", "botocore.handlers", "botocore.parsers"),
    *("botocore.retryhandler", "botocore.session", "github", "jinja2", "msgspec", "requests"),
    *("yaml", "s3transfer.manager", "http.cookies"),
)
"""What our scripts import of others', or what those import at the first call."""

ABOVE = 100
"""Where the received files wait until their own numbers are free."""

CLIENT = """#!{python} -IS
import sys
sys.dont_write_bytecode = True
import json, os, signal, socket
SIGNALS = {{signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}}
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
numbers = [number for number in range(64) if os.path.exists("/proc/self/fd/%d" % number)]
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
asked = [{kind!r}, sys.argv[1:], dict(os.environ), os.getcwd(), numbers]
body = json.dumps(asked).encode()
socket.send_fds(server, [len(body).to_bytes(8, "big")], numbers)
server.sendall(body)
answers = server.makefile("rb")
pid = int(answers.readline())
for number in SIGNALS:
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, lambda got, _: os.kill(pid, got))
signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
code = int(answers.readline() or b"1")
if code < 0:
    if -code not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""

ENTRY_POINT = """#!{python}
import sys
from dbt.cli.main import cli
if __name__ == '__main__':
    sys.exit(cli())
"""


@dataclass(frozen=True, kw_only=True)
class Dbt:
    """Two ways to the command ``dbt``, see above."""

    command: Path
    entry_point: Path


@contextmanager
def dbt(command: Path, folder: Path) -> Iterator[Dbt]:
    """Both kinds of ``dbt`` in ``folder``, as long as the context lasts.

    Args:
        command: the command of a virtual environment, run in its place.
        folder: empty; a short path, for it holds a socket.
    """
    address = folder / "socket"
    made = Dbt(
        command=folder / "command" / "bin" / "dbt",
        entry_point=folder / "entry_point" / "bin" / "dbt",
    )
    for one in (made.command, made.entry_point):
        one.parent.mkdir(parents=True)
        (one.parents[1] / "lib").symlink_to(command.parents[1] / "lib")
    python = made.entry_point.with_name("python")
    _client(made.command, "dbt", address)
    _client(python, "python", address)
    _write(made.entry_point, ENTRY_POINT.format(python=python))
    with _served([str(command.parent / "python")], address, "dbt", env=dict(os.environ)):
        yield made


@contextmanager
def python(folder: Path) -> Iterator[Path]:
    """A command that runs a script as our own Python does, as long as the context lasts.

    Args:
        folder: empty; a short path, for it holds a socket.
    """
    address, made = folder / "socket", folder / "python"
    _client(made, "python", address)
    given = {name: os.environ[name] for name in PASSED if name in os.environ}
    with _served([sys.executable], address, "libraries", env=given):
        yield made


PASSED = ("PATH", "COVERAGE_PROCESS_START")
"""All that our server is started with, as in a step of an action; and what measures coverage."""


def _client(path: Path, kind: str, address: Path) -> None:
    _write(path, CLIENT.format(python=sys.executable, address=str(address), kind=kind))


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@contextmanager
def _served(
    python: list[str], address: Path, imported: str, *, env: dict[str, str]
) -> Iterator[None]:
    command = [*python, "-I", __file__, str(address), imported]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.terminate()


def _import(what: str) -> None:
    if what == "libraries":
        for name in LIBRARIES:
            importlib.import_module(name)
        return
    from dbt.adapters.factory import FACTORY
    from dbt.cli import main

    for adapter in ADAPTERS:
        FACTORY.load_plugin(adapter)
    assert main


def _serve(address: str, imported: str) -> str:
    """Import that, then fork for each command; returns in the fork: the script to run, if any."""
    _import(imported)
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    # Nobody waits for those that watch over a command.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.write(1, b"ready\n")
    watched: list[Any] = [listener, 0]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if 0 in ready:
            # Whoever started us is gone.
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _watch(connection)
        connection.close()


def _watch(connection: socket.socket) -> str:
    """Fork once more, tell of that process until it ends; returns in the one that is dbt."""
    asked, streams = _asked(connection)
    pid = os.fork()
    if pid == 0:
        connection.close()
        return _become(asked, streams)
    for stream in streams:
        os.close(stream)
    connection.sendall(b"%d\n" % pid)
    ended = os.pidfd_open(pid)
    watched: list[Any] = [connection, ended]
    ready, _, _ = select.select(watched, [], [])
    if ended not in ready:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if ended in ready:
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _asked(connection: socket.socket) -> tuple[Any, list[int]]:
    size, streams, _, _ = socket.recv_fds(connection, 8, 64)
    body, length = b"", int.from_bytes(size, "big")
    while len(body) < length:
        body += connection.recv(length - len(body))
    return json.loads(body), list(streams)


def _become(asked: Any, streams: list[int]) -> str:
    kind, arguments, environment, folder, numbers = asked
    os.setsid()
    above = [fcntl.fcntl(stream, fcntl.F_DUPFD_CLOEXEC, ABOVE) for stream in streams]
    for stream in streams:
        os.close(stream)
    for number, waiting in zip(numbers, above, strict=True):
        os.dup2(waiting, number)
        os.close(waiting)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    random.seed()
    sys.argv = arguments if kind == "python" else ["dbt", *arguments]
    if kind == "python":
        sys.path.insert(0, str(Path(sys.argv[0]).resolve().parent))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return sys.argv[0] if kind == "python" else ""


if __name__ == "__main__":
    script = _serve(*sys.argv[1:])
    if script:
        runpy.run_path(script, run_name="__main__")
    else:
        from dbt.cli.main import cli

        cli()

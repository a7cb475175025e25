"""The real command ``dbt``, forked from a process that has imported it: without 2 s of CPU a call.

For tests to which dbt is the way to the warehouse, and not what is tested. ``make`` leaves a folder
like a virtual environment, with a command ``dbt`` that hands its arguments, environment, folder and
streams to a server in dbt's own Python; the server forks, and the fork runs dbt. Signals that the
command gets reach the fork, and the fork ends if the command is killed.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ADAPTERS = ("postgres",)

CLIENT = """#!{python} -IS
import sys
sys.dont_write_bytecode = True
import json, os, signal, socket
SIGNALS = {{signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}}
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
asked = [sys.argv[1:], dict(os.environ), os.getcwd()]
body = json.dumps(asked).encode()
socket.send_fds(server, [len(body).to_bytes(8, "big")], [0, 1, 2])
server.sendall(body)
answers = server.makefile("rb")
pid = int(answers.readline())
for number in SIGNALS:
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, lambda got, _: os.kill(pid, got))
signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
code = int(answers.readline() or b"1")
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def make(command: Path, folder: Path) -> Iterator[Path]:
    """The command ``dbt`` in ``folder``, as long as the context lasts.

    Args:
        command: the command of a virtual environment, run in its place.
        folder: empty; a short path, for it holds a socket.
    """
    (folder / "bin").mkdir()
    (folder / "lib").symlink_to(command.parent.parent / "lib")
    address = folder / "socket"
    made = folder / "bin" / "dbt"
    made.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    made.chmod(0o755)
    server = [str(command.parent / "python"), "-I", __file__, str(address)]
    with subprocess.Popen(server, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield made
        process.terminate()


def _serve(address: str) -> None:
    """Import dbt, then fork for each command; returns in the fork, as the command."""
    from dbt.adapters.factory import FACTORY
    from dbt.cli import main

    for adapter in ADAPTERS:
        FACTORY.load_plugin(adapter)
    assert main
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
            if _watch(connection):
                return
        connection.close()


def _watch(connection: socket.socket) -> bool:
    """Fork once more, tell of that process until it ends; true in the one that is dbt."""
    asked, streams = _asked(connection)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(asked, streams)
        return True
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
    size, streams, _, _ = socket.recv_fds(connection, 8, 3)
    body, length = b"", int.from_bytes(size, "big")
    while len(body) < length:
        body += connection.recv(length - len(body))
    return json.loads(body), list(streams)


def _become(asked: Any, streams: list[int]) -> None:
    arguments, environment, folder = asked
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["dbt", *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    _serve(sys.argv[1])
    from dbt.cli.main import cli

    cli()

"""dbt, imported once: each command line runs in a forked process of its own.

Started by ``dbtdeploy/dbt/dbt_server_client.py`` with the interpreter of the caller's ``dbt``.
Nothing of ``dbtdeploy`` is imported: this is another environment, with Python 3.9 or newer and
dbt-core 1.11 or 1.12. Importing dbt takes 1.5 to 2 s of CPU, a fork of it a hundredth of that. Of
dbt its programmatic interface alone is used. No adapter is imported here: some of them read, as
they are imported, what the environment of one command says.

    python serve.py SOCKET COMMAND

SOCKET is the number of an inherited Unix socket. Each request is one JSON object and the files that
go with it (``SCM_RIGHTS``): the output, and for a checked build the plan and the word to go on.
Answers are JSON lines: first ``{"dbt": "1.12.6"}``, then for each request ``{"pid": 1}`` once it
runs and ``{"pid": 1, "status": 0, ...}`` once it is over, ``status`` as ``wait4`` gives it; at the
end ``{"own": true, ...}`` with what this process took itself.
"""

from __future__ import annotations

import array
import gc
import json
import os
import random
import resource
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any

gc.disable()

HERE = os.path.dirname(os.path.abspath(__file__))
if HERE not in sys.path:  # as with PYTHONSAFEPATH
    sys.path.insert(0, HERE)

import checked_build  # noqa: E402  found by the lines above
from saved_parse import start as saved_parse  # noqa: E402

# Under such names dbt and what it loads shall find their own modules, or none.
for _name, _module in list(sys.modules.items()):
    _file = getattr(_module, "__file__", None) or ""
    if _name != "__main__" and os.path.abspath(_file).startswith(HERE + os.sep):
        del sys.modules[_name]

REQUEST_BYTES = 1 << 20
MOST_FILES = 3


def main() -> int:
    """Import dbt, and run what is asked for until the other end closes.

    Returns:
        The exit code, in each forked process that of its command.
    """
    sock = socket.socket(fileno=int(sys.argv[1]))
    command = sys.argv[2]
    # Nothing of this folder is for dbt to find; the command's own is what its script would have.
    sys.path.remove(HERE)
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, os.path.dirname(os.path.realpath(command)))
    version = _import()
    gc.freeze()
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake)
    _tell(sock, {"dbt": version})
    began: dict[int, float] = {}
    while True:
        ready, _, _ = select.select([sock.fileno(), awake], [], [])
        if awake in ready:
            os.read(awake, 4096)
            _reap(sock, began)
        if sock.fileno() in ready:
            request, files = _receive(sock)
            if request is None:
                _tell(sock, {"own": True, **_own_usage()})
                return 0
            # Until the child can hear it: what Python itself does in a fork would swallow it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            pid = os.fork()
            if pid == 0:
                return _child(sock, command, request, files)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            for number in files:
                os.close(number)
            _group(pid)
            began[pid] = time.monotonic()
            _tell(sock, {"pid": pid})


def _import() -> str:
    """Import dbt's command line; gives dbt-core's version."""
    import dbt.cli.main
    import dbt.version

    return str(dbt.version.__version__)


def _tell(sock: socket.socket, answer: dict[str, Any]) -> None:
    sock.sendall(json.dumps(answer).encode() + b"\n")


def _receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """One request and its files; None at the end."""
    numbers = array.array("i")
    room = socket.CMSG_SPACE(MOST_FILES * numbers.itemsize)
    data, extra, _, _ = sock.recvmsg(REQUEST_BYTES, room)
    for level, kind, content in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    while data and not data.endswith(b"\n"):
        more = sock.recv(REQUEST_BYTES)
        if not more:
            return None, []
        data += more
    return (json.loads(data) if data else None), list(numbers)


def _reap(sock: socket.socket, began: dict[int, float]) -> None:
    while began:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if pid == 0:
            return
        _tell(
            sock,
            {
                "pid": pid,
                "status": status,
                "wall_seconds": time.monotonic() - began.pop(pid),
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_bytes": usage.ru_maxrss * 1024,
            },
        )


def _own_usage() -> dict[str, Any]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }


def _group(pid: int) -> None:
    """Give a child a group of its own, so that an interrupt reaches this command and no other.

    Both do it: the group is there before the child runs on, and before its pid is told.
    """
    try:
        os.setpgid(pid, pid)
    except OSError:
        # It has ended already, which shows when it is waited for.
        return


def _child(sock: socket.socket, command: str, request: dict[str, Any], files: list[int]) -> int:
    """Be the process ``command arguments``, up to its exit code."""
    try:
        _group(0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        sock.close()
        for number in (1, 2):
            os.dup2(files[0], number)
        random.seed()
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["variables"])
        if request["saved_parse"] is not None:
            saved_parse.start_from(**request["saved_parse"])
        return _run(command, request, files[1:])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:
        # dbt catches what it can, an interrupt too; this is what Python would do with the rest.
        traceback.print_exc()
        return 1
    finally:
        # Python looks through all that is left once more as it ends.
        gc.freeze()


def _run(command: str, request: dict[str, Any], files: list[int]) -> int:
    from dbt.cli.main import cli, dbtRunner

    sys.argv = [command, *request["arguments"]]
    if request["checked"] is not None:
        plan, word = files
        return checked_build.run(request["checked"], plan, word)
    result = dbtRunner().invoke(request["arguments"])
    if checked_build.is_wrong_usage(result):
        # dbt's own command tells it in full, and ends.
        cli(request["arguments"], prog_name=os.path.basename(command))
    return checked_build.code_of(result)


if __name__ == "__main__":
    sys.exit(main())

"""dbt, imported once: each command line runs in a forked process of its own.

Started by ``dbtdeploy/edges/warm_dbt.py`` with the interpreter of the caller's ``dbt``. Nothing of
``dbtdeploy`` is imported: this is another environment, with Python 3.8 or newer and dbt-core 1.8 to
1.12. What is measured: importing dbt takes 1.5 to 3 s of CPU, a fork of it a hundredth of that.

    python serve.py SOCKET COMMAND FOLDER [ADAPTER ...]

SOCKET is the number of an inherited Unix socket, FOLDER is where is kept what depends on the
installed packages alone. Each request is one JSON object and the files that go with it
(``SCM_RIGHTS``): the output, and for a build the plan and the word to go on. Answers are
JSON lines: first ``{"dbt": "1.11.2"}``, then for each request ``{"pid": 1}`` once it runs and
``{"pid": 1, "status": 0, ...}`` once it is over, ``status`` as ``wait4`` gives it; at the end
``{"own": true, ...}`` with what this process took itself.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
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
from multiprocessing import resource_tracker
from typing import Any

gc.disable()

HERE = os.path.dirname(os.path.abspath(__file__))
if HERE not in sys.path:  # as with PYTHONSAFEPATH
    sys.path.insert(0, HERE)

import checked_build  # noqa: E402  found by the lines above
import ending  # noqa: E402
import faster  # noqa: E402
import kept_codecs  # noqa: E402
import kept_dataclasses  # noqa: E402
import kept_templates  # noqa: E402
import late_codecs  # noqa: E402
import late_imports  # noqa: E402
import own_package  # noqa: E402
import saved_parse  # noqa: E402
import schemas  # noqa: E402

# Under such names dbt and what it loads shall find their own modules, or none.
for _name, _module in list(sys.modules.items()):
    _file = getattr(_module, "__file__", None) or ""
    if _name != "__main__" and os.path.dirname(_file) == HERE:
        del sys.modules[_name]

REQUEST_BYTES = 1 << 20
MOST_FILES = 3


def main() -> None:
    """Import dbt, and run what is asked for until the other end closes."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    command, folder, adapters = sys.argv[2], sys.argv[3], sys.argv[4:]
    # Nothing of this folder is for dbt to find; the command's own is what its script would have.
    sys.path.remove(HERE)
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, os.path.dirname(os.path.realpath(command)))
    kept_dataclasses.use(folder)
    kept_codecs.use(folder)
    version = _import(adapters)
    faster.install()
    schemas.use(folder)
    kept_templates.use(folder, adapters)
    # dbt's first lock starts this watcher of semaphores, where none is there that a fork may use.
    with contextlib.suppress(Exception):
        resource_tracker.ensure_running()
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
                # Python would take 1,500 modules apart.
                os._exit(0)
            # Until the child can hear it: what Python itself does in a fork would swallow it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            pid = os.fork()
            if pid == 0:
                _child(sock, command, request, files)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            for number in files:
                os.close(number)
            _group(pid)
            began[pid] = time.monotonic()
            _tell(sock, {"pid": pid})


def _import(adapters: list[str]) -> str:
    """Import dbt's command line and the adapters; gives dbt-core's version."""
    late_codecs.install()
    held = late_imports.hold_back()
    import dbt.cli.main
    import dbt.version

    for adapter in adapters:
        importlib.import_module("dbt.adapters." + adapter)
    late_imports.let_go(held)
    _import_what_each_command_needs()
    return str(dbt.version.__version__)


def _import_what_each_command_needs() -> None:
    """To read the answer to a query: dbt imports it at the first, in each process (0.05 s)."""
    with contextlib.suppress(Exception):
        importlib.import_module("dbt_common.clients.agate_helper")
        # It reads how numbers are written in the locale, which stays.
        importlib.import_module("agate").Number()


def _tell(sock: socket.socket, answer: dict[str, Any]) -> None:
    sock.sendall(json.dumps(answer).encode() + b"\n")


def _receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """One request and its files; None at the end. ``socket.recv_fds`` is of Python 3.9."""
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
        start = began.pop(pid, None)
        if start is None:
            # Not a command: the watcher of semaphores.
            continue
        _tell(
            sock,
            {
                "pid": pid,
                "status": status,
                "wall_seconds": time.monotonic() - start,
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


def _child(sock: socket.socket, command: str, request: dict[str, Any], files: list[int]) -> None:
    """Be the process ``command arguments``; does not return."""
    code = 1
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
        faster.look_up_selected_schemas_only()
        saved = request.get("saved_parse")
        if saved is not None:
            saved_parse.start_from(**saved)
        if request["own_package"]:
            own_package.parse_once()
        if len(files) == MOST_FILES:
            checked_build.install(files[1], files[2])
        code = _run(command, request["arguments"])
        if code == 0 and request["then"]:
            checked_build.then(request["then"])
    except BaseException:
        # dbt catches what it can, an interrupt too; this is what Python would do with the rest.
        traceback.print_exc()
    finally:
        ending.end(code)


def _run(command: str, arguments: list[str]) -> int:
    """The command's own script, which is two lines."""
    from dbt.cli.main import cli

    sys.argv = [command, *arguments]
    try:
        cli()
    except SystemExit as end_of_it:
        if isinstance(end_of_it.code, int) or end_of_it.code is None:
            return end_of_it.code or 0
        print(end_of_it.code, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    main()

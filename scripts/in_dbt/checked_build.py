"""``dbt build`` that lists what it would build, and waits for a word before it does.

By dbt's own programmatic interface alone: the project is parsed once, and listing and building are
given that parse. What ``dbt ls`` gives goes out as it is, a JSON object a line. Nothing of the
project has been run by then, and without the word to go on nothing will be. Who judges what is
listed is at the other end.

https://docs.getdbt.com/reference/programmatic-invocations
"""

from __future__ import annotations

import gc
import os
from typing import Any

GO = b"go"
COMPLETE = b"complete\n"
FIRST_NODE = "NodeStart"
"""The event of dbt's by which its preparations are over."""

SUCCESS, NODE_FAILED, STOPPED = 0, 1, 2
"""dbt's exit codes: https://docs.getdbt.com/reference/exit-codes"""


def run(commands: Any, plan: int, word: int) -> int:
    """List, wait, build; gives dbt's exit code.

    Args:
        commands: what follows ``dbt``, for ``parse``, ``ls``, ``build`` and, if it is there,
            ``then``, which is run after a build that ended well and changes nothing of it.
        plan: a file to write to: what is listed, then ``COMPLETE``.
        word: a file to read from: ``GO``, or its end.
    """
    from dbt.cli.main import dbtRunner

    parsed = dbtRunner().invoke(commands["parse"])
    if not parsed.success:
        return _stopped(parsed)
    listed = dbtRunner(manifest=parsed.result).invoke(commands["ls"])
    if not listed.success:
        return _stopped(listed)
    _tell(plan, listed.result)
    if os.read(word, len(GO)) != GO:
        # The other end knows why, and says it.
        return SUCCESS
    # A build lasts hours, so the collector is back on while nodes run. What is there by then stays.
    runner = dbtRunner(manifest=parsed.result, callbacks=[_collect_from_the_first_node])
    code = code_of(runner.invoke(commands["build"]))
    if code == SUCCESS and commands.get("then"):
        runner.invoke(commands["then"])
    return code


def code_of(result: Any) -> int:
    """The exit code that the command ``dbt`` has for a result."""
    if result.success:
        return SUCCESS
    return NODE_FAILED if result.exception is None else STOPPED


def is_wrong_usage(result: Any) -> bool:
    """Whether the command line was wrong: of all that can be, dbt's interface does not say that."""
    return type(result.exception).__name__ == "DbtUsageException"


def _stopped(result: Any) -> int:
    if is_wrong_usage(result):
        print(f"Error: {result.exception}", flush=True)
    return code_of(result) or STOPPED


def _tell(plan: int, listed: list[str]) -> None:
    with os.fdopen(plan, "wb") as out:
        for line in listed:
            out.write(line.encode() + b"\n")
        out.write(COMPLETE)


def _collect_from_the_first_node(event: Any) -> None:
    if event.info.name == FIRST_NODE and not gc.isenabled():
        gc.freeze()
        gc.enable()

"""Runs one script of a command: ``run.py deploy take_lease`` runs ``deploy/take_lease.py``.

Each step of an action is one such call. What follows the two names goes to the script. This folder
is the first on ``sys.path`` and the caller's workspace is not on it, so no file of a pull request
can stand in for a module of ours. Every script runs behind the one error boundary,
``context/cli.py``.

Exit codes: those of ``context/cli.py``; 2 where there is no such script.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import NoReturn

SCRIPTS = Path(__file__).resolve().parent
NOT_COMMANDS = ("dbtdeploy", "in_dbt")


def main(arguments: list[str]) -> NoReturn:
    """Run the script that the first two arguments name; never returns."""
    command, script = (*arguments, "", "")[:2]
    if f"{command}/{script}" not in names():
        listed = "\n".join(f"  {name.replace('/', ' ')}" for name in names())
        from dbtdeploy.base import actions_runner  # noqa: PLC0415  read only where it is needed

        usage = f"usage: run.py COMMAND SCRIPT [ARGUMENT ...], one of\n{listed}"
        actions_runner.say(usage, stream=sys.stderr)
        raise SystemExit(2)
    # Not needed to say how it is called.
    from dbtdeploy.context import cli  # noqa: PLC0415
    from dbtdeploy.context.phases import Phase  # noqa: PLC0415

    sys.argv = [str(SCRIPTS / command / f"{script}.py"), *arguments[2:]]

    def imported() -> int:
        # Behind the boundary: a module that cannot be imported is a fault of ours like others.
        module = importlib.import_module(f"{command}.{script}")
        return cli.attempt(module.main, phase=module.PHASE)

    cli.run(imported, phase=Phase.START)


def names() -> list[str]:
    """``deploy/take_lease`` and all the others, sorted."""
    return sorted(
        f"{path.parent.name}/{path.stem}"
        for path in SCRIPTS.glob("*/*.py")
        if path.parent.name not in NOT_COMMANDS
    )


if __name__ == "__main__":
    main(sys.argv[1:])

"""The scripts as the actions start them: ``run.py``, the command, the script."""

from __future__ import annotations

import sys
from pathlib import Path

python = sys.executable
"""What runs them; in tests one that has imported our libraries, see ``forked.py``."""

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def script(name: str, *, scripts: Path = SCRIPTS) -> list[str]:
    """The command line of one script, without its arguments.

    Args:
        name: its folder and name, ``deploy/take_lease``; or the path of one of the tests, from
            the repository's root.
        scripts: the folder that holds ``run.py``.
    """
    if name.endswith(".py"):
        return [python, str(SCRIPTS.parent / name)]
    command, stem = name.split("/")
    return [python, str(scripts / "run.py"), command, stem]

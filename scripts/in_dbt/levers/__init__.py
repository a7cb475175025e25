"""What dbt does in more time than its result needs, done in less; the result stays the same.

Each lever is a file that says what it saves. It is applied to nothing but the very files of dbt
that it was compared with, has a line in the log, and its name in the input ``shortcuts`` is its
switch. Neither the listing that is judged before the first write nor what dbt reads of the project
goes through one.

Runs in the caller's interpreter, Python 3.10 or newer: standard library and dbt only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from saved_parse import known_files

from . import state_once

ALL = {"state-once": state_once}
"""By their names in the input ``shortcuts``."""


def apply(names: Sequence[str]) -> None:
    """Apply these, and say so; one whose files of dbt are others is left out, and why is said."""
    import dbt.version

    packages = os.path.dirname(os.path.dirname(os.path.abspath(dbt.version.__file__)))
    for name, lever in ALL.items():
        if name not in names:
            continue
        differing = known_files.differing(packages, lever.COMPARED)
        if differing:
            print(f"{name}: not used, {differing[0]} is not what it was compared with", flush=True)
            continue
        lever.install()
        print(f"{name}: used", flush=True)

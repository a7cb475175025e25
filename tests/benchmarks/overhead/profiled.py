"""Where dbt's time goes in a job of ours: its import and each of its commands under cProfile.

A copy of the action is what the job runs, so the profiler is put into that copy. Times are longer
than in the measured jobs, the more the smaller the functions are; what counts is their share.
"""

from __future__ import annotations

import pstats
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

WRAPPER = '''\
"""serve.py under cProfile, for the benchmark."""

import cProfile
import importlib.util
import os

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = {folder!r}


def profiled(function, name):
    def wrapper(*arguments):
        profile = cProfile.Profile()
        try:
            return profile.runcall(function, *arguments)
        finally:
            file = "%s.%d.profile" % (name(*arguments), os.getpid())
            profile.dump_stats(os.path.join(FOLDER, file))

    return wrapper


def command(_command, request, _files):
    return next((word for word in request["arguments"] if word in {commands!r}), "dbt")


# Not by its name: what lies here is not left for dbt to find.
spec = importlib.util.spec_from_file_location("served", os.path.join(HERE, "unprofiled_serve.py"))
served = importlib.util.module_from_spec(spec)
spec.loader.exec_module(served)
served._import = profiled(served._import, lambda: "import")
served._run = profiled(served._run, command)
if __name__ == "__main__":
    served.main()
'''
COMMANDS = ("build", "clone", "deps", "docs", "ls", "parse", "run-operation")
DBT = re.compile(r"dbt[/_]|mashumaro/")
WRAPPER_PART = 0.9
"""What takes more of the whole than that only calls the rest."""
SHOWN, SHOWN_ALONE = 20, 5


@dataclass(frozen=True, kw_only=True)
class Spent:
    """One function, over all processes of a job."""

    name: str
    calls: int
    own_seconds: float
    """Without what it called."""
    seconds: float
    """With it; of several, the outermost's."""


def wrap(action: Path, folder: Path) -> None:
    """Make a copy of our action leave profiles in a folder."""
    served = action / "scripts" / "in_dbt" / "serve.py"
    served.rename(served.with_name("unprofiled_serve.py"))
    served.write_text(WRAPPER.format(folder=str(folder), commands=COMMANDS), encoding="utf-8")


def read(folder: Path) -> dict[str, list[Spent]]:
    """The functions that took most, by dbt command."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.profile")):
        found.setdefault(path.name.partition(".")[0], []).append(path)
    return {name: _most(paths) for name, paths in found.items()}


def _most(paths: Iterable[Path]) -> list[Spent]:
    """dbt's functions that took long with all they call, and those that did so by themselves."""
    stats = pstats.Stats(*map(str, paths)).stats  # type: ignore[attr-defined]
    spent = [
        Spent(name=_named(key), calls=calls, own_seconds=own, seconds=seconds)
        for key, (_, calls, own, seconds, _) in stats.items()
    ]
    whole = sum(one.own_seconds for one in spent)
    inner = [one for one in spent if DBT.match(one.name) and one.seconds < WRAPPER_PART * whole]
    chosen = sorted(inner, key=lambda one: -one.seconds)[:SHOWN]
    alone = sorted(spent, key=lambda one: -one.own_seconds)[:SHOWN_ALONE]
    return sorted({one.name: one for one in (*chosen, *alone)}.values(), key=lambda o: -o.seconds)


def _named(key: tuple[str, int, str]) -> str:
    path, line, function = key
    if path == "~":
        return function.strip("<>")
    short = path.partition("site-packages/")[2] or "/".join(Path(path).parts[-2:])
    return f"{short}:{line} {function}"

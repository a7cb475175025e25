"""One job in a process of its own, each step measured.

``python measured.py`` reads a job as JSON from standard input and prints what came of it as JSON.
A small process: what it starts would inherit its peak, and it has no other children than the job's,
so that whatever a step leaves running is waited for and counted too.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (2, 1)]

from standins.runner import runner  # noqa: E402  found by the line above
from standins.runner.runner import Usage  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
LEFT_SECONDS = 30
"""How long what a step left running may go on."""

LEFT = "Left running by a step"
RESTORE, SAVE = "Restore from the cache", "Save to the cache"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One step of a job, and what it used."""

    name: str
    usage: Usage


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One job that is over."""

    conclusion: str
    stages: tuple[Stage, ...]
    log: str = field(repr=False)
    outputs: Mapping[str, str]
    work: str = ""
    """The work folder of our action."""


@dataclass(frozen=True, kw_only=True)
class Cache:
    """What actions/cache does with a folder, by the same two commands."""

    folder: Path
    archive: Path
    restore: bool = False
    save: bool = False
    step: str = "actions/cache@"
    """How the action begins that restores it."""


def run(action: Path, inputs: Mapping[str, str], job: runner.Job, cache: Cache | None) -> Measured:
    """Run a job in a process of its own."""
    asked = {
        "action": str(action),
        "inputs": dict(inputs),
        "job": asdict(job),
        "cache": None if cache is None else asdict(cache),
    }
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(asked, default=str),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    stages = tuple(
        Stage(name=stage["name"], usage=Usage(**stage["usage"])) for stage in told.pop("stages")
    )
    return Measured(stages=stages, **told)


def main() -> None:
    """Run the job that standard input holds."""
    asked = json.load(sys.stdin)
    _adopt_orphans()
    paths = {name: Path(asked["job"][name]) for name in ("workspace", "temp")}
    job = runner.Job(**{**asked["job"], **paths, "home": None})
    cache = Cache(**_as_cache(asked["cache"])) if asked["cache"] else None
    restored: list[Usage] = []

    def use(uses: runner.Uses) -> runner.Used:
        if cache and cache.restore and not restored and uses.action.startswith(cache.step):
            restored.append(_restore(cache))
        return runner.Used()

    result = runner.run_action(Path(asked["action"]), inputs=asked["inputs"], job=job, uses=use)
    stages = []
    for step in result.steps:
        if step.outcome != runner.SKIPPED and step.uses is None:
            stages.append({"name": step.name, "usage": asdict(step.usage)})
        elif restored and step.uses and cache and step.uses.action.startswith(cache.step):
            stages.append({"name": RESTORE, "usage": asdict(restored.pop())})
    if (left := _wait_for_orphans()).wall_seconds:
        stages.append({"name": LEFT, "usage": asdict(left)})
    if cache and cache.save and result.conclusion == runner.SUCCESS:
        stages.append({"name": SAVE, "usage": asdict(save(cache))})
    work = next((step.outputs.get("work", "") for step in result.steps if step.id == "run"), "")
    told = {
        "conclusion": result.conclusion,
        "stages": stages,
        "log": result.log,
        "outputs": dict(result.outputs),
        "work": work,
    }
    print(json.dumps(told))


def _as_cache(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "folder": Path(told["folder"]), "archive": Path(told["archive"])}


def _adopt_orphans() -> None:
    """Become the parent of what a step leaves behind (Linux; elsewhere it goes uncounted)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait_for_orphans() -> Usage:
    began = time.monotonic()
    cpu, peak, found = 0.0, 0, False
    while time.monotonic() - began < LEFT_SECONDS:
        try:
            number, _, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not number:
            time.sleep(0.02)
            continue
        found = True
        cpu += used.ru_utime + used.ru_stime
        peak = max(peak, used.ru_maxrss * 1024)
    waited = time.monotonic() - began
    return Usage(wall_seconds=waited, cpu_seconds=cpu, peak_bytes=peak) if found else Usage()


def _restore(cache: Cache) -> Usage:
    """As actions/cache does: ``tar -xf … -P --use-compress-program unzstd``."""
    return _use(["tar", "-xf", str(cache.archive), "-P", *_program("unzstd", "gzip -d")])


def save(cache: Cache) -> Usage:
    """As it does after a job that found nothing."""
    partial, folder = cache.archive.with_suffix(".partial"), str(cache.folder)
    command = ["tar", "--posix", "-cf", str(partial), "-P", *_program("zstdmt", "gzip"), folder]
    used = _use(command)
    partial.replace(cache.archive)
    return used


def _program(first: str, other: str) -> list[str]:
    """What actions/cache takes where there is no zstd, it takes too."""
    there = subprocess.run(["which", first], capture_output=True, check=False).returncode == 0
    return ["--use-compress-program", first if there else other]


def _use(command: list[str]) -> Usage:
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=sys.stderr)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Usage(
        wall_seconds=time.monotonic() - began,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_bytes=used.ru_maxrss * 1024,
    )


if __name__ == "__main__":
    main()

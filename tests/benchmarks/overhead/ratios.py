"""Jobs that were measured -> medians and ratios. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.overhead import measured
from benchmarks.overhead.runs import INSTALLING, Run
from standins.runner.runner import Usage

Ratios = dict[str, float]
BESIDE = (measured.RESTORE, measured.SAVE)
"""What actions/cache does; neither a script of ours nor dbt."""


@dataclass(frozen=True, kw_only=True)
class Medians:
    """One scenario at one size: the median of what its repetitions used."""

    whole: Usage
    installing: Usage
    rest: Usage
    """Without installing: the median of the differences."""
    own_cpu_seconds: float | None = None
    """Of our own scripts; None for the recipe, or where the action noted no process of dbt's."""
    in_dbt: Usage
    """Of dbt's processes alone."""
    stages: Mapping[str, Usage]
    dbt: Mapping[str, Usage]
    repeated: int = 1
    """How many runs it is the median of."""


def _whole(of: Medians) -> Usage:
    return of.whole


def _rest(of: Medians) -> Usage:
    return of.rest


def _in_dbt(of: Medians) -> Usage:
    return of.in_dbt


PAIRS: Mapping[str, tuple[str, str, Callable[[Medians], Usage]]] = {
    "lean_job": ("recipe-lean", "ours-first", _whole),
    "lean_job_later": ("recipe-lean", "ours-later", _whole),
    "lean_job_cold": ("recipe-lean", "ours-cold", _whole),
    "lean_dbt": ("recipe-lean", "ours-first", _rest),
    "lean_dbt_later": ("recipe-lean", "ours-later", _rest),
    "lean_dbt_cold": ("recipe-lean", "ours-cold", _rest),
    "full_job": ("recipe-full", "ours-full", _whole),
    "full_job_later": ("recipe-full", "ours-full-later", _whole),
    "full_dbt": ("recipe-full", "ours-full", _rest),
    "dbt_processes_only": ("recipe-lean", "ours-first", _in_dbt),
    "dbt_processes_only_later": ("recipe-lean", "ours-later", _in_dbt),
    "dbt_processes_only_full": ("recipe-full", "ours-full", _in_dbt),
}
"""By name: what is divided by what, and which part of both."""


def medians(runs: Sequence[Run]) -> Medians:
    """What the repetitions of one scenario come to."""
    own = [own_cpu_seconds(run) for run in runs if run.dbt]
    return Medians(
        whole=_median(whole(run) for run in runs),
        installing=_median(part(run, lambda name: name in INSTALLING) for run in runs),
        rest=_median(part(run, lambda name: name not in INSTALLING) for run in runs),
        own_cpu_seconds=statistics.median(own) if own else None,
        in_dbt=_median(in_dbt(run) for run in runs),
        stages=_by_name(tuple((s.name, s.usage) for s in run.stages) for run in runs),
        dbt=_by_name(tuple((p.name, p.usage) for p in run.dbt) for run in runs),
        repeated=len(runs),
    )


def whole(run: Run) -> Usage:
    """A whole job."""
    return part(run, lambda _: True)


def part(run: Run, wanted: Callable[[str], bool]) -> Usage:
    """The stages of a job whose name is wanted: their sum, and the largest peak."""
    return _sum(stage.usage for stage in run.stages if wanted(stage.name))


def in_dbt(run: Run) -> Usage:
    """dbt's processes: those that our action noted, or the recipe's steps that are one each."""
    if run.dbt:
        return _sum(process.usage for process in run.dbt)
    return part(run, lambda name: name.startswith("dbt "))


def own_cpu_seconds(run: Run) -> float:
    """All of our job but dbt's processes and what actions/cache does."""
    ours = part(run, lambda name: name not in BESIDE).cpu_seconds
    return ours - _sum(process.usage for process in run.dbt).cpu_seconds


def ratios(of: Mapping[str, Medians], warm_pip_cpu_seconds: float | None = None) -> Ratios:
    """How many times what our action uses the recipe uses, for the scenarios that were run.

    Args:
        of: medians by scenario.
        warm_pip_cpu_seconds: what installing takes of the recipe with pip's cache restored.
    """
    found: Ratios = {}
    for name, (recipe, ours, choose) in PAIRS.items():
        if recipe in of and ours in of:
            left, right = choose(of[recipe]), choose(of[ours])
            if right.cpu_seconds and right.wall_seconds:
                found[f"cpu_ratio_{name}"] = left.cpu_seconds / right.cpu_seconds
                if choose is not _in_dbt:
                    # dbt's import goes on beside our scripts, and has no wall time of its own.
                    found[f"wall_ratio_{name}"] = left.wall_seconds / right.wall_seconds
    if warm_pip_cpu_seconds is not None and "cpu_ratio_lean_job" in found:
        recipe_cpu = of["recipe-lean"].rest.cpu_seconds + warm_pip_cpu_seconds
        found["cpu_ratio_lean_job_pip_cached"] = recipe_cpu / of["ours-first"].whole.cpu_seconds
    return found


def _sum(usages: Iterable[Usage]) -> Usage:
    used = list(usages)
    return Usage(
        wall_seconds=sum(one.wall_seconds for one in used),
        cpu_seconds=sum(one.cpu_seconds for one in used),
        peak_bytes=max((one.peak_bytes for one in used), default=0),
    )


def _median(usages: Iterable[Usage]) -> Usage:
    used = list(usages)
    return Usage(
        wall_seconds=statistics.median(one.wall_seconds for one in used),
        cpu_seconds=statistics.median(one.cpu_seconds for one in used),
        peak_bytes=max(one.peak_bytes for one in used),
    )


def _by_name(runs: Iterable[tuple[tuple[str, Usage], ...]]) -> dict[str, Usage]:
    """Medians by name, in the order of the first run; one that not all have counts where it is."""
    found: dict[str, list[Usage]] = {}
    for run in runs:
        together: dict[str, list[Usage]] = {}
        for name, usage in run:
            together.setdefault(name, []).append(usage)
        for name, usages in together.items():
            found.setdefault(name, []).append(_sum(usages))
    return {name: _median(usages) for name, usages in found.items()}

"""What was aimed at, and whether it was reached. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

JOB, DBT = "cpu_ratio_lean_job", "cpu_ratio_lean_dbt"
FULL = "cpu_ratio_full_job"
COLD_CPU, COLD_WALL = "cpu_ratio_lean_job_cold", "wall_ratio_lean_job_cold"
OWN, NOTHING = "own_scripts_cpu_seconds", "nothing_to_do_seconds"

WORDS = {
    JOB: "whole job, first push, against the lean recipe: times less CPU",
    DBT: "the same without installing: times less CPU",
    FULL: "whole job with documentation, against the full recipe: times less CPU",
    COLD_CPU: "nothing cached, against the lean recipe: not more CPU",
    COLD_WALL: "nothing cached, against the lean recipe: not slower",
    OWN: "our own scripts, all but dbt's processes: seconds of CPU",
    NOTHING: "a pull request that changes nothing dbt reads, after setup: seconds",
}
AT_MOST = (OWN, NOTHING)
"""Of these less is better; of the others more."""

GOALS: Mapping[str, Mapping[int, float]] = {
    JOB: {100: 4, 1_000: 5.5, 5_000: 7.5},
    DBT: {100: 2.2, 1_000: 4.5, 5_000: 7},
    FULL: {1_000: 12},
    COLD_CPU: {100: 1, 1_000: 1, 5_000: 1},
    COLD_WALL: {100: 1, 1_000: 1, 5_000: 1},
    OWN: {5_000: 3.5},
    NOTHING: {100: 3, 1_000: 3, 5_000: 3},
}
"""By name and size."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One goal at one size, and what was measured."""

    name: str
    size: int
    wanted: float
    measured: float

    @property
    def at_most(self) -> bool:
        """Whether less is better."""
        return self.name in AT_MOST

    @property
    def reached(self) -> bool:
        """Equal is reached, but for a time, which has to be under its limit."""
        return self.measured < self.wanted if self.at_most else self.measured >= self.wanted

    @property
    def margin(self) -> float:
        """How much better than wanted, as a part of what was wanted; negative where it is worse."""
        off = self.measured / self.wanted - 1
        return -off if self.at_most else off

    @property
    def verdict(self) -> str:
        """In words."""
        percent = round(abs(self.margin) * 100)
        if self.reached:
            return f"reached, {percent} % better"
        return f"**not reached**, {percent} % worse" if percent else "**not reached**, by a hair"


def judge(sizes: Mapping[int, Mapping[str, float]]) -> Sequence[Goal]:
    """All goals of the sizes that were run, as far as what they need was measured.

    Args:
        sizes: figures by size and name.
    """
    return tuple(_judged(sizes))


def _judged(sizes: Mapping[int, Mapping[str, float]]) -> Iterator[Goal]:
    for name, by_size in GOALS.items():
        for size, wanted in by_size.items():
            measured = sizes.get(size, {}).get(name)
            if measured is not None:
                yield Goal(name=name, size=size, wanted=wanted, measured=measured)


def missing(sizes: Mapping[int, Mapping[str, float]]) -> Sequence[str]:
    """The goals that this run says nothing about."""
    return tuple(
        f"{WORDS[name]}, at {size:,} models"
        for name, by_size in GOALS.items()
        for size in by_size
        if name not in sizes.get(size, {})
    )

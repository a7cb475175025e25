"""One job that was measured: its stages, and dbt's part of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.overhead import measured
from benchmarks.overhead.measured import Stage
from benchmarks.overhead.profiled import Spent
from standins.runner.runner import Usage

INSTALLING = (
    *("Install dbt", "Compute the cache key", "Set up dbt-deploy"),
    *(measured.RESTORE, measured.SAVE),
)
"""The stages of either side that have dbt there in the end, and do nothing with it."""


@dataclass(frozen=True, kw_only=True)
class Dbt:
    """One process of dbt's within a step of ours, as the action noted it."""

    name: str
    usage: Usage


@dataclass(frozen=True, kw_only=True)
class Run:
    """One job that was measured."""

    scenario: str
    stages: tuple[Stage, ...]
    dbt: tuple[Dbt, ...] = ()
    log: Path
    profiles: Mapping[str, Sequence[Spent]] = field(default_factory=dict)
    """What a profiled job's dbt spent its time on, by its commands."""

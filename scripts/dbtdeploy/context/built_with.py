"""What dbt reads and ``state:modified`` does not compare, as a version was built with it.

dbt compares a seed of more than 1 MiB by its path, and no variable, no environment variable and no
installed package at all (docs.getdbt.com/reference/node-selection/state-comparison-caveats).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct

from dbtdeploy.context import hand_over
from dbtdeploy.context.hand_over import HandOver

UnseenKind = Literal["seed", "variable", "environment", "python"]


class LargeSeed(Struct, frozen=True, kw_only=True):
    """A seed that dbt compares by its path."""

    name: str
    package: str
    path: str
    """From the package's folder."""
    sha256: str


class BuiltWith(Struct, frozen=True, kw_only=True):
    """Digests, by name."""

    salt: str
    """Of the digests of what is in no file."""
    seeds: dict[str, LargeSeed] = {}
    """By unique id."""
    variables: dict[str, str] = {}
    """Of the variables in dbt_project.yml, the local packages' too."""
    command_line: dict[str, str] = {}
    """Of the variables in the input ``vars``."""
    environment: dict[str, str] = {}
    """Of the environment variables that the project names by ``env_var``; empty for one that was
    not set."""
    distributions: tuple[str, ...] = ()
    """What dbt is made of, with versions."""


class UnseenChange(Struct, frozen=True, kw_only=True):
    """Something that dbt reads is not what production was built with, and dbt does not see it."""

    what: UnseenKind
    name: str
    """Of the seed, the variable or the Python package."""
    nodes: tuple[str, ...]
    """Unique ids of what uses it."""
    added: bool
    """Whether these were added to the selection."""


class UnseenChanges(HandOver, frozen=True, kw_only=True):
    """All of them."""

    FILE: ClassVar[str] = hand_over.STATE

    changes: tuple[UnseenChange, ...] = ()
    words: tuple[str, ...] = ()
    """What is selected for them."""
    unknown: bool = False
    """Whether production's version does not say what it was built with."""

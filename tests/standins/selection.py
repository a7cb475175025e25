"""What `make test` runs of a matrix, and what it leaves to `make test-more`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

import make_environments

EVERY_DBT = ("1.8", "1.11", "1.12")

PLAIN_DBT = ("1.9", "1.10", "1.13")
"""What is run as the plain command too, as 1.8 is, with a few tests of each."""


def more(*values: Any) -> Any:
    """A set of parameters that `make test-more` runs."""
    return pytest.param(*values, marks=pytest.mark.more)


def more_of(*every: Any) -> list[Any]:
    """Parameters that `make test-more` runs, each a set of its own."""
    return [more(one) for one in every]


def some_of(every: Iterable[Any], *some: Any) -> list[Any]:
    """A matrix of which `make test` runs some, and `make test-more` the rest."""
    listed = list(every)
    assert set(some) <= set(listed), "a value that is in the matrix no more"
    return [one if one in some else more(one) for one in listed]


def every_dbt() -> list[Any]:
    """Each supported version of dbt; all but the one that most tests run on under `more`."""
    return some_of(EVERY_DBT, make_environments.DBT)

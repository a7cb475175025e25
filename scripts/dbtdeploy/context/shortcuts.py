"""The input ``shortcuts``: what may be done in less time than by the plain commands of dbt. Pure.

Each can be left out alone, so that a result that looks wrong can be pinned to one of them.
"""

from __future__ import annotations

from dbtdeploy.base import errors

UNCHANGED = "unchanged"
"""Nothing is built where dbt reads here exactly what production was built from."""
ONE_PROCESS = "one-process"
"""One process of dbt 1.11 or 1.12 lists, waits for the guard, and builds."""
SAVED_PARSE = "saved-parse"
"""That process starts from production's parse."""

ALL = (UNCHANGED, ONE_PROCESS, SAVED_PARSE)

WORDS = {"": ALL, "true": ALL, "false": ()}


def parse(text: str) -> tuple[str, ...]:
    """The names that the input gives.

    Raises:
        InvalidInput: it is neither ``true``, ``false`` nor a list of them.
    """
    if (words := WORDS.get(text.lower())) is not None:
        return words
    given = tuple(dict.fromkeys(text.replace(",", " ").split()))
    unknown = [name for name in given if name not in ALL]
    if unknown:
        raise _invalid(f"names {unknown[0]!r}", f"Use `true`, `false`, or some of {', '.join(ALL)}")
    if SAVED_PARSE in given and ONE_PROCESS not in given:
        raise _invalid(f"names {SAVED_PARSE} without {ONE_PROCESS}", f"Add {ONE_PROCESS}")
    return given


def _invalid(how: str, remedy: str) -> errors.InvalidInput:
    return errors.InvalidInput(
        f"The input `shortcuts` {how}.",
        not_done="dbt was not started, nothing was written.",
        remedy=f"{remedy}.",
    )

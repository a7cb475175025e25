"""The text of one input -> a number, a flag, one of several words, a folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import overload

from dbtdeploy.base import errors

MOST_DIGITS = 18
MOST = 100_000
"""Days before now that Python's calendar still has, and more of anything than anybody wants."""


@overload
def number(name: str, text: str, *, default: int, least: int = 1, most: int = MOST) -> int: ...
@overload
def number(
    name: str, text: str, *, default: None = None, least: int = 1, most: int = MOST
) -> int | None: ...
def number(
    name: str, text: str, *, default: int | None = None, least: int = 1, most: int = MOST
) -> int | None:
    """A whole number from ``least`` to ``most``; the default where the input is empty.

    Raises:
        InvalidInput: it is no such number.
    """
    if not text:
        return default
    # By its length first: Python does not read a number of thousands of digits.
    if not text.isdecimal() or len(text) > MOST_DIGITS or int(text) < least:
        raise invalid(name, f"is {text!r}", f"Use a whole number, {least} or more.")
    if int(text) > most:
        raise invalid(name, f"is {text!r}", f"Use a whole number, {most:,} at most.")
    return int(text)


def flag(name: str, text: str, *, default: bool) -> bool:
    """``true`` or ``false``; the default where the input is empty.

    Raises:
        InvalidInput: it is neither.
    """
    if not text:
        return default
    if text.lower() not in ("true", "false"):
        raise invalid(name, f"is {text!r}", "Use true or false.")
    return text.lower() == "true"


def amount(name: str, text: str) -> float | None:
    """A number that is not negative; None where the input is empty.

    Raises:
        InvalidInput: it is no such number.
    """
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise invalid(name, f"is {text!r}", "Use a number, 0 or more.")
    return value


def one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    """A word, if it is known.

    Raises:
        InvalidInput: it is not.
    """
    if value not in known:
        raise invalid(name, f"is {value!r}", f"Use {any_of(known)}.")
    return value


def path(name: str, text: str, workspace: Path) -> Path:
    """A path, absolute.

    Raises:
        InvalidInput: no file system has such a path.
    """
    try:
        found = (workspace / text).resolve()
        found.exists()  # asks for the name, which may be longer than any
    except (OSError, RuntimeError, ValueError) as cause:
        said = cause.strerror if isinstance(cause, OSError) else cause
        raise invalid(name, f"is no path: {said}", "Name a folder of the checkout's.") from None
    return found


def query_folder(name: str, text: str, workspace: Path) -> str | None:
    """A folder of queries, absolute; None where the input is empty.

    Raises:
        InvalidInput: it holds no query.
    """
    if not text:
        return None
    folder = path(name, text, workspace)
    if not any(folder.glob("*.sql")):
        raise invalid(
            name, f"is {text!r}, and no .sql file is there", "Name a folder of the checkout's."
        )
    return str(folder)


def any_of(values: tuple[str, ...]) -> str:
    """The values as a choice, for a remedy."""
    return " or ".join((", ".join(values[:-1]), values[-1]))


def invalid(name: str, what: str, remedy: str) -> errors.InvalidInput:
    """The failure of one input."""
    return errors.InvalidInput(
        f"The input `{name}` {what}.",
        not_done="Nothing was started, nothing was written.",
        remedy=remedy,
    )

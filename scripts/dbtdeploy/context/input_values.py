"""The text of one input -> a number, a flag, one of several words, a folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import overload

from dbtdeploy.base import errors


@overload
def number(name: str, text: str, *, default: int, least: int = 1) -> int: ...
@overload
def number(name: str, text: str, *, default: None = None, least: int = 1) -> int | None: ...
def number(name: str, text: str, *, default: int | None = None, least: int = 1) -> int | None:
    """A whole number of at least ``least``; the default where the input is empty.

    Raises:
        InvalidInput: it is no such number.
    """
    if not text:
        return default
    if not text.isdecimal() or int(text) < least:
        raise invalid(name, f"is {text!r}", f"Use a whole number, {least} or more.")
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


def query_folder(name: str, text: str, workspace: Path) -> str | None:
    """A folder of queries, absolute; None where the input is empty.

    Raises:
        InvalidInput: it holds no query.
    """
    if not text:
        return None
    folder = (workspace / text).resolve()
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

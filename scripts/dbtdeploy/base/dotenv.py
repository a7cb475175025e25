"""The secret ``dbt-env``: KEY=VALUE lines."""

from __future__ import annotations

import re

from dbtdeploy.base import errors

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse(text: str) -> dict[str, str]:
    r"""Parse KEY=VALUE lines.

    Blank lines and lines that begin with ``#`` are skipped. A value is everything after the first
    ``=``, taken as it is; one pair of surrounding quotes is removed, and inside double quotes
    ``\n`` is a newline, so that a private key fits on a line.

    Raises:
        InvalidInput: names the line's number, never its text.
    """
    variables: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not NAME.fullmatch(name):
            raise errors.InvalidInput(
                f"Line {number} of the secret `dbt-env` is not KEY=VALUE.",
                not_done="dbt was not started.",
                remedy="Write one KEY=VALUE a line; a value of several lines goes in double "
                'quotes with \\n, as KEY="line one\\nline two".',
            )
        variables[name] = _unquote(value.strip())
    return variables


def _unquote(value: str) -> str:
    quoted = re.fullmatch(r"""(["'])(.*)\1""", value, re.DOTALL)
    if quoted is None:
        return value
    inner = quoted[2]
    return inner.replace("\\n", "\n") if quoted[1] == '"' else inner

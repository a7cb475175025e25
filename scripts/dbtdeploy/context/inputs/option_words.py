"""No word of an input becomes an option of dbt. Pure.

Inputs may come from anybody who can start a workflow, by ``repository_dispatch`` for one. Options
are what ``dbt-args`` is for, which refuses those that dbt-deploy sets itself.
"""

from __future__ import annotations

from dbtdeploy.base.settings import Inputs
from dbtdeploy.context.inputs.input_values import invalid

WORDS = ("select", "exclude")
"""Inputs whose words dbt gets one by one."""

VALUES = (
    *("selector", "vars", "threads", "profile", "target", "smoke_target"),
    *("tag", "version", "main_branch", "schema_prefix"),
)
"""Inputs that dbt, git or another command gets as one value."""


def refuse(inputs: Inputs) -> None:
    """Refuse a word that begins as an option does.

    Raises:
        InvalidInput: there is one; the message names the input and the word.
    """
    for name in WORDS:
        for word in getattr(inputs, name).split():
            _refuse(name, word)
    for name in VALUES:
        _refuse(name, getattr(inputs, name))


def _refuse(name: str, word: str) -> None:
    if word.startswith("-"):
        raise invalid(
            name.replace("_", "-"),
            f"holds {word[:100]!r}, which dbt would take for an option",
            "Options of `dbt build` go into the input `dbt-args`; what has an input of its own, "
            "such as `vars` and `target`, is set there.",
        )

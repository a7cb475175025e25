"""Templates -> text that people read. The only user of Jinja.

Templates hold Markdown, so nothing is escaped for HTML; whatever a person or a database wrote goes
through ``code`` or its like before it gets there.
"""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).resolve().parent.parent.parent / "templates"


def template(name: str, **values: object) -> str:
    """Fill in a template of ``templates/``; a value it asks for and does not get is an error."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=False,  # noqa: S701  # Markdown, not HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(**values)


def code(text: str) -> str:
    """A code span in which anything is inert; on one line, as Markdown has it."""
    line = " ".join(text.split())
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    # One blank on each side is taken off again by Markdown; needed where a backtick ends the text.
    pad = " " if longest or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}"

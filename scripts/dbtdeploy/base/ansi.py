"""Control sequences of a terminal: GitHub's log shows colours, nothing else knows any. Pure.

The forms are those of ECMA-48, https://ecma-international.org/publications-and-standards/standards/ecma-48/
"""

from __future__ import annotations

import re

COLOUR = re.compile(r"\x1b\[[0-9;:]*m")

CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, the cursor, erasing
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # titles, links
    r"|\x1b(?:[ -/]*[0-~])?"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)


def plain(text: str) -> str:
    """A text without colours and other control sequences."""
    return CONTROL.sub("", text)


def coloured(text: str) -> str:
    """A text without control sequences other than colours."""
    return CONTROL.sub(lambda found: found[0] if COLOUR.fullmatch(found[0]) else "", text)

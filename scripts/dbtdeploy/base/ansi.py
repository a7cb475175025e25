"""Terminal colours: GitHub's log shows them, a file or a comment does not. Pure."""

from __future__ import annotations

import re

CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def plain(text: str) -> str:
    """A text without colours and other terminal codes."""
    return CODE.sub("", text)

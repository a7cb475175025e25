"""Base64 of several lines, in any text: a secret in it may go on in the next line. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

ALPHABET = "+/-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Of base64, in both of its forms."""
IN_BASE64 = "[A-Za-z0-9+/_-]"

LONGEST_LINE = 1000

BREAK = re.compile(r"(?:\r?\n|(?:\\r)?\\n)[ \t]*")
"""Of a line, and as it is written in JSON."""

LINE_END = re.compile(rf"[\r\n\\](?<={IN_BASE64}{{32}}[\r\n\\])")
"""Of a line of base64. The lookbehind comes last: so it is tried at ends of lines only, which makes
it ten times as fast."""

WRAPPED = re.compile(rf"{IN_BASE64}+(?:{BREAK.pattern}{IN_BASE64}+)+")


def joined(text: str) -> Iterator[tuple[str, list[int]]]:
    """Each base64 of several lines as one line, and where in the text its characters stand.

    A line is of 64 characters in PEM, of 76 in MIME and by the command ``base64``.
    """
    end = 0
    while found := LINE_END.search(text, end):
        end = found.end()
        line = text[max(0, found.start() - LONGEST_LINE) : found.start()]
        block = WRAPPED.match(text, found.start() - len(line) + len(line.rstrip(ALPHABET)))
        if block is None:
            continue
        places: list[int] = []
        at, end = block.span()
        for gap in BREAK.finditer(text, at, end):
            places += range(at, gap.start())
            at = gap.end()
        places += range(at, end)
        yield "".join(text[place] for place in places), places


GOES_ON = re.compile(rf"{IN_BASE64}{{32}}\r?$")
"""A line after which base64 may go on."""


def blocks(lines: Iterable[str]) -> Iterator[str]:
    """Lines that come one by one, each as soon as it is known that no base64 goes on after it.

    Args:
        lines: without their newlines.

    Returns:
        Each line, or several in one text.
    """
    block: list[str] = []
    for line in lines:
        block.append(line)
        if not GOES_ON.search(line):
            yield "\n".join(block)
            block = []
    if block:
        yield "\n".join(block)

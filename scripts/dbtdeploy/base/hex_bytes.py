"""Hexadecimal digits of bytes that colons or blanks part, in any text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

LEAST = 8
"""Digits of a text that is looked for; fewer are a part of many a number."""

BYTES = "(?:[0-9a-f]{2}){1,8}"

PARTED = re.compile(rf"(?<![0-9a-z])(?:0x)?{BYTES}(?:[:,\-\s]{{1,80}}(?:0x)?{BYTES}(?![0-9a-z]))+")
"""``63:6f``, ``636f 7272``, ``0x63, 0x6f``, over lines too."""

DIGIT = re.compile("(?!0x)[0-9a-f]")


def is_text(word: str) -> bool:
    """Whether a word is the digits of a text, and not a number or a date."""
    if len(word) < LEAST or not re.fullmatch("(?:[0-9a-f]{2})+", word):
        return False
    try:
        return bytes.fromhex(word).decode().isprintable()
    except UnicodeDecodeError:
        return False


def joined(text: str) -> Iterator[tuple[str, list[int]]]:
    """Bytes that something parts as digits alone, and where in the text each digit stands.

    Args:
        text: in small letters, such as folded text.
    """
    for parted in PARTED.finditer(text):
        places = [digit.start() for digit in DIGIT.finditer(text, *parted.span())]
        if len(places) >= LEAST:
            yield "".join(text[place] for place in places), places

"""Text as it was before tools escaped it, and where its characters stand. Pure.

A value is printed in JSON in JSON, percent-encoded in a log line, in capitals by a warehouse, with
colours in its middle. No list of spellings has them all, so both sides of a comparison are folded:
escapes are undone however deep they are nested, what is invisible goes, and case does not count.
"""

from __future__ import annotations

import bisect
import html
import re
from collections.abc import Iterator

HEX = "[0-9A-Fa-f]"
LAYERS = 5
"""Of escapes of different kinds within each other, such as HTML of JSON of an address."""

BYTE = r"\\+x"


def _bytes(sign: str) -> str:
    """One character of UTF-8, a byte after the other, each behind a sign."""
    after = f"{sign}[89ABab]{HEX}"
    return (
        f"{sign}[0-7]{HEX}|{sign}[CDcd]{HEX}{after}|{sign}[Ee]{HEX}(?:{after}){{2}}"
        f"|{sign}[Ff][0-4](?:{after}){{3}}"
    )


CANDIDATE = re.compile(r"""[\x1b\u200b-\u200d\u2060\ufeff\\%&'"]|  """)
"""Where an escape may begin; found ten times as fast as the escapes themselves."""

INVISIBLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\u200b-\u200d\u2060\ufeff]")
"""Colours of a terminal, and blanks without width, which keep a name from being a mention."""

ESCAPE = re.compile(
    rf"(?P<nothing>{INVISIBLE.pattern})"
    rf"|(?P<pair>\\+u[Dd][89ABab]{HEX}{{2}}\\+u[Dd][C-Fc-f]{HEX}{{2}})"
    rf"|(?P<unit>\\+u{HEX}{{4}})"
    rf"|(?P<bytes>{_bytes('%')}|{_bytes(BYTE)})"
    rf"|(?P<byte>\\+x{HEX}{{2}})"
    r"|(?P<entity>&(?:\#[0-9]{1,7}|\#[Xx][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});)"
    r"|(?P<space>(?: |\\+[nrt])(?: |\\+[nrt])+|\\+[nrt])"
    r"|(?P<twice>''|\"\")"
    r"|(?P<backslashes>\\+)"
)


class Folded:
    """A text, folded, and the way back."""

    def __init__(self, text: str) -> None:
        self._layers: list[_Layer] = []
        self.text = _lower(text)
        for _ in range(LAYERS):
            layer = _Layer(self.text)
            if layer.text == self.text:
                break
            self._layers.append(layer)
            self.text = _lower(layer.text)

    def place(self, first: int, last: int) -> tuple[int, int]:
        """Where a part of the folded text stands in the text itself; neither part is empty."""
        for layer in reversed(self._layers):
            first, last = layer.place(first, last)
        return first, last


class _Layer:
    """A text with one layer of escapes undone."""

    def __init__(self, text: str) -> None:
        pieces: list[str] = []
        self._at: list[int] = []
        self._pieces: list[tuple[int, int, bool]] = []
        length = 0
        for piece, start, end in _pieces(text):
            if piece:
                self._at.append(length)
                self._pieces.append((start, end, len(piece) != end - start))
                pieces.append(piece)
                length += len(piece)
        self.text = "".join(pieces)

    def place(self, first: int, last: int) -> tuple[int, int]:
        index = bisect.bisect_right(self._at, first) - 1
        start, _, is_escape = self._pieces[index]
        begin = start if is_escape else start + first - self._at[index]
        index = bisect.bisect_right(self._at, last - 1) - 1
        start, end, is_escape = self._pieces[index]
        return begin, end if is_escape else start + last - self._at[index]


def fold(text: str) -> str:
    """The folded text alone."""
    return Folded(text).text


def _pieces(text: str) -> Iterator[tuple[str, int, int]]:
    """What a text is made of: as it stands, or instead of an escape; and from where to where."""
    end = 0
    for candidate in CANDIDATE.finditer(text):
        at = candidate.start()
        found = ESCAPE.match(text, at) if at >= end else None
        if found is None:
            continue
        if at > end:
            yield text[end:at], end, at
        end = found.end()
        meant = _meant(found)
        yield (found[0] if meant is None else meant), at, end
    if end < len(text):
        yield text[end:], end, len(text)


def _meant(found: re.Match[str]) -> str | None:
    """What an escape stands for; None where it is none after all."""
    kind, said = found.lastgroup, found[0]
    if kind in ("bytes", "pair"):
        return _decoded(re.sub(r"\\+[ux]|%", "", said), "utf-16-be" if kind == "pair" else "utf-8")
    if kind == "entity":
        meant = html.unescape(said)
        return meant if meant != said else None
    if kind in ("unit", "byte"):
        return chr(int(re.sub(r"\\+[ux]", "", said), 16))
    return {"space": " ", "twice": said[0]}.get(kind or "", "")


def _decoded(digits: str, encoding: str) -> str | None:
    try:
        return bytes.fromhex(digits).decode(encoding)
    except UnicodeDecodeError:
        return None


BLANKS = "\t\n\v\f\r\x85\xa0\u2028\u2029"


def _lower(text: str) -> str:
    """In small letters, as many of them: İ has two small ones; and each blank is a space."""
    for blank in BLANKS:
        text = text.replace(blank, " ")
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)

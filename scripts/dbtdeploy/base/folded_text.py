"""Text as it was before tools escaped it, and where its characters stand. Pure.

A value is printed in JSON in JSON, percent-encoded in a log line, in capitals by a warehouse, with
colours in its middle. No list of spellings has them all, so both sides of a comparison are folded:
escapes are undone however deep they are nested, what is invisible goes, and case does not count.
A line break is a newline in folded text, and every other blank a space.
"""

from __future__ import annotations

import bisect
import functools
import html
import re
import sys
from collections.abc import Iterator

HEX = "[0-9A-Fa-f]"
LAYERS = 5
"""Of escapes of different kinds within each other, such as HTML of JSON of an address."""

LEAST_BROKEN = 8
"""Letters and digits on both sides of a line break are a word from that length on: a shorter one
may be the end of one line of a table and the beginning of the next by chance."""

BYTE = r"\\+x"


def _bytes(sign: str) -> str:
    """One character of UTF-8, a byte after the other, each behind a sign."""
    after = f"{sign}[89ABab]{HEX}"
    return (
        f"{sign}[0-7]{HEX}|{sign}[CDcd]{HEX}{after}|{sign}[Ee]{HEX}(?:{after}){{2}}"
        f"|{sign}[Ff][0-4](?:{after}){{3}}"
    )


def _octal() -> str:
    """One character of UTF-8 as a shell, Git and PostgreSQL write its bytes."""
    after = r"\\+2[0-7]{2}"
    return (
        rf"\\+[01][0-7]{{2}}|\\+3[0-3][0-7]{after}|\\+3[45][0-7](?:{after}){{2}}"
        rf"|\\+36[0-7](?:{after}){{3}}"
    )


WIDE = "\xdf\u0130\u0149\u01f0\u0390\u03b0\u0587\u1e96-\u1e9e\u1f50-\u1fff\ufb00-\ufb17"
"""What may be several letters in the other case, such as \u00df, and others near it."""

CANDIDATE = re.compile(rf"""[\x1b\u200b-\u200d\u2060\ufeff\\%&'"{WIDE}]|[ \n]{{2}}""")
"""Where an escape may begin; found ten times as fast as the escapes themselves."""

INVISIBLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\u200b-\u200d\u2060\ufeff]")
"""Colours of a terminal, and blanks without width, which keep a name from being a mention."""

ESCAPE = re.compile(
    rf"(?P<nothing>{INVISIBLE.pattern})"
    rf"|(?P<pair>\\+u[Dd][89ABab]{HEX}{{2}}\\+u[Dd][C-Fc-f]{HEX}{{2}})"
    # Eight digits of Python and YAML, whose capital U is a small one here: the planes in use.
    rf"|(?P<long>\\+[Uu](?:000[0-3EFef]|0010){HEX}{{4}}|\\+[ux]\{{{HEX}{{1,6}}\}})"
    rf"|(?P<unit>\\+u{HEX}{{4}})"
    rf"|(?P<bytes>{_bytes('%')}|{_bytes(BYTE)})"
    rf"|(?P<byte>\\+x{HEX}{{2}})"
    rf"|(?P<octal>{_octal()})"
    r"|(?P<octet>\\+[23][0-7]{2})"
    r"|(?P<entity>&(?:\#[0-9]{1,7}|\#[Xx][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});)"
    r"|(?P<space>(?:[ \n]|\\+[nrt])(?:[ \n]|\\+[nrt])+|\\+[nrt])"
    r"|(?P<twice>''|\"\")"
    r"|(?P<backslashes>\\+)"
    rf"|(?P<wide>[{WIDE}])"
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

    @functools.cached_property
    def spaced(self) -> str:
        """The folded text, as long, with a space for each line break."""
        return self.text.replace("\n", " ")

    @functools.cached_property
    def solid(self) -> str:
        """The folded text without blanks: what a line break parts is whole in it."""
        return self.spaced.replace(" ", "")

    @functools.cached_property
    def _solid_places(self) -> list[int]:
        return [at for at, character in enumerate(self.spaced) if character != " "]

    def find(self, word: str) -> Iterator[tuple[int, int]]:
        """Where a folded word stands in the text itself, with line breaks in it, too."""
        if len(word) < LEAST_BROKEN or not any(map(str.isalpha, word)):
            yield from (self.place(at, at + len(word)) for at in starts(word, self.spaced))
            return
        sought = word.replace(" ", "")
        for at in starts(sought, self.solid):
            first, last = self._solid_places[at], self._solid_places[at + len(sought) - 1] + 1
            if _is_broken(word, self.text[first:last]):
                yield self.place(first, last)

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
    """A word as it is looked for: folded, with spaces alone."""
    return Folded(text).spaced


def starts(word: str, text: str) -> Iterator[int]:
    """Where each of a word in a text begins; they may overlap."""
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _is_broken(word: str, part: str) -> bool:
    """Whether a part is the word but for line breaks, within it or instead of spaces."""
    if part.replace("\n", "") == word:
        return True
    at = 0
    for character in word:
        if character != " " and part[at] == "\n":
            at += 1
        if character != part[at] and not (character == " " and part[at] == "\n"):
            return False
        at += 1
    return at == len(part)


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
    if kind in ("long", "unit", "byte"):
        number = int(re.sub(r"\\+[Uux]|[{}]", "", said), 16)
        return chr(number) if number <= sys.maxunicode else None
    if kind in ("octal", "octet"):
        octets = bytes(int(one, 8) for one in re.findall("[0-7]{3}", said))
        return _decoded(octets.hex(), "utf-8" if kind == "octal" else "latin-1")
    if kind == "space":
        return "\n" if re.search(r"\n|\\[nr]", said) else " "
    return {"twice": said[0], "wide": same_case(said)}.get(kind or "", "")


def _decoded(digits: str, encoding: str) -> str | None:
    try:
        return bytes.fromhex(digits).decode(encoding)
    except UnicodeDecodeError:
        return None


BLANKS = {"\t": " ", "\xa0": " "} | dict.fromkeys("\v\f\r\x85\u2028\u2029", "\n")


def same_case(text: str) -> str:
    """Equal for all spellings of a text in capitals and small letters, those of several too."""
    return text.lower() if text.isascii() else text.upper().casefold()


def _lower(text: str) -> str:
    """In one case, as long: what has several letters in it stays; and each blank is one of two."""
    for blank, meant in BLANKS.items():
        text = text.replace(blank, meant)
    lower = same_case(text)
    if len(lower) == len(text):
        return lower
    return "".join(one if len(one := same_case(c)) == 1 else c for c in text)

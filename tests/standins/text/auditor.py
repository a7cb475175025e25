"""An auditor: knows what was planted, unpacks and decodes all that left, and looks for it.

It shares no code with what takes secrets out, and undoes escapes in its own way.
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

ESCAPED = re.compile(
    r"\\+(?:((?-i:U)[0-9a-f]{8}|u[0-9a-f]{4}|x[0-9a-f]{2})|([\"'\\/|&<>`$#*_~\[\](){}!.+-]))",
    re.I,
)

OCTETS = re.compile(r"(?:\\+[0-3][0-7]{2})+")

BETWEEN_BYTES = re.compile(r"(?<=[0-9a-f]{2})(?:, ?0x|[:-])(?=[0-9a-f]{2})", re.I)

LEAST = 12
"""Characters of a piece that must not be seen of a longer secret."""


def found(secrets: Mapping[str, Iterable[str]], left: Mapping[str, bytes]) -> list[str]:
    """Where a secret, or a long piece of one, can be read; a sentence each.

    Args:
        secrets: what must not be seen, by what it is of.
        left: all that left, by its name; packed files are unpacked.
    """
    wanted = {form: name for name, texts in secrets.items() for one in texts for form in forms(one)}
    return [
        f"{name} in {place}: {_around(form, text)}"
        for place, content in _unpacked(left)
        for text in sorted(set(_readings(content.decode(errors="replace"))))
        for form, name in wanted.items()
        if form in text
    ]


def forms(secret: str) -> Iterator[str]:
    """What to look for, in small letters and without blanks: pieces, hexadecimal digits, base64."""
    plain = _folded(secret)
    yield from _pieces(plain)
    yield secret.encode().hex()
    for before in range(3):
        packed = base64.b64encode(b"\0" * before + secret.encode()).decode()
        inside = packed[(0, 2, 3)[before] : -4 if len(secret) > LEAST else -2]
        if len(inside) >= LEAST:
            yield from _pieces(_folded(inside))


def _pieces(text: str) -> Iterator[str]:
    yield from (text[at : at + LEAST] for at in range(max(1, len(text) - LEAST + 1)))


def _folded(text: str) -> str:
    return re.sub(r"\s|\x1b\[[0-9;]*m|\u200b|\\|\*{3}", "", text).casefold()


def _readings(text: str) -> Iterator[str]:
    """A text as it is, and with one kind of escapes after the other undone."""
    for _ in range(4):
        yield _folded(text)
        yield _folded(re.sub(r"\\+[nrt]", " ", text))
        yield _folded(text.replace("''", "'").replace('""', '"'))
        yield _folded(BETWEEN_BYTES.sub("", text))
        before, text = text, ESCAPED.sub(_character, OCTETS.sub(_octets, text))
        text = html.unescape(unquote(text))
        # Two escapes of UTF-16 are one character.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if text == before:
            return


def _character(escaped: re.Match[str]) -> str:
    number = int(escaped[1][1:], 16) if escaped[1] else 0
    return escaped[2] or (chr(number) if number <= sys.maxunicode else escaped[0])


def _octets(escaped: re.Match[str]) -> str:
    octets = bytes(int(digits, 8) for digits in re.findall("[0-7]{3}", escaped[0]))
    return octets.decode(errors="replace")


def _around(form: str, text: str) -> str:
    at = text.find(form)
    return text[max(0, at - 40) : at + len(form) + 40]


def _unpacked(left: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for name, content in left.items():
        if content[:2] == b"\x1f\x8b":
            yield from _unpacked({f"{name}!": gzip.decompress(content)})
        elif content[:4] == b"PK\x03\x04":
            archive = zipfile.ZipFile(io.BytesIO(content))
            yield from _unpacked({f"{name}!{one}": archive.read(one) for one in archive.namelist()})
        elif content[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(content)) as archived:
                for member in archived:
                    if inside := archived.extractfile(member):
                        yield from _unpacked({f"{name}!{member.name}": inside.read()})
        else:
            yield name, content

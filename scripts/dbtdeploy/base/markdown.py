r"""Text that others wrote -> Markdown that is inert on GitHub. Pure.

Names and messages come from a pull request and from a warehouse. In code spans and fences GitHub
reads no mention, no issue number, no HTML and no emphasis; what stands outside them is escaped.
Source: https://github.github.com/gfm/; that ``\@name`` still notifies was tried.
"""

from __future__ import annotations

import re
from urllib.parse import quote

SIMPLE = re.compile(r"[\w.$ ,:/=+-]+")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
"""Controls but tab and newline, and the marks that reverse the direction of text."""

PUNCTUATION = re.compile(r"([\\*_\[\]~|`])")
LINE_START = re.compile(r"^(\s*)([-+>=]|\d+(?=[.)]))")
ZERO_WIDTH_SPACE = "\u200b"
NAME_CHARS = 120


def code(text: object, most: int = NAME_CHARS) -> str:
    """A code span of one line, fit for a table's cell too.

    A pipe or a backslash cannot be escaped both inside a code span and inside a table, so a text
    with one of them becomes a ``<code>`` element of character references.
    """
    line = shortened(clean(str(text)).replace("\n", " ").replace("\t", " ").strip(), most)
    if not line:
        return "` `"
    if SIMPLE.fullmatch(line):
        return f"`{line}`"
    if "|" in line or "\\" in line:
        return "<code>" + "".join(_reference(character) for character in line) + "</code>"
    fence = "`" * (_longest_run(line) + 1)
    # One blank on each side is taken off again, and lets the text begin or end with a backtick.
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def fence(text: str, language: str = "text") -> str:
    """A fenced block that no line of its text can close."""
    body = re.sub(r"\n{3,}", "\n\n", clean(text)).strip("\n")
    marks = "`" * max(3, _longest_run(body) + 1)
    return f"{marks}{language}\n{body}\n{marks}"


def prose(text: str) -> str:
    """Sentences of ours that may hold names of others: escaped, but for `code` and lists.

    Lines indented by four blanks become a fenced block; ``- x`` becomes a list with x as code.
    """
    parts: list[str] = []
    block: list[str] = []
    for line in [*clean(text).split("\n"), ""]:
        if line.startswith("    "):
            block.append(line[4:])
            continue
        if block:
            parts += ["", fence("\n".join(block)), ""]
            block = []
        if line.startswith("- "):
            if parts and not parts[-1].startswith("- "):
                parts.append("")
            parts.append("- " + code(line[2:], 300))
        else:
            if parts and parts[-1].startswith("- ") and line:
                parts.append("")
            parts.append(_sentence(line))
    return "\n".join(parts).strip("\n")


def link(text: str, url: str | None) -> str:
    """A link, or only its text where there is no address."""
    return f"[{text}]({address(url)})" if url else text


def address(url: str) -> str:
    """A URL with nothing in it that could end a link."""
    return quote(url, safe="/:?#&=%@+,;~$!*'.-_")


def clean(text: str) -> str:
    """Text without control characters and without marks that reverse its direction."""
    return CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def shortened(text: str, most: int) -> str:
    """Text of at most ``most`` characters, the cut shown."""
    return text if len(text) <= most else text[: most - 1] + "…"


def cut_lines(text: str, most_lines: int, most_chars: int) -> tuple[str, int]:
    """The first lines of a text.

    Returns:
        What is kept, and how many lines are not, a line cut short among them.
    """
    lines = text.split("\n")
    kept: list[str] = []
    room = most_chars
    for line in lines[:most_lines]:
        if room <= 0:
            break
        kept.append(shortened(line, max(room, 2)))
        room -= len(line) + 1
    left = len(lines) - len(kept) + (1 if kept and kept[-1] != lines[len(kept) - 1] else 0)
    return "\n".join(kept), left


def _sentence(line: str) -> str:
    pieces = LINE_START.sub(rf"\1{ZERO_WIDTH_SPACE}\2", line).split("`")
    if len(pieces) % 2 == 0:  # an unpaired backtick opens no code
        pieces[-2:] = ["`".join(pieces[-2:])]
    return "".join(
        code(piece, 300) if odd % 2 else _escaped(piece) for odd, piece in enumerate(pieces)
    )


def inline(text: str) -> str:
    """A few words of others in the middle of a line, as plain text; addresses become no links."""
    line = _escaped(clean(text).replace("\n", " "))
    return re.sub(r"(:(?=//)|www)", rf"\1{ZERO_WIDTH_SPACE}", shortened(line, NAME_CHARS))


def _escaped(text: str) -> str:
    safe = PUNCTUATION.sub(r"\\\1", text)
    safe = safe.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub("([@#])", rf"\1{ZERO_WIDTH_SPACE}", safe)


def _reference(character: str) -> str:
    if character.isalnum() or character in " .,/":
        return character
    return f"&#{ord(character)};" if character.isascii() else character


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)

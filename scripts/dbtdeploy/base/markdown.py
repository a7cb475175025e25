r"""Text that others wrote -> Markdown that is inert on GitHub. Pure.

Names and messages come from a pull request and from a warehouse. In code spans and fences GitHub
reads no mention, no issue number, no HTML and no emphasis; what stands outside them is escaped.
No address of theirs becomes a link: a link also takes the backtick that follows it, and so opens
the code span behind. Source: https://github.github.com/gfm/; that ``\@name`` still notifies was
tried.
"""

from __future__ import annotations

import re
from urllib.parse import quote

SIMPLE = re.compile(r"[\w.$ ,:/=+-]+")
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls but tab and newline, the marks that turn the direction of text, letters that cannot be
seen, and halves of a character, which no file can hold."""

PUNCTUATION = re.compile(r"([\\*_\[\]~|`])")
LINE_START = re.compile(r"^(\s*)([-+>=:]|\d+(?=[.)](?:\s|$)))")
ADDRESS = re.compile(r"\b(?:https?|ftp)://[^\s`<>|\"']*[^\s`<>|\"'.,;:!?()\[\]{}]", re.IGNORECASE)
SPECIAL = re.compile(
    r"(:(?=//)|:(?=[a-z_+-][\w+-]*(?::|$))|[@#]|\bGH(?=-)|www(?=\.)|(?:mailto|xmpp)(?=:))",
    re.IGNORECASE,
)
"""What GitHub makes a link, a mention or a picture of; a blank of no width behind stops it."""

SIGNS = (":", "@", "#", "gh-", "www.")
"""Without one of them nothing is special."""

WEB = re.compile(r"https?://", re.IGNORECASE)
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
        # Within an element GitHub still looks for addresses, after the references are read.
        marked = _stopped(line)
        return "<code>" + "".join(_reference(character) for character in marked) + "</code>"
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

    Lines indented by four blanks become a fenced block, on lines of its own wherever the sentences
    stand; ``- x`` becomes a list with x as code; an address is shown as code.
    """
    parts: list[str] = []
    block: list[str] = []
    for line in [*clean(text).expandtabs(4).split("\n"), ""]:
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
    made = "\n".join(parts).strip("\n")
    # A fence opens and closes at the beginning of a line only.
    before = "\n\n" if made.startswith("```") else ""
    return before + made + ("\n\n" if made.endswith("```") else "")


def link(text: str, url: str | None) -> str:
    """A link, or only its text where there is no address."""
    return f"[{text}]({address(url)})" if url else text


def address(url: str) -> str:
    """A URL with nothing in it that could end a link; ``#`` where it is none of the web."""
    made = quote(clean(url).strip(), safe="/:?#&=%@+,;~$!*'.-_")
    return made if WEB.match(made) else "#"


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
    words = [code(piece, 300) if at % 2 else _words(piece) for at, piece in enumerate(pieces)]
    # Between two code spans stands something, or they would be one.
    words[2:-1:2] = [word or ZERO_WIDTH_SPACE for word in words[2:-1:2]]
    return "".join(words)


def _words(text: str) -> str:
    parts: list[str] = []
    end = 0
    for found in ADDRESS.finditer(text) if "://" in text else ():
        parts += [_escaped(text[end : found.start()]), code(found[0], 300)]
        end = found.end()
    return "".join([*parts, _escaped(text[end:])])


def inline(text: str) -> str:
    """A few words of others in the middle of a line, as plain text; addresses become no links."""
    line = shortened(clean(text).replace("\n", " ").replace("\t", " "), NAME_CHARS)
    return _escaped(LINE_START.sub(rf"\1{ZERO_WIDTH_SPACE}\2", line))


def _escaped(text: str) -> str:
    safe = PUNCTUATION.sub(r"\\\1", _stopped(text))
    # A dollar on each side would make a formula of what is between them.
    return safe.replace("&", "&amp;").replace("<", "&lt;").replace("$", "&#36;")


def _stopped(text: str) -> str:
    """Text in which nothing becomes a link, a mention or a picture."""
    # A message of a megabyte is seldom special, and is written again for each limit of a page.
    lower = text.lower()
    if not any(sign in lower for sign in SIGNS):
        return text
    return SPECIAL.sub(rf"\1{ZERO_WIDTH_SPACE}", text)


def _reference(character: str) -> str:
    if character.isalnum() or character in " .,/":
        return character
    return f"&#{ord(character)};" if character.isascii() else character


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)

"""The Actions runner: the log, workflow commands, step outputs, the step summary.

The one door through which text gets there: what comes from a warehouse, a project or GitHub is
redacted and made inert here, and a test holds that no script prints it in another way.

Sources: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands and
actions/runner's ``ActionCommand.cs`` (a command is read after leading blanks, ``##[`` anywhere).
"""

from __future__ import annotations

import contextlib
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from dbtdeploy.base import ansi, settings

_runner_listens = True

SUMMARY_LIMIT_BYTES = 1024 * 1024
"""A larger step summary is dropped whole by GitHub."""

ANNOTATION_LIMIT_CHARS = 4096


def talk_to_runner(listens: bool) -> None:
    """Set whether a runner reads what is printed; on a laptop, people do.

    Args:
        listens: False prints the same as plain lines, without workflow commands.
    """
    global _runner_listens  # noqa: PLW0603  one process talks to one reader
    _runner_listens = listens


def escape_data(text: str) -> str:
    """Escape the message part of a workflow command, as actions/toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Escape a property value of a workflow command, as actions/toolkit does."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Terminal codes, and marks that turn the reading direction: a line could look like another."""


def say(text: str, *, stream: TextIO | None = None) -> None:
    """Print lines for people, in which no secret and nothing that the runner obeys is left.

    Args:
        text: one line or several, whoever wrote them.
        stream: standard output if None.
    """
    out = stream or sys.stdout
    for line in settings.redactor()(text).splitlines() or [""]:
        out.write(inert(line) + "\n")
    out.flush()


def inert(line: str) -> str:
    """A line in which the runner reads no command, and no character is invisible."""
    shown = INVISIBLE.sub(lambda found: f"\\x{ord(found[0]):02x}", line)
    if not _runner_listens:
        return shown
    # A command begins with `::` after blanks, one of the older form with `##[` anywhere.
    shown = re.sub(r"^(\s*):(?=:)", r"\1: ", shown)
    return shown.replace("##[", "## [")


def show(line: str) -> None:
    """Print a line of a program's output, colours and all, within ``foreign_output``.

    It is redacted already, by whoever runs the program: a secret may go on in the next line.
    """
    sys.stdout.write(ansi.coloured(line) + "\n")
    sys.stdout.flush()


def annotate(
    level: str, title: str, message: str, *, file: str | None = None, line: int | None = None
) -> None:
    """Print one annotation.

    Args:
        level: ``error``, ``warning`` or ``notice``.
        title: its bold first line.
        message: plain text, cut at 4,096 characters as GitHub would.
        file: path from the repository's root.
        line: 1-based.
    """
    redact = settings.redactor()
    title, message, file = redact(title), redact(message), redact(file) if file else None
    if not _runner_listens:
        place = f" ({file}:{line or 1})" if file else ""
        say(f"{level}: {title}{place}\n{message}")
        return
    properties = {"title": title, "file": file, "line": str(line) if line else None}
    listed = ",".join(f"{k}={escape_property(v)}" for k, v in properties.items() if v)
    print(f"::{level} {listed}::{escape_data(message[:ANNOTATION_LIMIT_CHARS])}", flush=True)


def error(title: str, message: str) -> None:
    """Print an error annotation that belongs to no file."""
    annotate("error", title, message)


def warning(title: str, message: str) -> None:
    """Print a warning annotation that belongs to no file."""
    annotate("warning", title, message)


def mask(value: str) -> None:
    """Ask the runner to hide a value in every log from here on."""
    for line in value.splitlines():
        # A terminal would show the value instead of hiding it.
        if line.strip() and _runner_listens:
            print(f"::add-mask::{escape_data(line)}", flush=True)


@contextlib.contextmanager
def foreign_output(stream: TextIO | None = None) -> Iterator[None]:
    """While active, the runner reads no workflow command in what is printed."""
    if not _runner_listens:
        yield
        return
    out = stream or sys.stdout
    token = secrets.token_hex(16)
    out.write(f"::stop-commands::{token}\n")
    out.flush()
    try:
        yield
    finally:
        out.write(f"\n::{token}::\n")
        out.flush()


@contextlib.contextmanager
def group(title: str) -> Iterator[None]:
    """Around lines that the log shows folded, under a title."""
    if _runner_listens:
        print(f"::group::{escape_data(settings.redactor()(title))}", flush=True)
    else:
        say(title)
    try:
        yield
    finally:
        if _runner_listens:
            print("::endgroup::", flush=True)


def set_outputs(path: Path | None, outputs: Mapping[str, str]) -> None:
    """Append step outputs to the file GitHub names; print them when there is none.

    Args:
        path: the value of ``GITHUB_OUTPUT``, or None outside Actions.
        outputs: name to value; a value may hold anything, newlines too.
    """
    text = "".join(_entry(name, value) for name, value in outputs.items())
    if path is None:
        for name, value in outputs.items():
            say(f"{name}: {value}")
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _entry(name: str, value: str) -> str:
    delimiter = f"end_{secrets.token_hex(16)}"
    # 128 random bits cannot be guessed by whoever wrote the value; the check costs nothing.
    if delimiter in value:
        raise ValueError("a step output holds its own delimiter")
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def write_summary(path: Path | None, markdown: str) -> None:
    """Append to the step summary, if there is one and the text fits in it."""
    if path is None:
        return
    markdown = settings.redactor()(markdown)
    if len(markdown.encode()) > SUMMARY_LIMIT_BYTES:
        raise ValueError("a step summary is larger than GitHub keeps")
    with path.open("a", encoding="utf-8") as file:
        file.write(markdown + "\n")

"""A job's log as actions/runner reads it: workflow commands taken out, secrets hidden.

Sources in actions/runner: ``ActionCommand.cs``, ``ActionCommandManager.cs``, ``ValueEncoders.cs``.
``::command::`` counts after leading blanks, ``##[command]`` anywhere in a line.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

MASK = "***"
DOUBLE_COLON = re.compile(
    r"\s*::(?P<name>[^ :]+?)(?: (?P<properties>.*?))?::(?P<data>.*)", re.DOTALL
)
BRACKET = re.compile(r"##\[(?P<name>[^ \]]+)(?: (?P<properties>[^\]]*))?\](?P<data>.*)", re.DOTALL)
SHORT = 5
"""Bytes; the tails of shorter values in Base64 would hide ordinary text."""

LEVELS = {"error", "warning", "notice"}
COMMANDS = LEVELS | {
    *("add-mask", "debug", "group", "endgroup", "echo", "add-matcher", "remove-matcher"),
    *("set-output", "save-state", "set-env", "add-path"),
}


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One ``::error::``, ``::warning::`` or ``::notice::``, secrets hidden."""

    level: str
    message: str
    title: str | None = None
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class Command:
    """One workflow command."""

    name: str
    properties: dict[str, str]
    data: str


class Masker:
    """Hides values, in the spellings that the runner hides too."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def add(self, value: str) -> None:
        """Hide a value, and each of its lines."""
        for part in (value, *value.splitlines()):
            if part.strip():
                self._values |= _spellings(part)

    def mask(self, text: str) -> str:
        """A text with ``***`` in place of every value."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, MASK)
        return text


@dataclass(kw_only=True)
class JobLog:
    """Takes the lines of all steps, one after the other."""

    masker: Masker
    show: Callable[[str], None] = lambda _line: None
    lines: list[str] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    _token: str | None = None

    def take(self, line: str) -> Command | None:
        """Take one line of a step's output.

        Returns:
            The command, if it was one that is not about the log itself.
        """
        resume = {self._token} if self._token else {"stop-commands"} | COMMANDS
        command = parse(line, resume)
        if command is None:
            self.write(line)
        elif self._token:
            self._token = None
            self.write(line)
        elif command.name == "stop-commands":
            self._token = command.data
            self.write(line)
        elif command.name == "add-mask":
            self.masker.add(command.data)
        elif command.name in LEVELS:
            self.annotate(command)
        else:
            self.write(line)
            return command
        return None

    def write(self, line: str) -> None:
        """Append a line, secrets hidden."""
        self.lines.append(self.masker.mask(line))
        self.show(self.lines[-1])

    def annotate(self, command: Command) -> None:
        """Keep an annotation, and log it as GitHub shows it."""
        hidden = {name: self.masker.mask(value) for name, value in command.properties.items()}
        line = hidden.get("line", "")
        annotation = Annotation(
            level=command.name,
            message=self.masker.mask(command.data),
            title=hidden.get("title"),
            file=hidden.get("file"),
            line=int(line) if line.isdigit() else None,
        )
        self.annotations.append(annotation)
        for part in f"{command.name.capitalize()}: {annotation.message}".splitlines():
            self.write(part)

    def end_step(self) -> None:
        """Each step reads commands anew."""
        self._token = None


def parse(line: str, names: set[str]) -> Command | None:
    """Read one line as the runner does; None if it is no command it knows."""
    known = {name.lower() for name in names}
    if (match := DOUBLE_COLON.fullmatch(line)) and match["name"].lower() in known:
        return _command(match, ",", {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"})
    if (match := BRACKET.search(line)) and match["name"].lower() in known:
        return _command(match, ";", {"%3B": ";", "%0D": "\r", "%0A": "\n", "%5D": "]", "%25": "%"})
    return None


def _command(match: re.Match[str], separator: str, escapes: dict[str, str]) -> Command:
    def plain(text: str) -> str:
        for escape, character in escapes.items():
            text = text.replace(escape, character)
        return text

    pairs = (pair.partition("=") for pair in (match["properties"] or "").split(separator))
    return Command(
        name=match["name"].lower(),
        properties={name.strip().lower(): plain(value) for name, _, value in pairs if value},
        data=plain(match["data"]),
    )


def _spellings(value: str) -> set[str]:
    encoded = value.encode()
    spelled = {value, value.strip('"'), json.dumps(value)[1:-1], quote(value, safe="~()*!.'")}
    for skipped in range(3 if len(encoded) > SHORT else 0):
        # A secret inside a longer text that was encoded begins at any of three places.
        spelled.add(base64.b64encode(encoded[skipped:]).decode().rstrip("="))
    return {one for one in spelled if one.strip()}

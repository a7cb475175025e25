"""A secret value -> every text in which tools print it, or a part of it. Pure.

Clients send it in base64, loggers print its bytes, and a key of several lines is printed line by
line. How a text is escaped and capitalized does not matter here: see ``folded_text.py``.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

from dbtdeploy.base import credentials

LEAST_PART = 8
"""Shorter parts of a value, a line of a key file for one, would hide ordinary words."""

LEAST_VALUE = 4

HEADER = re.compile(r"-----(BEGIN|END) [A-Z ]+-----")

PUBLIC_IN_KEY_FILES = frozenset(
    {
        *("type", "auth_uri", "token_uri", "auth_provider_x509_cert_url"),
        *("universe_domain", "audience", "subject_token_type"),
    }
)
"""Fields of a key file of Google's that are the same in all of them
(https://google.aip.dev/auth/4112)."""

TO_URL_SAFE = str.maketrans("+/", "-_")


def every(value: str) -> set[str]:
    """The value, its parts, and all of these as tools write them."""
    whole = value.strip()
    found = {value}
    for text in {whole, *parts(whole)}:
        found |= _written(text) | _base64(text)
    return {text for text in found if text.strip()}


def parts(value: str) -> set[str]:
    """What of a value is a secret by itself: lines, a key file's fields."""
    found = {text for text in _parts(value) if len(text) >= LEAST_PART}
    found |= {text for text in _last_lines(value) if len(text) >= LEAST_VALUE}
    return {text for text in found if not HEADER.fullmatch(text)}


def credentials_in(value: str) -> set[str]:
    """Passwords and tokens inside a value, its lines, its JSON texts and what it says in base64."""
    texts = {value, *_parts(value.strip())}
    return {secret for text in texts for secret in credentials.inside(text)}


def _last_lines(value: str) -> list[str]:
    """The last line of each key in PEM, which may be short."""
    lines = f"{value}\n{_decoded(value)}".replace("\\r", "\r").replace("\\n", "\n")
    return re.findall(r"([A-Za-z0-9+/=]+)\s*-----END ", lines)


def _parts(value: str) -> Iterator[str]:
    # A key on one line often holds \n as two characters.
    lines = [line.strip() for line in value.replace("\\n", "\n").splitlines()]
    if len(lines) > 1:
        yield from lines
        yield "".join(line for line in lines if not HEADER.fullmatch(line))
    yield from _of_json(value)
    decoded = _decoded(value)
    if decoded is not None and decoded != value:
        yield decoded
        yield from _parts(decoded)


def _of_json(value: str) -> Iterator[str]:
    if not value.startswith(("{", "[")):
        return
    try:
        found = list(_texts(json.loads(value, strict=False)))
    except (ValueError, RecursionError):
        return
    for text in found:
        yield text
        if "\n" in text:
            yield from _parts(text)


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for item in content:
            yield from _texts(item)
    elif isinstance(content, dict):
        for key, item in content.items():
            if key not in PUBLIC_IN_KEY_FILES:
                yield from _texts(item)


def _decoded(value: str) -> str | None:
    """What a value in base64 says, where that is text: key files are often passed so."""
    packed = "".join(value.split())
    if len(packed) < 2 * LEAST_PART or len(packed) % 4:
        return None
    try:
        text = base64.b64decode(packed.translate(str.maketrans("-_", "+/")), validate=True).decode()
    except ValueError:  # not base64, not ASCII, or not text
        return None
    return text if all(c.isprintable() or c in "\r\n\t" for c in text) else None


def _written(text: str) -> set[str]:
    """A text as it is, and in the forms that escape nothing and that folding does not undo."""
    return {
        text,
        text.upper() if text.isalpha() else text,
        quote_plus(text),
        text.encode().hex(),
        shlex.quote(text).strip("'"),
    }


def _base64(text: str) -> set[str]:
    """What base64 makes of a text wherever it begins in what is encoded, of both alphabets."""
    data, found = text.encode(), set()
    for before in range(3):
        length = before + len(data)
        # The first and the last character may hold bits of what stands around it.
        start, end = (0, 2, 3)[before], 4 * (length // 3) + length % 3
        encoded = base64.b64encode(b"\0" * before + data).decode()[start:end]
        found |= {encoded, encoded.translate(TO_URL_SAFE)}
    return {one for one in found if len(one) >= LEAST_VALUE}

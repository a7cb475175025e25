"""The secret inside a value that says more, an address or a connection string. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

LEAST = 4

SETTING = re.compile(
    r"(?:^|[?&;,{\s\"'])(?:[a-z_]*(?:password|passwd|passphrase|token|secret|key)|pwd|pass)"
    r"[\"']?\s*[=:]\s*"
    r"(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\"|\{(?P<braced>[^}]*)\}"
    r"|(?P<bare>[^&;,\s#\"']+))",
    re.IGNORECASE,
)
"""``?password=x`` of an address, ``Pwd={x};`` of ODBC, ``password='x'`` of libpq, ``password="x"``
of JAAS, ``password: x`` of YAML and JSON."""

BEFORE_PASSWORD = re.compile(r"://[^:/\s@\"']*:")
"""How an address begins that has a password."""

WORD = re.compile(r"[^\s\"']*")

MOST_AT = 5
"""How many of the signs ``@`` may be the one that ends a password; it may hold some itself."""

OVER_HTTP = re.compile(r"(?:[a-z]+\+)?https?", re.IGNORECASE)
"""Addresses in which what stands before the host alone is a token: ``https://token@host``."""


def inside(value: str) -> set[str]:
    """Passwords and tokens that a value holds, as they are written there and as they are."""
    found = set(_settings(value)) | set(_passwords(value))
    try:
        address = urlsplit(value.strip())
        if OVER_HTTP.fullmatch(address.scheme) and address.password is None:
            found.add(address.username or "")
    except ValueError:
        pass  # It looks like an address and is none.
    return {text for one in found for text in (one, unquote(one)) if len(text) >= LEAST}


def _settings(value: str) -> Iterator[str]:
    for match in SETTING.finditer(value):
        escaped = match["quoted"] or match["double"]
        plain = match["braced"] or match["bare"] or ""
        yield re.sub(r"\\(.)", r"\1", escaped) if escaped else plain


def _passwords(value: str) -> Iterator[str]:
    """Of addresses that no parser takes, too: ``#`` or ``/`` in a password, several in a row."""
    for start in BEFORE_PASSWORD.finditer(value):
        word = WORD.match(value, start.end())
        rest = word[0] if word else ""
        ends = [at.start() for at in re.finditer("@", rest)]
        yield from (rest[:end] for end in ends[:MOST_AT])

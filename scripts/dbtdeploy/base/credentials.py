"""The secret inside a value that says more, an address or a connection string. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

LEAST = 4

SETTING = re.compile(
    r"(?:^|[?&;\s])(?:[a-z_]*(?:password|passwd|passphrase|token|secret|key)|pwd|pass)\s*=\s*"
    r"(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<bare>[^&;\s#]+))",
    re.IGNORECASE,
)
"""``?password=x`` of an address, ``Pwd=x;`` of ADO.NET, ``password='x'`` of libpq."""

OVER_HTTP = re.compile(r"(?:[a-z]+\+)?https?", re.IGNORECASE)
"""Addresses in which what stands before the host alone is a token: ``https://token@host``."""


def inside(value: str) -> set[str]:
    """Passwords and tokens that a value holds, as they are written there and as they are."""
    found = {
        re.sub(r"\\(.)", r"\1", match["quoted"]) if match["bare"] is None else match["bare"]
        for match in SETTING.finditer(value)
    }
    try:
        address = urlsplit(value.strip())
        if OVER_HTTP.fullmatch(address.scheme) and address.password is None:
            found.add(address.username or "")
    except ValueError:
        pass  # It looks like an address and is none.
    return {text for one in found for text in (one, unquote(one)) if len(text) >= LEAST}

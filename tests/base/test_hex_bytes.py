"""A secret in hexadecimal digits that something parts."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from urllib.parse import quote

import pytest

from dbtdeploy.base import redact

SECRET = "correcth\u00f6rse-9"


def redactor_of(value: str) -> redact.Redactor:
    return redact.Redactor(redact.secret_values({}, given={"X": value}))


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    "write",
    [
        lambda b: b.hex(":"),
        lambda b: b.hex(" "),
        lambda b: b.hex("-").upper(),
        lambda b: b.hex(" ", -2),
        lambda b: b.hex(" ", -4),
        lambda b: ", ".join(f"0x{byte:02x}" for byte in b),
        lambda b: ",".join(f"0x{byte:02X}" for byte in b),
        lambda b: textwrap.fill(b.hex(" "), 16),
        lambda b: re.sub("((?:..:){3})", r"\1\n    ", b.hex(":")),
        lambda b: textwrap.fill(b.hex(" "), 16).replace("\n", "\\n"),
        lambda b: textwrap.fill(b.hex(), 10),
        lambda b: quote(b.hex(":"), safe=""),
        lambda b: quote(json.dumps(textwrap.fill(b.hex(" "), 16))[1:-1]),
    ],
)
@pytest.mark.parametrize("value", [SECRET, "zq9X"])
def test_it_is_hidden_with_something_between_the_bytes(
    write: Callable[[bytes], str], value: str
) -> None:
    hide = redactor_of(value)
    said = f"00 ff {write(value.encode())} 0a 0b"
    assert hide(said).replace("0x", "") == "00 ff *** 0a 0b"
    assert hide.within(said)(said) == hide(said)
    assert hide.names([said]) == ["X"]
    if not re.search(r"%|\\n", said):
        assert hide.words_in(said.encode())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1234", "at 12:34"),
        ("20261130", "on 2026-11-30 at 12:00:01"),
        ("0f1e2d3c", "0f 1e 2d 3c"),
        ("zq9X", "7a 71 39 5 8, 7a713 958, g7a 71 39 58"),
    ],
)
def test_times_dates_and_other_digits_stay(value: str, said: str) -> None:
    assert redactor_of(value)(said) == said

"""Texts as an attacker would write them: made of the pieces that Markdown, HTML and Slack read."""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from standins.text.pages import HOSTILE

PIECES = (
    *("`", "``", "```", "~~~", "\\", "|", "*", "_", "~", "[", "]", "(", ")", "!", ":", "$", "&"),
    *("<", ">", "\n", "\r", "\t", " ", "    ", "-", "=", "+", "#", "@", "."),
    *("<img src=x>", "</code>", "</summary>", "<!--", "-->", "<script>", "</script>", "<!channel>"),
    *("![x](", "[x](", "](", "[^1]", "[^1]: ", "[!WARNING]", "&#64;", "&lt;", "&#96;", "%60"),
    *("www.e.x", "WWW.e.x", "http://e.x", "HTTPS://e.x/", "ftp://e.x", "a@b.cc", "mailto:a@b.cc"),
    *("xmpp:a@b.c/d", "@acme/all", "#12", "GH-12", "acme/shop#12", ":octocat:", "- ", "1. ", "> "),
    *("# ", "---", "===", ":-:", "| - |", "\u202e", "\u2066", "\u200e", "\u061c", "\u2028"),
    *("\x00", "\x1b[31m", "\U000e0041", "\ufeff", "ab", "Z", "7", "é", "漢", "🧨"),
)

texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)

PROFILE = os.environ.get("FUZZ", "")
"""How many examples ``make fuzz`` tries, new ones each time. ``make test`` tries the same few."""

settings.register_profile(
    "test",
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "fuzz",
    parent=settings.get_profile("test"),
    max_examples=int(PROFILE or 0) or 25,
    derandomize=False,
)
settings.load_profile("fuzz" if PROFILE else "test")


def written(test: Callable[..., None]) -> Callable[..., None]:
    """A test whose argument ``text`` is what others write: each of HOSTILE, and many more."""
    made: Callable[..., None] = given(text=texts)(test)
    for text in HOSTILE:
        made = example(text=text)(made)
    marked: Callable[..., None] = pytest.mark.fuzz(made)
    return marked


def filled(kind: Any, text: str, *, flag: bool = True) -> Any:
    """A value of a type with ``text`` wherever it holds text; of lists one entry, of choices the
    first, and of truths ``flag``."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        hints = typing.get_type_hints(kind)
        return kind(**{one.name: filled(hints[one.name], text, flag=flag) for one in fields})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType):
        return filled(arguments[0], text, flag=flag)
    if origin is tuple:
        return (filled(arguments[0], text, flag=flag),)
    if origin is not None:
        return {text: filled(arguments[-1], text, flag=flag)} if len(arguments) == 2 else [text]
    return {bool: flag, int: 3, float: 3.5}.get(kind, text)

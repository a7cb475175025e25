"""Files as damage and attackers leave them: JSON cut, mutated and swapped for something else."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

from standins.text.hostile import texts

DEEP = "[" * 100_000

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, -2, 1.5, -0.0, 2**31, 2**63, 2**64, 10**400, 1e308),
    *(
        "",
        " ",
        "0",
        "-1",
        "\x00",
        "../../../etc/passwd",
        "..",
        "/",
        "a/b",
        "x" * 5_000,
        "9" * 5_000,
    ),
    *("2026-99-99T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "20261121"),
    *([], {}, [[]], {"": {}}, [None], {"a": None}),
)

odd_values = st.one_of(st.sampled_from(ODD), texts)

numbers = st.sampled_from(
    (
        "0",
        "-1",
        "1e9",
        "1_0",
        " 1",
        "\u0663",
        "\u00b2",
        "9" * 18,
        "9" * 19,
        "9" * 5_000,
        "nan",
        "inf",
    )
)

BYTES = (
    *(b"", b"null", b"[]", b"{}", b"1", b'"a"', b"{", b"nan", b"\xff", b"\xef\xbb\xbf{}", b"{}{}"),
    *(b'{"a": "\\ud800"}', b'{"\xff": 1}', b'{"layout": 1e400}', b"9" * 5_000, DEEP.encode()),
    *(b'{"metadata": ' + DEEP.encode(), b'{"nodes": ' + DEEP.encode(), b'{"x":' * 100_000),
)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    else:
        inside = []
    return [at, *(place for key, item in inside for place in _places(item, (*at, key)))]


@st.composite
def mutated(draw: st.DrawFn, document: bytes) -> bytes:
    """A JSON document with up to three values swapped, taken out or named anew; or cut, or with a
    byte changed; or something else altogether."""
    how = draw(st.sampled_from(("values", "values", "values", "cut", "byte", "other")))
    if how == "other":
        return draw(st.sampled_from(BYTES))
    if how == "cut":
        return document[: draw(st.integers(0, len(document)))]
    if how == "byte":
        at = draw(st.integers(0, len(document) - 1))
        return document[:at] + draw(st.binary(max_size=3)) + document[at + 1 :]
    value = json.loads(document)
    for _ in range(draw(st.integers(1, 3))):
        value = _changed(draw, value)
    return json.dumps(value).encode()


def _changed(draw: st.DrawFn, value: Any) -> Any:
    place = draw(st.sampled_from(_places(value)))
    if not place:
        return copy.deepcopy(draw(odd_values)) if draw(st.integers(0, 9)) == 0 else value
    owner = value
    for key in place[:-1]:
        owner = owner[key]
    what = draw(st.sampled_from(("swap", "swap", "swap", "remove", "rename")))
    if what == "swap" or isinstance(owner, list):
        owner[place[-1]] = copy.deepcopy(draw(odd_values))
    else:
        kept = owner.pop(place[-1])
        if what == "rename":
            owner[draw(texts)] = kept
    return value

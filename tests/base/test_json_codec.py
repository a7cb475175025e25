from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from dbtdeploy.base import json_codec

FIRST_READ_BY_MANY = """
import sys, threading
from msgspec import defstruct
from dbtdeploy.base import json_codec

sys.setswitchinterval(1e-6)
DOCUMENT = b'{"a": "1", "sub": {"b": "2", "sub": {"sub": {"h": "3"}}}}'

def nested(depth):
    fields = [(name, str | None, None) for name in "abcdefgh"]
    below = [("sub", nested(depth - 1) | None, None)] if depth else []
    return defstruct(f"Level{depth}", fields + below)

def read(kind, start, found):
    start.wait()
    found.append(json_codec.decode(DOCUMENT, kind).sub.sub.sub.h)

for _ in range(100):
    kind, start, found = nested(5), threading.Barrier(8), []
    threads = [threading.Thread(target=read, args=(kind, start, found)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["3"] * 8, found
"""


def test_threads_that_meet_a_type_at_once_all_read_it() -> None:
    """In a process of its own: what this guards against is a segmentation fault."""
    ended = subprocess.run(
        [sys.executable, "-c", FIRST_READ_BY_MANY],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("content", "kind", "value"),
    [
        (b'{"a": [1]}', Any, {"a": [1]}),
        ('["x"]', list[str], ["x"]),
        (msgspec.Raw(b"3"), int | None, 3),
    ],
)
def test_reads_as_the_kind(content: bytes | str | msgspec.Raw, kind: Any, value: object) -> None:
    assert json_codec.decode(content, kind) == value


def test_another_kind_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        json_codec.decode(b"[1]", list[str])
    with pytest.raises(msgspec.ValidationError):
        json_codec.convert([1], list[str])


def test_no_json_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        json_codec.decode(b"{")

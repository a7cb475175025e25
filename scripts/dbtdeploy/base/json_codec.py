"""Reading JSON as a type: the one way in, for threads too.

msgspec learns a type at its first use, and what it has learned so far is seen by other threads: two
that first meet a type at once can read memory that is not filled yet, and the process ends with a
segmentation fault (msgspec 0.22). So a type is learned under a lock, once; from then on any thread
may read with it.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

_learning = threading.Lock()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


@overload
def decode(content: bytes | msgspec.Raw | str, kind: type[T]) -> T: ...
@overload
def decode(content: bytes | msgspec.Raw | str, kind: Any = Any) -> Any: ...


def decode(content: bytes | msgspec.Raw | str, kind: Any = Any) -> Any:
    """Read JSON.

    Args:
        content: the whole text.
        kind: what it must be; any JSON if not given.

    Raises:
        msgspec.ValidationError: it is JSON, and not of this type.
        msgspec.DecodeError: it is no JSON, not UTF-8, or deeper than can be read.
    """
    try:
        return _decoder(kind).decode(content)
    except UnicodeError as cause:
        raise msgspec.DecodeError(
            f"JSON is malformed: it is not UTF-8 ({type(cause).__name__})"
        ) from None
    except RecursionError:
        raise msgspec.DecodeError("JSON is malformed: nested too deeply") from None


def convert(value: Any, kind: type[T]) -> T:
    """Like ``decode``, of what is a dictionary or a list already."""
    _decoder(kind)
    return msgspec.convert(value, type=kind)


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    known = _decoders.get(kind)
    if known is None:
        with _learning:
            known = _decoders[kind] = msgspec.json.Decoder(kind)
    return known

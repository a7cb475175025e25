"""Reading YAML: the one way in, with one error for all that can be wrong with it."""

from __future__ import annotations

from typing import Any

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a PyYAML built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

WRONG = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""PyYAML has an error of its own for what is not YAML only. A tag that does not fit its value, such
as ``!!bool x``, a date that does not exist and lists in lists without end give Python's."""

DEEP = 10_000
"""Levels at which libyaml is still far from the end of its stack, where the process would end. A
text of as many characters cannot have more."""


class NotYaml(Exception):
    """A text that is not YAML, or holds a value that is not what its tag says."""


def load(text: str) -> Any:
    """What the text says.

    Raises:
        NotYaml: it cannot be read.
    """
    try:
        return yaml.safe_load(text)
    except WRONG as cause:
        raise _not_yaml(cause) from None


def compose(text: str) -> yaml.Node | None:
    """The text as nodes with their places; None where it is empty.

    Raises:
        NotYaml: it cannot be read.
    """
    try:
        if len(text) > DEEP:
            _refuse_deep(text)
        root: yaml.Node | None = yaml.compose(text, Loader=SafeLoader)
    except WRONG as cause:
        raise _not_yaml(cause) from None
    return root


def construct(node: yaml.Node) -> Any:
    """What one node says.

    Raises:
        NotYaml: its value is not what its tag says.
    """
    loader = SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except WRONG as cause:
        raise _not_yaml(cause) from None
    finally:
        loader.dispose()


def _refuse_deep(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEP:
            raise RecursionError


def _not_yaml(cause: Exception) -> NotYaml:
    if isinstance(cause, yaml.YAMLError):
        return NotYaml(str(cause))
    if isinstance(cause, RecursionError):
        return NotYaml("it is nested too deeply")
    return NotYaml("a value is not what its tag says")

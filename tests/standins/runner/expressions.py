"""GitHub's ``${{ }}`` expressions, as far as composite actions and plain workflows use them.

Source: https://docs.github.com/actions/reference/workflows-and-actions/expressions. Not there:
``hashFiles``, ``join``, ``fromJSON`` and object filters (``.*``); they raise, they don't guess.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

Value = Any
"""None, bool, float, str, a mapping or a list: the values of GitHub's expressions."""

Function = Callable[..., Value]

TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))
  | (?P<string>'(?:[^']|'')*')
  | (?P<operator>==|!=|<=|>=|&&|\|\||[()\[\].,!<>*])
  | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    )""",
    re.VERBOSE,
)
PLACE = re.compile(r"\$\{\{(?P<inside>(?:[^'}]|'(?:[^']|'')*'|}(?!}))*)}}")
STATUS_FUNCTION = re.compile(r"\b(success|failure|always|cancelled)\s*\(", re.IGNORECASE)


class ExpressionError(ValueError):
    """An expression that GitHub would refuse, or that this stand-in doesn't know."""


def interpolate(text: str, contexts: Mapping[str, Value], functions: Mapping[str, Function]) -> str:
    """Replace each ``${{ }}`` in a text by its value as text."""
    return PLACE.sub(
        lambda match: as_text(evaluate(match["inside"], contexts, functions)), str(text)
    )


def condition(text: str, contexts: Mapping[str, Value], functions: Mapping[str, Function]) -> bool:
    """Evaluate an ``if``: without a status function in it, ``success()`` comes first."""
    inside = PLACE.fullmatch(text.strip())
    expression = inside["inside"] if inside else text
    literal_free = re.sub(r"'(?:[^']|'')*'", "", expression)
    if not STATUS_FUNCTION.search(literal_free):
        expression = f"success() && ({expression})"
    return truth(evaluate(expression, contexts, functions))


def evaluate(
    expression: str, contexts: Mapping[str, Value], functions: Mapping[str, Function]
) -> Value:
    """Evaluate one expression, without its ``${{ }}``.

    Raises:
        ExpressionError: it is not an expression, or names something that isn't there.
    """
    return _Parser(expression, contexts, functions).whole()


def truth(value: Value) -> bool:
    """Whether a value counts as true."""
    if isinstance(value, float):
        return not (value == 0 or math.isnan(value))
    return value is not None and value is not False and value != ""


def as_text(value: Value) -> str:
    """A value as it stands in a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, str):
        return value
    return "Array" if isinstance(value, list) else "Object"


def _as_number(value: Value) -> float:
    if value is None:
        return 0.0
    if isinstance(value, str):
        try:
            return float(value.strip() or 0)
        except ValueError:
            return math.nan
    return float(value) if isinstance(value, (bool, int, float)) else math.nan


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() == right.upper()
    if type(left) is type(right) and not isinstance(left, (int, float)):
        return left is right or left == right
    return _as_number(left) == _as_number(right)


def _less(left: Value, right: Value) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() < right.upper()
    return _as_number(left) < _as_number(right)


def _contains(where: Value, what: Value) -> bool:
    if isinstance(where, list):
        return any(_same(item, what) for item in where)
    return as_text(what).upper() in as_text(where).upper()


def _format(template: Value, *values: Value) -> str:
    def put(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        return as_text(values[int(match[1])])

    return re.sub(r"\{\{|\}\}|\{(\d+)\}", put, as_text(template))


BUILT_IN: Mapping[str, Function] = {
    "contains": _contains,
    "startswith": lambda text, start: as_text(text).upper().startswith(as_text(start).upper()),
    "endswith": lambda text, end: as_text(text).upper().endswith(as_text(end).upper()),
    "format": _format,
    "tojson": lambda value: json.dumps(value, indent=2),
}


class _Parser:
    """One pass over the tokens; values are worked out on the way."""

    def __init__(
        self, text: str, contexts: Mapping[str, Value], functions: Mapping[str, Function]
    ) -> None:
        self._text = text
        self._contexts = {name.lower(): value for name, value in contexts.items()}
        self._functions = {**BUILT_IN, **functions}
        self._tokens = self._split(text)
        self._at = 0

    def whole(self) -> Value:
        value = self._or()
        if self._at != len(self._tokens):
            self._refuse(f"unexpected {self._tokens[self._at][1]}")
        return value

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                self._refuse(f"cannot read {text[at:]!r}")
            tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        return tokens

    def _refuse(self, why: str) -> NoReturn:
        raise ExpressionError(f"{why}, in: {self._text.strip()}")

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, *operators: str) -> str:
        """The next token if it is one of these operators, else nothing."""
        if self._at < len(self._tokens):
            kind, token = self._tokens[self._at]
            if kind == "operator" and token in operators:
                self._at += 1
                return token
        return ""

    def _expect(self, operator: str) -> None:
        if not self._take(operator):
            self._refuse(f"expected {operator}")

    def _or(self) -> Value:
        value = self._and()
        while self._take("||"):
            right = self._and()
            value = value if truth(value) else right
        return value

    def _and(self) -> Value:
        value = self._equal()
        while self._take("&&"):
            right = self._equal()
            value = right if truth(value) else value
        return value

    def _equal(self) -> Value:
        value = self._compare()
        while operator := self._take("==", "!="):
            value = _same(value, self._compare()) is (operator == "==")
        return value

    def _compare(self) -> Value:
        value = self._not()
        while operator := self._take("<", "<=", ">", ">="):
            right = self._not()
            less, same = _less(value, right), _same(value, right)
            value = {"<": less, "<=": less or same, ">": _less(right, value)}.get(
                operator, _less(right, value) or same
            )
        return value

    def _not(self) -> Value:
        if self._take("!"):
            return not truth(self._not())
        return self._reach()

    def _reach(self) -> Value:
        """A value, and the properties asked of it."""
        value = self._single()
        while operator := self._take(".", "["):
            if operator == ".":
                kind, name = self._next()
                if kind != "name":
                    self._refuse("only names can follow a dot")
                value = self._property(value, name)
            else:
                value = self._property(value, self._or())
                self._expect("]")
        return value

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            self._refuse("ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    @staticmethod
    def _property(value: Value, name: Value) -> Value:
        if isinstance(value, Mapping):
            wanted = as_text(name).lower()
            return next((item for key, item in value.items() if key.lower() == wanted), None)
        if isinstance(value, list) and isinstance(name, float) and 0 <= name < len(value):
            return value[int(name)]
        return None

    def _single(self) -> Value:
        if self._take("("):
            value = self._or()
            self._expect(")")
            return value
        kind, token = self._next()
        if kind == "number":
            return float(int(token, 16)) if "0x" in token.lower() else float(token)
        if kind == "string":
            return token[1:-1].replace("''", "'")
        if kind != "name":
            self._refuse(f"unexpected {token}")
        return self._named(token)

    def _named(self, name: str) -> Value:
        if self._take("("):
            return self._call(name)
        literals = {"true": True, "false": False, "null": None, "nan": math.nan}
        if name.lower() in literals:
            return literals[name.lower()]
        if name.lower() not in self._contexts:
            self._refuse(f"no context is named {name} here")
        return self._contexts[name.lower()]

    def _call(self, name: str) -> Value:
        if name.lower() not in self._functions:
            self._refuse(f"no function is named {name} here")
        arguments: list[Value] = []
        while not self._take(")"):
            arguments.append(self._or())
            if self._peek() != ")":
                self._expect(",")
        return self._functions[name.lower()](*arguments)

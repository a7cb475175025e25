"""Secrets out of text, before it reaches a log, a report or a comment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from dbtdeploy.base import markdown

REPLACEMENT = "***"

SECRET_NAME = re.compile(
    r"^DBT_ENV_SECRET_|PASSWORD|TOKEN|SECRET|KEY|PASS|CREDENTIAL|.PWD", re.IGNORECASE
)
"""The first five are documented; the others are what people also call their passwords. PWD alone
is the shell's working folder."""

MIN_LENGTH = 4
"""Shorter values of variables that are only *named* like a secret (``SORT_KEY=id``) would take
ordinary words out of every message. ``DBT_ENV_SECRET_*`` and the input ``redact`` have none."""

Redact = Callable[[str], str]


def secret_values(environment: Mapping[str, str], extra: Iterable[str] = ()) -> list[str]:
    """The values to hide.

    Args:
        environment: all variables; those named like a secret count.
        extra: values the user listed.

    Returns:
        Distinct values, longest first, so that a secret inside another hides nothing of it.
    """
    values = {value for value in extra if value.strip()}
    for name, value in environment.items():
        if not SECRET_NAME.search(name) or name == "OLDPWD":
            continue
        shortest = 1 if name.startswith("DBT_ENV_SECRET_") else MIN_LENGTH
        values.update(
            part for part in {value, *value.splitlines()} if len(part.strip()) >= shortest
        )
    return sorted({v for value in values for v in _spellings(value)}, key=len, reverse=True)


def masked_values(secret: Mapping[str, str], public: Iterable[str]) -> list[str]:
    """Values of ``dbt-env`` that the runner shall hide in its log.

    Args:
        secret: what ``dbt-env`` holds.
        public: texts that everyone sees anyway, such as the schema's name. A value in one of them,
            ``DBT_DATABASE=analytics`` say, is no secret, and masking it would make GitHub drop each
            job output that holds it. A value named like a secret is masked all the same.
    """
    shown = "\n".join(public)
    named = secret_values(secret)
    others = [v for v in secret.values() if len(v.strip()) >= MIN_LENGTH and v not in shown]
    return sorted({*named, *others})


def dropped_outputs(outputs: Mapping[str, str], masked: Iterable[str]) -> list[str]:
    """Names of the outputs that hold a masked value: GitHub drops those, with a warning only."""
    values = list(masked)
    return [name for name, text in outputs.items() if any(value in text for value in values)]


def redactor(values: Iterable[str]) -> Redact:
    """A function that replaces every one of ``values`` by ``***``."""
    pattern = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
    if not pattern:
        return lambda text: text
    compiled = re.compile(pattern)
    return lambda text: compiled.sub(REPLACEMENT, text)


def in_values(value: Any, redact: Redact, *, kept: Collection[str]) -> Any:
    """JSON's values with every text redacted by itself; as a whole it might be JSON no longer.

    Args:
        value: a text, number, list or dict, and what is in it.
        redact: hides every secret there is.
        kept: names of fields that stay as they are.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, (list, tuple)):
        return [in_values(item, redact, kept=kept) for item in value]
    if isinstance(value, dict):
        return {
            key: item if key in kept else in_values(item, redact, kept=kept)
            for key, item in value.items()
        }
    return value


def _spellings(value: str) -> set[str]:
    """A value as itself, in Markdown, in a URL, inside JSON and inside SQL or Python quotes."""
    bare = value.strip()
    return {
        value,
        bare,
        quote(bare, safe=""),
        quote_plus(bare),
        json.dumps(bare)[1:-1],
        json.dumps(bare, ensure_ascii=False)[1:-1],
        bare.replace("'", "''"),
        repr(bare)[1:-1],
        # A refusal's sentence is Markdown already when it is redacted.
        markdown.inline(bare),
    } - {""}

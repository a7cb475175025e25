"""dbt's artifacts without secrets, still what dbt reads. Pure.

An artifact in which no secret occurs stays as dbt wrote it, byte for byte. In others only texts are
replaced, one by one: in JSON as a whole, a secret ``1`` would take the digits out of every number,
and a password ``postgres`` the adapter's name out of a state that dbt then could not use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dbtdeploy.base import actions_runner, errors, json_codec
from dbtdeploy.base.redact import Redact, Redactor, in_values, is_secret_number
from dbtdeploy.dbt import docs_site

IDENTITY = frozenset(
    {
        "adapter_type",
        "alias",
        "checksum",
        "database",
        "dbt_schema_version",
        "dbt_version",
        "depends_on",
        "fqn",
        "generated_at",
        "identifier",
        "language",
        "materialized",
        "name",
        "original_file_path",
        "package_name",
        "parent_map",
        "child_map",
        "path",
        "project_name",
        "relation_name",
        "resource_type",
        "schema",
        "severity",
        "source_name",
        "status",
        "unique_id",
    }
)
"""Fields by which dbt knows a node, finds its table and sees whether it changed: names of files,
relations and dbt's own words, which a short password may well equal."""

OF_ALL = ("unrendered_config", "checksum", "fqn", "contract")
COMPARED: Mapping[str, tuple[str, ...]] = {
    "nodes": (*OF_ALL, "columns", "description", "unrendered_database", "unrendered_schema"),
    "sources": (
        *(*OF_ALL, "quoting", "freshness", "external", "loader", "loaded_at_field"),
        *("unrendered_database", "unrendered_schema"),
    ),
    "exposures": (
        *(*OF_ALL, "owner", "description", "label", "maturity", "type", "url"),
        "depends_on",
    ),
    "metrics": (
        *(*OF_ALL, "description", "label", "filter", "metadata", "type", "type_params"),
        "time_granularity",
    ),
    "semantic_models": (
        *(*OF_ALL, "model", "description", "defaults", "entities", "dimensions", "measures"),
        *("config", "primary_entity", "group"),
    ),
    "saved_queries": (
        *(*OF_ALL, "query_params", "description", "label", "config", "group", "exports", "tags"),
    ),
    "unit_tests": OF_ALL,
    "functions": (*OF_ALL, "columns", "description", "arguments", "returns"),
    "macros": ("macro_sql",),
    "docs": ("block_contents",),
}
"""Fields that ``state:modified`` compares as they stand in the manifest (dbt-core 1.8 to 1.12,
``same_contents`` of dbt/contracts/graph/nodes.py). ``columns`` and ``description`` count only where
the documentation is persisted in the warehouse."""

PERSISTED = ("columns", "description")


def state(content: bytes, redact: Redact) -> tuple[bytes, list[str]]:
    """A manifest without secrets that the next run finds the same nodes modified with.

    dbt 1.12 compares configurations as they are written, and 1.11 as ``env_var()`` filled them:
    there a value that is taken out makes its node modified in each pull request.

    Args:
        content: manifest.json as dbt wrote it.
        redact: hides every secret there is.

    Returns:
        The manifest, and the texts in it that hold a secret, because state cannot do without.

    Raises:
        PublishingFailed: it is not JSON, or would not be any more.
    """
    redacted = artifact("manifest.json", content, redact)
    numbers = _secret_numbers(content, redact)
    if redacted is content:
        return content, numbers
    whole, made = json_codec.decode(content), json_codec.decode(redacted)
    left: list[str] = []
    for kind, fields in COMPARED.items():
        for unique_id, entry in (whole.get(kind) or {}).items():
            for field in fields:
                if field in entry and _is_compared(entry, field):
                    made[kind][unique_id][field] = entry[field]
                    left += (text for text in _texts(entry[field]) if redact(text) != text)
    return (msgspec.json.encode(made) if left else redacted), [*left, *numbers]


def _secret_numbers(content: bytes, redact: Redact) -> list[str]:
    """Numbers that are secrets: they stay in a state, where dbt reads many fields as numbers."""
    within = redact.within(content.decode()) if isinstance(redact, Redactor) else redact
    if isinstance(within, Redactor) and within.is_empty:
        return []
    return sorted(
        {
            str(number)
            for number in _numbers(json_codec.decode(content))
            if is_secret_number(number, within)
        }
    )


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _numbers(item)
    elif isinstance(value, (int, float)):
        yield value


def names(left: Iterable[str], redact: Redact) -> tuple[str, ...]:
    """The variables whose values stand in what ``state`` left."""
    return tuple(redact.names(left)) if isinstance(redact, Redactor) else ()


def warn(variables: Sequence[str]) -> None:
    """Say which values stay in the state, by the names of their variables."""
    if variables:
        listed = ", ".join(f"`{name}`" for name in variables)
        actions_runner.warning(
            "Values of `dbt-env` stay in the state",
            f"{listed}: dbt compares what they stand in with the next pull requests, and would "
            "find it modified without them. They are in manifest.json of the store, not in the "
            "documentation. If one is secret, take `env_var()` out of the model's configuration or "
            "use dbt 1.12, which compares configurations as they are written; if it is not, list "
            "its name in the input `not-secret`.",
        )


def _is_compared(entry: Mapping[str, Any], field: str) -> bool:
    if field not in PERSISTED or entry.get("resource_type") in (None, *NO_RELATION):
        return True
    config = entry.get("config") or {}
    return any((config.get("persist_docs") or {}).values())


NO_RELATION = ("exposure", "metric", "semantic_model", "saved_query")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)


def artifact(name: str, content: bytes, redact: Redact, *, numbers: bool = False) -> bytes:
    """An artifact without secrets.

    Args:
        name: of the artifact, for messages.
        content: valid JSON in UTF-8.
        redact: hides every secret there is.
        numbers: whether a number that is a secret becomes a text; not in what dbt reads again.

    Raises:
        PublishingFailed: it is not JSON, or would not be any more.
    """
    try:
        within = redact.within(content.decode()) if isinstance(redact, Redactor) else redact
        if isinstance(within, Redactor) and within.is_empty:
            json_codec.decode(content, msgspec.Raw)
            return content
        whole = json_codec.decode(content)
        made = in_values(whole, within, kept=IDENTITY, numbers=numbers)
        if made == whole:
            return content
        redacted = msgspec.json.encode(made)
        json_codec.decode(redacted, Mapping[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
        raise errors.PublishingFailed(
            f"{name} of dbt's target folder is not JSON: {cause}",
            not_done="Nothing was published; the version before is still the current one.",
            remedy="Look whether something else writes into dbt's target folder, then deploy "
            "again.",
        ) from None
    return redacted


def page(content: bytes, redact: Redact) -> bytes:
    """The documentation's page without secrets, and with nothing of others that a browser runs.

    Only the two artifacts in it are redacted, as JSON, and before anything in them is escaped; the
    page's own JavaScript stays as dbt wrote it.

    Args:
        content: the page.
        redact: hides every secret there is.

    Raises:
        DocsFailed: the page is not as dbt's are.
    """
    found = docs_site.split(content)
    try:
        manifest = artifact("manifest.json", found.manifest, redact, numbers=True)
        catalog = artifact("catalog.json", found.catalog, redact)
    except errors.PublishingFailed:
        raise docs_site.unknown_form() from None
    parts = found._replace(
        manifest=docs_site.embedded(manifest), catalog=docs_site.embedded(catalog)
    )
    return docs_site.guarded(b"".join(parts))

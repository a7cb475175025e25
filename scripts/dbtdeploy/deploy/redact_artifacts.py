"""dbt's artifacts without secrets, still what dbt reads. Pure.

An artifact in which no secret occurs stays as dbt wrote it, byte for byte. In others only texts are
replaced, one by one: in JSON as a whole, a secret ``1`` would take the digits out of every number,
and a password ``postgres`` the adapter's name out of a state that dbt then could not use.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dbtdeploy.base import errors, json_codec
from dbtdeploy.base.redact import Redact, in_values

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


def artifact(name: str, content: bytes, redact: Redact) -> bytes:
    """An artifact without secrets.

    Args:
        name: of the artifact, for messages.
        content: valid JSON in UTF-8.
        redact: hides every secret there is.

    Raises:
        PublishingFailed: it is not JSON, or would not be any more.
    """
    try:
        text = content.decode()
        if redact(text) == text:
            json_codec.decode(content, msgspec.Raw)
            return content
        redacted = msgspec.json.encode(in_values(json_codec.decode(content), redact, kept=IDENTITY))
        json_codec.decode(redacted, Mapping[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
        raise errors.PublishingFailed(
            f"{name} of dbt's target folder is not JSON: {cause}",
            not_done="Nothing was published; the version before is still the current one.",
            remedy="Look whether something else writes into dbt's target folder, then deploy "
            "again.",
        ) from None
    return redacted


def page(content: bytes, inside: Mapping[bytes, bytes], redact: Redact) -> bytes:
    """The documentation's page without secrets.

    ``dbt docs generate --static`` writes the artifacts word for word into a page that holds nothing
    else of the project's; the page's own JavaScript is left as it is.

    Args:
        content: the page.
        inside: artifacts as dbt wrote them, to what takes their place.
        redact: for a page that does not hold them so.
    """
    for original, redacted in inside.items():
        if original == redacted:
            continue
        if original not in content:
            return redact(content.decode(errors="replace")).encode()
        content = content.replace(original, redacted)
    return content

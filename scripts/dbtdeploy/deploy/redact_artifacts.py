"""dbt's artifacts without secrets, still what dbt reads. Pure.

An artifact in which no secret occurs stays as dbt wrote it, byte for byte. In others only texts are
replaced, one by one: in JSON as a whole, a secret ``1`` would take the digits out of every number,
and a password ``postgres`` the adapter's name out of a state that dbt then could not use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from dbtdeploy.base import actions_runner, errors, json_codec
from dbtdeploy.base.redact import Redact, Redactor, is_secret_number
from dbtdeploy.dbt import docs_site
from dbtdeploy.deploy.artifact_fields import ArtifactFields


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
    within = _within(content, redact)
    if isinstance(within, Redactor) and within.is_empty:
        return artifact("manifest.json", content, redact), []
    fields = ArtifactFields(within, is_state=True)
    made = _redacted("manifest.json", content, fields)
    left = sorted(text for text in fields.kept if within(text) != text)
    return made, [*left, *_secret_numbers(content, within)]


def _secret_numbers(content: bytes, within: Redact) -> list[str]:
    """Numbers that are secrets: they stay in a state, where dbt reads many fields as numbers."""
    found = _numbers(json_codec.decode(content))
    return sorted({str(number) for number in found if is_secret_number(number, within)})


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
            f"{listed}: dbt finds tables by the names, and compares the texts, that they stand in; "
            "without them the next pull requests would find something modified. They are in "
            "manifest.json of the store; in the documentation only where a file or a node is named "
            "so. If one is secret, take `env_var()` out of the names and the model's configuration "
            "or use dbt 1.12, which compares configurations as they are written; if it is not, "
            "list its name in the input `not-secret`.",
        )


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
    within = _within(content, redact)
    return _redacted(name, content, ArtifactFields(within, is_state=False, numbers=numbers))


def _within(content: bytes, redact: Redact) -> Redact:
    """What may occur in an artifact; all there is where its text cannot be read."""
    try:
        return redact.within(content.decode()) if isinstance(redact, Redactor) else redact
    except UnicodeDecodeError:
        return redact


def _redacted(name: str, content: bytes, fields: ArtifactFields) -> bytes:
    try:
        if fields.is_idle:
            json_codec.decode(content, msgspec.Raw)
            return content
        whole = json_codec.decode(content, dict[str, Any])
        made = fields.redacted(whole)
        return content if made == whole else msgspec.json.encode(made)
    except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
        raise errors.PublishingFailed(
            f"{name} of dbt's target folder is not JSON: {cause}",
            not_done="Nothing was published; the version before is still the current one.",
            remedy="Look whether something else writes into dbt's target folder, then deploy "
            "again.",
        ) from None


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

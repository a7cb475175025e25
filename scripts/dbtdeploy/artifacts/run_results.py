"""dbt's run_results.json: trusted only from the call just made, kept only without secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from dbtdeploy.artifacts import batch_errors
from dbtdeploy.base import ansi, json_codec
from dbtdeploy.base.redact import Redact, in_values

PROOF = "DBT_DEPLOY_BUILD"
"""dbt copies DBT_ENV_CUSTOM_ENV_<name> into ``metadata.env`` of what it writes, so a value that
nobody knew before the call proves that the file is the call's own.
https://docs.getdbt.com/reference/artifacts/dbt-artifacts"""


class _Metadata(Struct, frozen=True, kw_only=True):
    env: dict[str, str] = field(default_factory=dict)


class _Result(Struct, frozen=True, kw_only=True):
    unique_id: str = ""
    status: str = ""


class _RunResults(Struct, frozen=True, kw_only=True):
    metadata: _Metadata
    results: list[_Result] = field(default_factory=list)


class _Raws(Struct, frozen=True, kw_only=True):
    results: list[msgspec.Raw] = field(default_factory=list)
    elapsed_time: float | None = None


def statuses(path: Path, *, proof: str, inlined: Collection[str] = ()) -> dict[str, str] | None:
    """The status of each result by node, or None when the file is not the one of this call.

    Args:
        path: dbt's run_results.json.
        proof: the value that the call got in DBT_ENV_CUSTOM_ENV_<PROOF>.
        inlined: ids of ephemeral models, see ``is_inlined``.
    """
    try:
        parsed = json_codec.decode(path.read_bytes(), _RunResults)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    if parsed.metadata.env.get(PROOF) != proof:
        return None
    return {
        result.unique_id: result.status
        for result in parsed.results
        if not is_inlined(result.unique_id, result.status, inlined)
    }


def is_inlined(unique_id: str, status: str, inlined: Collection[str]) -> bool:
    """Whether a result says no more than that an ephemeral model is built where it is used.

    dbt v2 lists such models as skipped, dbt 1.x not at all; one that failed counts as any other.
    """
    return unique_id in inlined and status in INLINED


INLINED = frozenset({"skipped", "success", "no-op"})

NOT_SECRET = frozenset({"unique_id", "status"})
"""Of each result: names of the repository's files and dbt's own words, which a password ``pass``
does not change."""


def merged(older: bytes, newer: bytes) -> bytes:
    """Run results of one build in two attempts: of each node the newer one, else the older.

    All but the results and the time they took is the older file's.
    """
    document = json_codec.decode(older, dict[str, msgspec.Raw])
    before, after = (json_codec.decode(part, _Raws) for part in (older, newer))
    results = {json_codec.decode(raw, _Result).unique_id: raw for raw in before.results}
    results |= {json_codec.decode(raw, _Result).unique_id: raw for raw in after.results}
    document["results"] = msgspec.Raw(msgspec.json.encode(list(results.values())))
    seconds = (before.elapsed_time or 0.0) + (after.elapsed_time or 0.0)
    document["elapsed_time"] = msgspec.Raw(msgspec.json.encode(seconds))
    return msgspec.json.encode(document)


def keep_redacted(
    source: Path,
    destination: Path,
    redact: Redact,
    *,
    said: Iterable[str] = (),
    inlined: Collection[str] = (),
) -> None:
    """Copy run results with every string redacted but ids and statuses; structure stays.

    dbt 1.12 writes its messages with a terminal's colours, which go.

    Args:
        source: dbt's file.
        destination: the copy.
        redact: hides secrets.
        said: what dbt logged as errors, of which failing batches get their words.
        inlined: ids of ephemeral models, whose results are left out, see ``is_inlined``.
    """
    content = json_codec.decode(source.read_bytes())
    content["results"] = [
        result
        for result in content.get("results") or []
        if not is_inlined(result.get("unique_id", ""), result.get("status", ""), inlined)
    ]
    known = batch_errors.words(said)
    for result in content.get("results") or [] if known else []:
        if message := batch_errors.message(result, known):
            result["message"] = message
    made = _redacted(content, lambda text: redact(ansi.plain(text)))
    destination.write_bytes(msgspec.json.encode(made))


def _redacted(content: dict[str, Any], redact: Redact) -> dict[str, Any]:
    made = {
        # Nothing reads the arguments again, so that a number there may become a text.
        key: in_values(item, redact, kept=(), numbers=key == "args")
        for key, item in content.items()
    }
    made["results"] = [
        {
            key: item if key in NOT_SECRET else in_values(item, redact, kept=())
            for key, item in result.items()
        }
        for result in content.get("results") or []
    ]
    return made

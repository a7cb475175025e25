"""A partial deploy's run results, with the last ones of what it did not build. Pure.

So that the next reader, the timings of a pull request's report for one, finds every node's. Each
result says itself when it was made (``timing``).
"""

from __future__ import annotations

import msgspec

from dbtdeploy.artifacts.artifacts import COMPILING, Invocation
from dbtdeploy.artifacts.node_status import GOOD, OUTCOMES
from dbtdeploy.base import json_codec


class _Sections(msgspec.Struct):
    nodes: dict[str, msgspec.Raw] = {}
    unit_tests: dict[str, msgspec.Raw] = {}
    functions: dict[str, msgspec.Raw] = {}
    saved_queries: dict[str, msgspec.Raw] = {}
    exposures: dict[str, msgspec.Raw] = {}


class _Old(msgspec.Struct):
    args: Invocation = Invocation()
    results: list[msgspec.Raw] = []


class _Result(msgspec.Struct):
    unique_id: str = ""
    status: str = ""


def run_results(new: bytes, old: bytes | None, manifest: bytes) -> tuple[bytes, int]:
    """Add the results of nodes that this build did not touch.

    Args:
        new: run_results.json of the build.
        old: that of the version before; None where there is none.
        manifest: the one to be published beside it.

    Returns:
        The run results, and how many of them are carried over. Never one that was not good, nor
        one of a node that is gone.
    """
    before = json_codec.decode(old, _Old) if old else _Old()
    if before.args.which in COMPILING or not before.results:
        return new, 0
    document = json_codec.decode(new, dict[str, msgspec.Raw])
    results = json_codec.decode(document.get("results", b"[]"), list[msgspec.Raw])
    sections = json_codec.decode(manifest, _Sections)
    wanted = {i for name in _Sections.__struct_fields__ for i in getattr(sections, name)}
    wanted -= {json_codec.decode(result, _Result).unique_id for result in results}
    carried = [result for result in before.results if _is_wanted(result, wanted)]
    if not carried:
        return new, 0
    document["results"] = msgspec.Raw(msgspec.json.encode(results + carried))
    return msgspec.json.encode(document), len(carried)


def _is_wanted(raw: msgspec.Raw, wanted: set[str]) -> bool:
    result = json_codec.decode(raw, _Result)
    return result.unique_id in wanted and OUTCOMES.get(result.status) in GOOD

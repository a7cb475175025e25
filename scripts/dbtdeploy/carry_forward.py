"""A partial deploy's run results, with the last ones of what it did not build. Pure.

So that the next reader, the timings of a pull request's report for one, finds every node's. Each
result says itself when it was made (``timing``).
"""

from __future__ import annotations

import msgspec

from dbtdeploy import typed_json
from dbtdeploy.artifacts import COMPILING, Invocation
from dbtdeploy.outcomes import OUTCOMES
from dbtdeploy.report import GOOD


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
    before = typed_json.decode(old, _Old) if old else _Old()
    if before.args.which in COMPILING or not before.results:
        return new, 0
    document = typed_json.decode(new, dict[str, msgspec.Raw])
    results = typed_json.decode(document.get("results", b"[]"), list[msgspec.Raw])
    sections = typed_json.decode(manifest, _Sections)
    wanted = {i for name in _Sections.__struct_fields__ for i in getattr(sections, name)}
    wanted -= {typed_json.decode(result, _Result).unique_id for result in results}
    carried = [result for result in before.results if _is_wanted(result, wanted)]
    if not carried:
        return new, 0
    document["results"] = msgspec.Raw(msgspec.json.encode(results + carried))
    return msgspec.json.encode(document), len(carried)


def _is_wanted(raw: msgspec.Raw, wanted: set[str]) -> bool:
    result = typed_json.decode(raw, _Result)
    return result.unique_id in wanted and OUTCOMES.get(result.status) in GOOD

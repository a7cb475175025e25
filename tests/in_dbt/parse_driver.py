"""Runs in the interpreter of a dbt: parses projects, each in a forked process, and compares.

Reads a list of requests (JSON) from a file, writes a list of answers to another:
    {"do": "parse", "id": ..., "project": folder, "target": name, "env": {...}, "args": [...],
     "start": {"folders": [...], "kept": folder or null, "report": file} or null}
    -> {"id": ..., "ok": bool, "error": text, "report": {...} or null}
    {"do": "compare", "id": ..., "one": id, "other": id} -> {"id": ..., "differences": [...]}
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pickle
import sys
import time
import traceback
from pathlib import Path
from typing import Any

COLLECTIONS = (
    *("nodes", "sources", "macros", "docs", "exposures", "metrics", "groups", "selectors"),
    *("disabled", "unit_tests", "semantic_models", "saved_queries", "functions", "fixtures"),
    *("parent_map", "child_map"),
)
PASSING = {"created_at", "generated_at", "invocation_id", "invocation_started_at", "run_started_at"}


def plain(value: Any) -> Any:
    """A value without what differs from one parse to the next."""
    if hasattr(value, "to_dict"):
        value = value.to_dict(omit_none=False)
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items() if key not in PASSING}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def picture(manifest: Any) -> dict[str, Any]:
    """Everything that is in a manifest, by collection and name."""
    seen: dict[str, Any] = {}
    manifest.build_parent_and_child_maps()  # dbt 1.8 does so only when it writes
    for name in COLLECTIONS:
        for key, each in (getattr(manifest, name, None) or {}).items():
            value = plain(each)
            if name in ("parent_map", "child_map", "disabled"):
                value = sorted(value, key=repr)
            seen[f"{name}/{key}"] = value
    metadata = plain(manifest.metadata)
    seen["metadata"] = metadata
    for file_id, file in manifest.files.items():
        seen[f"files/{file_id}"] = {
            "checksum": file.checksum.checksum,
            "env_vars": file_env_vars(file),
            "nodes": sorted(getattr(file, "nodes", None) or []),
            "patches": sorted(getattr(file, "ndp", None) or []),
            "sources": sorted(getattr(file, "sources", None) or []),
        }
    return seen


def file_env_vars(file: Any) -> Any:
    used = getattr(file, "env_vars", None) or []
    return sorted(set(used)) if isinstance(used, list) else plain(used)


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for key in sorted(set(one) | set(other)):
        walk(key, one.get(key, "(missing)"), other.get(key, "(missing)"), found)
    return found


def walk(path: str, one: Any, other: Any, found: list[str]) -> None:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(set(one) | set(other)):
            walk(f"{path}.{key}", one.get(key, "(missing)"), other.get(key, "(missing)"), found)
    elif one != other:
        found.append(f"{path}: {one!r:.300} | {other!r:.300}")


def parse(request: dict[str, Any], out: str) -> dict[str, Any]:
    """In a forked process: one dbt, as the command would be."""
    os.environ.update(request.get("env", {}))
    os.chdir(request["project"])
    start = request.get("start")
    if start:
        sys.path.insert(0, os.environ["IN_DBT"])
        module = importlib.import_module("saved_parse.start")
        del sys.path[0]
        module.start_from(start["folders"], kept=start["kept"], report=start["report"])
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    args = ["--quiet", "--no-write-json", "parse", "--target", request["target"]]
    args += ["--profiles-dir", request["project"], "--target-path", request.get("out", "target")]
    before = time.process_time()
    result = dbtRunner().invoke([*args, *request.get("args", [])])
    cpu = time.process_time() - before
    answer: dict[str, Any] = {"ok": bool(result.success), "cpu": cpu, "error": ""}
    if result.exception is not None:
        answer["error"] = f"{type(result.exception).__name__}: {result.exception}"
    if result.success and not request.get("no_picture"):
        with Path(out).open("wb") as file:
            pickle.dump(picture(result.result), file)
    return answer


def load(path: str) -> dict[str, Any]:
    if not Path(path).exists():
        return {}
    with Path(path).open("rb") as file:
        return pickle.load(file)  # type: ignore[no-any-return]


def in_child(request: dict[str, Any], out: str) -> dict[str, Any]:
    answer_path = out + ".answer"
    pid = os.fork()
    if pid == 0:
        try:
            answer = parse(request, out)
        except BaseException:
            answer = {"ok": False, "error": traceback.format_exc()}
        Path(answer_path).write_text(json.dumps(answer))
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    answer = json.loads(Path(answer_path).read_text())
    report = (request.get("start") or {}).get("report")
    answer["report"] = None
    if report and Path(report).exists():
        answer["report"] = json.loads(Path(report).read_text())
    return answer  # type: ignore[no-any-return]


def main(requests_path: str, answers_path: str, work: str) -> None:
    import dbt.cli.main  # noqa: F401, PLC0415  # before the forks

    gc.disable()
    requests = json.loads(Path(requests_path).read_text())
    answers = []
    for request in requests:
        if request["do"] == "parse":
            out = str(Path(work) / f"{request['id']}.pickle")
            answer = in_child(request, out)
        else:
            paths = [str(Path(work) / f"{request[key]}.pickle") for key in ("one", "other")]
            pictures = [load(path) for path in paths]
            answer = {"differences": differences(*pictures) if all(pictures) else ["no parse"]}
        answers.append({"id": request["id"], **answer})
    Path(answers_path).write_text(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])

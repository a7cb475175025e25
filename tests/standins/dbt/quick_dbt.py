"""In place of the command ``dbt``: answers our macros of releases at once, from a folder of files.

Only for what the scripts do around the warehouse; what the macros do is tested on PostgreSQL. It
keeps whether the release is live, and can kill the script that called it, before or after.

    state        ``live`` or ``taken back``
    answer.json  fields of the answer that are other than usual
    kill         ``before`` or ``after``; ``fail before`` and ``fail after`` end dbt alone
    calls.jsonl  what was asked
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

JOB = re.compile(r'dbtdeploy\.(\w+)\(fromjson\("(.*)"\)\)')
BACK = {"restore": "restored", "recreate": "recreated", "leave": "left", "remove": "removed"}


def write(folder: Path) -> Path:
    """The command, for a project that a test runs; its files are in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    command = folder / "dbt"
    command.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        f"from standins.dbt import quick_dbt\nquick_dbt.main({str(folder)!r}, sys.argv)\n"
    )
    command.chmod(0o755)
    (folder / "state").write_text("live")
    return command


def calls(folder: Path) -> list[dict[str, Any]]:
    """What was asked so far: the job of each call, with its macro."""
    said = folder / "calls.jsonl"
    return [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []


def main(folder_name: str, argv: Sequence[str]) -> None:
    """Answer one ``dbt run-operation``."""
    folder = Path(folder_name)
    package = Path(argv[argv.index("--project-dir") + 1])
    found = JOB.search((package / "macros" / "job.sql").read_text())
    assert found is not None
    macro, job = found[1], json.loads(json.loads(f'"{found[2]}"'))
    with (folder / "calls.jsonl").open("a") as said:
        said.write(json.dumps({"macro": macro, **job}) + "\n")
    changed = folder / "answer.json"
    over = json.loads(changed.read_text()) if changed.exists() else {}
    dry = bool(job.get("dry_run"))
    _kill(folder, "before", dry)
    answer = _answer(macro, job, over, folder)
    _kill(folder, "after", dry)
    print(job["token"] + base64.b64encode(json.dumps(answer).encode()).decode(), flush=True)


def _answer(macro: str, job: Mapping[str, Any], over: dict[str, Any], folder: Path) -> Any:
    state = folder / "state"
    if macro == "release_settled":
        return state.read_text()
    if macro == "release_clean_up":
        return over["outcomes"]
    assert macro == "release_take_back"
    answer: dict[str, Any] = {"swapped": {"outcome": "done", "seconds": 0.04}, **over}
    for record in job["records"]:
        for node in record["nodes"]:
            name = f'"{node["schema"]}"."{node["identifier"]}"'
            answer.setdefault(BACK[node["back_by"]], []).append(name)
    if answer["swapped"]["outcome"] == "done" and not job["dry_run"]:
        state.write_text("taken back")
    return answer


def _kill(folder: Path, when: str, dry: bool) -> None:
    asked = folder / "kill"
    said = asked.read_text() if not dry and asked.exists() else ""
    if said == f"fail {when}":
        print("server closed the connection unexpectedly", flush=True)
        raise SystemExit(1)
    if said == when:
        os.kill(os.getppid(), signal.SIGKILL)
        if when == "before":
            raise SystemExit(1)  # with the whole job, as when a machine goes

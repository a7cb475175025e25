"""Writing down what dbt will build: plan.json, for the steps after and for the report."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.base import actions_runner, settings, text
from dbtdeploy.context import hand_over, work_files


def write_plan(run: work_files.Run, work: Path, nodes: work_files.PlannedNodes) -> work_files.Plan:
    """Write plan.json and the output ``nodes``; gives the plan as written, without secrets."""
    redact = settings.redactor()
    shown = (replace(n, relation_name=redact(n.relation_name or "") or None) for n in nodes)
    plan = work_files.Plan(nodes=tuple(shown))
    hand_over.write(work, plan)
    where = run.schema or "production"
    actions_runner.say(
        f"{text.plural(len(nodes), 'node')} to build in {where}." if nodes else "Nothing to build."
    )
    runner = settings.Runner.from_environ()
    actions_runner.set_outputs(runner.output, {"nodes": str(len(nodes))})
    return plan

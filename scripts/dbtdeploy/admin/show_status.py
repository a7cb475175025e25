"""``status``: what an environment runs, for people and for the workflow. Only reads."""

from __future__ import annotations

from dbtdeploy.admin import status
from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.report import render
from dbtdeploy.store import store_location


def run(asked: StoreCommand) -> None:
    """Print the status, write it to the summary, and name the commit that a deploy checks out."""
    opened = store_location.opened(asked.location)
    found = status.read(opened)
    rows = status.rows(found)
    # Whoever held the lease or set the hold chose those words: no workflow command among them.
    with actions_runner.foreign_output():
        actions_runner.say(f"{asked.environment} ({found.location})")
        for row in rows:
            actions_runner.say(f"{row.label}: {row.text}{f' ({row.url})' if row.url else ''}")
    runner = settings.Runner.from_environ()
    page = render.template(
        "status.md.j2", environment=asked.environment, location=found.location, rows=rows
    )
    actions_runner.write_summary(runner.summary, page)
    outputs = {"version": found.version or "", "ref": found.ref(asked.event.sha)}
    actions_runner.set_outputs(runner.output, outputs)

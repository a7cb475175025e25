"""``dbt build`` that stops between its selection and its first write, to be looked at.

What is selected goes out as JSON lines with the fields of ``dbt ls --output json``; then the build
waits. Without the word to go on it ends, and has touched nothing. No hook of the project's has run
by then: dbt runs them after ``_runtime_initialize``, in ``execute_with_hooks``
(``GraphRunnableTask.run`` in dbt/task/runnable.py, 1.8 to 1.12).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import ending
import faster

KEYS = (
    "unique_id",
    "resource_type",
    "name",
    "database",
    "schema",
    "alias",
    "relation_name",
    "config",
    "original_file_path",
)
"""``LISTED_KEYS`` in dbtdeploy/commands.py."""

_manifest: list[Any] = []
"""That of the build that was told to go on."""

GO = b"go"
COMPLETE = b"complete\n"


def install(plan: int, word: int) -> None:
    """Make this process's ``dbt build`` stop.

    Args:
        plan: a file to write to: a JSON object for each selected node, then ``COMPLETE``.
        word: a file to read from: ``GO``, or its end.
    """
    from dbt.task.build import BuildTask

    faster.write_the_manifest_once()
    _manifest.clear()

    def _runtime_initialize(self: Any) -> None:
        super(BuildTask, self)._runtime_initialize()
        with os.fdopen(plan, "wb") as out:
            for node in _selected(self):
                fields = node.to_dict(omit_none=False)
                line = json.dumps({key: fields[key] for key in KEYS if key in fields})
                out.write(line.encode() + b"\n")
            out.write(COMPLETE)
        if os.read(word, len(GO)) != GO:
            # The other end knows why, and says it.
            ending.end(0)
        _manifest.append(self.manifest)

    BuildTask._runtime_initialize = _runtime_initialize


def then(arguments: list[str]) -> None:
    """After a build: another command with the manifest of it, so that nothing is parsed again.

    Args:
        arguments: everything after ``dbt``. How it ends changes nothing for the build.
    """
    from dbt.cli.main import dbtRunner

    if _manifest:
        dbtRunner(manifest=_manifest[0]).invoke(arguments)


def _selected(task: Any) -> Iterator[Any]:
    """Unit tests stand beside the nodes: dbt runs each before its model."""
    yield from task._flattened_nodes
    seen = {node.unique_id for node in task._flattened_nodes}
    for unique_id in sorted(set(task.selected_unit_tests) - seen):
        yield task.manifest.unit_tests[unique_id]

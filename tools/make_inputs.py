"""The table of inputs -> the parts of action.yml, workflows and docs that repeat it.

``make inputs`` runs this; a contract test holds the files equal to what it would write. All else in
those files is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from dbtdeploy.context.inputs import input_table  # noqa: E402  found by the line above
from dbtdeploy.context.inputs.input_table import Input  # noqa: E402

READERS = r"start start_run|store run_command|fork_comment post_report"
"""The scripts that read what the table calls a setting."""

COMMAND = """\
  command:
    description: Gone. It is refused, with the action that a former command has become.
    default: ""
"""
REFUSE = """\
    - name: Refuse the input command
      # GitHub only warns of an input that an action does not know: a deploy would run as slim CI.
      if: inputs.command != ''
      shell: bash
      env:
        COMMAND: ${{ inputs.command }}
      run: exec python3 "$GITHUB_ACTION_PATH/scripts/refuse_command.py" "$COMMAND"
"""


def written() -> dict[Path, str]:
    """What each file is to hold."""
    files: dict[Path, str] = {}
    for action in input_table.ACTIONS:
        path = ROOT / action / "action.yml"
        files[path] = _action(path.read_text(encoding="utf-8"), action)
    files[ROOT / "action.yml"] = _root(files[ROOT / "ci" / "action.yml"])
    for action in input_table.ACTIONS:
        path = workflow(action)
        files[path] = _workflow(path.read_text(encoding="utf-8"), action)
    files[ROOT / "docs" / "inputs.md"] = _page()
    return files


def workflow(action: str) -> Path:
    """The reusable workflow of an action."""
    name = {"ci": "slim-ci"}.get(action, action)
    return ROOT / ".github" / "workflows" / f"{name}.yml"


def _action(text: str, action: str) -> str:
    rows = input_table.of_action(action)
    text = _block(text, "inputs:", "".join(map(_action_input, rows)), indent=0)
    return _with_settings(text, action)


def _root(text: str) -> str:
    """``ci/action.yml``, one folder higher, and with a word for callers of an older version."""
    text = text.replace("$GITHUB_ACTION_PATH/../", "$GITHUB_ACTION_PATH/")
    text = text.replace("\ninputs:\n", f"\ninputs:\n{COMMAND}", 1)
    text = text.replace("  steps:\n", f"  steps:\n{REFUSE}\n", 1)
    marketplace = "branding:\n  icon: git-pull-request\n  color: orange\n"
    text = text.replace("author: dbt-deploy\n", f"author: dbt-deploy\n{marketplace}", 1)
    return "# Written by `make inputs` from ci/action.yml: edit that.\n" + text


def _action_input(row: Input) -> str:
    text = row.text + (" `true` or `false`." if row.type == "boolean" else "")
    wanted = "required: true" if row.required else f"default: {_scalar(row.default)}"
    return f"  {row.name}:\n    description: {_scalar(text)}\n    {wanted}\n"


def _with_settings(text: str, action: str) -> str:
    """The variables of the step that reads the inputs, after those written by hand."""
    lines = [
        f"        {row.variable}: ${{{{ inputs.{row.name} }}}}\n"
        for row in input_table.settings_of(action)
    ]
    known = {row.variable for row in input_table.TABLE if row.setting}
    steps = re.split(r"(?m)^(?=    - name: )", text)
    for number, step in enumerate(steps):
        if re.search(rf'run\.py" (?:{READERS})\b', step):
            kept = [
                line
                for line in step.splitlines(keepends=True)
                if line.strip().partition(":")[0] not in known
            ]
            place = next(i for i, line in enumerate(kept) if "  run: " in line)
            steps[number] = "".join([*kept[:place], *lines, *kept[place:]])
    return "".join(steps)


def _workflow(text: str, action: str) -> str:
    rows = input_table.of_workflow(action)
    inputs = "".join(_workflow_input(row) for row in rows if not row.secret)
    secrets = "".join(_workflow_secret(row) for row in rows if row.secret)
    text = _block(text, "    inputs:", inputs, indent=4)
    if secrets:
        text = _block(text, "    secrets:", secrets, indent=4)
    return re.sub(
        r"(?m)^        uses: \$/(?P<used>[\w-]+)\n        with:\n(?:          .*\n)+",
        lambda found: _uses(found["used"], found[0], rows),
        text,
    )


def _uses(used: str, text: str, rows: Iterable[Input]) -> str:
    """A step that uses one of our actions: all that it has and the workflow takes.

    What is written by hand, as ``command: status``, stays first.
    """
    lines = text.splitlines(keepends=True)
    by_hand = [line for line in lines[2:] if "${{" not in line]
    taken = {row.name for row in rows}
    given = []
    for row in input_table.of_action(used):
        hand_written = any(line.strip().startswith(f"{row.name}:") for line in by_hand)
        if row.name in taken and not hand_written:
            given.append(f"          {row.name}: ${{{{ {_value(row, taken)} }}}}\n")
    return "".join([*lines[:2], *by_hand, *given])


def _value(row: Input, taken: set[str]) -> str:
    if not row.secret:
        return f"inputs.{row.name}"
    other = " || secrets.DBT_ENV" if row.name == "dbt-env" and "DBT_ENV" in taken else ""
    return f"secrets.{row.name}{other}"


def _workflow_input(row: Input) -> str:
    default = row.default if row.workflow_default is None else row.workflow_default
    shown = default if row.type in ("boolean", "number") else _scalar(default)
    wanted = "required: true" if row.required else f"default: {shown}"
    return (
        f"      {row.name}:\n        description: {_scalar(row.text)}\n"
        f"        type: {row.type}\n        {wanted}\n"
    )


def _workflow_secret(row: Input) -> str:
    text = row.text.replace(" A secret.", "").replace(
        " Give it a secret; every value is masked.", ""
    )
    return f"      {row.name}:\n        description: {_scalar(text)}\n        required: false\n"


def _block(text: str, head: str, body: str, *, indent: int) -> str:
    """Put ``body`` under the first line that is ``head``, in place of what is deeper there."""
    pattern = rf"(?m)^{re.escape(head)}\n(?: {{{indent + 1},}}.*\n)*"
    if not re.search(pattern, text):
        raise ValueError(f"There is no line {head!r}.")
    return re.sub(pattern, lambda _: f"{head}\n{body}", text, count=1)


def _scalar(text: str) -> str:
    """Text as YAML, quoted only where it must be."""
    plain = text and not re.search(r"^[\W\d]|: | #|[:\s]$", text) and text not in ("true", "false")
    return text if plain or text == "." or text.startswith("${{") else json.dumps(text)


HEAD = """\
# Inputs and outputs

Written by `make inputs` from `scripts/dbtdeploy/context/inputs/input_table.py` and the actions.

Each action has only its own inputs. Its reusable workflow in `.github/workflows/` takes the same,
and hands them on. There the inputs marked 🔒 are secrets, `dbt` is `requirements.txt` if not given,
and `github-token` and `comment-author` are left out: a called workflow has the caller's token.
The report, a release's plan, dbt's log and the compiled SQL are kept for 14 days, as the job
artifact that `artifact-name` names.

"""

WORKFLOW = "The workflow takes besides:"


def _page() -> str:
    sections = [_section(action) for action in input_table.ACTIONS]
    return HEAD + "\n".join(sections)


def _section(action: str) -> str:
    used = {"ci": "org/dbt-deploy@v1"}.get(action, f"org/dbt-deploy/{action}@v1")
    name = workflow(action).name
    content: dict[str, Any] = yaml.safe_load(
        (ROOT / action / "action.yml").read_text(encoding="utf-8")
    )
    rows = input_table.of_action(action)
    only = [r for r in input_table.of_workflow(action) if action not in r.actions]
    parts = [
        f"## {action}\n",
        f"`uses: {used}`, or the workflow [`{name}`](../.github/workflows/{name}).",
        f"{content['description']}\n",
        _inputs(rows),
        f"\n{WORKFLOW}\n\n{_inputs(only)}",
    ]
    if outputs := content.get("outputs"):
        rows_of_outputs = [[f"`{key}`", out["description"]] for key, out in outputs.items()]
        parts.append("\n" + _table(["Output", "What it holds"], rows_of_outputs))
        handed_on = yaml.safe_load(workflow(action).read_text(encoding="utf-8"))[True]
        listed = ", ".join(f"`{key}`" for key in handed_on["workflow_call"]["outputs"])
        parts.append(f"\nThe workflow hands on {listed}.")
    return "\n".join(parts) + "\n"


def _inputs(rows: Iterable[Input]) -> str:
    lines = []
    for row in rows:
        default = "required" if row.required else f"`{row.default}`" if row.default else ""
        lines.append([f"`{row.name}`{' 🔒' if row.secret else ''}", row.text, default])
    return _table(["Input", "What it is", "Default"], lines)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, [":--"] * len(head), *rows]
    cells = ([cell.replace("|", "&#124;") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")

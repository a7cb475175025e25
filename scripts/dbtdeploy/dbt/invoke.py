"""What the scripts that call dbt share: the caller's dbt, and its failures by name."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from dbtdeploy.artifacts import node_listing
from dbtdeploy.base import actions_runner, errors, json_codec, redact, settings
from dbtdeploy.context import project, shortcuts
from dbtdeploy.context.policies import Ci
from dbtdeploy.context.work_files import (
    KEPT_PARSE,
    SAVED_PARSE,
    STATE_FOLDER,
    STATE_MANIFEST_FOLDER,
    USED_PARSE,
    PlannedNode,
    Run,
    Selection,
    State,
)
from dbtdeploy.dbt import commands, dbt_error_hints, row_data
from dbtdeploy.dbt.dbt_client import Dbt, Line, Outcome, echo, streamed
from dbtdeploy.dbt.dbt_server_client import SavedParse

MANIFEST = "manifest.json"

LAST_LINES = 30

DEFER_STATE = ("DBT_DEFER_STATE", "DBT_ENGINE_DEFER_STATE")
"""What dbt would defer to in place of the state that is compared with."""

LISTING = "while it listed what has changed"


def dbt_of(run: Run, work: Path, *, extra: dict[str, str] | None = None) -> Dbt:
    """The dbt of this run, in its environment, with the pull request's schema named in it."""
    environment = settings.DbtEnvironment.from_environ()
    for value in _masked(run, work, environment.secret):
        actions_runner.mask(value)
    variables = {**environment.variables, **(extra or {})}
    for name in ("DBT_DEPLOY_SCHEMA", *DEFER_STATE):
        variables.pop(name, None)
    if run.schema:
        variables["DBT_DEPLOY_SCHEMA"] = run.schema
    return Dbt(
        run.dbt,
        variables=variables,
        redact=redactor(run),
        logs=work / "logs",
        one_process=shortcuts.ONE_PROCESS in run.dbt.shortcuts,
    )


def redactor(run: Run) -> redact.Redact:
    """Hides secrets, and the warehouse's messages where they must not be shown."""
    hide = settings.redactor()
    if run.policy.hide_row_data:
        return lambda text: hide(row_data.without_rows(text))
    return hide


def _masked(run: Run, work: Path, secret: Mapping[str, str]) -> list[str]:
    """What the runner is told to hide of ``dbt-env``: nothing that an output of ours may hold."""
    event, policy = run.event, asdict(run.policy).values()
    outputs = (run.schema, str(work), event.run_url, event.repository, event.ref, event.sha)
    return redact.masked_values(secret, (*outputs, *(v for v in policy if isinstance(v, str))))


def state_folder(work: Path, state: State, selection: Selection) -> Path | None:
    """The folder with production's manifest for dbt, None where production has none yet.

    Its results are there only where the selection may ask for them: dbt reads all that it finds,
    each time, 0.3 s of CPU for the results of 1,000 models.
    """
    if not state.found:
        return None
    whole = work / STATE_FOLDER
    if commands.reads_results(selection):
        return whole
    alone = work / STATE_MANIFEST_FOLDER
    alone.mkdir(exist_ok=True)
    (alone / MANIFEST).unlink(missing_ok=True)
    (alone / MANIFEST).hardlink_to(whole / MANIFEST)
    return alone


def call(
    dbt: Dbt,
    arguments: Sequence[str],
    *,
    name: str,
    title: str,
    keep: Line | None = None,
    hide_rows: bool = False,
) -> tuple[Outcome, list[str]]:
    """Run dbt with its output shown in a folded group.

    Args:
        dbt: the caller's.
        arguments: everything after ``dbt``.
        name: of the log folder of this call.
        title: of the group.
        keep: gets each line that is shown.
        hide_rows: show only how far dbt is.

    Returns:
        The outcome and the last lines of output.

    Raises:
        Cancelled: the run was interrupted; dbt has cancelled its queries.
    """
    shown = Shown(keep, hide_rows=hide_rows)
    with streamed(title):
        outcome = dbt.run(arguments, name=name, on_line=shown)
    return outcome, shown.last()


class Shown:
    """Takes dbt's output line by line and shows it.

    Args:
        keep: gets each line that is shown.
        hide_rows: show only how far dbt is.
    """

    def __init__(self, keep: Line | None = None, *, hide_rows: bool = False) -> None:
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._show = echo(keep)
        self._hide_rows = hide_rows
        self.began = False
        """Whether a node had begun."""

    def __call__(self, line: str) -> None:
        """Show a line, if it may be shown."""
        self.began = self.began or row_data.is_start(line)
        if not self._hide_rows or row_data.is_progress(line):
            self._last.append(line)
            self._show(line)

    def last(self) -> list[str]:
        """The last lines that were shown."""
        return list(self._last)


def install_packages(dbt: Dbt, run: Run) -> None:
    """Run ``dbt deps`` where packages are listed and not installed.

    Raises:
        Cancelled, DbtStopped: it did not end well.
    """
    if not project.needs_deps(Path(run.dbt.project_dir), Path(run.dbt.packages_path)):
        return
    arguments = ["deps", "--project-dir", run.dbt.project_dir, *dbt.connection()]
    outcome, last = call(dbt, arguments, name="deps", title="dbt deps")
    require_success(outcome, last, doing="while it installed packages")


def saved_parse(run: Run, work: Path) -> SavedParse | None:
    """Where a parse may start from, and where it is kept for the store; None if it may not.

    A pull request's is kept nowhere: jobs of all pull requests could write where it would lie.
    """
    if shortcuts.SAVED_PARSE not in run.dbt.shortcuts:
        return None
    return SavedParse(
        folders=(str(work / SAVED_PARSE),),
        kept=None if isinstance(run.policy, Ci) else str(work / KEPT_PARSE),
        report=str(work / USED_PARSE),
    )


def tell_saved_parse(parse: SavedParse | None) -> None:
    """Say whether dbt started from production's parse, or why not."""
    if parse is None:
        return
    path = Path(parse.report)
    used = json_codec.decode(path.read_bytes(), _UsedParse) if path.exists() else None
    if used is None:
        return
    if used.used is not None:
        actions_runner.say("Saved parse: dbt started from production's parse.")
        return
    why_not = re.sub(r"(^|; )0: ", r"\g<1>production's: ", used.why_not)
    actions_runner.say(f"Saved parse: not used, dbt parses every file. {why_not}".rstrip())


class _UsedParse(Struct, frozen=True, kw_only=True):
    used: int | None = None
    why_not: str = ""


def list_nodes(
    dbt: Dbt,
    run: Run,
    listing: Sequence[str],
    *,
    name: str = "ls",
    parse: SavedParse | None = None,
) -> tuple[PlannedNode, ...]:
    """Run ``dbt ls`` and read what it lists.

    Args:
        dbt: the caller's.
        run: this run.
        listing: the arguments, as from ``commands.listing``.
        name: of the log folder of this call.
        parse: where its parse may start from.

    Raises:
        Cancelled, DbtStopped: it did not end well.
    """
    lines: list[str] = []
    outcome = dbt.run(
        [*listing, *dbt.options()],
        name=name,
        on_line=lines.append,
        redacted=False,
        saved_parse=parse,
    )
    require_success(outcome, lines, doing=LISTING)
    tell_saved_parse(parse)
    return listed(run, lines)


def listed(run: Run, lines: Sequence[str]) -> tuple[PlannedNode, ...]:
    """What will be built, from what dbt lists as JSON.

    Raises:
        DbtStopped: a line cannot be understood.
    """
    nodes = node_listing.read_listing(lines)
    settings.keep_relations(
        (node.database or "", node.schema or "") for node in nodes if node.relation_name
    )
    variables = settings.DbtEnvironment.from_environ().variables
    if run.dbt.stores_failures or commands.stores_failures(run.dbt.extra_args, variables):
        return node_listing.with_stored_failures(nodes)
    return nodes


def require_success(outcome: Outcome, last: Sequence[str], *, doing: str) -> None:
    """Raise what a dbt process that did not end well means.

    Raises:
        Cancelled: it was interrupted.
        DbtStopped: it failed; holds dbt's own message.
    """
    if outcome.interrupted:
        raise cancelled()
    if outcome.exit_code != 0:
        raise stopped(outcome, last, doing=doing)


def stopped(outcome: Outcome, last: Sequence[str], *, doing: str) -> errors.DbtStopped:
    """The failure of a dbt process that built nothing."""
    said = dbt_error_hints.message(outcome.errors, last)
    return errors.DbtStopped(
        said or f"dbt ended with exit code {outcome.exit_code}.",
        not_done=f"dbt stopped {doing}. Nothing was built.",
        remedy=dbt_error_hints.remedy_for(said),
    )


def cancelled() -> errors.Cancelled:
    """The failure of an interrupted run."""
    return errors.Cancelled(
        "The run was cancelled. dbt was told to stop and to cancel its queries.",
        not_done="What was not built yet was left as it was.",
        remedy="Run the job again if the cancellation was not meant.",
    )

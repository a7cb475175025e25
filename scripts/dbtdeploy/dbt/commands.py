"""The dbt command lines, without the options that name project and profile. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dbtdeploy.context.work_files import Selection

LISTED_KEYS = (
    "unique_id resource_type name database schema alias relation_name config original_file_path"
)

READ_BY_US = ("--quiet", "--print", "--log-format", "text", "--log-level", "info")
"""For calls whose output a script reads: with DBT_LOG_FORMAT=json or DBT_LOG_LEVEL=none of the
caller's, ``dbt ls`` would end well and list nothing that can be understood."""

SILENT = ("--log-level", "none", "--no-write-json")
"""For ``dbt ls`` whose result is taken, not its output: it prints the nodes in spite of ``--quiet``
and of any level. Its errors are in the file that it logs to. It writes no graph.gpickle, which the
build after it writes again."""

SELECTING_OPTIONS = (
    "--resource-type",
    "--resource-types",
    "--exclude-resource-type",
    "--exclude-resource-types",
    "--indirect-selection",
)
"""Options of ``dbt build`` that change what is selected, so ``dbt ls`` must have them too."""

PARSING_OPTIONS = frozenset(
    (
        *("--warn-error", "--no-warn-error", "--static-parser", "--no-static-parser"),
        *("--use-experimental-parser", "--no-use-experimental-parser", "--partial-parse"),
        *("--no-partial-parse", "--version-check", "--no-version-check", "-d", "--debug"),
    )
)
"""Options of ``dbt build``, without a value, that ``dbt parse`` has too."""

RUNNING_OPTIONS = frozenset(
    (
        *("-x", "--fail-fast", "--no-fail-fast", "--store-failures", "--no-store-failures"),
        *("--cache-selected-only", "--no-cache-selected-only", "--populate-cache"),
        *("--no-populate-cache", "-q", "--quiet", "--no-quiet", "--print", "--no-print"),
        *("--use-colors", "--no-use-colors", "--show", "--introspect", "--no-introspect"),
        *("--show-resource-report", "--no-show-resource-report"),
    )
)
"""Options of ``dbt build``, without a value, that change nothing of a parse."""

ERRORS = "result:error"
"""Selects what has that status in the run_results.json of the state.
https://docs.getdbt.com/reference/node-selection/methods#result"""

EXACTLY = ("--indirect-selection", "empty")
"""Brings no test along that is not itself among what is selected."""


def selecting(selection: Selection, state: Path | None) -> list[str]:
    """The options that select.

    Args:
        selection: the user's.
        state: folder of production's manifest; None when production has none. A ``select`` that
            needs state is then dropped, which selects everything, and so are such an ``exclude``
            and a ``selector`` of a selectors.yml that compares with state.
    """
    options: list[str] = []
    if selection.selector and (state is not None or not selection.selectors_need_state):
        options += ["--selector", selection.selector]
    elif selection.select and (state is not None or not needs_state(selection.select)):
        options += ["--select", *selection.select.split()]
    if selection.exclude and (state is not None or not needs_state(selection.exclude)):
        options += ["--exclude", *selection.exclude.split()]
    if state is not None:
        options += ["--state", str(state)]
    return options


def needs_state(select: str) -> bool:
    """Whether a selection uses a method that compares with state.

    Source: https://docs.getdbt.com/reference/node-selection/methods
    """
    return any(method in select for method in ("state:", "result:", "source_status:"))


def reads_results(selection: Selection) -> bool:
    """Whether a selection may use a method that reads run_results.json or sources.json of state."""
    words = " ".join(filter(None, (selection.select, selection.exclude)))
    if any(method in words for method in ("result:", "source_status:")):
        return True
    of_file = bool(selection.selector) or "selector:" in words or not selection.select
    return of_file and selection.selectors_need_state


def listing(
    selection: Selection,
    state: Path | None,
    extra: tuple[str, ...],
    *,
    how: tuple[str, ...] = READ_BY_US,
) -> list[str]:
    """``dbt ls`` for what ``building`` would build, one JSON object a line."""
    return [
        *how,
        "ls",
        *selecting(selection, state),
        *_split(extra)[0],
        *("--output", "json", "--output-keys", LISTED_KEYS),
    ]


def parsing(extra: tuple[str, ...]) -> list[str] | str:
    """``dbt parse`` for a build with these extra arguments, or the one that forbids it.

    What a build is given may change how it parses. With an option that is not known here, the build
    has to parse for itself.

    Args:
        extra: the user's further arguments of the build.
    """
    others = _split(extra)[1]
    unknown = [name for name in others if name not in PARSING_OPTIONS | RUNNING_OPTIONS]
    if unknown:
        return unknown[0]
    chosen = [name for name in others if name in PARSING_OPTIONS]
    # A build writes manifest.json when it ends; what is parsed before it need not.
    return ["--log-level", "warn", "--no-write-json", "parse", *chosen]


def building(
    selection: Selection,
    state: Path | None,
    *,
    threads: int | None,
    extra: tuple[str, ...],
    defers: bool = True,
    defer_to: Path | None = None,
) -> list[str]:
    """``dbt build`` of the selection; everything else is read from production.

    ``--favor-state`` because a relation of an earlier push, no longer selected, would otherwise be
    read instead of production's. Not beside production: a release's staging holds nothing but what
    this build makes, and a retry that selects the rest must read that, tests of it too.

    Args:
        selection: what to build.
        state: as in ``selecting``.
        threads: the profile's if None.
        extra: the user's further arguments.
        defers: false for production itself, whatever DBT_DEFER says there.
        defer_to: folder of production's manifest, where that is not ``state``, for a build in new
            schemas; of what stands there nothing is read from production.
    """
    options = ["build", *selecting(selection, state)]
    production = defer_to or state
    if not defers:
        options.append("--no-defer")
    elif production is not None:
        # With --state alone dbt reads that folder once for both. DBT_DEFER_STATE of the caller's
        # never gets here, see invoke.dbt_of.
        apart = defer_to is not None and defer_to != state
        named = ["--defer-state", str(production)] if apart else []
        favor = "--favor-state" if defer_to is None else "--no-favor-state"
        options += ["--defer", *named, favor]
    if selection.full_refresh:
        options.append("--full-refresh")
    if threads is not None:
        options += ["--threads", str(threads)]
    return [*options, *extra]


def listing_exactly(folder: Path) -> list[str]:
    """``dbt ls`` of what ``building_again`` builds."""
    return listing(Selection(select=ERRORS), folder, EXACTLY)


def building_again(
    selection: Selection,
    folder: Path,
    *,
    threads: int | None,
    extra: tuple[str, ...],
    defer_to: Path | None = None,
) -> list[str]:
    """``dbt build`` of nothing but what bears the status error in a state of our making.

    Not ``dbt retry``: it reads target/, replays fewer options than it was given, and crashes where
    a failed test is gone. ``--indirect-selection empty`` keeps tests that passed out of it.

    Args:
        selection: of the build that failed.
        folder: holds the run_results.json.
        threads: as for ``building``.
        extra: as for ``building``; what selects is left out.
        defer_to: folder of production's manifest, from which all else is read; None to build where
            all else is.
    """
    again = Selection(select=ERRORS, full_refresh=selection.full_refresh)
    return building(
        again,
        folder,
        threads=threads,
        extra=(*_split(extra)[1], *EXACTLY),
        defers=defer_to is not None,
        defer_to=defer_to,
    )


def stores_failures(extra: tuple[str, ...], variables: Mapping[str, str]) -> bool:
    """Whether tests write the rows they find; ``dbt ls`` lacks the option and cannot tell."""
    named = (variables.get(f"{prefix}_STORE_FAILURES", "") for prefix in ("DBT_ENGINE", "DBT"))
    wish = next((value for value in named if value), "")
    return "--store-failures" in extra or wish.lower() in ("1", "t", "true", "y", "yes", "on")


def _split(extra: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The user's extra arguments that ``dbt ls`` needs, each with its value, and the others."""
    selecting, others = list[str](), list[str]()
    takes_value = False
    for argument in extra:
        if takes_value and not argument.startswith("-"):
            selecting.append(argument)
            continue
        takes_value = argument in SELECTING_OPTIONS
        selects = takes_value or argument.split("=", 1)[0] in SELECTING_OPTIONS
        (selecting if selects else others).append(argument)
    return selecting, others

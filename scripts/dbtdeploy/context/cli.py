"""The one error boundary: every script ends in ``run``.

Exit codes: 0 done; a failure's own code (see ``errors.py``); 3 for a fault of ours;
130 when interrupted.
"""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.phases import Phase

UNEXPECTED = 3


def run(step: Callable[[], int | None], *, phase: Phase) -> NoReturn:
    """Run one script's step and exit with its code.

    Args:
        step: does the work; returns an exit code, or None for 0.
        phase: of the run, which a failure is told to be of.

    An expected failure is printed as an error annotation and left in the work folder as
    ``failure.json``, where ``write_report.py`` finds it. A fault of ours leaves the same file
    without its stack trace, which goes to the log only.
    """
    signal.signal(signal.SIGTERM, _as_interrupt)
    actions_runner.talk_to_runner(settings.in_actions())
    sys.exit(attempt(step, phase=phase))


def attempt(step: Callable[[], int | None], *, phase: Phase) -> int:
    """Like ``run``, for a part of a script: returns the exit code."""
    try:
        return step() or 0
    except KeyboardInterrupt:
        cancelled = errors.Cancelled(
            "The run was cancelled.",
            not_done="It did not finish.",
            remedy="Run the job again if the cancellation was not meant.",
        )
        return _leave(cancelled, phase)
    except errors.DbtDeployError as failure:
        return _leave(failure, phase)
    except Exception as fault:
        print_trace(fault)
        ours = errors.DbtDeployError(
            f"dbt-deploy has a fault: {type(fault).__name__} in {settings.script_name()}.",
            not_done="This step did not finish.",
            remedy="The step's log holds the details; please report it with them.",
        )
        _leave(ours, phase)
        return UNEXPECTED


def attempt_each(*parts: tuple[Phase, Callable[[], int | None]]) -> int:
    """Like ``attempt``, for the parts of a script in their order: the first that fails is the last.

    Args:
        parts: each with the phase that its failure is told to be of.
    """
    for phase, step in parts:
        if code := attempt(step, phase=phase):
            return code
    return 0


def attempt_or_warn(step: Callable[[], None], *, title: str, stays: str) -> None:
    """Like ``attempt``, for a part that never decides: what goes wrong in it is a warning.

    Args:
        step: does the work; an interrupt goes through.
        title: of the warning.
        stays: a sentence that says what a fault of ours leaves as it is.
    """
    try:
        step()
    except errors.DbtDeployError as failure:
        actions_runner.warning(title, settings.redactor()(str(failure)))
    except Exception as fault:
        # Even a fault of ours must not turn a green run red.
        print_trace(fault)
        what = f"dbt-deploy has a fault: {type(fault).__name__}."
        remedy = "The step's log holds the details; please report it with them."
        actions_runner.warning(title, f"{what}\n{stays}\n{remedy}")


def print_trace(fault: BaseException) -> None:
    """A fault of ours, whole and without secrets, to the log and nowhere else."""
    with actions_runner.foreign_output(sys.stderr):
        actions_runner.say("".join(traceback.format_exception(fault)), stream=sys.stderr)


def _leave(failure: errors.DbtDeployError, phase: Phase) -> int:
    record = work_files.Failure.of(failure, phase=phase, redact=settings.redactor())
    actions_runner.error(record.title, f"{record.what}\n{record.not_done}\n{record.remedy}")
    work = settings.work_folder_if_known()
    if work is not None and work.is_dir() and not hand_over.is_there(work, work_files.Failure):
        # The first failure is the cause; what fails after it is a consequence.
        hand_over.write(work, record)
    return failure.exit_code


def _as_interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt

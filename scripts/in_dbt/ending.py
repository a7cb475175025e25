"""How a forked dbt ends: as Python does, but for taking all its objects apart."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback

import faster
import kept_codecs
import kept_dataclasses
import kept_templates
import schemas


def end(code: int) -> None:
    """Write what is still to be written and leave with this exit code; does not return.

    Python ends in this order, too: ``Py_FinalizeEx`` waits for the threads that are no daemons and
    calls what was registered.
    """
    try:
        for step in (
            faster.write_what_waits,
            schemas.write_new,
            kept_codecs.write_new,
            kept_dataclasses.kept.write_new,
            kept_templates.write_new,
            threading._shutdown,  # type: ignore[attr-defined]
            atexit._run_exitfuncs,
            sys.stdout.flush,
            sys.stderr.flush,
        ):
            try:
                step()
            except BaseException:  # noqa: PERF203  it happens once in a process
                # An interrupt, too: what comes after it is still to be done.
                traceback.print_exc()
    finally:
        os._exit(code)

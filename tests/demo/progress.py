"""One line a step, with the seconds it took."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

WIDTH = 58


class Steps:
    """A line for each step; a step ends where the next one begins.

    On a terminal the line stands there while the step runs; in a log it is written once, whole.
    """

    def __init__(self, *, show: bool = True) -> None:
        self._show = show
        self._what = ""
        self._began = 0.0

    def begin(self, what: str) -> None:
        """End the step before this one, and begin it."""
        self.end()
        self._what, self._began = what, time.monotonic()
        if self._show and sys.stdout.isatty():
            print(f"  {what}", end="\r", flush=True)

    def end(self, outcome: str = "") -> None:
        """End the running step, if there is one."""
        if self._what and self._show:
            seconds = time.monotonic() - self._began
            print(f"  {self._what:<{WIDTH}} {seconds:5.1f} s{outcome}", flush=True)
        self._what = ""

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.end(", not finished" if kind else "")


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Print ``what`` while it runs, and its seconds when it ends."""
    with Steps() as steps:
        steps.begin(what)
        yield


def head(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}", flush=True)

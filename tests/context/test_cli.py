"""How a script of ours ends: with its code, and with all that Python does at its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.context import cli

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

SCRIPT = """
import atexit, sys, threading
sys.path.insert(0, sys.argv[1])
from dbtdeploy.base import errors
from dbtdeploy.context import cli
from dbtdeploy.context.phases import Phase

went_on = threading.Event()

def late():
    went_on.wait()
    print("by a thread")

def main():
    atexit.register(print, "at the end")
    threading.Thread(target=late).start()
    atexit.register(print, "not whole", end="")
    threading.Timer(0.05, went_on.set).start()
    print("to stderr", end="", file=sys.stderr)
    if sys.argv[2] == "refuse":
        raise errors.InvalidInput("It is wrong.", not_done="Nothing.", remedy="Change it.")
    return int(sys.argv[2])

cli.run(main, phase=Phase.BUILD)
"""


@pytest.mark.parametrize(("what", "code"), [("0", 0), ("4", 4), ("refuse", 2)])
def test_it_waits_for_threads_does_what_was_registered_and_writes_all(what: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(SCRIPTS), what],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    lines = done.stdout.splitlines()
    assert lines[-2:] == ["by a thread", "not wholeat the end"]
    assert "to stderr" in done.stderr


def test_of_what_never_decides_a_failure_is_a_warning_and_a_fault_is_traced_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse() -> None:
        raise errors.InvalidInput("It is wrong.", not_done="Nothing.", remedy="Change it.")

    cli.attempt_or_warn(refuse, title="Not told", stays="All stays.")
    out, traced = capsys.readouterr()
    assert out == "::warning title=Not told::It is wrong.%0ANothing.%0AChange it.\n"
    assert traced == ""
    missing: dict[str, None] = {}
    cli.attempt_or_warn(lambda: missing["planted"], title="Not told", stays="All stays.")
    out, traced = capsys.readouterr()
    assert "::warning title=Not told::dbt-deploy has a fault: KeyError.%0AAll stays.%0A" in out
    assert "planted" not in out
    assert "Traceback" in traced


def test_an_interrupt_ends_what_never_decides_too() -> None:
    def cancel() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cli.attempt_or_warn(cancel, title="Not told", stays="All stays.")

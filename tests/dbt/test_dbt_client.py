"""The dbt edge, against a real process that stands where dbt would."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dbtdeploy.base import errors, redact
from dbtdeploy.context.work_files import DbtProject
from dbtdeploy.dbt import dbt_client as dbt_edge

SCRIPTS = Path(dbt_edge.__file__).parents[2]


def command(tmp_path: Path, body: str) -> Path:
    """A command that behaves as ``body``, Python, says."""
    path = tmp_path / "dbt"
    path.write_text(f"#!{sys.executable}\nimport os, signal, sys, time\n{textwrap.dedent(body)}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def edge(tmp_path: Path, path: Path, **variables: str) -> dbt_edge.Dbt:
    project = DbtProject(
        command=str(path),
        project_dir=str(tmp_path),
        repository_path=".",
        name="shop",
        profiles_dir="/profiles",
        profile="shop",
        target=None,
        target_path=str(tmp_path / "target"),
        packages_path=str(tmp_path / "dbt_packages"),
        vars="{a: 1}",
    )
    return dbt_edge.Dbt(
        project,
        variables={**os.environ, **variables},
        redact=lambda text: text.replace("hunter2", "***"),
        logs=tmp_path / "logs",
    )


def test_lines_are_redacted_and_the_exit_code_is_dbts(tmp_path: Path) -> None:
    path = command(
        tmp_path, "print('user', os.environ['P']); print('x', file=sys.stderr); sys.exit(1)"
    )
    lines: list[str] = []
    outcome = edge(tmp_path, path, P="hunter2").run(["build"], name="b", on_line=lines.append)
    assert (outcome.exit_code, outcome.interrupted) == (1, False)
    assert sorted(lines) == ["user ***", "x"]


@pytest.mark.fault(64)
def test_colours_part_no_secret_and_reach_no_script(tmp_path: Path) -> None:
    event = {"info": {"level": "error", "msg": "\x1b[31mhun\x1b[0mter2\x07 failed"}}
    path = command(
        tmp_path,
        f"""
        print("a \\x1b[31mhun\\x1b[0mter2 \\x1b]8;;http://x\\x07b", flush=True)
        print("\\x1b[32mOK\\x1b[0m \\x1b[2Kin \\x1b]0;t\\x070.1s", flush=True)
        folder = sys.argv[sys.argv.index("--log-path") + 1]
        open(folder + "/dbt.log", "w").write({json.dumps(event)!r})
        """,
    )
    lines: list[str] = []
    outcome = edge(tmp_path, path).run(["build"], name="b", on_line=lines.append)
    assert lines == ["a *** b", "\x1b[32mOK\x1b[0m in 0.1s"]
    assert [error.message for error in outcome.errors] == ["*** failed"]
    lines.clear()
    edge(tmp_path, path).run(["ls"], name="b", on_line=lines.append, redacted=False)
    assert lines[1] == "OK in 0.1s"


@pytest.mark.fault(64)
@pytest.mark.parametrize("before", range(70, 76))
def test_a_secret_in_base64_is_found_over_the_ends_of_printed_lines(
    tmp_path: Path, before: int
) -> None:
    secret = "correct horse"
    packed = base64.encodebytes(b"u" * before + secret.encode() + b"!" * 99).decode()
    path = command(tmp_path, f"print({packed!r} + 'end', flush=True)")
    dbt = edge(tmp_path, path)
    hide = redact.Redactor(redact.secret_values({}, given={"A": secret}))
    lines: list[str] = []
    dbt._redact = hide
    dbt.run(["build"], name="b", on_line=lines.append)
    left = "".join(lines)
    assert "***" in left
    assert lines[-1] == "end"
    inside = packed.replace("\n", "")[-(-before * 4 // 3) : (before + len(secret)) * 4 // 3]
    assert not any(inside[at : at + 4] in left for at in range(len(inside) - 3))


def test_each_call_names_project_profile_and_vars(tmp_path: Path) -> None:
    options = edge(tmp_path, tmp_path / "dbt").options()
    assert options == [
        *("--project-dir", str(tmp_path), "--target-path", str(tmp_path / "target")),
        *("--profiles-dir", "/profiles", "--profile", "shop", "--vars", "{a: 1}"),
    ]


@pytest.mark.fault(26)
def test_errors_come_from_the_log_once_and_without_stack_traces(tmp_path: Path) -> None:
    events = [
        {"info": {"level": "error", "msg": "Parsing Error: hunter2"}},
        {"info": {"level": "error", "msg": "Traceback (most recent call last):\n  File ..."}},
        {"info": {"level": "info", "msg": "fine"}},
    ]
    log = "\n".join([*(json.dumps(event) for event in events), "not json", "[]"])
    path = command(
        tmp_path,
        f"""
        folder = sys.argv[sys.argv.index("--log-path") + 1]
        open(folder + "/dbt.log", "w").write({log!r})
        """,
    )
    outcome = edge(tmp_path, path).run(["ls"], name="ls", on_line=lambda _: None)
    assert [error.message for error in outcome.errors] == ["Parsing Error: ***"]


def test_an_earlier_calls_log_is_not_this_calls(tmp_path: Path) -> None:
    (tmp_path / "logs" / "ls").mkdir(parents=True)
    old = {"info": {"level": "error", "msg": "old"}}
    (tmp_path / "logs" / "ls" / "dbt.log").write_text(json.dumps(old))
    path = command(tmp_path, "pass")
    outcome = edge(tmp_path, path).run(["ls"], name="ls", on_line=lambda _: None)
    assert outcome.errors == ()


@pytest.mark.fault(26)
def test_a_missing_dbt_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.DbtNotFound, match="cannot be started"):
        edge(tmp_path, tmp_path / "nowhere").run(["ls"], name="ls", on_line=lambda _: None)


def _runner(tmp_path: Path, path: Path) -> subprocess.Popen[str]:
    """A process that runs the command through the edge, as a script of ours does."""
    program = f"""
import sys
sys.path[:0] = [{str(SCRIPTS)!r}, {str(Path(__file__).parent)!r}]
from pathlib import Path
from test_dbt_client import edge
outcome = edge(Path({str(tmp_path)!r}), Path({str(path)!r})).run(
    ["build"], name="b", on_line=lambda line: print(line, flush=True))
print(outcome.exit_code, outcome.interrupted, flush=True)
"""
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


@pytest.mark.fault(20, 21)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_reaches_dbt_as_one_interrupt(tmp_path: Path, number: signal.Signals) -> None:
    path = command(
        tmp_path,
        """
        def interrupted(*_):
            # Not print: the signal may arrive while the line below is being printed.
            os.write(1, b"interrupted\\n")
            sys.exit(2)
        signal.signal(signal.SIGINT, interrupted)
        print("ready", flush=True)
        signal.pause()
        """,
    )
    with _runner(tmp_path, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.read() == "interrupted\n2 True\n"


@pytest.mark.fault(21)
def test_a_dbt_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt_edge, "CANCEL_GRACE_SECONDS", 0.2)
    path = command(
        tmp_path,
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("ready", flush=True)
        signal.pause()
        """,
    )

    def interrupt(_line: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    outcome = edge(tmp_path, path).run(["build"], name="b", on_line=interrupt)
    assert (outcome.exit_code, outcome.interrupted) == (-signal.SIGKILL, True)


def test_handlers_are_put_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    edge(tmp_path, command(tmp_path, "pass")).run(["ls"], name="ls", on_line=lambda _: None)
    assert signal.getsignal(signal.SIGTERM) is before

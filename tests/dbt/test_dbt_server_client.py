"""A warm dbt is had where dbt is as it is known, and nowhere else; and how it goes."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import make_environments
from dbtdeploy.base import errors
from dbtdeploy.context.work_files import DbtProject
from dbtdeploy.dbt import dbt_server_client, interpreter
from dbtdeploy.dbt.dbt_client import Dbt
from dbtdeploy.dbt.dbt_process import Usage
from dbtdeploy.dbt.dbt_server_client import WarmDbt
from standins.dbt import dbt_install

UV = """# -*- coding: utf-8 -*-
import sys
from dbt.cli.main import cli
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit(cli())
"""
PIP = """# -*- coding: utf-8 -*-
import re
import sys
from dbt.cli.main import cli
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(cli())
"""
NEWER_PIP = PIP.replace("import re\n", "").replace(
    "re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])", "sys.argv[0].removesuffix('.exe')"
)
HEADS = {
    "short": "#!{python}\n",
    "of pip, long": "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n",
    "of pip, with a blank": "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
    "of uv": "#!/bin/sh\n'''exec' '{python}' \"$0\" \"$@\"\n' '''\n",
}

# A dbt that does what the server needs of it, and is imported at once.
CLI = """
import sys, time
class Result:
    success, exception = False, None
class dbtRunner:
    def invoke(self, arguments):
        print("served", *arguments, flush=True)
        if arguments[0] == "wait":
            time.sleep(60)
        return Result
def cli(arguments, prog_name):
    raise AssertionError("dbt's own command is asked for wrong usage alone")
"""
PACKAGE = {
    "dbt/__init__.py": "",
    "dbt/version.py": '__version__ = "{version}"',
    "dbt/cli/__init__.py": "",
    "dbt/cli/main.py": CLI,
}


@pytest.fixture(autouse=True)
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, WarmDbt | str]]:
    """What this test starts, ended with it."""
    found: dict[str, WarmDbt | str] = {}
    monkeypatch.setattr(dbt_server_client, "_running", found)
    yield found
    for each in found.values():
        if isinstance(each, WarmDbt):
            each.close()


def installed(
    prefix: Path,
    *,
    core: str | None = "1.11.16",
    head: str = HEADS["short"],
    body: str = UV,
    imports: str | None = None,
) -> Path:
    """An environment with a command ``dbt`` as an installer leaves it.

    Args:
        prefix: where.
        core: the version that the metadata tells.
        head: of the script.
        body: of the script.
        imports: the version of the dbt that can be imported; None for none.
    """
    command = dbt_install.install(prefix, core=core)
    python = command.with_name("python3.11")
    packages = prefix / "lib" / "python3.11" / "site-packages"
    python.write_text(f"#!/bin/sh\nexec env PYTHONPATH='{packages}' {sys.executable} \"$@\"\n")
    python.chmod(0o755)
    command.write_text(head.format(python=python) + body)
    if imports is not None:
        for path, text in PACKAGE.items():
            file = packages / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("{version}", imports))
    return command


def shared(command: Path, notes: list[Usage] | None = None) -> WarmDbt | str:
    return dbt_server_client.shared(
        str(command),
        folder=str(command.parent),
        variables={"PATH": os.environ["PATH"]},
        note=(notes if notes is not None else []).append,
    )


def started(command: Path) -> WarmDbt:
    found = shared(command)
    assert isinstance(found, WarmDbt), found
    assert found.is_ready()
    return found


def edge(command: Path, tmp_path: Path) -> Dbt:
    project = DbtProject(
        command=str(command),
        project_dir=str(tmp_path),
        repository_path=".",
        name="shop",
        profiles_dir=None,
        profile="shop",
        target=None,
        target_path=str(tmp_path / "target"),
        packages_path=str(tmp_path / "dbt_packages"),
    )
    return Dbt(
        project,
        variables={"PATH": os.environ["PATH"]},
        redact=lambda text: text,
        logs=tmp_path / "logs",
        one_process=True,
    )


@pytest.mark.parametrize("body", [UV, PIP, NEWER_PIP], ids=["uv", "pip", "newer pip"])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_the_script_of_an_installer_is_run_warm(tmp_path: Path, head: str, body: str) -> None:
    prefix = tmp_path / ("a b" if "'{python}'" in head or '"{python}"' in head else "ab")
    started(installed(prefix, head=head, body=body, imports="1.11.16"))


@pytest.mark.parametrize(
    "text",
    [
        '#!/bin/sh\nexec /usr/bin/dbt-real "$@"  # from dbt.cli.main import cli\n',
        "#!/usr/bin/env python3\n" + UV,
        "#!{python} -I\n" + UV,
        "#!{python}\n" + UV.replace("dbt.cli.main", "dbt.main"),
        "#!{python}\n" + UV.replace("import sys\n", "import sys, our_patches\n"),
        "#!{python}\n"
        + UV.replace("sys.exit(cli())", "sys.argv.append('--quiet')\n    sys.exit(cli())"),
        "#!{python}\n" + UV + "print('done')\n",
        "#!/nowhere/python\n" + UV,
        "\x7fELF\x02\x01 from dbt.cli.main import cli \udcff",
        "",
    ],
    ids=[
        *("a shell", "any Python", "an option", "another entry point", "another import"),
        *("another argument", "a line after it", "no interpreter", "a binary", "empty"),
    ],
)
def test_another_command_is_run_as_it_is(tmp_path: Path, text: str) -> None:
    command = installed(tmp_path / "venv", imports="1.11.16")
    text = text.replace("{python}", str(command.with_name("python3.11")))
    command.write_bytes(text.encode(errors="surrogateescape"))
    assert shared(command) == "it is not the script that pip, uv, conda or Poetry makes"


@pytest.mark.parametrize("core", ["1.8.9", "1.10.13", "1.13.0", "2.0.0", "2.0.0b3", None])
def test_a_version_that_was_not_tried_is_run_as_it_is(tmp_path: Path, core: str | None) -> None:
    why = shared(installed(tmp_path / "venv", core=core, imports=core or "1.11.16"))
    known = f"its version, {core}, is none of 1.11 and 1.12"
    assert why == (known if core else "which dbt-core is installed beside it is not known")


def test_another_system_runs_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = installed(tmp_path / "venv", imports="1.11.16")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert shared(command) == "this is not Linux"


@pytest.mark.parametrize("imports", [None, "1.10.0"], ids=["no dbt", "another dbt"])
def test_where_the_import_fails_the_command_runs(
    tmp_path: Path,
    imports: str | None,
    running: dict[str, WarmDbt | str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = installed(tmp_path / "venv", imports=imports)
    dbt = edge(command, tmp_path)
    dbt.warm_up()
    assert isinstance(running[str(command)], WarmDbt)
    command.write_text("#!/bin/sh\necho itself; exit 1\n")
    assert dbt.why_plain() == "it cannot be imported"
    lines: list[str] = []
    outcome = dbt.run(["ls"], name="ls", on_line=lines.append)
    assert (outcome.exit_code, lines) == (1, ["itself"])
    said = "dbt is run as the plain command: it cannot be imported."
    assert capsys.readouterr().out.splitlines() == [said]


def test_what_import_and_commands_took_is_noted(tmp_path: Path) -> None:
    command = installed(tmp_path / "venv", imports="1.11.16")
    dbt = edge(command, tmp_path)
    assert dbt.why_plain() is None
    lines: list[str] = []
    for name in ("one", "two"):
        assert dbt.run([name], name=name, on_line=lines.append).exit_code == 1
    assert [line.split()[:2] for line in lines] == [["served", "one"], ["served", "two"]]
    warm = dbt_server_client._running.pop(str(command))
    assert isinstance(warm, WarmDbt)
    dbt_server_client._close(warm, lambda usage: dbt._note("import", usage))
    noted = [
        json.loads(line) for line in (tmp_path / "dbt_processes.jsonl").read_text().splitlines()
    ]
    assert [each["name"] for each in noted] == ["one", "two", "import"]
    for each in noted:
        assert set(each) == {"name", "wall_seconds", "cpu_seconds", "peak_bytes"}
        assert each["cpu_seconds"] > 0
        assert each["peak_bytes"] > 1_000_000


def test_a_command_is_noted_too(tmp_path: Path) -> None:
    command = tmp_path / "dbt"
    command.write_text("#!/bin/sh\nexit 0\n")
    command.chmod(0o755)
    edge(command, tmp_path).run(["ls"], name="ls", on_line=lambda _line: None)
    (noted,) = (tmp_path / "dbt_processes.jsonl").read_text().splitlines()
    assert json.loads(noted)["name"] == "ls"
    assert json.loads(noted)["wall_seconds"] > 0


@pytest.mark.fault(22)
def test_a_server_that_dies_is_named_with_a_way_out(tmp_path: Path) -> None:
    command = installed(tmp_path / "venv", imports="1.11.16")
    dbt = edge(command, tmp_path)
    assert dbt.why_plain() is None
    warm = dbt_server_client._running[str(command)]
    assert isinstance(warm, WarmDbt)

    def kill(_line: str) -> None:
        os.killpg(warm._server.pid, signal.SIGKILL)
        os.killpg(process.pid, signal.SIGKILL)

    process = warm.start(["wait"], folder=str(tmp_path), variables={})
    for line in process.lines():
        kill(line)
    for again in (process.wait, lambda: dbt.run(["ls"], name="ls", on_line=lambda _line: None)):
        with pytest.raises(errors.DbtStopped, match="has ended") as caught:
            again()
        assert "shortcuts" in caught.value.remedy


def test_a_command_that_is_killed_is_no_dead_server(tmp_path: Path) -> None:
    warm = started(installed(tmp_path / "venv", imports="1.11.16"))
    process = warm.start(["wait"], folder=str(tmp_path), variables={})
    for _line in process.lines():
        os.killpg(process.pid, signal.SIGKILL)
    assert process.wait()[0] == -signal.SIGKILL
    after = warm.start(["again"], folder=str(tmp_path), variables={})
    assert list(after.lines()) == ["served again"]
    assert after.wait()[0] == 1


def test_an_interrupt_right_after_the_start_is_not_lost(tmp_path: Path) -> None:
    warm = started(installed(tmp_path / "venv", imports="1.11.16"))
    for _ in range(30):
        process = warm.start(["wait"], folder=str(tmp_path), variables={})
        os.killpg(process.pid, signal.SIGINT)
        list(process.lines())
        assert process.wait()[0] == 1


@pytest.mark.parametrize(("version", "is_used"), [("1.8", False), ("1.11", True), ("1.12", True)])
def test_a_real_dbt_is_used_directly_where_it_was_tried(version: str, is_used: bool) -> None:
    command = make_environments.dbt_command(version)
    if not command.is_file():
        pytest.skip(f"no dbt {version}")
    found = interpreter.find(str(command), folder=command.parent, variables={})
    assert isinstance(found, interpreter.Interpreter) is is_used
    if isinstance(found, interpreter.Interpreter):
        assert Path(found.python).samefile(command.with_name("python"))

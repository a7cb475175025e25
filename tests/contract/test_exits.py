"""Every way out of a job, and the door that each goes through.

What leaves is listed here with where its secrets are taken out. A new exit beside a door is found
by its code, and fails until it is listed or goes through the door.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
OURS = sorted(path for path in SCRIPTS.rglob("*.py") if "in_dbt" not in path.parts)
"""What runs in our own environment. ``in_dbt/`` prints within dbt, whose output is a door's."""

RUNNER = "dbtdeploy/base/actions_runner.py"
SETTINGS = "dbtdeploy/base/settings.py"

DOORS = {
    "say": "log: redacted, inert",
    "inert": "makes a line of the log",
    "show": "log: lines of dbt's, redacted by dbt_client",
    "annotate": "annotation: redacted",
    "error": "annotation: by annotate",
    "warning": "annotation: by annotate",
    "mask": "tells the runner what to hide",
    "foreign_output": "log: a random word of our own",
    "group": "log: redacted title",
    "set_outputs": "GITHUB_OUTPUT: ids, addresses, counts and our words; tools/make_inputs.py",
    "write_summary": "GITHUB_STEP_SUMMARY: redacted",
    "talk_to_runner": "writes nothing",
    "escape_data": "writes nothing",
    "escape_property": "writes nothing",
}
"""What ``actions_runner`` offers: log, annotations, outputs, summary."""

RUNNERS_FILES = (
    *("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"),
)

STORE = {
    "dbtdeploy/deploy/docs_step.py": "page: redact_artifacts",
    "dbtdeploy/rollback/rollback_finish.py": "page: rolled_back_docs, of a redacted version",
    "dbtdeploy/store/compare_and_swap.py": "lease, pointer, fence, hold, driver",
    "dbtdeploy/store/conditional_write_check.py": "a random word of our own",
    "dbtdeploy/store/in_flight.py": "release or rollback under way",
    "dbtdeploy/store/publication/publish.py": "artifacts: redact_artifacts, run_results; indexes",
    "dbtdeploy/store/pull_request_registry.py": "schemas of a pull request",
    "dbtdeploy/store/store_location.py": "the door itself",
    "dbtdeploy/store/s3/s3_client.py": "the client, asked again",
    "dbtdeploy/warehouse/dependents.py": "statements that make a view again",
}
"""Who puts objects into a store, and what; records are redacted by ``RedactedStore``."""

NO_STORES = ("section", "_lines")
"""A part of a release's text, and a queue."""

GITHUB = {
    ("dbtdeploy/github/comments.py", "create_comment"): "comment: of a redacted report",
    ("dbtdeploy/github/comments.py", "edit"): "comment: of a redacted report",
    ("dbtdeploy/github/deployments_api.py", "create_status"): "deployment: our words and a tag",
    ("dbtdeploy/github/releases_api.py", "create_git_release"): "release: release_notes, redacted",
    ("dbtdeploy/github/releases_api.py", "requestJsonAndCheck"): "release: release_notes, redacted",
    ("dbtdeploy/github/releases_api.py", "upload_asset_from_memory"): "asset: release_notes",
    ("dbtdeploy/github/workflow_artifacts_api.py", "requestJsonAndCheck"): "a GET",
}
"""What is written to GitHub: comments, deployments, releases. No check, no commit status."""

GITHUB_WRITES = re.compile(
    r"(create|edit|update|upload|add|set|merge|replace|dismiss)_\w+|edit|requestJson\w*|requestBlob\w*"
)

POSTS = {"notify/notify.py": "Slack, PagerDuty, webhook: notification.redacted"}

ARTIFACTS = {
    "deploy/write_report.py": "names the folder; report.json and comment.md: redact_report",
    "release/write_release_summary.py": "plan.json: stored_records",
    "dbtdeploy/ci/preview_docs.py": "page: redact_artifacts",
    "dbtdeploy/context/work_files.py": "its name",
    "dbtdeploy/dbt/build.py": "compiled SQL: redacted",
}
"""What is written into the folder that the workflows upload."""

FILES = {
    "work folder": {
        *("deploy/plan_build.py", "deploy/write_report.py", "release/write_release_summary.py"),
        *("dbtdeploy/artifacts/commit_mark.py", "dbtdeploy/artifacts/run_results.py"),
        *("dbtdeploy/ci/preview_docs.py", "dbtdeploy/context/hand_over.py", SETTINGS),
        *("dbtdeploy/dbt/build.py", "dbtdeploy/dbt/build_with_retries.py"),
        *("dbtdeploy/dbt/dbt_client.py", "dbtdeploy/dbt/docs_site.py"),
        *("dbtdeploy/release/load_release.py", "dbtdeploy/release/staging.py"),
        *("dbtdeploy/store/failed_nodes.py", "dbtdeploy/store/partial_parse.py"),
        *("dbtdeploy/store/publication/version_reader.py", "dbtdeploy/warehouse/run_job_macro.py"),
        "dbtdeploy/warehouse/run_macro.py",
        "setup_environment.py",
    },
    "the runner's files": {RUNNER},
    "a folder as a store": {"dbtdeploy/store/folder_client.py"},
    "our own environment": {"dbtdeploy/setup/virtualenvs.py"},
}
"""Who writes files, and where to."""

PIPES = {"dbtdeploy/dbt/dbt_server_client.py"}
"""Who talks to a process of ours by a file descriptor."""

NOBODYS_MODULES = {
    *("_io", "builtins", "ctypes", "faulthandler", "getpass", "imp", "pdb", "posix", "pprint"),
    *("syslog", "warnings", "webbrowser", "smtplib", "ftplib", "telnetlib", "curses"),
    *("termios", "tty", "pty", "rlcompleter", "code", "cmd", "trace", "doctest", "unittest"),
}
"""What prints, sends or hands on the means to."""

SOMEBODYS_MODULES = {
    "logging": {"dbtdeploy/github/pygithub_client.py"},
    "socket": {"dbtdeploy/dbt/dbt_server_client.py"},
    "traceback": {"dbtdeploy/context/cli.py"},
}
"""PyGithub's log is silenced, dbt's process gets a socket, the boundary says a trace."""

CALLS = {"breakpoint", "eval", "exec", "help", "input", "__import__", "vars", "globals"}
OF_SYS = {"__stderr__", "__stdout__", "excepthook", "displayhook", "unraisablehook", "settrace"}
OF_OS = {
    "fdopen",
    "popen",
    "system",
    "write",
    "writev",
    "pwrite",
    "sendfile",
    "dup2",
    "memfd_create",
}
OF_OS_BEGIN = ("exec", "spawn", "posix_spawn", "fork")
WRITES = {"write_text", "write_bytes", "copy", "copy2", "copyfile", "copyfileobj", "copytree"}


def of(path: Path) -> str:
    return path.relative_to(SCRIPTS).as_posix()


def trees() -> Iterator[tuple[str, ast.AST]]:
    for path in OURS:
        yield of(path), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Each call with the last part of what is called."""
    for found in ast.walk(tree):
        if isinstance(found, ast.Call):
            name = found.func
            yield str(getattr(name, "attr", "") or getattr(name, "id", "")), found


def beside_the_log(text: str, name: str) -> Iterator[str]:
    """Where a script prints what is not its own words, or hands on the means to."""
    tree = ast.parse(text)
    allowed = {id(part) for call in ast.walk(tree) for part in _allowed(call)}
    for found in ast.walk(tree):
        if id(found) not in allowed and _is_way_out(found, name):
            yield f"{name}:{getattr(found, 'lineno', 0)} {ast.unparse(found)}"


def _allowed(call: ast.AST) -> Iterator[ast.AST]:
    """What of a call may be there: our own words in print, a stream for the door."""
    if not isinstance(call, ast.Call):
        return
    if isinstance(call.func, ast.Name) and call.func.id == "print":
        own = all(isinstance(argument, ast.Constant) for argument in call.args)
        if own and all(keyword.arg == "flush" for keyword in call.keywords):
            yield call.func
    if ast.unparse(call.func) in ("actions_runner.say", "actions_runner.foreign_output"):
        yield from (*call.args, *(keyword.value for keyword in call.keywords))


def _is_way_out(found: ast.AST, name: str) -> bool:
    if isinstance(found, ast.Name):
        return found.id == "print" or (found.id in CALLS and isinstance(found.ctx, ast.Load))
    if isinstance(found, ast.Attribute):
        return _is_way_out_of(ast.unparse(found.value), found.attr, name)
    if isinstance(found, (ast.Import, ast.ImportFrom)):
        return any(_imports_a_way_out(module, name) for module in _modules(found))
    if isinstance(found, ast.Constant) and isinstance(found.value, str):
        return found.value in RUNNERS_FILES or found.value.startswith(
            ("/dev/std", "/dev/fd", "/dev/tty", "/proc/")
        )
    if isinstance(found, ast.Call) and found.args:
        return _ends_with_text(found) or _gets_by_name(found) or _opens_a_number(found)
    return False


def _is_way_out_of(module: str, attribute: str, name: str) -> bool:
    if module == "sys":
        return attribute in OF_SYS or attribute in ("stdout", "stderr")
    if module == "os":
        is_pipe = attribute in ("write", "fdopen") and name in PIPES
        return (attribute in OF_OS and not is_pipe) or attribute.startswith(OF_OS_BEGIN)
    return module == "traceback" and attribute.startswith("print")


def _modules(found: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(found, ast.Import):
        yield from (alias.name for alias in found.names)
    else:
        yield from (f"{found.module}.{alias.name}" for alias in found.names)


def _imports_a_way_out(module: str, name: str) -> bool:
    top, _, rest = module.partition(".")
    if top in ("sys", "os") and rest not in ("", "PathLike"):
        return True
    return top in NOBODYS_MODULES or (
        top in SOMEBODYS_MODULES and name not in SOMEBODYS_MODULES[top]
    )


def _ends_with_text(call: ast.Call) -> bool:
    """``raise SystemExit(text)`` prints it."""
    if ast.unparse(call.func) not in ("SystemExit", "sys.exit", "exit", "quit"):
        return False
    argument = call.args[0]
    is_code = isinstance(argument, ast.Call) and ast.unparse(argument.func) not in ("str", "repr")
    return not (is_code or isinstance(argument, ast.Constant))


def _gets_by_name(call: ast.Call) -> bool:
    """``getattr(sys, name)`` could be any of them."""
    gets = ast.unparse(call.func) in ("getattr", "setattr", "operator.attrgetter")
    return gets and ast.unparse(call.args[0]) in ("sys", "os", "builtins", "traceback")


def _opens_a_number(call: ast.Call) -> bool:
    """``open(1, "w")``."""
    first = call.args[0]
    opens = ast.unparse(call.func) in ("open", "io.open", "io.FileIO")
    return opens and isinstance(first, ast.Constant) and isinstance(first.value, int)


PYTHON_IS_TOO_OLD = "setup_environment.py"
"""Ends with a text before our modules can be read: the version of Python, and our words."""


@pytest.mark.fault(67)
def test_text_reaches_the_log_and_the_runners_files_through_one_door() -> None:
    """A row of data or a file's name in a bare ``print`` could be a workflow command."""
    beside = [
        line
        for path in OURS
        if of(path) not in (RUNNER, SETTINGS)
        for line in beside_the_log(path.read_text(encoding="utf-8"), of(path))
    ]
    assert len(beside) == 1
    assert beside[0].startswith(PYTHON_IS_TOO_OLD)
    assert "platform.python_version()" in beside[0]


HOST = (SCRIPTS / "deploy" / "write_report.py").read_text(encoding="utf-8")
assert not list(beside_the_log(HOST, "deploy/write_report.py"))


@pytest.mark.fault(67)
@pytest.mark.parametrize(
    "line",
    [
        *("print(name)", "print(f'{name}')", "print('a', file=out)", "run(say=print)"),
        *("sys.stdout.write(name)", "sys.stderr.buffer.write(b)", "out = sys.stdout"),
        *("from sys import stderr", "sys.__stdout__.write(name)", "getattr(sys, 'std' + 'err')"),
        *("open(env['GITHUB_ENV'])", "os.write(1, name)", "os.fdopen(2, 'w')", "os.system(name)"),
        *("from os import write", "os.execvp(name, args)", "os.posix_spawn(name, a, e)"),
        *("open('/dev/stdout', 'w').write(name)", "open(1, 'w').write(name)", "io.open(2, 'w')"),
        *("Path('/dev/stderr').write_text(name)", "Path('/proc/self/fd/1').write_text(name)"),
        *("import logging", "from logging import warning", "import warnings", "import pprint"),
        *("import builtins", "import syslog", "traceback.print_exc()", "import traceback"),
        *("raise SystemExit(name)", "sys.exit(f'bad {name}')", "raise SystemExit(str(name))"),
        *("sys.excepthook = shown", "input(name)", "breakpoint()", "exec(name)", "import ctypes"),
        *("import socket", "import smtplib", "import faulthandler"),
    ],
)
def test_other_doors_are_found(line: str) -> None:
    assert list(beside_the_log(f"{HOST}\n{line}\n", "deploy/write_report.py"))


@pytest.mark.parametrize(
    "line", ["print('our words', flush=True)", "raise SystemExit(2)", "sys.exit(attempt(step))"]
)
def test_our_own_words_and_codes_are_no_exit(line: str) -> None:
    assert not list(beside_the_log(f"{HOST}\n{line}\n", "deploy/write_report.py"))


def test_the_door_to_the_runner_offers_what_is_listed() -> None:
    tree = ast.parse((SCRIPTS / RUNNER).read_text(encoding="utf-8"))
    there = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
    assert {name for name in there if not name.startswith("_")} == set(DOORS)


def test_every_object_of_a_store_is_put_by_who_is_listed() -> None:
    puts = {
        name
        for name, tree in trees()
        for called, call in calls(tree)
        if called == "put" and ast.unparse(call.func).split(".")[-2] not in NO_STORES
    }
    assert puts == set(STORE)
    assert {n for n, tree in trees() for c, _ in calls(tree) if c == "put_object"} == {
        "dbtdeploy/store/s3/s3_client.py"
    }
    others = {"upload_file", "upload_fileobj", "copy_object", "create_multipart_upload"}
    others |= {"put_object_tagging", "generate_presigned_url", "generate_presigned_post"}
    assert [n for n, tree in trees() for c, _ in calls(tree) if c in others] == []


def test_every_store_is_opened_behind_the_door() -> None:
    made = {
        (name, called)
        for name, tree in trees()
        for called, _ in calls(tree)
        if called in ("Bucket", "Folder", "open_store", "RedactedStore")
    }
    there = "dbtdeploy/store/store_location.py"
    assert made == {(there, one) for one in ("Bucket", "Folder", "open_store", "RedactedStore")}


def test_every_write_to_github_is_listed() -> None:
    folder = "dbtdeploy/github/"
    found = {
        (name, called)
        for name, tree in trees()
        if name.startswith(folder)
        for called, call in calls(tree)
        if isinstance(call.func, ast.Attribute) and GITHUB_WRITES.fullmatch(called)
    }
    assert found == set(GITHUB)


def test_every_notification_and_every_file_of_the_artifact_is_listed() -> None:
    posts = {
        name
        for name, tree in trees()
        for _, call in calls(tree)
        if ast.unparse(call.func) == "http_client.post"
    }
    assert posts == set(POSTS)
    assert {of(path) for path in OURS if "ARTIFACT_FOLDER" in path.read_text()} == set(ARTIFACTS)


def test_every_module_that_writes_files_is_listed() -> None:
    writers = {name for name, tree in trees() if any(_writes(call) for call in ast.walk(tree))}
    assert writers == set.union(*FILES.values())


def _writes(found: ast.AST) -> bool:
    if not isinstance(found, ast.Call):
        return False
    name = getattr(found.func, "attr", None) or getattr(found.func, "id", "")
    if name in WRITES:
        return name.startswith("write") or ast.unparse(found.func).startswith("shutil.")
    if name != "open":
        return False
    asked = [*found.args, *(keyword.value for keyword in found.keywords)]
    modes = [one.value for one in asked if isinstance(one, ast.Constant)]
    reads = {"r", "rb", "r|", "utf-8", "replace"}
    is_file = ast.unparse(found.func) in ("open", "io.open", "tarfile.open") or modes
    named = any(isinstance(one, ast.Name) and one.id == "mode" for one in asked)
    return named or bool(is_file and any(mode not in reads for mode in modes))


@pytest.mark.parametrize(
    "line",
    [
        *("path.write_text(name)", "path.write_bytes(b)", "open(path, 'w')", "path.open('ab')"),
        *("path.open(mode)", "shutil.copy(a, b)", "shutil.copyfile(a, b)", "open(path, mode='x')"),
    ],
)
def test_a_module_that_writes_is_seen(line: str) -> None:
    assert any(_writes(call) for call in ast.walk(ast.parse(line)))
    assert not any(_writes(call) for call in ast.walk(ast.parse("path.open('rb'); path.open()")))

"""A small interpreter of composite actions: the runner's part in tests and in the demo.

``run_action(ROOT, inputs={...}, job=Job(...))`` runs the steps of ``action.yml`` in their order, as
actions/runner does: expressions, ``if``, ``env``, ``continue-on-error``, output and summary files,
workflow commands, masks, cancellation. What it does not do, it refuses: GITHUB_ENV, GITHUB_PATH,
shells other than bash. Steps with ``uses`` go to a function of the caller's.
"""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from standins.runner.expressions import Function, condition, interpolate
from standins.runner.job_log import Annotation, Command, JobLog, Masker

SUCCESS, FAILURE, CANCELLED, SKIPPED = "success", "failure", "cancelled", "skipped"
SUMMARY_LIMIT_BYTES = 1024 * 1024
TO_SIGTERM_SECONDS, TO_SIGKILL_SECONDS = 7.5, 2.5
"""How long a cancelled step's first process has; ``ProcessInvoker.cs`` in actions/runner."""


class NotSupported(Exception):
    """The action asks for something that this stand-in doesn't do."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What GitHub and the runner's machine give a job."""

    workspace: Path
    temp: Path
    event_name: str = "pull_request"
    event: Mapping[str, Any] = field(default_factory=dict)
    repository: str = "acme/shop"
    sha: str = "0" * 40
    ref: str = "refs/heads/main"
    head_ref: str = ""
    base_ref: str = ""
    actor: str = "octocat"
    run_id: int = 1
    run_attempt: int = 1
    token: str = field(default="ghs_stand_in", repr=False)
    api_url: str = "https://api.github.com"
    server_url: str = "https://github.com"
    path: str = os.defpath
    home: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """The job's and the step's own ``env``, which a composite action's steps inherit."""
    secrets: Sequence[str] = ()
    """Hidden in the log from the beginning, as the workflow's secrets are."""


@dataclass(frozen=True, kw_only=True)
class Uses:
    """A step with ``uses``, as it reaches the caller's function."""

    action: str
    inputs: Mapping[str, str]
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Used:
    """What such a step did."""

    outcome: str = SUCCESS
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a process used, its descendants that were waited for included."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    """User and system time."""
    peak_bytes: int = 0
    """Resident memory of the largest of them. Never less than the stand-in's own peak, which Linux
    hands on to what it starts."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step that is over."""

    name: str
    id: str
    outcome: str
    """Before ``continue-on-error``; ``conclusion`` is after it."""
    conclusion: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What its own ``env`` gave it."""
    uses: Uses | None = None
    usage: Usage = Usage()
    """Nothing for a step with ``uses``, or one that was skipped."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One action that is over."""

    steps: tuple[Step, ...]
    outputs: Mapping[str, str]
    conclusion: str
    log: str
    annotations: tuple[Annotation, ...]
    summary: str
    masker: Masker = field(repr=False)

    def step(self, name: str) -> Step:
        """The step with this name or id."""
        return next(step for step in self.steps if name in (step.name, step.id))

    def job_outputs(self) -> tuple[dict[str, str], list[str]]:
        """The outputs that reach another job, and the names of those that don't.

        The runner drops an output of a *job* that holds a masked value, with a warning only
        (``JobExtension.cs``); between the steps of one job nothing is dropped.
        """
        kept = {k: v for k, v in self.outputs.items() if self.masker.mask(v) == v}
        return kept, [name for name in self.outputs if name not in kept]


class Cancellation:
    """Cancels a running action from another thread, as the button on GitHub does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._timers: list[threading.Timer] = []
        self.requested = False

    def request(self) -> None:
        """SIGINT to the step's first process only; 7.5 s later SIGTERM, 2.5 s later the end."""
        with self._lock:
            self.requested = True
            if self._process is None:
                return
            self._process.send_signal(signal.SIGINT)
            ends = {signal.SIGTERM: TO_SIGTERM_SECONDS}
            ends[signal.SIGKILL] = TO_SIGTERM_SECONDS + TO_SIGKILL_SECONDS
            for number, seconds in ends.items():
                timer = threading.Timer(seconds, self._process.send_signal, [number])
                timer.daemon = True
                timer.start()
                self._timers.append(timer)

    def watch(self, process: subprocess.Popen[bytes] | None) -> None:
        """From here on this process is the one to end; None: there is none."""
        with self._lock:
            self._process = process
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()


def _use_nothing(_uses: Uses) -> Used:
    return Used()


def run_action(
    action: Path,
    *,
    inputs: Mapping[str, str],
    job: Job,
    uses: Callable[[Uses], Used] = _use_nothing,
    show: Callable[[str], None] = lambda _line: None,
    before: Callable[[str], None] = lambda _name: None,
    cancellation: Cancellation | None = None,
) -> Result:
    """Run a composite action.

    Args:
        action: the folder of action.yml.
        inputs: what the workflow's ``with`` holds, as text.
        job: what GitHub gives the job.
        uses: does the steps that use other actions; without it they do nothing and succeed.
        show: called with each line of the log, secrets hidden.
        before: called with the name of each step that begins.
        cancellation: to cancel the job while it runs.

    Raises:
        ExpressionError: an expression that GitHub would refuse.
        NotSupported: the action asks for something that this stand-in doesn't do.
    """
    log = JobLog(masker=Masker(), show=show)
    run = _Run(action, job=job, uses=uses, before=before, log=log, cancellation=cancellation)
    return run.all_of_it(inputs)


class _Run:
    """The state of one action between its steps."""

    def __init__(
        self,
        action: Path,
        *,
        job: Job,
        uses: Callable[[Uses], Used],
        before: Callable[[str], None],
        log: JobLog,
        cancellation: Cancellation | None,
    ) -> None:
        self._folder = action.resolve()
        self._job = job
        self._uses = uses
        self._before = before
        self._log = log
        self._cancellation = cancellation or Cancellation()
        self._failed = False
        self._steps: list[Step] = []
        self._summary: list[str] = []
        self._inputs: dict[str, str] = {}
        for secret in (job.token, *job.secrets):
            log.masker.add(secret)

    def all_of_it(self, given: Mapping[str, str]) -> Result:
        action = yaml.safe_load((self._folder / "action.yml").read_text(encoding="utf-8"))
        if action["runs"]["using"] != "composite":
            raise NotSupported(f"using: {action['runs']['using']}")
        declared = {name: spec or {} for name, spec in action.get("inputs", {}).items()}
        for name in set(given) - set(declared):
            self._note("warning", f"Unexpected input(s) '{name}'")
        self._inputs = {
            name: given.get(name, self._fill(spec.get("default", "")))
            for name, spec in declared.items()
        }
        for number, step in enumerate(action["runs"]["steps"]):
            self._steps.append(self._step(step, step.get("id") or f"__{number}"))
        outputs = {
            name: self._fill(spec["value"]) for name, spec in action.get("outputs", {}).items()
        }
        return Result(
            steps=tuple(self._steps),
            outputs=outputs,
            conclusion=self._status(),
            log="\n".join(self._log.lines) + "\n",
            annotations=tuple(self._log.annotations),
            summary="".join(self._summary),
            masker=self._log.masker,
        )

    def _status(self) -> str:
        if self._cancellation.requested:
            return CANCELLED
        return FAILURE if self._failed else SUCCESS

    def _functions(self) -> dict[str, Function]:
        return {
            "always": lambda: True,
            "success": lambda: self._status() == SUCCESS,
            "failure": lambda: self._status() == FAILURE,
            "cancelled": lambda: self._status() == CANCELLED,
        }

    def _contexts(self, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        job = self._job
        return {
            "inputs": self._inputs,
            "env": {**job.environment, **(environment or {})},
            "job": {"status": self._status()},
            "runner": {"os": _system(), "arch": _arch(), "temp": str(job.temp)},
            "steps": {
                step.id: {
                    "outputs": step.outputs,
                    "outcome": step.outcome,
                    "conclusion": step.conclusion,
                }
                for step in self._steps
            },
            "github": {
                "action_path": str(self._folder),
                "actor": job.actor,
                "api_url": job.api_url,
                "base_ref": job.base_ref,
                "event": job.event,
                "event_name": job.event_name,
                "head_ref": job.head_ref,
                "ref": job.ref,
                "ref_name": _short(job.ref),
                "repository": job.repository,
                "run_attempt": str(job.run_attempt),
                "run_id": str(job.run_id),
                "server_url": job.server_url,
                "sha": job.sha,
                "token": job.token,
                "workspace": str(job.workspace),
            },
        }

    def _fill(self, text: object, environment: Mapping[str, str] | None = None) -> str:
        written = str(text).lower() if isinstance(text, bool) else str(text)
        return interpolate(written, self._contexts(environment), self._functions())

    def _step(self, step: Mapping[str, Any], identity: str) -> Step:
        name = self._fill(step.get("name") or step.get("uses") or f"Run {step.get('run', '')}")
        wanted = str(step.get("if", "success()"))
        if not condition(wanted, self._contexts(), self._functions()):
            return Step(name=name, id=identity, outcome=SKIPPED, conclusion=SKIPPED)
        environment = {k: self._fill(v) for k, v in (step.get("env") or {}).items()}
        self._before(name)
        self._log.write(f"Run {name}")
        began = len(self._log.lines)
        used, usage = None, Usage()
        if "uses" in step:
            filled = {k: self._fill(v, environment) for k, v in (step.get("with") or {}).items()}
            used = Uses(action=step["uses"], inputs=filled, environment=environment)
            done = self._uses(used)
            outcome, outputs = done.outcome, dict(done.outputs)
        else:
            outcome, outputs, usage = self._script(step, environment)
        self._log.end_step()
        forgiven = outcome == FAILURE and self._fill(step.get("continue-on-error", "")) == "true"
        conclusion = SUCCESS if forgiven else outcome
        self._failed |= conclusion == FAILURE
        return Step(
            name=name,
            id=identity,
            outcome=outcome,
            conclusion=conclusion,
            outputs=outputs,
            log="\n".join(self._log.lines[began:]) + "\n",
            environment=environment,
            uses=used,
            usage=usage,
        )

    def _script(
        self, step: Mapping[str, Any], environment: Mapping[str, str]
    ) -> tuple[str, dict[str, str], Usage]:
        """Run a ``run`` step; gives its outcome, outputs and usage."""
        if step.get("shell") != "bash":
            raise NotSupported(f"shell: {step.get('shell')}")
        commands = self._job.temp / "_runner_file_commands"
        commands.mkdir(parents=True, exist_ok=True)
        unique = uuid.uuid4().hex
        files = {
            name: commands / f"{name.lower()}_{unique}"
            for name in ("OUTPUT", "STEP_SUMMARY", "ENV", "PATH", "STATE")
        }
        for file in files.values():
            file.touch()
        script = self._job.temp / f"{unique}.sh"
        script.write_text(self._fill(step["run"], environment), encoding="utf-8")
        folder = self._job.workspace / self._fill(step.get("working-directory", ""), environment)
        outputs: dict[str, str] = {}
        code, usage = self._process(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            folder,
            {
                **self._given(),
                **{f"GITHUB_{name}": str(file) for name, file in files.items()},
                **self._job.environment,
                **environment,
            },
            outputs,
        )
        outcome = SUCCESS if code == 0 else FAILURE
        if code != 0:
            self._note("error", f"Process completed with exit code {code}.")
        try:
            outputs |= parse_outputs(files["OUTPUT"].read_text(encoding="utf-8"))
        except ValueError as trouble:
            self._note("error", f"Unable to process file command 'output' successfully. {trouble}")
            outcome = FAILURE
        self._keep_summary(files["STEP_SUMMARY"])
        for name in ("ENV", "PATH"):
            if files[name].stat().st_size:
                raise NotSupported(f"a step wrote to GITHUB_{name}")
        if self._cancellation.requested and code:
            outcome = CANCELLED
        return outcome, outputs, usage

    def _process(
        self,
        command: list[str],
        folder: Path,
        environment: Mapping[str, str],
        outputs: dict[str, str],
    ) -> tuple[int, Usage]:
        began = time.monotonic()
        with subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            self._cancellation.watch(process)
            if process.stdout is None:
                raise NotSupported("no output to read")
            for raw in process.stdout:
                command_read = self._log.take(raw.decode(errors="replace").rstrip("\r\n"))
                if command_read is not None:
                    self._obey(command_read, outputs)
            code, usage = _wait(process, began)
            self._cancellation.watch(None)
        return (code if code >= 0 else 128 - code), usage

    def _obey(self, command: Command, outputs: dict[str, str]) -> None:
        if command.name == "set-output":
            outputs[command.properties["name"]] = command.data
        elif command.name in ("set-env", "add-path"):
            self._note("error", f"Unable to process command '{command.name}' successfully.")
            self._failed = True

    def _note(self, level: str, message: str) -> None:
        self._log.annotate(Command(name=level, properties={}, data=message))

    def _keep_summary(self, file: Path) -> None:
        size = file.stat().st_size
        if size > SUMMARY_LIMIT_BYTES:
            self._note(
                "error",
                "$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k, "
                f"got {size // 1024}k.",
            )
            return
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        self._summary += [self._log.masker.mask(line) for line in lines]

    def _given(self) -> dict[str, str]:
        """The variables every step gets, and no others of the machine's."""
        job = self._job
        event = job.temp / "_github_workflow" / "event.json"
        event.parent.mkdir(parents=True, exist_ok=True)
        event.write_text(json.dumps(job.event), encoding="utf-8")
        return {
            "CI": "true",
            "GITHUB_ACTION": "__run",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(self._folder),
            "GITHUB_ACTOR": job.actor,
            "GITHUB_API_URL": job.api_url,
            "GITHUB_BASE_REF": job.base_ref,
            "GITHUB_EVENT_NAME": job.event_name,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_HEAD_REF": job.head_ref,
            "GITHUB_JOB": "slim-ci",
            "GITHUB_REF": job.ref,
            "GITHUB_REF_NAME": _short(job.ref),
            "GITHUB_REPOSITORY": job.repository,
            "GITHUB_REPOSITORY_OWNER": job.repository.partition("/")[0],
            "GITHUB_RUN_ATTEMPT": str(job.run_attempt),
            "GITHUB_RUN_ID": str(job.run_id),
            "GITHUB_RUN_NUMBER": "1",
            "GITHUB_SERVER_URL": job.server_url,
            "GITHUB_SHA": job.sha,
            "GITHUB_WORKFLOW": "dbt",
            "GITHUB_WORKSPACE": str(job.workspace),
            "HOME": str(job.home or job.temp),
            "PATH": job.path,
            "RUNNER_ARCH": _arch(),
            "RUNNER_OS": _system(),
            "RUNNER_TEMP": str(job.temp),
        }


def _wait(process: subprocess.Popen[bytes], began: float) -> tuple[int, Usage]:
    """Wait for a process; gives its code, negative for a signal, and what it used."""
    try:
        _, status, used = os.wait4(process.pid, 0)
    except ChildProcessError:
        # A cancellation that came as it ended has waited for it, and nothing is known of its use.
        return process.wait(), Usage(wall_seconds=time.monotonic() - began)
    process.returncode = os.waitstatus_to_exitcode(status)
    per_unit = 1 if sys.platform == "darwin" else 1024
    return process.returncode, Usage(
        wall_seconds=time.monotonic() - began,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_bytes=used.ru_maxrss * per_unit,
    )


def parse_outputs(text: str) -> dict[str, str]:
    """Read what a step wrote to GITHUB_OUTPUT: ``name=value`` lines and delimited values.

    Raises:
        ValueError: what the runner would say of it.
    """
    outputs: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        match = re.match(r"(?P<name>.*?)(?P<operator>=|<<)(?P<rest>.*)", line, re.DOTALL)
        if match is None or not match["name"] or (match["operator"] == "<<" and not match["rest"]):
            raise ValueError(f"Invalid format '{line}'")
        if match["operator"] == "=":
            outputs[match["name"]] = match["rest"]
            continue
        value: list[str] = []
        for inner in lines:
            if inner == match["rest"]:
                break
            value.append(inner)
        else:
            raise ValueError(f"Invalid value. Matching delimiter not found '{match['rest']}'")
        outputs[match["name"]] = "\n".join(value)
    return outputs


def _short(ref: str) -> str:
    return re.sub(r"^refs/(heads|tags|pull)/", "", ref)


def _system() -> str:
    return {"Darwin": "macOS"}.get(platform.system(), platform.system())


def _arch() -> str:
    return {"x86_64": "X64", "arm64": "ARM64", "aarch64": "ARM64"}.get(
        platform.machine(), platform.machine()
    )

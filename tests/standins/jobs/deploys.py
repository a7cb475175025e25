"""A deploy as its earlier steps leave it, with a number that each of its artifacts bears.

``Environment`` is one store; its methods run the real scripts as processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease
from dbtdeploy.store.lease.lease_record import Lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import fencing, publish, version_reader, versions
from standins import entry
from standins.dbt.artifacts import artifact
from standins.jobs import plans, runs

MODELS = ("a", "b")
NAMES = ("manifest.json", "run_results.json", "catalog.json", "sources.json")
PAGE = "static_index.html"


def commit_of(number: int) -> str:
    """A deploy's commit."""
    return f"{number:07x}" + "c" * 33


def model(name: str, number: int, **over: Any) -> dict[str, Any]:
    """A node of the manifest, other in each deploy."""
    unique_id = f"model.shop.{name}"
    return {
        "unique_id": unique_id,
        "resource_type": "model",
        "name": name,
        "package_name": "shop",
        "original_file_path": f"models/{name}.sql",
        "path": f"{name}.sql",
        "fqn": ["shop", name],
        "alias": name,
        "database": "postgres",
        "schema": "analytics",
        "relation_name": f'"postgres"."analytics"."{name}"',
        "checksum": {"name": "sha256", "checksum": f"of {name} {number}"},
        "config": {"materialized": "table"},
        "raw_code": f"select {number}",
        "depends_on": {"nodes": [], "macros": []},
        **over,
    }


def artifacts_of(number: int, *, nodes: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """The four artifacts and the page, each bearing the number."""
    made = {
        name: json.loads(artifact(name, invocation_id=f"number {number}", project_name="shop"))
        for name in NAMES
    }
    ids = [f"model.shop.{name}" for name in MODELS]
    made["manifest.json"]["nodes"] = nodes or {i: model(i.split(".")[-1], number) for i in ids}
    made["run_results.json"] |= {
        "args": {"which": "build"},
        "results": [{"unique_id": i, "status": "success", "execution_time": 1.5} for i in ids],
    }
    written = {name: json.dumps(content).encode() for name, content in made.items()}
    script = f"<script>let n = {{manifest:{written['manifest.json'].decode()},"
    script += f"catalog:{written['catalog.json'].decode()}}};</script>"
    return written | {PAGE: f"<html>{script}</html>".encode()}


def number_in(content: bytes) -> int:
    """Which deploy wrote an artifact."""
    said = json.loads(content)["metadata"]["invocation_id"]
    return int(said.removeprefix("number "))


RUN = runs.run(
    runs.deploy(state=""), event=runs.event(sha="", actor="octocat", run_id=0, run_url="")
)

BUILD = plans.build()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a script ended."""

    work: Path
    code: int
    out: str
    outputs: Mapping[str, str]
    summary: str

    @property
    def failure(self) -> work_files.Failure:
        return hand_over.read(self.work, work_files.Failure)

    @property
    def publication(self) -> deploy_files.Publication:
        return hand_over.read(self.work, deploy_files.Publication)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One store, and a folder for what its deploys leave on the runner."""

    location: str
    temp: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    """How to reach it."""

    def open(self) -> Store:
        """The store itself."""
        read = {**self.variables}
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
            read[f"DBT_DEPLOY_AWS_{name}"] = read.get(f"AWS_{name}", "")
        access = StoreAccess.from_environ(read)
        return store_location.open_store(self.location, workspace=self.temp, access=access)

    def prepare(
        self,
        number: int,
        *,
        run: work_files.Run = RUN,
        build: work_files.Build | None = BUILD,
        statuses: Mapping[str, str] | None = None,
        planned: tuple[str, ...] = MODELS,
        failure: work_files.Failure | None = None,
        docs: bool = True,
        sources: bool = True,
        contents: Mapping[str, bytes] | None = None,
    ) -> Path:
        """Lay out what the steps before publishing leave. Returns the work folder."""
        work, project = self.temp / f"work-{number}", self.temp / f"checkout-{number}"
        target = project / "target"
        for folder in (work, target):
            folder.mkdir(parents=True, exist_ok=True)
        event = replace(
            run.event,
            sha=commit_of(number),
            run_id=number,
            run_url=f"https://github.com/acme/shop/actions/runs/{number}",
        )
        dbt = replace(run.dbt, project_dir=str(project), target_path=str(target))
        policy = replace(run.policy, state=self.location)
        hand_over.write(work, replace(run, event=event, dbt=dbt, policy=policy))
        hand_over.write(work, plans.plan(*map(plans.node, planned)))
        made = {**artifacts_of(number), **(contents or {})}
        for name in ("manifest.json", *((("catalog.json", PAGE)) if docs else ())):
            (target / name).write_bytes(made[name])
        if docs:
            page = deploy_files.Docs(file=str(target / PAGE), bytes=len(made[PAGE]))
            hand_over.write(work, page)
        if sources:
            (target / "sources.json").write_bytes(made["sources.json"])
            hand_over.write(work, deploy_files.Freshness())
        if build is not None:
            hand_over.write(work, build)
        if build is not None and build.results:
            results = json.loads(made["run_results.json"])
            if statuses is not None:
                results["results"] = [
                    {"unique_id": f"model.shop.{name}", "status": status}
                    for name, status in statuses.items()
                ]
            (work / work_files.RUN_RESULTS).write_text(json.dumps(results))
        if failure is not None:
            hand_over.write(work, failure)
        (work / work_files.LOG).parent.mkdir(exist_ok=True)
        (work / work_files.LOG).write_text(f"dbt's words of {number}\n")
        return work

    def script(self, name: str, work: Path, **variables: str) -> Ended:
        """Run one script as the action does."""
        output, summary = work / "github-output", work / "github-summary"
        for file in (output, summary):
            file.write_text("")
        with self.started(name, work, **variables) as process:
            out = "".join(process.communicate(timeout=120))
        assert "Traceback" not in out, out
        return Ended(
            work=work,
            code=process.returncode,
            out=out,
            outputs=_outputs(output.read_text()),
            summary=summary.read_text(),
        )

    def started(self, name: str, work: Path, **variables: str) -> subprocess.Popen[str]:
        """Begin to run one script."""
        return subprocess.Popen(
            entry.script(name),
            env={
                "PATH": os.defpath,
                "GITHUB_ACTIONS": "true",
                "GITHUB_WORKSPACE": str(self.temp),
                "GITHUB_OUTPUT": str(work / "github-output"),
                "GITHUB_STEP_SUMMARY": str(work / "github-summary"),
                "DBT_DEPLOY_WORK": str(work),
                "AWS_EC2_METADATA_DISABLED": "true",
                **self.variables,
                **variables,
            },
            cwd=self.temp,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def deploy(self, work: Path, *, crash_at: str = "", **variables: str) -> Ended:
        """Take the lease, fetch what is current, publish; without a crash, release the lease."""
        taken = self.script("deploy/take_lease", work)
        assert taken.code == 0, taken.out
        self.fetch(work)
        crash = {"DBT_DEPLOY_TEST": "1", "DBT_DEPLOY_CRASH_AT": crash_at} if crash_at else {}
        ended = self.script("deploy/publish_artifacts", work, **crash, **variables)
        if not crash_at:
            released = self.script("deploy/release_lease", work)
            assert released.code == 0, released.out
        return ended

    def fetch(self, work: Path) -> None:
        """What ``fetch_state.py`` leaves; it needs an installed dbt, and this does not."""
        folder = work / work_files.STATE_FOLDER
        folder.mkdir(exist_ok=True)
        fetched = version_reader.fetch(self.open(), folder)
        state = plans.state(
            location=self.location,
            found="manifest.json" in fetched.names,
            artifacts=fetched.names,
            version=fetched.version,
        )
        hand_over.write(work, state)

    def command(
        self, command: str, *, actor: str = "octocat", run_id: str = "", sha: str = "", **asked: Any
    ) -> Ended:
        """Run a command on the store, as its action does."""
        work = self.temp / f"work-{command}"
        work.mkdir(exist_ok=True)
        hand_over.remove(work, work_files.Failure)
        flags = {
            name: str(value).lower() for name, value in asked.items() if isinstance(value, bool)
        }
        inputs = {"command": command, "state": self.location, **asked, **flags}
        return self.script(
            "store/run_command",
            work,
            **{f"DBT_DEPLOY_{name.upper()}": str(value) for name, value in inputs.items()},
            GITHUB_EVENT_NAME="workflow_dispatch",
            GITHUB_REPOSITORY="acme/shop",
            GITHUB_ACTOR=actor,
            GITHUB_RUN_ID=run_id,
            GITHUB_SHA=sha,
            GITHUB_REF_NAME="main",
        )

    def pointer(self) -> versions.Pointer:
        """``current.json``."""
        pointer, _ = version_reader.read_current(self.open())
        return pointer or versions.Pointer()

    def current(self, folder: Path) -> dict[str, int]:
        """The number in each artifact that a reader of the current version gets."""
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        fetched = version_reader.fetch(self.open(), folder)
        return {name: number_in((folder / name).read_bytes()) for name in fetched.names}

    def latest(self) -> dict[str, int]:
        """The number in each plain copy."""
        opened = self.open()
        found = {name: opened.get(versions.LATEST + name) for name in NAMES}
        return {name: number_in(stored.body) for name, stored in found.items() if stored}

    def docs(self) -> int | None:
        """The number in the documentation that people read."""
        stored = self.open().get(versions.DOCS)
        if stored is None:
            return None
        return int(stored.body.split(b'"number ', 1)[1].split(b'"', 1)[0])


def publish_at_once(
    opened: Store, number: int, *, days_ago: float = 0, **over: Any
) -> versions.Index:
    """Publish through the library, as if so long ago; takes the lease and releases it."""
    nonce = take(opened, "deploy")
    moment = datetime.now(timezone.utc) - timedelta(days=days_ago)
    contents = {name: artifacts_of(number)[name] for name in NAMES}
    index = versions.Index(
        **{
            "version": "",
            "environment": "production",
            "project": "shop",
            "kind": versions.DEPLOYED,
            "created_at": "",
            "objects": {},
            "commit": commit_of(number),
            "created_by": "octocat",
            **over,
        }
    )
    published = publish.publish(
        opened,
        index,
        contents,
        moment=moment,
        nonce=nonce,
        by="octocat",
        claim=lambda version: lease.renew(opened, nonce, publishing=version),
    )
    publish.copy_latest(opened, contents, prove=lambda: lease.renew(opened, nonce))
    lease.renew(opened, nonce, done=True)
    lease.release(opened, nonce)
    return published.index


def take(opened: Store, purpose: str) -> str:
    """Take the lease and fence; gives the nonce."""
    nonce = lease.new_nonce()
    taken = lease.take(opened, Lease(nonce=nonce, holder="octocat", purpose=purpose))
    assert isinstance(taken, lease.Taken), taken
    fencing.fence(opened, nonce)
    return nonce


def _outputs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, delimiter = line.split("<<", 1)
        value = []
        for part in lines:
            if part == delimiter:
                break
            value.append(part)
        found[name] = "\n".join(value)
    return found

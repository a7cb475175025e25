"""The jobs that are measured, by name, each in a pull request that changes one leaf."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import generated
from benchmarks.overhead import measured, prepared, profiled
from benchmarks.overhead.measured import Cache, Measured
from benchmarks.overhead.prepared import Prepared
from benchmarks.overhead.runs import Dbt, Run
from demo import events, repository
from demo.events import Event
from demo.repository import ROOT, Checkout
from standins.runner import runner
from standins.runner.runner import Usage

RECIPE = ROOT / "tests" / "benchmarks" / "recipe"
RUN_IDS = 18_000_000_000
BUILD_THE_SAME = ("recipe-lean", "ours-first", "ours-later", "ours-cold")


class Author:
    """Opens pull requests and runs one job for each push."""

    def __init__(self, made: Prepared) -> None:
        self._made = made
        self._number = 0
        self._pushes = 0
        self._ours = False
        """Whether the newest pull request is one that our action has run on."""
        self._built: set[str] = set()
        """What the first job built, and each other has to."""

    def run(self, scenario: str) -> Run:
        """Run one scenario; a later push is one to the pull request of the last first push.

        Raises:
            SystemExit: the job did not end as it should.
        """
        return SCENARIOS[scenario](self)

    def recipe(self, scenario: str, *, full: bool) -> Run:
        """The hand-written recipe."""
        made, bench = self._made, self._made.bench
        checkout, event = self._push()
        python = prepared.recipe_python(bench)
        place = made.world.production
        job = self._job(
            checkout,
            event,
            path=prepared.path_for(python, prepared.aws_command(bench)),
            variables={
                **place.pull_request.environ,
                **made.world.pull_request_role,
                "AWS_ENDPOINT_URL": made.world.store.url,
                "AWS_DEFAULT_REGION": made.world.store.region,
                "DBT_DEPLOY_SCHEMA": f"pr_recipe_{self._number}",
            },
        )
        inputs = {"state": prepared.recipe_state(made.world), "full": str(full).lower()}
        return self._measure(scenario, RECIPE, inputs, job, None)

    def pip_cached(self, scenario: str) -> Run:
        """The recipe's installing, with pip's cache restored."""
        bench = self._made.bench
        cache = prepared.pip_cache(bench)
        checkout, event = self._push()
        bench.put_away(cache.folder)
        job = self._job(
            checkout,
            event,
            path=prepared.path_for(prepared.recipe_python(bench)),
            variables={"PIP_FIND_LINKS": str(cache.folder), "PIP_NO_INDEX": "1"},
        )
        return self._measure(scenario, RECIPE / "pip-cached", {}, job, cache)

    def ours(
        self,
        scenario: str,
        *,
        cold: bool = False,
        later: bool = False,
        files: Mapping[str, str | None] | None = None,
        options: Mapping[str, str] | None = None,
        profile: bool = False,
    ) -> Run:
        """Our action."""
        made, bench = self._made, self._made.bench
        if later and not self._ours:
            self.ours("ours-first")
        checkout, event = self._push(later=later, files=files)
        secret = "\n".join(f"{k}={v}" for k, v in made.world.pull_request_role.items())
        job = self._job(
            checkout,
            event,
            path=prepared.path_for(),
            variables={
                **made.world.production.pull_request.environ,
                "DBT_DEPLOY_ENV_FOLDER": str(bench.environment),
            },
            secrets=(secret,),
        )
        inputs = {
            **prepared.ours(made.world, secret),
            "target": "ci",
            **(options or {}),
        }
        # What a pull request's job leaves in the cache is there for that pull request only.
        archive = job.temp / "saved.tzst" if cold else bench.archive
        cache = Cache(folder=bench.environment, archive=archive, restore=not cold, save=cold)
        action = bench.fresh_runner()
        if profile:
            profiled.wrap(action, job.temp)
        done = self._measure(scenario, action, inputs, job, cache)
        self._ours = True
        return done

    def _push(
        self,
        *,
        later: bool = False,
        files: Mapping[str, str | None] | None = None,
    ) -> tuple[Checkout, Event]:
        made = self._made
        if not later:
            self._number, self._pushes, self._ours = made.next_number(), 0, False
            made.world.github.create_pull_request(
                repository.NAME, self._number, title="A change", author=events.AUTHOR
            )
        self._pushes += 1
        leaf = generated.leaf(made.project)
        changed = {leaf.path: generated.sql(leaf, 100 * self._number + self._pushes)}
        branch = f"change-{self._number}"
        made.world.repository.commit(branch, f"Push {self._pushes}", files or changed)
        made.bench.put_away(made.bench.workspace)
        checkout = made.world.repository.check_out(branch, made.bench.workspace)
        action = "synchronize" if later else "opened"
        return checkout, events.pull_request(
            self._number, "A change", branch, checkout, action=action
        )

    def _job(
        self,
        checkout: Checkout,
        event: Event,
        *,
        path: str,
        variables: Mapping[str, str],
        secrets: tuple[str, ...] = (),
    ) -> runner.Job:
        temp = self._made.world.folder / "jobs" / f"{self._number}-{self._pushes}"
        temp.mkdir(parents=True)
        hub = self._made.world.github
        return runner.Job(
            workspace=checkout.folder,
            temp=temp,
            event_name=event.name,
            event=event.payload,
            repository=repository.NAME,
            sha=event.sha,
            ref=event.ref,
            head_ref=event.head_ref,
            base_ref="main",
            actor=event.actor,
            run_id=RUN_IDS + 100 * self._number + self._pushes,
            token=hub.create_token("github-actions[bot]", installation=True),
            api_url=hub.url,
            path=path,
            environment={"LANG": "C.UTF-8", **prepared.index_variables(), **variables},
            secrets=secrets,
        )

    def _measure(
        self,
        scenario: str,
        action: Path,
        inputs: Mapping[str, str],
        job: runner.Job,
        cache: Cache | None,
    ) -> Run:
        done = measured.run(action, inputs, job, cache)
        log = job.temp / "log"
        log.write_text(done.log)
        if done.conclusion != runner.SUCCESS or ("status" in done.outputs and _off(scenario, done)):
            raise SystemExit(f"{scenario} did not end as it should; see {log}")
        if "-full" in scenario and not (job.workspace / "target" / "catalog.json").is_file():
            raise SystemExit(f"{scenario} made no documentation; see {log}")
        if cache and cache.restore and "Installing dbt (" in done.log:
            raise SystemExit(f"{scenario} installed dbt, which was to be restored; see {log}")
        if scenario in BUILD_THE_SAME:
            built = _built(job.workspace / "target" / "run_results.json")
            self._built = self._built or built
            if built != self._built or not built:
                raise SystemExit(f"{scenario} did not build what the others did; see {log}")
        return Run(
            scenario=scenario,
            stages=done.stages,
            dbt=_noted(done.work),
            log=log,
            profiles=profiled.read(job.temp),
        )


def _off(scenario: str, done: Measured) -> bool:
    return done.outputs["status"] != ("nothing" if scenario == "ours-nothing" else "passed")


def _built(run_results: Path) -> set[str]:
    """The nodes that dbt ran."""
    found = json.loads(run_results.read_text()) if run_results.is_file() else {"results": []}
    return {f"{result['unique_id']} {result['status']}" for result in found["results"]}


def _noted(work: str) -> tuple[Dbt, ...]:
    """What the action noted of dbt's processes, if it did."""
    file = Path(work) / "dbt_processes.jsonl"
    if not work or not file.is_file():
        return ()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return tuple(
        Dbt(name=line.pop("name"), usage=Usage(**{k: line[k] for k in Usage.__annotations__}))
        for line in lines
    )


README_ONLY = {"README.md": "# The generated project\n\nThis line is new.\n"}

DOCS = {"docs": "true"}

SCENARIOS: Mapping[str, Callable[[Author], Run]] = {
    "recipe-lean": lambda author: author.recipe("recipe-lean", full=False),
    "ours-first": lambda author: author.ours("ours-first"),
    "ours-later": lambda author: author.ours("ours-later", later=True),
    "recipe-full": lambda author: author.recipe("recipe-full", full=True),
    "ours-full": lambda author: author.ours("ours-full", options=DOCS),
    "ours-full-later": lambda author: author.ours("ours-full-later", later=True, options=DOCS),
    "ours-cold": lambda author: author.ours("ours-cold", cold=True),
    "ours-nothing": lambda author: author.ours("ours-nothing", files=README_ONLY),
    "pip-cached": lambda author: author.pip_cached("pip-cached"),
    "ours-profiled": lambda author: author.ours("ours-profiled", profile=True),
}
"""In the order in which they are run, so that both sides meet the machine in the same state."""

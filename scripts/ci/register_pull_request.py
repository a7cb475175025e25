"""plan.json -> the store: which schemas a pull request uses.

    python register_pull_request.py register    after the build, whatever became of it
    python register_pull_request.py forget      after Teardown was written

They are a hint for teardown. ``register`` is part of report_pull_request.py. Whatever goes wrong
is a warning, and the exit code 0.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.base.text import plural
from dbtdeploy.context import cli, hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.store import pull_request_registry, store_location
from dbtdeploy.store.object_store import Store
from dbtdeploy.teardown.teardown_files import Teardown
from dbtdeploy.warehouse import guard

PHASE = Phase.REPORT

POLICY = (
    "Let the role write under pull-requests/ of the store, so that a sweep finds these schemas if "
    "the warehouse does not show them. In its IAM policy:\n"
    '    {{"Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject"], '
    '"Resource": "{resource}"}}'
)


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=list(CHANGES))
    change(parser.parse_args().what)


def change(what: str) -> None:
    """Write the entry of this pull request, or remove those of closed ones.

    Args:
        what: ``register`` or ``forget``.
    """
    title = "The registry of pull requests was not changed"
    try:
        work = settings.work_folder()
        run = hand_over.read(work, work_files.Run)
        CHANGES[what](run, work)
    except errors.StateAccessDenied as failure:
        text = settings.redactor()(f"{failure.what}\nAll else goes on without it.\n{_policy(run)}")
        actions_runner.warning(title, text)
    except errors.DbtDeployError as failure:
        actions_runner.warning(title, settings.redactor()(f"{failure.what}\n{failure.remedy}"))
    except Exception as fault:
        # Even a fault of ours must not turn a green build red.
        cli.print_trace(fault)
        actions_runner.warning(title, f"dbt-deploy has a fault: {type(fault).__name__}.")


def _register(run: work_files.Run, work: Path) -> None:
    number = run.event.pull_request
    if number is None:
        actions_runner.say(
            f"Nothing to register: this run ({run.event.name}) belongs to no pull request."
        )
        return
    plan = hand_over.read_if_there(work, work_files.Plan)
    if plan is None or not plan.nodes:
        return
    schemas = sorted({node.schema or "" for node in guard.written(plan.nodes)})
    if schemas:
        opened = store_location.opened(run.policy.state)
        pull_request_registry.write(opened, run, number, schemas)
        counted = plural(len(schemas), "schema")
        actions_runner.say(f"Registered for pull request {number}: {counted}.")


def _forget(run: work_files.Run, work: Path) -> None:
    done = hand_over.read_if_there(work, Teardown)
    if done is None or done.dry_run or not done.closed:
        print("Nothing to forget.")
        return
    opened = store_location.opened(run.policy.state)
    registered = set(pull_request_registry.numbers(opened, run))
    for number in sorted(registered & set(done.closed)):
        _tell_unseen(opened, run, number, done)
        if not any(one.should_go and one.pull_request == number for one in done.kept):
            pull_request_registry.forget(opened, run, number)
            actions_runner.say(f"Forgotten: pull request {number}.")


def _tell_unseen(opened: Store, run: work_files.Run, number: int, done: Teardown) -> None:
    """What the registry names and the warehouse did not show, as a notice."""
    entry = pull_request_registry.read(opened, run, number)
    if entry is None:
        actions_runner.annotate(
            "notice",
            f"The registry's entry of pull request {number} cannot be read",
            "It is not as dbt-deploy writes it. Only marks in the warehouse decide what goes.",
        )
        return
    seen = {one.schema for one in done.dropped} | {one.schema for one in done.kept}
    unseen = sorted(set(entry.schemas) - seen)
    if unseen:
        actions_runner.annotate(
            "notice",
            f"Schemas of pull request {number} were not found",
            f"{', '.join(unseen)}: a build had announced that, and no schema of that name bears "
            "the pull request's mark in this warehouse. It was dropped before, never made, or is "
            "in another database than this job's profile.",
        )


def _policy(run: work_files.Run) -> str:
    place = run.policy.state
    if not place.startswith("s3://"):
        return "Let the job's user write in that folder."
    return POLICY.format(
        resource=f"arn:aws:s3:::{place[5:].rstrip('/')}/{pull_request_registry.PREFIX}*.json"
    )


CHANGES = {"register": _register, "forget": _forget}

"""run.json + the store -> state/ and state.json: what production last ran; and its parse.

Where the checkout holds for dbt what production was built from, nothing is fetched, and plan.json
says that nothing is to be built.

Only state that this job's dbt can read gets as far as ``state/``. What is missing is handled as
``on-missing-state`` says; what is refused, unreachable or damaged is never taken for missing.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.context import hand_over, shortcuts, work_files
from dbtdeploy.context.built_with import UnseenChanges
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction, Ci, CommandPolicy
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import installed_version, partial_parse_download, unchanged_check
from dbtdeploy.store import environment_settings, failed_nodes, store_location
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader, versions
from dbtdeploy.store.store_location import local_folder

PHASE = Phase.STATE

WITHOUT_STATE = {
    "build-all": "Everything will be built (on-missing-state: build-all).",
    "skip": "Nothing will be built (on-missing-state: skip).",
}


def main() -> None:
    """Fetch, check, and only then hand on."""
    ctx = RunContext.open(CommandPolicy)
    work, run = ctx.work, ctx.run
    # Whatever happens here, an older run's state must not be taken for this one's.
    ctx.remove(work_files.State)
    ctx.remove(UnseenChanges)
    workspace = settings.GitHubContext.from_environ().workspace
    target, fetched_to = Path(run.dbt.target_path), work / work_files.STATE_FOLDER
    for folder in (local_folder(run.policy.state, workspace), fetched_to):
        if folder is not None and folder.resolve() == target.resolve():
            raise _is_target(folder, run)

    fresh = work / f"{work_files.STATE_FOLDER}.partial"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        with _nothing_started():
            store = store_location.opened(run.policy.state)
            found = _fetched(run, store, fresh, work)
    finally:
        shutil.rmtree(fetched_to, ignore_errors=True)
    fresh.rename(fetched_to)
    if found.found and isinstance(run.policy, BuildsProduction) and run.policy.retry_failed:
        failed_nodes.lay(store, work, fetched_to)
    ctx.write(found)
    if found.unchanged:
        hand_over.write(work, work_files.Plan())
        actions_runner.say(unchanged_check.NOTHING)
        actions_runner.set_outputs(settings.Runner.from_environ().output, {"nothing": "true"})


@contextlib.contextmanager
def _nothing_started() -> Iterator[None]:
    """The store says what it did not read; how far the job has come, only this script knows."""
    try:
        yield
    except errors.DbtDeployError as failure:
        if artifact_check.NOTHING_STARTED not in failure.not_done:
            failure.not_done = f"{artifact_check.NOTHING_STARTED} {failure.not_done}"
        raise


def _fetched(run: work_files.Run, store: Store, folder: Path, work: Path) -> work_files.State:
    taken = unchanged_check.take(run, work)
    same: list[versions.Index] = []

    def enough(index: versions.Index) -> bool:
        if unchanged_check.is_production(run, taken, index):
            same.append(index)
        elif (why := unchanged_check.why_not(run, taken, index)) and _may_skip(run):
            actions_runner.say(
                f"Whether nothing has changed is not told by the files alone: {why}."
            )
        return bool(same)

    try:
        fetched = _all_at_once(run, store, folder, work / work_files.SAVED_PARSE, enough)
    except (errors.StateCorrupt, errors.StateVersionMissing) as damage:
        if not _builds_everything(run):
            raise
        # Nothing is compared with it, and the version that this deploy publishes mends the store.
        actions_runner.warning(
            "The current version is damaged",
            f"{damage.what} It is not used. This deploy builds everything and replaces it.",
        )
        return work_files.State(location=run.policy.state, found=False)
    if same:
        return unchanged_check.state_of(same[0], run.policy.state)
    return _checked(run, store, folder, fetched)


def _may_skip(run: work_files.Run) -> bool:
    return run.command == "ci" and shortcuts.UNCHANGED in run.dbt.shortcuts


def _all_at_once(
    run: work_files.Run,
    store: Store,
    folder: Path,
    parse: Path,
    enough: Callable[[versions.Index], bool],
) -> artifact_check.Fetched:
    """The state, and meanwhile the saved parse of that version."""
    shutil.rmtree(parse, ignore_errors=True)
    if shortcuts.SAVED_PARSE not in run.dbt.shortcuts:
        return version_reader.fetch(store, folder)
    installed = functools.cache(lambda: _installed_if_known(run))
    said: list[str] = []

    def beside(index: versions.Index) -> None:
        partial_parse_download.of_version(store, index, parse, installed=installed, say=said.append)

    fetched = version_reader.fetch(store, folder, beside=beside, enough=enough)
    for line in said:
        actions_runner.say(line)
    return fetched


def _builds_everything(run: work_files.Run) -> bool:
    chosen = run.selection
    return isinstance(run.policy, BuildsProduction) and not (
        chosen.select or chosen.selector or chosen.exclude
    )


def _checked(
    run: work_files.Run, store: Store, folder: Path, fetched: artifact_check.Fetched
) -> work_files.State:
    for name in fetched.denied:
        actions_runner.warning(
            "An artifact of production's was refused",
            f"{store.address(name)} is not there, or may not be read: to a role "
            "without s3:ListBucket, S3 answers 403 for both. Its figures are left out.",
        )
    if artifact_check.MANIFEST not in fetched.names:
        for name in fetched.names:
            (folder / name).unlink()
        return _missing(run, fetched.names)
    source = {name: store.address(fetched.keys.get(name, name)) for name in fetched.names}
    manifest = _manifest(run, folder, source[artifact_check.MANIFEST])
    for name in fetched.names:
        if name != artifact_check.MANIFEST:
            artifact_check.check_artifact(name, (folder / name).read_bytes(), source=source[name])
    found = artifact_check.found_state(run.policy.state, manifest, fetched)
    if run.command == "ci":
        found = replace(found, driver=_driver(store))
    actions_runner.say(artifact_check.describe(found, datetime.now(timezone.utc)))
    return found


def _driver(store: Store) -> str | None:
    """Only for what the comment says of releases, so that no fault of it stops a build."""
    with contextlib.suppress(errors.DbtDeployError):
        return environment_settings.read(store).driver
    return None


def _manifest(run: work_files.Run, folder: Path, source: str) -> artifact_check.ManifestMetadata:
    manifest = artifact_check.read_manifest(
        (folder / artifact_check.MANIFEST).read_bytes(), source=source
    )
    artifact_check.refuse_newer(manifest, _installed(run), source=source)
    if not manifest.is_known:
        actions_runner.warning(
            "A manifest schema that dbt-deploy does not know",
            f"{source} has schema v{manifest.schema}; dbt-deploy was tried with "
            f"v{artifact_check.KNOWN_MANIFESTS[0]} to v{artifact_check.KNOWN_MANIFESTS[-1]}. "
            "It is used as it is.",
        )
    return manifest


def _missing(run: work_files.Run, beside: tuple[str, ...]) -> work_files.State:
    location = run.policy.state
    also = f" Beside it there are {', '.join(beside)}, which are no use alone." if beside else ""
    what = f"There is no {artifact_check.MANIFEST} in {location}.{also}"
    if not isinstance(run.policy, Ci):  # the deploy that makes the first state cannot ask for one
        actions_runner.say(f"{what} It comes with this deploy.")
        return work_files.State(location=location, found=False)
    policy = run.policy.on_missing_state
    if policy == "fail":
        raise errors.StateMissing(
            what,
            not_done=artifact_check.NOTHING_STARTED,
            remedy="Copy production's target/manifest.json there after its next run, or set "
            "`on-missing-state` to build-all or skip.",
        )
    actions_runner.say(f"{what} {WITHOUT_STATE.get(policy, '')}")
    return work_files.State(location=location, found=False)


def _installed(run: work_files.Run) -> str:
    variables = settings.DbtEnvironment.from_environ().variables
    folder = Path(run.dbt.project_dir)
    return installed_version.find(run.dbt.command, folder=folder, variables=variables).version


def _installed_if_known(run: work_files.Run) -> str | None:
    try:
        return _installed(run)
    except errors.DbtNotFound:
        return None  # whoever needs dbt will say so


def _is_target(folder: Path, run: work_files.Run) -> errors.StateIsTarget:
    return errors.StateIsTarget(
        f"The state folder {folder} is dbt's target folder ({run.dbt.target_path}).",
        not_done=f"{artifact_check.NOTHING_STARTED} The folder was not touched.",
        remedy="dbt would overwrite the state while it compares with it, and find nothing "
        "modified. Copy production's artifacts to a folder of their own and name that one.",
    )

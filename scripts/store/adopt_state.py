"""store_command.json + plain artifacts -> the first version of the store; the plain files stay."""

from __future__ import annotations

from datetime import datetime, timezone

from dbtdeploy.admin import adopt
from dbtdeploy.admin.adopt import PlainState
from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context import deploy_files, work_files
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.context.phases import Phase
from dbtdeploy.report import render
from dbtdeploy.store import locked_command, store_location, version_reader
from dbtdeploy.store.object_store import Store

PHASE = Phase.STORE


def main() -> None:
    """Adopt what is there, unless there is a version already."""
    asked = work_files.read(settings.work_folder() / deploy_files.STORE_COMMAND, StoreCommand)
    opened = store_location.opened(asked.location)
    if _is_versioned(opened):
        return
    plain = adopt.read_plain(opened)
    if asked.dry_run:
        _tell(asked, opened, plain, version=None)
        return
    with locked_command.owned(opened, asked, say=print) as nonce:
        if _is_versioned(opened):  # somebody deployed, or adopted, just before
            return
        moment = datetime.now(timezone.utc)
        index = adopt.adopt(opened, plain, asked, nonce=nonce, moment=moment)
    _tell(asked, opened, plain, version=index.version)


def _is_versioned(opened: Store) -> bool:
    pointer, _ = version_reader.read_current(opened)
    if pointer is None or pointer.version is None:
        return False
    actions_runner.annotate(
        "notice",
        "There is a version already",
        f"{opened.location} has version {pointer.version}. Nothing was changed.",
    )
    return True


def _tell(asked: StoreCommand, opened: Store, plain: PlainState, *, version: str | None) -> None:
    did = f"now version {version}" if version else "would become the first version (dry run)"
    print(f"{plain.names} of {opened.location}, by dbt {plain.manifest.dbt_version}: {did}.")
    summary = render.template(
        "store/adopted.md.j2",
        environment=asked.environment,
        location=opened.location,
        names=list(plain.contents),
        dbt_version=plain.manifest.dbt_version,
        commit=plain.manifest.commit,
        version=version,
        dry_run=version is None,
    )
    actions_runner.write_summary(settings.Runner.from_environ().summary, summary)

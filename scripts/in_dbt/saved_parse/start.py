"""Lets dbt start from a saved parse so that what comes out is what a full parse gives.

What it saves: 3 s of CPU for the first push of a pull request at 100 models, 17 s at 1,000. Its
switch is ``saved-parse`` in the input ``shortcuts``.

`start_from` is called once in a fresh process, before dbt's command line runs. It wraps four
methods of ManifestLoader (dbt/parser/manifest.py: read_manifest_for_partial_parse,
safe_update_project_parser_files_partially, write_manifest_for_partial_parse, load), and only those
of the very files that it was compared with (known_files.py). With any other dbt, and wherever
something fails, all is dbt's own full parse.

A saved parse is a folder of two files (storage.py): dbt's partial_parse.msgpack, and
about.json, which says what it was made with and for (made_with.py), what it needs to serve
another target (transfer.py), and the sha256 of the first.

Two ways of using one. *As it is*: the connection is the same, and dbt's own check
(is_partial_parsable) accepts it. *Transferred*: only the target differs; see transfer.py and
neutral.py for what is done and why it is enough. In both, every file is compared by its content,
and the parse is refused if a macro, a generic test or a package has changed (dbt's partial parsing
does not follow macros called by generate_schema_name and the like), or if a node was switched on or
off or could be taken for another (changes.py): then dbt parses all anew.

Runs in the caller's interpreter, Python 3.10 or newer: standard library and dbt only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import changes, known_files, made_with, storage, transfer
from .refused import RefusedError


def start_from(folders: Sequence[str], *, kept: str | None, report: str) -> None:
    """Makes the parse of this process start from the first of the folders that can be used.

    Args:
        folders: saved parses, the most wanted first; they may be missing.
        kept: folder that gets the parse for later, about.json last; None if it is for this process
            only. What dbt writes for its own next partial parse is left out then too, unless dbt
            parsed every file.
        report: JSON file for {"used": index or null, "how": "as it is" | "transferred" | "full",
            "why_not": one sentence for each that was refused, or why none was looked at}; written
            once the parse is over.
    """
    from dbt.cli import main

    packages = os.path.dirname(os.path.dirname(os.path.dirname(main.__file__)))
    differing = known_files.differing(packages)
    if differing:
        more = f" and {len(differing) - 1} more are" if differing[1:] else " is"
        why_not = f"{differing[0]}{more} not what the saved parse was compared with"
        storage.write_json(report, _report(None, "full", [why_not]))
        return
    # Only now: of another dbt it is not known that there is such a module.
    from dbt.parser.manifest import ManifestLoader

    _Run(folders, kept, report).install(ManifestLoader)


def _report(used: int | None, how: str, refused: Iterable[str]) -> dict[str, Any]:
    return {"used": used, "how": how, "why_not": "; ".join(refused)}


class _Run:
    """The one parse of this process."""

    def __init__(self, folders: Sequence[str], kept: str | None, report: str) -> None:
        self._folders = list(folders)
        self._kept = kept
        self._report = report
        self._next = 0
        self._refused: list[str] = []
        self._manifest: Any = None  # the saved one in use
        self._about: dict[str, Any] = {}
        self._how = "full"
        self._before: Any = None
        self._wrote = False
        self._off = False  # the parse is over, or all is to be parsed anew
        self._facts: dict[str, Any] = {}

    # The wrappers.

    def install(self, loader_class: Any) -> None:
        """Wraps the methods of ManifestLoader."""
        self._read: Callable[[Any], Any] = loader_class.read_manifest_for_partial_parse
        self._update: Callable[..., Any] = loader_class.safe_update_project_parser_files_partially
        self._write: Callable[[Any], None] = loader_class.write_manifest_for_partial_parse
        self._load: Callable[[Any], Any] = loader_class.load
        run = self

        def read(self: Any) -> Any:
            return run.read(self)

        def update(self: Any, project_parser_files: Any) -> Any:
            return run.update(self, project_parser_files)

        def write(self: Any) -> None:
            run.write(self)

        def load(self: Any) -> Any:
            return run.load(self)

        loader_class.read_manifest_for_partial_parse = read
        loader_class.safe_update_project_parser_files_partially = update
        loader_class.write_manifest_for_partial_parse = write
        loader_class.load = load

    def read(self, loader: Any) -> Any:
        """For read_manifest_for_partial_parse: the saved parse to start from."""
        if self._off or not _is_wanted(loader):
            return self._read(loader)
        self._next, self._refused = 0, []
        return self._take(loader) or self._read(loader)

    def update(self, loader: Any, project_parser_files: Any) -> Any:
        """For safe_update_project_parser_files_partially: the files can be compared now."""
        while self._manifest is not None and loader.saved_manifest is self._manifest:
            made_up = ""
            try:
                made_up = self._prepare(loader)
            except Exception as error:
                self._refuse(error)
                loader.saved_manifest = self._take(loader) or self._read(loader)
                continue
            try:
                files = self._update(loader, project_parser_files)
            finally:
                if made_up:
                    transfer.forget_the_asking(self._manifest, made_up)
            if loader.manifest is not self._manifest:  # dbt found that it can't, and parses all
                self._refuse(RefusedError("dbt's partial parsing failed"))
                self._manifest = None
            return files
        return self._update(loader, project_parser_files)

    def write(self, loader: Any) -> None:
        """For write_manifest_for_partial_parse: left out where nobody would read it."""
        if self._manifest is not None and not self._off and self._kept is None:
            return
        self._write(loader)
        self._wrote = True

    def load(self, loader: Any) -> Any:
        """For load: the whole parse."""
        if self._off or not _is_wanted(loader):
            return self._load(loader)
        try:
            manifest = self._load(loader)
            if self._manifest is not None:
                self._settle(loader)
                self._compare(loader)
        except Exception as error:
            if self._manifest is None:
                raise
            self._refuse(error)
            self._manifest = None
            self._off = True
            fresh = type(loader)(
                loader.root_project, loader.all_projects, loader.macro_hook, loader.file_diff
            )
            fresh.saved_manifest = None
            manifest = self._load(fresh)
            loader.__dict__.update(fresh.__dict__)
        self._off = True
        self._finish(loader)
        return manifest

    # Which saved parse.

    def _refuse(self, error: Exception) -> None:
        reason = str(error) if isinstance(error, RefusedError) else ""
        if isinstance(error, transfer.CannotTransferError):
            reason = str(error)
        reason = reason or f"{type(error).__name__} came up"
        self._refused.append(f"{self._next - 1}: {' '.join(reason.split())[:300]}")

    def _take(self, loader: Any) -> Any:
        """The next saved parse that can be used as far as is known without comparing files."""
        self._manifest, self._how = None, "full"
        while self._next < len(self._folders):
            folder = self._folders[self._next]
            self._next += 1
            try:
                self._manifest = self._accept(folder, loader)
            except Exception as error:
                self._refuse(error)
                continue
            return self._manifest
        return None

    def _accept(self, folder: str, loader: Any) -> Any:
        about = storage.read_about(folder)
        if not self._facts:
            self._facts = made_with.of(loader)
        if about.get("format") != storage.FORMAT:
            raise RefusedError("it has another format")
        made_with.same(about.get("made_with"), self._facts["made_with"], "")
        data = storage.verified(folder, about)

        from dbt.contracts.graph.manifest import Manifest
        from dbt.parser.manifest import extended_mashumuro_decoder

        manifest = Manifest.from_msgpack(data, decoder=extended_mashumuro_decoder)
        saved, now = manifest.state_check, loader.manifest.state_check
        if saved.project_hashes != now.project_hashes:
            raise RefusedError("a dbt_project.yml has changed")
        if saved.project_env_vars_hash != now.project_env_vars_hash:
            raise RefusedError("an env var that dbt_project.yml uses has changed")
        self._how = self._choose_how(about, manifest, loader)
        self._about = about
        for file in manifest.files.values():
            # load_source_file of dbt/parser/read_files.py takes an equal time for equal content.
            if hasattr(file.path, "modification_time") and hasattr(file.path, "project_root"):
                file.path.modification_time = changes.time_if_same(file, loader.all_projects)
        return manifest

    def _choose_how(self, about: dict[str, Any], manifest: Any, loader: Any) -> str:
        saved, now = manifest.state_check, loader.manifest.state_check
        # Up to dbt 1.11, vars_hash has the target's name only if it is an argument.
        same_target = about.get("target") == loader.root_project.target_name
        same_hashes = saved.vars_hash == now.vars_hash and saved.profile_hash == now.profile_hash
        if same_target and same_hashes:
            if not loader.is_partial_parsable(manifest)[0]:
                raise RefusedError("dbt does not accept it")
            if not about.get("names_follow_only_the_target"):
                made_with.can_transfer(about)
            return "as it is"
        made_with.can_transfer(about)
        if about.get("database") != self._facts["database"]:
            raise RefusedError("the database is another")
        if saved.vars_hash.checksum not in made_with.vars_hashes(loader.root_project, about):
            raise RefusedError("it was made with other vars than it says")
        return "transferred"

    # Starting from it.

    def _prepare(self, loader: Any) -> str:
        """Compares the files and makes the saved parse one of this target; the made-up env var."""
        manifest, now = self._manifest, loader.manifest
        changes.no_foundation_changed(manifest.files, now.files)
        for file_id, file in now.files.items():
            if file_id in manifest.files:
                manifest.files[file_id].path = file.path
        self._before = changes.Before(manifest)
        for node in transfer.all_nodes(manifest):
            if getattr(node, "root_path", None) is not None:
                node.root_path = loader.all_projects[node.package_name].project_root
        manifest.state_check = now.state_check
        manifest.metadata = now.metadata
        manifest.selectors = loader.root_project.manifest_selectors
        if self._how == "as it is" and self._about.get("names_follow_only_the_target"):
            return ""
        names = transfer.Names(manifest, loader.root_project)
        names.apply(transfer.all_nodes(manifest))
        if self._how == "as it is":
            return ""
        again = self._about["transfer"]
        return str(transfer.ask_again(manifest, again["files"], again["entries"]))

    def _settle(self, loader: Any) -> None:
        """What is copied from the names of another node when that is parsed, and only then.

        update_semantic_model of dbt/parser/manifest.py, process_models_for_unit_test of
        dbt/parser/unit_tests.py.
        """
        manifest = loader.manifest
        for each in manifest.semantic_models.values():
            loader.update_semantic_model(each)
        disabled = [one for ones in manifest.disabled.values() for one in ones]
        for each in [*manifest.unit_tests.values(), *disabled]:
            if str(each.resource_type) == "unit_test" and each.depends_on.nodes:
                tested = manifest.nodes.get(each.depends_on.nodes[0])
                if tested is not None:
                    each.schema = tested.schema

    def _compare(self, loader: Any) -> None:
        reason = self._before.differs(loader.manifest)
        if reason:
            raise RefusedError(reason)

    # Afterwards.

    def _finish(self, loader: Any) -> None:
        try:
            self._keep(loader)
        except Exception as error:
            print(f"The parse could not be kept: {type(error).__name__}", file=sys.stderr)
        used = self._next - 1 if self._manifest is not None else None
        how = self._how if self._manifest is not None else "full"
        storage.write_json(self._report, _report(used, how, self._refused))

    def _keep(self, loader: Any) -> None:
        if self._kept is None:
            return
        started = self._manifest is not None
        beside = os.path.join(loader.root_project.project_target_path, storage.PARSE)
        if started and self._how == "as it is" and not self._wrote:
            storage.keep_again(self._folders[self._next - 1], self._kept, beside)
            return
        if not self._wrote:
            self._write(loader)
        facts = self._facts or made_with.of(loader)
        storage.keep(beside, self._kept, lambda: made_with.described(loader, facts))


def _is_wanted(loader: Any) -> bool:
    """Whether dbt would look for a saved parse itself, in its usual place and way."""
    from dbt.flags import get_flags

    flags = get_flags()
    return (
        bool(flags.PARTIAL_PARSE)
        and not getattr(flags, "USE_V2_PARSER", False)
        and not flags.PARTIAL_PARSE_FILE_PATH
        and bool(flags.PARTIAL_PARSE_FILE_DIFF)
        and not loader.file_diff
    )

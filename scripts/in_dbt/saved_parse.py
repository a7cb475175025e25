"""Lets dbt start from a saved parse so that what comes out is what a full parse gives.

`start_from` is called once in a fresh process, before dbt's command line runs. It wraps four
methods of ManifestLoader (dbt/parser/manifest.py: read_manifest_for_partial_parse,
safe_update_project_parser_files_partially, write_manifest_for_partial_parse, load), which mean
the same in dbt-core 1.8 to 1.12; a dbt where they look different is left alone. Whatever is not
as expected, and whatever fails, leads to dbt's own full parse.

A saved parse is a folder of two files: dbt's partial_parse.msgpack, and about.json, which says
what it was made with and for, what it needs to serve another target (transfer.py), and the sha256
of the first.

Two ways of using one. *As it is*: the connection is the same, and dbt's own check
(is_partial_parsable) accepts it. *Transferred*: only the target differs; see transfer.py and
neutral.py for what is done and why it is enough. In both, every file is compared by its content,
and the parse is refused if a macro, a generic test or a package has changed (dbt's partial
parsing does not follow macros called by generate_schema_name and the like), or if a node was
switched on or off or could be taken for another: then dbt parses all anew.

Runs in the caller's interpreter, Python 3.8 or later: standard library and dbt only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import os
import pprint
import shutil
import sys
from types import ModuleType
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

FORMAT = 1
PARSE = "partial_parse.msgpack"
ABOUT = "about.json"

# Flags of dbt that change nothing in a parse; every other, unknown ones too, has to be the same.
HARMLESS_FLAGS = frozenset(
    (
        # what is selected, compared and deferred to
        *("select", "exclude", "selector", "resource_types", "exclude_resource_types", "state"),
        *(
            "indirect_selection",
            "defer",
            "defer_state",
            "favor_state",
            "models",
            "include_saved_query",
        ),
        *("export_saved_queries", "which", "invocation_command", "full_refresh_models"),
        # where things are, and the target itself, which is compared by dbt's own hashes
        *("log_path", "target_path", "profiles_dir", "project_dir", "profile", "target", "vars"),
        # how it runs
        *("threads", "single_threaded", "fail_fast", "write_json", "populate_cache", "introspect"),
        *("cache_selected_only", "version_check", "show", "output", "output_keys", "compile"),
        *("compile_docs", "static", "empty_catalog", "use_fast_test_edges", "record_timing_info"),
        # what is said about it
        *("log_cache_events", "log_file_max_bytes", "log_format", "log_format_file", "log_level"),
        *("log_level_file", "debug", "quiet", "print", "printer_width", "use_colors"),
        *("use_colors_file", "send_anonymous_usage_stats", "show_resource_report", "hints_enabled"),
        *("upload_to_artifacts_ingest_api", "show_all_deprecations"),
        # limits of the parser of compiled SQL, which looks for its first keyword
        "sqlparse",
    )
)
DISTRIBUTIONS = ("dbt-adapters", "dbt-common", "dbt-extractor", "jinja2", "mashumaro", "msgpack")
PROJECT_FILES = ("packages.yml", "package-lock.yml", "dependencies.yml", "vars.yml", "catalogs.yml")

# Methods of ManifestLoader and their parameters.
EXPECTED = {
    "read_manifest_for_partial_parse": ["self"],
    "safe_update_project_parser_files_partially": ["self", "project_parser_files"],
    "write_manifest_for_partial_parse": ["self"],
    "load": ["self"],
    "is_partial_parsable": ["self", "manifest"],
    "update_semantic_model": ["self", "semantic_model"],
    "__init__": ["self", "root_project", "all_projects", "macro_hook", "file_diff"],
}


class RefusedError(Exception):
    """A saved parse can't be used; says why."""


def start_from(
    folders: Sequence[str], *, kept: str, report: str, always_keep: bool = False
) -> None:
    """Makes the parse of this process start from the first of the folders that can be used.

    Args:
        folders: saved parses, the most wanted first; they may be missing.
        kept: folder that gets the parse for later, about.json last, after a full parse.
        report: JSON file for {"used": index or null, "how": "as it is" | "transferred" | "full",
            "why_not": one sentence for each that was refused}; written once the parse is over.
        always_keep: also keep a parse that started from a saved one, unless it is still that one.
            Without it, what dbt writes for its own next partial parse is left out then, too.
    """
    from dbt.parser.manifest import ManifestLoader

    for name, parameters in EXPECTED.items():
        method = getattr(ManifestLoader, name, None)
        if method is None or list(inspect.signature(method).parameters) != parameters:
            _write_json(report, _report(None, "full", [f"dbt's {name} is not as expected"]))
            return
    _Run(folders, kept, report, always_keep).install(ManifestLoader)


def _report(used: Optional[int], how: str, refused: Iterable[str]) -> Dict[str, Any]:
    return {"used": used, "how": how, "why_not": "; ".join(refused)}


class _Run:
    """The one parse of this process."""

    def __init__(self, folders: Sequence[str], kept: str, report: str, always_keep: bool) -> None:
        self._folders = list(folders)
        self._kept = kept
        self._report = report
        self._always_keep = always_keep
        self._transfer = _beside("transfer")
        self._neutral = _beside("neutral")
        self._next = 0
        self._refused: List[str] = []
        self._manifest: Any = None  # the saved one in use
        self._about: Dict[str, Any] = {}
        self._how = "full"
        self._before: Any = None
        self._wrote = False
        self._off = False  # the parse is over, or all is to be parsed anew
        self._facts: Dict[str, Any] = {}

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
                    self._transfer.forget_the_asking(self._manifest, made_up)
            if loader.manifest is not self._manifest:  # dbt found that it can't, and parses all
                self._refuse(RefusedError("dbt's partial parsing failed"))
                self._manifest = None
            return files
        return self._update(loader, project_parser_files)

    def write(self, loader: Any) -> None:
        """For write_manifest_for_partial_parse: left out where nobody would read it."""
        if self._manifest is not None and not self._off and not self._always_keep:
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
        if isinstance(error, self._transfer.CannotTransferError):
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
        about = _read_about(folder)
        if not self._facts:
            self._facts = _facts(loader)
        if about.get("format") != FORMAT:
            raise RefusedError("it has another format")
        _same(about.get("made_with"), self._facts["made_with"], "")
        data = _verified(folder, about)

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
                file.path.modification_time = _time_if_same(file, loader.all_projects)
        return manifest

    def _choose_how(self, about: Dict[str, Any], manifest: Any, loader: Any) -> str:
        saved, now = manifest.state_check, loader.manifest.state_check
        # Up to dbt 1.11, vars_hash has the target's name only if it is an argument.
        same_target = about.get("target") == loader.root_project.target_name
        same_hashes = saved.vars_hash == now.vars_hash and saved.profile_hash == now.profile_hash
        if same_target and same_hashes:
            if not loader.is_partial_parsable(manifest)[0]:
                raise RefusedError("dbt does not accept it")
            if not about.get("names_follow_only_the_target"):
                _can_transfer(about)
            return "as it is"
        _can_transfer(about)
        if about.get("database") != self._facts["database"]:
            raise RefusedError("the database is another")
        if saved.vars_hash.checksum not in _vars_hashes(loader.root_project, about):
            raise RefusedError("it was made with other vars than it says")
        return "transferred"

    # Starting from it.

    def _prepare(self, loader: Any) -> str:
        """Compares the files and makes the saved parse one of this target; the made-up env var."""
        manifest, now = self._manifest, loader.manifest
        _no_foundation_changed(manifest.files, now.files)
        for file_id, file in now.files.items():
            if file_id in manifest.files:
                manifest.files[file_id].path = file.path
        self._before = _Before(manifest)
        for node in self._transfer.all_nodes(manifest):
            if getattr(node, "root_path", None) is not None:
                node.root_path = loader.all_projects[node.package_name].project_root
        manifest.state_check = now.state_check
        manifest.metadata = now.metadata
        manifest.selectors = loader.root_project.manifest_selectors
        if self._how == "as it is" and self._about.get("names_follow_only_the_target"):
            return ""
        names = self._transfer.Names(manifest, loader.root_project, self._neutral)
        names.apply(self._transfer.all_nodes(manifest))
        if self._how == "as it is":
            return ""
        again = self._about["transfer"]
        return str(self._transfer.ask_again(manifest, again["files"], again["entries"]))

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
        _write_json(self._report, _report(used, how, self._refused))

    def _keep(self, loader: Any) -> None:
        started = self._manifest is not None
        if started and not self._always_keep:
            return
        if started and self._how == "as it is" and not self._wrote:
            self._keep_again(loader)
            return
        if not self._wrote:
            self._write(loader)
        source = os.path.join(loader.root_project.project_target_path, PARSE)
        os.makedirs(self._kept, exist_ok=True)
        about = os.path.join(self._kept, ABOUT)
        if os.path.exists(about):
            os.remove(about)
        copy = os.path.join(self._kept, PARSE)
        shutil.copyfile(source, copy + ".new")
        os.replace(copy + ".new", copy)
        _write_json(about, self._describe(loader, copy))

    def _keep_again(self, loader: Any) -> None:
        """Nothing has changed since: the saved parse is kept as it is, and lies where dbt looks."""
        used = self._folders[self._next - 1]
        os.makedirs(self._kept, exist_ok=True)
        for name in (PARSE, ABOUT):
            shutil.copyfile(os.path.join(used, name), os.path.join(self._kept, name))
        beside = os.path.join(loader.root_project.project_target_path, PARSE)
        os.makedirs(os.path.dirname(beside), exist_ok=True)
        shutil.copyfile(os.path.join(used, PARSE), beside)

    def _describe(self, loader: Any, path: str) -> Dict[str, Any]:
        facts = self._facts or _facts(loader)
        about = {
            **facts,
            "format": FORMAT,
            "sha256": _sha256_of(path),
            "size": os.path.getsize(path),
        }
        args = loader.root_project.args
        about["arguments"] = [getattr(args, name, "") or "" for name in ("profile", "target")]
        about["target"] = loader.root_project.target_name
        about["schema"] = loader.root_project.credentials.schema
        about["transfer"], about["names_follow_only_the_target"] = self._survey(loader)
        return about

    def _survey(self, loader: Any) -> Tuple[Any, bool]:
        """What another target needs of this parse, or why it can have none of it."""
        from dbt.adapters.factory import get_adapter

        transfer, manifest = self._transfer, loader.manifest
        follow = False
        try:
            names = transfer.Names(manifest, loader.root_project, self._neutral)
            follow = names.follow_only_the_target()
            names.check(transfer.all_nodes(manifest))
            survey = transfer.Survey(
                manifest,
                loader.root_project,
                loader.all_projects,
                self._neutral,
                get_adapter(loader.root_project),
            )
            return survey.result(), follow
        except transfer.CannotTransferError as error:
            return str(error), follow
        except Exception as error:
            return f"{type(error).__name__} came up", follow


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


# What must not have changed.


def _no_foundation_changed(saved: Any, now: Any) -> None:
    """Raises if a file has changed whose effects dbt's partial parsing doesn't follow."""
    for file_id in sorted(set(saved) | set(now)):
        old, new = saved.get(file_id), now.get(file_id)
        kind = str((old or new).parse_file_type)
        if kind not in ("macro", "generic_test", "function", "osi", "schema"):
            continue
        if kind == "schema":
            if (old is None or new is None or old.checksum != new.checksum) and any(
                isinstance(source, dict) and "overrides" in source
                for file in (old, new)
                if file is not None
                for source in (file.dict_from_yaml or {}).get("sources") or []
            ):
                raise RefusedError(f"{file_id} overrides sources of a package and has changed")
        elif old is None or new is None or old.checksum != new.checksum:
            raise RefusedError(f"{file_id} has changed")


def _time_if_same(file: Any, projects: Any) -> float:
    """The time of a yml file whose content is the saved one: dbt doesn't load its YAML then.

    Content is compared as load_source_file of dbt/parser/read_files.py does. -1, which is no file's
    time, for every other file: dbt reads those.
    """
    from dbt.parser import read_files

    if file.parse_file_type != "schema" or file.project_name not in projects:
        return -1.0
    parts = (projects[file.project_name].project_root, file.path.original_file_path)
    path = os.path.abspath(os.path.join(*parts))
    try:
        time = os.stat(path).st_mtime
        text = read_files.load_file_contents(path, strip=True)
    except OSError:
        return -1.0
    normalize = getattr(read_files, "normalize_file_contents", str)
    same = read_files.FileHash.from_contents(normalize(text)) == file.checksum
    return time if same else -1.0


class _Before:
    """What was there before files were parsed again, to see whether others hang on what changed."""

    def __init__(self, manifest: Any) -> None:
        self._nodes = {
            unique_id: (node.file_id, _traits(node))
            for unique_id, node in manifest.nodes.items()
            if str(node.resource_type) not in ("test", "operation")
        }
        self._names = {node.name for node in manifest.nodes.values()}
        self._disabled = set(manifest.disabled)
        self._docs = {unique_id: doc.name for unique_id, doc in manifest.docs.items()}
        self._sources = {
            unique_id: (source.source_name, source.name)
            for unique_id, source in manifest.sources.items()
        }
        self._macros = set(manifest.macros)

    def differs(self, manifest: Any) -> str:
        """Why what wasn't parsed again may be wrong, '' if it can't be.

        dbt parses the nodes that refer to a deleted one again, not those that refer to one which
        was switched off, or whose access, group or version changed, or that would now find another
        one of the same name (resolve_ref of dbt/contracts/graph/manifest.py).
        """
        for unique_id, (file_id, traits) in self._nodes.items():
            node = manifest.nodes.get(unique_id)
            if node is None and file_id in manifest.files:
                return f"{unique_id} is not there any more, though its file is"
            if node is not None and _traits(node) != traits:
                return f"access, group or version of {unique_id} has changed"
        names = set(self._docs.values())
        for unique_id, doc in manifest.docs.items():
            if unique_id not in self._docs and doc.name in names:
                return f"{unique_id} has the name of another"
        pairs = set(self._sources.values())
        for unique_id, source in manifest.sources.items():
            if unique_id not in self._sources and (source.source_name, source.name) in pairs:
                return f"{unique_id} has the name of another"
        return self._new_nodes(manifest) or (
            "macros have changed" if set(manifest.macros) != self._macros else ""
        )

    def _new_nodes(self, manifest: Any) -> str:
        for unique_id, node in manifest.nodes.items():
            if unique_id in self._nodes or str(node.resource_type) in ("test", "operation"):
                continue
            if node.name in self._names or unique_id in self._disabled:
                return f"{unique_id} has the name of another"
        return ""


def _traits(node: Any) -> Tuple[Any, ...]:
    names = ("access", "group", "version", "latest_version")
    return tuple(getattr(node, name, None) for name in names)


# What a parse is made with.


def _facts(loader: Any) -> Dict[str, Any]:
    """What has to be the same ("made_with"), and the database. No values that may be secret."""
    from dbt.flags import get_flags
    from dbt.version import __version__

    config = loader.root_project
    kind = config.credentials.type
    versions = {name: _version_of(name) for name in (*DISTRIBUTIONS, f"dbt-{kind}")}
    files = {name: _sha256_of(os.path.join(config.project_root, name)) for name in PROJECT_FILES}
    flags = {
        name: _hash(_plain(value))
        for name, value in vars(get_flags()).items()
        # What is off, or not there at all as with another command, is the same.
        if value and name == name.lower() and name not in HARMLESS_FLAGS and name[0] != "_"
    }
    made_with = {
        "made by": _own_hash(),
        "dbt": __version__,
        "versions": versions,
        "python": ".".join(str(part) for part in sys.version_info[:2]),
        "adapter": str(kind),
        "project": str(config.project_name),
        "profile": str(config.profile_name),
        "vars": _hash(_vars_text(config)),
        "files": files,
        "flags": flags,
    }
    return {"made_with": made_with, "database": config.credentials.database}


def _same(saved: Any, now: Any, where: str) -> None:
    """Raises with the name of the first thing that differs."""
    if isinstance(saved, dict) and isinstance(now, dict):
        for key in sorted(set(saved) | set(now)):
            if key not in saved or key not in now:
                raise RefusedError(f"{where}{key} differs")
            _same(saved[key], now[key], f"{where}{key} ")
    elif saved != now:
        raise RefusedError(f"{where.strip() or 'what it was made with'} differs")


def _can_transfer(about: Dict[str, Any]) -> None:
    again = about.get("transfer")
    if not isinstance(again, dict):
        raise RefusedError(f"the target is another, and {again or 'nothing is known about it'}")


def _vars_text(config: Any) -> str:
    """As build_manifest_state_check of dbt/parser/manifest.py writes them."""
    from_file = getattr(config, "vars_from_file", None)
    return pprint.pformat(config.cli_vars) + "\0" + (pprint.pformat(from_file) if from_file else "")


def _vars_hashes(config: Any, about: Dict[str, Any]) -> List[str]:
    """What build_manifest_state_check gave as vars_hash with these vars and the saved target.

    With the names of profile and target from dbt 1.12 on, with what the arguments say before it.
    """
    from dbt.version import __version__

    from_file = getattr(config, "vars_from_file", None)
    more = [pprint.pformat(from_file)] if from_file else []
    names = [str(config.profile_name), str(about.get("target"))]
    return [
        _hash("\x00".join([pprint.pformat(config.cli_vars), *each, __version__, *more]))
        for each in (names, about.get("arguments") or ["", ""])
    ]


def _plain(value: Any) -> str:
    """A text that is the same for the same value in every process."""
    if isinstance(value, dict):
        pairs = sorted((_plain(key), _plain(each)) for key, each in value.items())
        return "{" + ",".join(f"{key}:{each}" for key, each in pairs) + "}"
    if isinstance(value, (set, frozenset)):
        return "{" + ",".join(sorted(_plain(each) for each in value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_plain(each) for each in value) + "]"
    if isinstance(value, (str, int, float, bool, type(None))):
        return repr(value)
    members = getattr(value, "__dict__", None)
    return f"{type(value).__name__}{_plain(members)}" if members else str(value)


# Files.


def _read_about(folder: str) -> Dict[str, Any]:
    try:
        with open(os.path.join(folder, ABOUT), encoding="utf-8") as file:
            about = json.load(file)
    except FileNotFoundError:
        raise RefusedError("there is none") from None
    except (OSError, ValueError):
        raise RefusedError("its description can't be read") from None
    if not isinstance(about, dict):
        raise RefusedError("its description can't be read")
    return about


def _verified(folder: str, about: Dict[str, Any]) -> bytes:
    try:
        with open(os.path.join(folder, PARSE), "rb") as file:
            data = file.read()
    except OSError:
        raise RefusedError("it has no parse that can be read") from None
    if len(data) != about.get("size") or hashlib.sha256(data).hexdigest() != about.get("sha256"):
        raise RefusedError("it is damaged")
    return data


def _sha256_of(path: str) -> Optional[str]:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _version_of(distribution: str) -> Optional[str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _own_hash() -> str:
    here = os.path.dirname(os.path.abspath(__file__))
    names = ("neutral.py", "saved_parse.py", "transfer.py")
    return _hash("".join(_sha256_of(os.path.join(here, name)) or "" for name in names))


def _write_json(path: str, content: Any) -> None:
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(content, file, sort_keys=True)
    os.replace(path + ".new", path)


def _beside(name: str) -> ModuleType:
    """A module of this folder, which is never on sys.path."""
    known = f"_in_dbt_{name}"
    if known not in sys.modules:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
        spec = importlib.util.spec_from_file_location(known, path)
        if spec is None or spec.loader is None:
            raise ImportError(path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module
        spec.loader.exec_module(module)
    return sys.modules[known]

"""What a parse is made with and for: what has to be the same for it to be used again.

Runs in the caller's interpreter, Python 3.10 or newer: standard library and dbt only.
"""

from __future__ import annotations

import hashlib
import os
import pprint
import sys
from typing import Any

from . import storage, transfer
from .refused import RefusedError

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
OWN_FILES = (
    "neutral.py",
    "changes.py",
    "made_with.py",
    "start.py",
    "storage.py",
    "transfer.py",
)
"""Another version of these may keep or take something else."""


def of(loader: Any) -> dict[str, Any]:
    """What has to be the same ("made_with"), and the database. No values that may be secret."""
    from dbt.flags import get_flags
    from dbt.version import __version__

    config = loader.root_project
    kind = config.credentials.type
    versions = {name: _version_of(name) for name in (*DISTRIBUTIONS, f"dbt-{kind}")}
    files = {
        name: storage.sha256_of(os.path.join(config.project_root, name)) for name in PROJECT_FILES
    }
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


def same(saved: Any, now: Any, where: str) -> None:
    """Raises with the name of the first thing that differs."""
    if isinstance(saved, dict) and isinstance(now, dict):
        for key in sorted(set(saved) | set(now)):
            if key not in saved or key not in now:
                raise RefusedError(f"{where}{key} differs")
            same(saved[key], now[key], f"{where}{key} ")
    elif saved != now:
        raise RefusedError(f"{where.strip() or 'what it was made with'} differs")


def can_transfer(about: dict[str, Any]) -> None:
    """Raises with what hinders it where another target can have none of it."""
    again = about.get("transfer")
    if not isinstance(again, dict):
        raise RefusedError(f"the target is another, and {again or 'nothing is known about it'}")


def _vars_text(config: Any) -> str:
    """As build_manifest_state_check of dbt/parser/manifest.py writes them."""
    from_file = getattr(config, "vars_from_file", None)
    return pprint.pformat(config.cli_vars) + "\0" + (pprint.pformat(from_file) if from_file else "")


def vars_hashes(config: Any, about: dict[str, Any]) -> list[str]:
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


def described(loader: Any, facts: dict[str, Any]) -> dict[str, Any]:
    """What is kept beside a parse: facts, and what another target needs of it."""
    config = loader.root_project
    needs, follow = _survey(loader)
    return {
        **facts,
        "arguments": [getattr(config.args, name, "") or "" for name in ("profile", "target")],
        "target": config.target_name,
        "schema": config.credentials.schema,
        "transfer": needs,
        "names_follow_only_the_target": follow,
    }


def _survey(loader: Any) -> tuple[Any, bool]:
    """What another target needs of this parse, or why it can have none of it."""
    from dbt.adapters.factory import get_adapter

    manifest, follow = loader.manifest, False
    try:
        names = transfer.Names(manifest, loader.root_project)
        follow = names.follow_only_the_target()
        names.check(transfer.all_nodes(manifest))
        adapter = get_adapter(loader.root_project)
        survey = transfer.Survey(manifest, loader.root_project, loader.all_projects, adapter)
        return survey.result(), follow
    except transfer.CannotTransferError as error:
        return str(error), follow
    except Exception as error:
        return f"{type(error).__name__} came up", follow


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


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _version_of(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _own_hash() -> str:
    here = os.path.dirname(os.path.abspath(__file__))
    return _hash("".join(storage.sha256_of(os.path.join(here, name)) or "" for name in OWN_FILES))

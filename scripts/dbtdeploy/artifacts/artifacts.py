"""dbt's artifacts as types: only the fields the report needs, read tolerantly.

manifest.json of 5,000 models weighs 44 MB; msgspec skips what is not named here without building
it, and ``Raw`` fields stay slices of the file until somebody asks for them.

Sources: https://schemas.getdbt.com/dbt/manifest/v12.json and dbt/run-results/v6.json. Fields that
older versions lack have defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dbtdeploy.base import json_codec

EMPTY = msgspec.Raw(b"{}")
NULL = msgspec.Raw(b"null")

COMPILING = frozenset({"generate", "compile", "show"})
"""dbt's commands that write run_results.json and build nothing."""

TESTS = frozenset({"test", "unit_test"})
"""The resource types of tests."""

T = TypeVar("T")


class Metadata(msgspec.Struct, frozen=True, gc=False):
    """Who wrote an artifact, and when."""

    dbt_version: str | None = None
    adapter_type: str | None = None
    generated_at: str | None = None
    invocation_id: str | None = None
    project_name: str | None = None


class DependsOn(msgspec.Struct, frozen=True, gc=False):
    """What a node reads. A null is a macro or test that was removed while still referenced."""

    nodes: list[str | None] = []
    macros: list[str | None] = []


class Checksum(msgspec.Struct, frozen=True, gc=False):
    """dbt's digest of a file; ``name`` is ``none`` or ``path`` where it is not one."""

    name: str | None = None
    checksum: str | None = None


class Contract(msgspec.Struct, frozen=True, gc=False):
    """A model's contract, as dbt digested it."""

    enforced: bool = False
    checksum: str | None = None


class Config(msgspec.Struct, frozen=True, gc=False):
    """The rendered config."""

    materialized: str | None = None
    severity: str | None = None
    schema: msgspec.Raw = NULL
    persist_docs: dict[str, Any] | None = None
    meta: msgspec.Raw = NULL
    grants: msgspec.Raw = NULL
    unique_key: msgspec.Raw = NULL
    incremental_strategy: msgspec.Raw = NULL
    on_schema_change: msgspec.Raw = NULL
    snapshot_meta_column_names: msgspec.Raw = NULL
    incremental_predicates: msgspec.Raw = NULL
    predicates: msgspec.Raw = NULL
    merge_update_columns: msgspec.Raw = NULL
    merge_exclude_columns: msgspec.Raw = NULL
    indexes: msgspec.Raw = NULL
    delimiter: msgspec.Raw = NULL
    pre_hook: msgspec.Raw = msgspec.field(default=NULL, name="pre-hook")
    post_hook: msgspec.Raw = msgspec.field(default=NULL, name="post-hook")


class Node(msgspec.Struct, frozen=True, gc=False):
    """A model, seed, snapshot, test, unit test, source or exposure."""

    name: str = ""
    resource_type: str = ""
    package_name: str = ""
    original_file_path: str = ""
    root_path: str | None = None
    """Of a seed: where its project lies on the machine that parsed it."""
    fqn: list[str] = []
    database: str | None = None
    schema: str | None = None
    alias: str | None = None
    identifier: str | None = None
    relation_name: str | None = None
    language: str | None = None
    raw_code: str | None = None
    checksum: Checksum | str | None = None
    config: Config = Config()
    unrendered_config: msgspec.Raw = EMPTY
    description: str | None = None
    columns: msgspec.Raw = EMPTY
    depends_on: DependsOn = DependsOn()
    contract: Contract = Contract()
    access: str | None = None
    version: str | int | float | None = None
    latest_version: str | int | float | None = None
    deprecation_date: str | None = None
    column_name: str | None = None
    attached_node: str | None = None
    test_metadata: msgspec.Raw = NULL
    source_name: str | None = None
    unrendered_database: str | None = None
    unrendered_schema: str | None = None
    quoting: msgspec.Raw = EMPTY
    freshness: msgspec.Raw = EMPTY
    loaded_at_field: str | None = None
    external: msgspec.Raw = EMPTY
    meta: msgspec.Raw = NULL
    label: str | None = None
    """Of an exposure."""

    @property
    def meta_said(self) -> dict[str, Any]:
        """The config ``meta``, or what older versions of dbt have; empty if it is no mapping."""
        found = (decoded(self.config.meta), decoded(self.meta))
        return next((one for one in found if isinstance(one, dict) and one), {})

    @property
    def hooks(self) -> tuple[tuple[str, str], ...]:
        """``pre-hook`` or ``post-hook``, and the SQL, of each hook of its config."""
        given = (("pre-hook", self.config.pre_hook), ("post-hook", self.config.post_hook))
        return tuple(
            (kind, sql)
            for kind, raw in given
            for hook in _listed(decoded(raw))
            if isinstance(sql := hook.get("sql") if isinstance(hook, dict) else hook, str)
        )

    @property
    def materialized(self) -> str | None:
        """How dbt builds it."""
        return self.config.materialized


class Macro(msgspec.Struct, frozen=True, gc=False):
    """A macro, by its text."""

    name: str = ""
    macro_sql: str = ""
    depends_on: DependsOn = DependsOn()


class Manifest(msgspec.Struct, frozen=True):
    """manifest.json."""

    metadata: Metadata = Metadata()
    nodes: dict[str, Node] = {}
    sources: dict[str, Node] = {}
    macros: dict[str, Macro] = {}
    unit_tests: dict[str, Node] = {}
    functions: dict[str, Node] = {}
    exposures: dict[str, Node] = {}
    disabled: dict[str, msgspec.Raw] = {}

    def find(self, unique_id: str) -> Node | None:
        """A node, source, unit test or function by its id."""
        return (
            self.nodes.get(unique_id)
            or self.sources.get(unique_id)
            or self.unit_tests.get(unique_id)
            or self.functions.get(unique_id)
        )


class Result(msgspec.Struct, frozen=True, gc=False):
    """How one node ended. ``status`` is whatever dbt wrote, known to us or not."""

    unique_id: str
    status: str = ""
    execution_time: float | None = None
    message: str | None = None
    failures: int | None = None
    adapter_response: dict[str, Any] | None = None
    compiled_code: msgspec.Raw = NULL


class Invocation(msgspec.Struct, frozen=True):
    """The command line of a run."""

    which: str | None = None
    """dbt's command, such as ``build``, or ``generate`` for ``dbt docs generate``."""


class RunResults(msgspec.Struct, frozen=True):
    """run_results.json."""

    metadata: Metadata = Metadata()
    args: Invocation = Invocation()
    results: list[Result] = []
    elapsed_time: float | None = None

    def by_id(self) -> Mapping[str, Result]:
        """Results by node."""
        return {result.unique_id: result for result in self.results}


def read_manifest(path: Path) -> Manifest | None:
    """Read a manifest; None where there is none, or nothing that can be understood."""
    return _read(path, Manifest)


def read_run_results(path: Path) -> RunResults | None:
    """Read run results; None where there are none, or nothing that can be understood."""
    return _read(path, RunResults)


def read_production_results(path: Path) -> RunResults | None:
    """Read production's run results; None where they are those of a command that only compiles.

    ``dbt docs generate`` writes a success for each node and test, and has run none of them.
    """
    results = read_run_results(path)
    return None if results is None or results.args.which in COMPILING else results


def decoded(raw: msgspec.Raw) -> Any:
    """A ``Raw`` field's value."""
    return json_codec.decode(raw)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return json_codec.decode(path.read_bytes(), kind)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        # The report explains dbt's verdict and must not change it: without the file it says less.
        return None


def is_test(unique_id: str) -> bool:
    """Whether it is the id of a test; a unique id begins with its resource type."""
    return unique_id.partition(".")[0] in TESTS

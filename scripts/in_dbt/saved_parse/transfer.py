"""What of a saved parse holds for another target, and the names that have to be reckoned anew.

Two halves. `survey` is done when a parse is kept (by the run that made it) and says which files
and entries of yml files dbt has to parse again under another target, or why none of it can be
used. `Names` reckons database, schema, alias and relation name of the nodes with dbt's own macros
and code, as update_parsed_node_relation_names of dbt/parser/base.py does. `ask_again` makes dbt's
own partial parsing schedule files and entries, by a made-up env var that they seem to have used
and that has changed (build_env_vars_to_files of dbt/parser/partial.py).

Runs in the caller's interpreter, Python 3.10 or newer: standard library and dbt only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import SimpleNamespace
from typing import Any

from . import neutral

NAMED = frozenset(("model", "seed", "snapshot", "test", "analysis", "operation", "function"))

# Keys of yml files whose entries handle_schema_file_changes of dbt/parser/partial.py parses again
# when an env
# var has changed, in 1.8 as in 1.12.
ENTRIES = frozenset(
    (
        *("models", "seeds", "snapshots", "analyses", "sources", "macros", "exposures", "metrics"),
        *("groups", "semantic_models", "unit_tests", "saved_queries"),
    )
)

# What of a test within yml configures it (TestBuilder.CONFIG_ARGS of
# dbt/parser/generic_test_builders.py);
# all else is an argument, which is judged with the test.
TEST_CONFIG = frozenset(
    (
        *(
            "severity",
            "tags",
            "enabled",
            "where",
            "limit",
            "warn_if",
            "error_if",
            "fail_calc",
            "meta",
        ),
        *("store_failures", "store_failures_as", "database", "schema", "alias", "config", "name"),
        *("sql_header", "description", "group"),
    )
)

# Keys of dbt_project.yml that are rendered when they run, or not at all (DbtProjectYamlRenderer of
# dbt/config/renderer.py); hooks of models are judged with each node.
NOT_RENDERED = frozenset(("on-run-start", "on-run-end", "query-comment", "vars"))
HOOKS = frozenset(("pre-hook", "post-hook", "pre_hook", "post_hook"))

# Of a node, what generate_..._name may read: what has its last value when dbt calls it.
FINAL = frozenset(
    (
        *("name", "resource_type", "package_name", "path", "original_file_path", "unique_id"),
        *("fqn", "config", "tags", "version"),
    )
)

# Names by which a macro reads something else than target, vars and its arguments.
CHANGING = re.compile(
    r"\b(env_var|run_started_at|invocation_id|modules|flags|dbt_metadata_envs|invocation_args_dict"
    r"|graph|context|thread_id|selected_resources|model|this|api)\b"
)

# Anything of the target but its database.
OF_TARGET = re.compile(
    r"\btarget\b(?!\s*\.\s*database\b)|\b(schema|credentials|relation_name|this)\b"
    r"|\battr\b(?!\(\s*'(catalog_)?database'\s*\))"
)
# Of a node, what the target decides, and ways to read what isn't named.
OF_NODE = re.compile(r"\b(schema|database|relation_name|attr|get|to_dict|items|values)\b|\[")

MADE_UP = "DBT_DEPLOY_PARSE_AGAIN"


class CannotTransferError(Exception):
    """Nothing of this parse can serve another target; says why."""


def all_nodes(manifest: Any) -> Iterator[Any]:
    """Every node that has a schema reckoned by dbt, disabled ones too."""
    functions = getattr(manifest, "functions", None) or {}
    disabled = chain.from_iterable(manifest.disabled.values())
    for node in chain(manifest.nodes.values(), disabled, functions.values()):
        if str(node.resource_type) in NAMED:
            yield node


def macro_texts(manifest: Any) -> dict[str, list[str]]:
    """Macro name -> the texts of all macros of that name."""
    texts: dict[str, list[str]] = {}
    for macro in manifest.macros.values():
        texts.setdefault(macro.name, []).append(macro.macro_sql)
    return texts


# What has to be parsed again.


class Survey:
    """Which files and entries are not neutral; `result()` is what is kept with the parse.

    Args:
        manifest: the parse, as it is after ManifestLoader.load.
        root_project, all_projects: as ManifestLoader has them.
        adapter: dbt's adapter.
    """

    def __init__(self, manifest: Any, root_project: Any, all_projects: Any, adapter: Any) -> None:
        from dbt_common.clients.jinja import get_environment

        self.manifest = manifest
        self.root = root_project
        self.projects = all_projects
        self.macros = macro_texts(manifest)
        packages = {macro.package_name for macro in manifest.macros.values()} | set(all_projects)
        replaced = getattr(type(adapter), "_parse_replacements_", {})
        common = (get_environment(None), self.macros, packages, replaced)
        self.judge = neutral.Neutrality(*common)
        self.strict = neutral.Neutrality(*common, env_vars_are_followed=False)
        self.files: set[str] = set()
        self.entries: dict[str, dict[str, set[str]]] = {}
        self._static = self._static_parser()

    def result(self) -> dict[str, Any]:
        """{"files": [...], "entries": {file: {key: [names]}}}; raises CannotTransferError."""
        self._projects()
        if any(getattr(each, "exports", None) for each in self.manifest.saved_queries.values()):
            raise CannotTransferError("a saved query has exports")
        for file_id, file in self.manifest.files.items():
            if file.parse_file_type == "schema":
                self._schema_file(file_id, file)
        for node in all_nodes(self.manifest):
            reason = self._node(node)
            if reason:
                self._again(node, reason)
        entries = {
            file_id: {key: sorted(names) for key, names in sorted(keys.items())}
            for file_id, keys in sorted(self.entries.items())
        }
        return {"files": sorted(self.files), "entries": entries}

    def _static_parser(self) -> Any:
        """The static parser of models, if it is the one that dbt would use.

        run_static_parser of dbt/parser/models.py: what it can read has only literals.
        """
        from dbt.flags import get_flags

        flags = get_flags()
        banned = {"ref", "source", "config"} & {
            macro.name for macro in self.manifest.macros.values() if macro.package_name != "dbt"
        }
        if banned or not flags.STATIC_PARSER or flags.USE_EXPERIMENTAL_PARSER:
            return None
        from dbt_extractor import py_extract_from_source

        return py_extract_from_source

    def _projects(self) -> None:
        import yaml

        for name, project in self.projects.items():
            path = os.path.join(project.project_root, "dbt_project.yml")
            with open(path, encoding="utf-8") as file:
                loaded = yaml.safe_load(file) or {}
            for keys, text in _strings(loaded):
                if keys[0] in NOT_RENDERED or HOOKS & {key.lstrip("+") for key in keys}:
                    continue
                reason = self.judge.yml(text) if neutral.has_jinja(text) else ""
                if reason or "doc(" in text:
                    where = ".".join(keys)
                    raise CannotTransferError(f"{where} in dbt_project.yml of {name}: {reason}")

    # yml files.

    def _schema_file(self, file_id: str, file: Any) -> None:
        for key, entries in (file.dict_from_yaml or {}).items():
            if not isinstance(entries, list):
                continue
            for entry in entries:
                if not isinstance(entry, dict):
                    continue
                name = entry.get("name")
                for keys, text in _strings(entry):
                    if neutral.has_jinja(text) and self._depends(keys, text):
                        self._add_entry(file_id, key, name)

    def _depends(self, keys: tuple[str, ...], text: str) -> bool:
        tests = [place for place, key in enumerate(keys) if key in ("tests", "data_tests")]
        if tests:
            within = keys[tests[-1] + 1 :]
            if within and not TEST_CONFIG & set(within):
                return False
        return bool(self.judge.yml(text))

    def _add_entry(self, file_id: str, key: str, name: Any) -> None:
        if key not in ENTRIES:
            raise CannotTransferError(f"{key} in {file_id} depend on the target")
        if not isinstance(name, str) or neutral.has_jinja(name) or "." in name:
            raise CannotTransferError(f"the name of an entry in {file_id} is unusual")
        self.entries.setdefault(file_id, {}).setdefault(key, set()).add(name)

    # Nodes.

    def _node(self, node: Any) -> str:  # noqa: PLR0911  # one for each kind
        """Why the node's own text may depend on the target, '' if it can't."""
        kind = str(node.resource_type)
        if getattr(node, "language", "sql") != "sql":
            return "it isn't SQL"
        judge = self.strict if kind == "operation" else self.judge
        for hook in self._hooks(node):
            reason = judge.text(hook)
            if reason:
                return str(reason)
        if kind == "seed":
            return ""
        if kind == "test" and getattr(node, "test_metadata", None) is not None:
            return self._generic_test(node)
        text = node.raw_code
        if not neutral.has_jinja(text):
            return ""
        if kind == "model" and self._static is not None and self._is_static(text):
            return ""
        return str(judge.text(text))

    def _hooks(self, node: Any) -> list[str]:
        config = node.config
        hooks = [
            *(getattr(config, "pre_hook", None) or []),
            *(getattr(config, "post_hook", None) or []),
        ]
        return [hook.sql for hook in hooks]

    def _is_static(self, text: str) -> bool:
        try:
            self._static(text)
        except Exception:
            return False
        return True

    def _generic_test(self, node: Any) -> str:
        """As render_test_update of dbt/parser/schema_generic_tests.py parses it."""
        macros = node.depends_on.macros
        if macros and macros[0] in ("macro.dbt.test_not_null", "macro.dbt.test_unique"):
            return ""
        tainted = set()
        for name, value in node.test_metadata.kwargs.items():
            reason, is_tainted = self.judge.argument(value)
            if reason:
                return str(reason)
            if is_tainted:
                tainted.add(name)
        tainted.add("model")
        if "get_where_subquery" in self.macros:
            reason, _ = self.judge.macro("get_where_subquery", ["relation"])
            if reason:
                return str(reason)
        reason, _ = self.judge.macro("test_" + node.test_metadata.name, tainted)
        return str(reason)

    def _again(self, node: Any, reason: str) -> None:
        kind = str(node.resource_type)
        if kind == "function":
            raise CannotTransferError(f"{node.unique_id}: {reason}")
        if kind == "operation":
            raise CannotTransferError(f"a hook in dbt_project.yml: {reason}")
        file = self.manifest.files.get(node.file_id)
        if file is None:
            raise CannotTransferError(f"{node.unique_id} belongs to no file: {reason}")
        if file.parse_file_type != "schema":
            self.files.add(node.file_id)
        elif kind == "snapshot":
            self._add_entry(node.file_id, "snapshots", node.name)
        elif kind == "test":
            key, _, name = (node.file_key_name or "").partition(".")
            self._add_entry(node.file_id, key, name)
        else:
            raise CannotTransferError(f"{node.unique_id} is made in a yml file: {reason}")


def _strings(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every string within, keys of mappings too, with the keys that lead to it."""
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, dict):
        for key, each in value.items():
            if isinstance(key, str) and "{" in key:
                yield (*keys, key), key
            yield from _strings(each, (*keys, str(key)))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _strings(each, keys)


# Names.


class Names:
    """Database, schema, alias and relation name under the target of now, by dbt's own code.

    Args:
        manifest: has the macros (generate_schema_name and the like, of all packages).
        root_project: dbt's RuntimeConfig.
    """

    def __init__(self, manifest: Any, root_project: Any) -> None:
        from dbt.parser.base import ConfiguredParser, RelationUpdate

        self.manifest = manifest
        self.root = root_project
        self._relation_name = ConfiguredParser._update_node_relation_name
        self._updates = {
            component: RelationUpdate(manifest=manifest, config=root_project, component=component)
            for component in ("database", "schema", "alias")
        }
        self._known: dict[tuple[Any, ...], Any] = {}
        self._texts = macro_texts(manifest)
        self._fixed = self._find_fixed()
        self._reads = {
            component: () if component in self._fixed else self._read_of_node(update)
            for component, update in self._updates.items()
        }

    def follow_only_the_target(self) -> bool:
        """Whether the macros' texts say that they read only target, vars and arguments."""
        texts = [text for update in self._updates.values() for text in self._closure(update)]
        return not any(CHANGING.search(text) for text in texts)

    def apply(self, nodes: Iterable[Any]) -> None:
        """Gives every node the names that it has under this target."""
        for node in nodes:
            self._set(node)

    def check(self, nodes: Iterable[Any]) -> None:
        """Raises if the names of a node do not come out as dbt has just reckoned them."""
        for node in nodes:
            before = (node.database, node.schema, node.alias, node.relation_name)
            self._set(node)
            after = (node.database, node.schema, node.alias, node.relation_name)
            if before != after:
                node.database, node.schema, node.alias, node.relation_name = before
                raise CannotTransferError(f"the names of {node.unique_id} come out differently")

    def _set(self, node: Any) -> None:
        if getattr(node, "is_external_node", False):
            return
        config = node.config
        for component in ("database", "schema", "alias"):
            if component not in self._fixed:
                setattr(node, component, self._value(component, config.get(component), node))
        if str(node.resource_type) == "snapshot":
            node.database = config.get("target_database") or node.database
            node.schema = config.get("target_schema") or node.schema
        if node.relation_name is not None:
            self._relation_name(SimpleNamespace(root_project=self.root), node)

    def _value(self, component: str, custom: Any, node: Any) -> Any:
        """As RelationUpdate.__call__ of dbt/parser/base.py, once for nodes alike."""
        update = self._updates[component]
        reads = self._reads[component]
        updater = update.package_updaters.get(node.package_name, update.default_updater)
        if "config" in reads or "tags" in reads:
            parts: tuple[Any, ...] = (id(node),)
        else:
            parts = tuple(_hashable(getattr(node, each, None)) for each in reads)
        key = (component, id(updater), _hashable(custom), *parts)
        if key not in self._known:
            value = updater(custom, node)
            self._known[key] = value.strip() if isinstance(value, str) else value
        return self._known[key]

    # What the macros look like.

    def _closure(self, update: Any) -> list[str]:
        found: dict[str, None] = {}
        for updater in (update.default_updater, *update.package_updaters.values()):
            _gather(updater.macro.name, self._texts, found)
        return [text for name in found for text in self._texts[name]]

    def _find_fixed(self) -> frozenset[str]:
        """The components whose macros give the same for every target of this database.

        The alias as a rule, and the database: of the target, they read its database at most.
        """
        from dbt.adapters.factory import get_adapter
        from dbt_common.clients.jinja import get_environment

        packages = {macro.package_name for macro in self.manifest.macros.values()}
        replaced = getattr(type(get_adapter(self.root)), "_parse_replacements_", {})
        judge = neutral.Neutrality(
            get_environment(None), self._texts, packages, replaced, env_vars_are_followed=False
        )
        fixed = set()
        for component, update in self._updates.items():
            texts = self._closure(update)
            same = judge.macro(f"generate_{component}_name", ()) == ("", False)
            free = same and not any(OF_NODE.search(text) for text in texts)
            if free or not any(CHANGING.search(each) or OF_TARGET.search(each) for each in texts):
                fixed.add(component)
        return frozenset(fixed)

    def _read_of_node(self, update: Any) -> tuple[str, ...]:
        reads: set[str] = set()
        reader = _NodeReader(self._texts)
        for updater in (update.default_updater, *update.package_updaters.values()):
            reads |= reader.reads(updater.macro.macro_sql)
        return tuple(sorted(reads))


def _hashable(value: Any) -> Any:
    return value if isinstance(value, (str, int, type(None))) else repr(value)


def _gather(name: str, texts: Mapping[str, list[str]], found: dict[str, None]) -> None:
    """All macros that a macro's text names, with all that those name."""
    if name in found or name not in texts:
        return
    found[name] = None
    for text in texts[name]:
        for word in set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text)):
            _gather(word, texts, found)
            if "dispatch" in text:
                for other in texts:
                    if other.endswith("__" + word):
                        _gather(other, texts, found)


class _NodeReader:
    """Which attributes of the node a generate_..._name macro reads."""

    def __init__(self, texts: Mapping[str, list[str]]) -> None:
        from dbt_common.clients.jinja import get_environment
        from jinja2 import nodes

        self._nodes = nodes
        self._environment = get_environment(None)
        self._texts = texts
        self._seen: set[tuple[str, int]] = set()

    def reads(self, text: str, place: int = 1) -> set[str]:
        """The attributes; raises CannotTransferError if it can't be told.

        Args:
            text: the macro's text.
            place: which of its parameters is the node.
        """
        if (text, place) in self._seen:
            return set()
        self._seen.add((text, place))
        macros = [
            each
            for each in self._environment.parse(text).body
            if isinstance(each, self._nodes.Macro)
        ]
        if len(macros) != 1 or "varargs" in text or "kwargs" in text:
            raise CannotTransferError("a macro that makes names has an unusual form")
        params = [each.name for each in macros[0].args]
        if place >= len(params):
            return set()
        name = params[place]
        reads: set[str] = set()
        expected = 0
        for call in macros[0].find_all(self._nodes.Call):
            for position, argument in enumerate(call.args):
                if isinstance(argument, self._nodes.Name) and argument.name == name:
                    expected += 1
                    reads |= self._handed(call, position)
        for attribute in macros[0].find_all(self._nodes.Getattr):
            if isinstance(attribute.node, self._nodes.Name) and attribute.node.name == name:
                expected += 1
                reads.add(attribute.attr)
        # A bare `{% if node %}` or `node is none` reads nothing of it.
        used = [each for each in macros[0].find_all(self._nodes.Name) if each.name == name]
        bare = self._bare(macros[0], name)
        if len([each for each in used if each.ctx == "load"]) != expected + bare:
            raise CannotTransferError("a macro that makes names uses the node in an unusual way")
        return self._final(reads)

    def _bare(self, macro: Any, name: str) -> int:
        tests = [each.test for each in macro.find_all(self._nodes.If)]
        tests += [each.node for each in macro.find_all(self._nodes.Test)]
        return sum(isinstance(each, self._nodes.Name) and each.name == name for each in tests)

    def _final(self, reads: set[str]) -> set[str]:
        strange = sorted(reads - FINAL)
        if strange:
            raise CannotTransferError(f"a macro that makes names reads node.{strange[0]}")
        return reads

    def _handed(self, call: Any, position: int) -> set[str]:
        """What those macros read that are given the node as their argument."""
        callee = call.node
        if isinstance(callee, self._nodes.Call):
            first = callee.args[0] if callee.args else None
            if not isinstance(first, self._nodes.Const):
                raise CannotTransferError("a macro that makes names dispatches in an unusual way")
            names = [each for each in self._texts if each.endswith("__" + str(first.value))]
        elif isinstance(callee, self._nodes.Name):
            names = [callee.name]
        elif isinstance(callee, self._nodes.Getattr) and isinstance(callee.node, self._nodes.Name):
            names = [callee.attr]
        else:
            names = []
        texts = [text for name in names for text in self._texts.get(name, [])]
        if not texts:
            raise CannotTransferError("a macro that makes names hands the node on")
        return set().union(*(self.reads(text, position) for text in texts))


# dbt's own partial parsing made to parse files again.


def ask_again(
    manifest: Any, files: Iterable[str], entries: Mapping[str, Mapping[str, list[str]]]
) -> str:
    """Marks what PartialParsing shall parse again; the name of the made-up env var."""
    name = MADE_UP
    while name in os.environ or name in manifest.env_vars:
        name += "_"
    manifest.env_vars[name] = "as it was"
    for file_id in files:
        if file_id in manifest.files:
            manifest.files[file_id].env_vars.append(name)
    for file_id, keys in entries.items():
        if file_id in manifest.files:
            for key, names in keys.items():
                for each in names:
                    manifest.files[file_id].add_env_var(name, key, each)
    return name


def forget_the_asking(manifest: Any, name: str) -> None:
    """Takes the made-up env var out of a manifest, wherever it is left."""
    manifest.env_vars.pop(name, None)
    for file in manifest.files.values():
        used = getattr(file, "env_vars", None)
        if isinstance(used, list):
            if name in used:
                used[:] = [each for each in used if each != name]
        elif isinstance(used, dict):
            _forget_in_schema_file(used, name)


def _forget_in_schema_file(used: dict[str, dict[str, list[str]]], name: str) -> None:
    for key in list(used):
        for entry in list(used[key]):
            used[key][entry] = [each for each in used[key][entry] if each != name]
            if not used[key][entry]:
                del used[key][entry]
        if not used[key]:
            del used[key]

"""What dbt does in more time than its result needs, done in less: the results stay the same.

Each change stands alone and is left out where dbt is not as it is known (1.8 to 1.12). Where
there are figures, they are CPU seconds at 5,000 models and 15,000 tests with dbt 1.12, as
``make bench`` generates them.
"""

from __future__ import annotations

import functools
import gc
import inspect
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import conversions
import edges
import state_nodes

_waiting: list[Callable[[], None]] = []


def install() -> None:
    """Change what can be changed before it is known which command runs."""
    json.dump = _dump_in_one_piece
    edges.install()
    _leave_out_the_pickled_graph()
    _summarise_the_graph_from_names()
    _look_for_cycles_in_order()
    _read_state_once()
    _read_results_when_asked()
    _name_callers_without_their_source()
    _name_each_schema_once()
    _select_modified_once()
    _know_the_fields_of_a_config()
    _merge_quoting_once()
    conversions.install()
    state_nodes.install()
    _collect_while_nodes_run()


def look_up_selected_schemas_only() -> None:
    """For a process whose environment is set: dbt's ``--cache-selected-only`` (1 s).

    dbt then lists the relations of the schemas that it builds in, and of others when they are asked
    for. What the caller has set is left as it is.
    """
    names = ("DBT_ENGINE_CACHE_SELECTED_ONLY", "DBT_CACHE_SELECTED_ONLY")
    if not any(name in os.environ for name in names):
        os.environ[names[1]] = "true"


def write_the_manifest_once() -> None:
    """For a build: it writes manifest.json when it begins and again when it ends (5 s each).

    The first is held back and written only if the second does not come, as after an error of the
    connection. Sources: ``parse_manifest`` in dbt/parser/manifest.py, ``GraphRunnableTask.run`` in
    dbt/task/runnable.py.
    """
    import dbt.parser.manifest as parser
    from dbt.task import runnable

    found = getattr(runnable, "write_manifest", None)
    if found is None or getattr(parser, "write_manifest", None) is not found:
        return
    written: Any = found

    def hold_back(manifest: Any, target_path: str, which: str | None = None) -> None:
        _waiting[:] = [lambda: written(manifest, target_path, which)]

    def write(manifest: Any, target_path: str, which: str | None = None) -> None:
        _waiting.clear()
        written(manifest, target_path, which)

    parser.write_manifest = hold_back
    runnable.write_manifest = write


def write_what_waits() -> None:
    """Write what was held back and has not been overtaken."""
    while _waiting:
        _waiting.pop()()


def _dump_in_one_piece(obj: Any, fp: Any, **options: Any) -> None:
    """``json.dump`` by way of ``json.dumps``: the same text from the encoder in C.

    ``json.dump`` itself goes node by node through one in Python (3 s of each manifest.json):
    https://github.com/python/cpython/blob/3.12/Lib/json/__init__.py#L120
    """
    fp.write(json.dumps(obj, **options))


def _leave_out_the_pickled_graph() -> None:
    """``target/graph.gpickle``: nothing reads it, and all nodes become dictionaries for it (4 s).

    Source: ``Compiler.write_graph_file`` in dbt/compilation.py.
    """
    from dbt.compilation import Compiler

    if callable(getattr(Compiler, "write_graph_file", None)):
        Compiler.write_graph_file = lambda *_args, **_kwargs: None


def _summarise_the_graph_from_names() -> None:
    """``target/graph_summary.json``: each node becomes a dictionary, twice, for its type.

    Source: ``Linker.get_graph_summary`` in dbt/compilation.py.
    """
    from dbt.compilation import Linker

    if not callable(getattr(Linker, "get_graph_summary", None)):
        return

    def summary(self: Any, manifest: Any) -> dict[int, dict[str, Any]]:
        numbers = {name: number for number, name in enumerate(self.graph)}
        found: dict[int, dict[str, Any]] = {}
        for name, number in numbers.items():
            kind = manifest.expect(name).resource_type
            found[number] = {"name": name, "type": getattr(kind, "value", kind)}
            after = [numbers[each] for each in self.graph.successors(name)]
            if after:
                found[number]["succ"] = after
        return found

    Linker.get_graph_summary = summary


def _look_for_cycles_in_order() -> None:
    """Nodes that can be put in an order are in no cycle; dbt follows each edge for it.

    Where there is one, dbt finds it and says so. Source: ``Linker.find_cycles`` in
    dbt/compilation.py.
    """
    from dbt.compilation import Linker

    find = getattr(Linker, "find_cycles", None)
    if find is None:
        return

    def find_cycles(self: Any) -> Any:
        needs = {name: len(before) for name, before in self.graph.pred.items()}
        free = [name for name, count in needs.items() if not count]
        for name in free:
            for after in self.graph.succ[name]:
                needs[after] -= 1
                if not needs[after]:
                    free.append(after)
        return None if len(free) == len(needs) else find(self)

    Linker.find_cycles = find_cycles


def _read_state_once() -> None:
    """State to compare with and state to defer to are one folder, which dbt reads twice (4 s).

    With ``--state`` alone dbt itself uses one object for both (``GraphRunnableTask.__init__`` and
    ``_get_deferred_manifest`` in dbt/task/runnable.py).
    """
    from dbt.task import runnable

    read = getattr(runnable, "PreviousState", None)
    if read is None:
        return
    known: dict[Any, Any] = {}

    def once(**where: Any) -> Any:
        key = tuple(sorted((name, str(value)) for name, value in where.items()))
        if key not in known:
            known[key] = read(**where)
        return known[key]

    runnable.PreviousState = once


def _read_results_when_asked() -> None:
    """State's run_results.json is read for the ``result`` method alone, and always.

    Sources: ``PreviousState.__init__`` in dbt/contracts/state.py, ``ResultSelectorMethod.search``
    in dbt/graph/selector_methods.py.
    """
    from dbt.contracts import state

    load = getattr(state, "load_result_state", None)
    if load is None or "results" in vars(state.PreviousState):
        return

    def results(self: Any) -> Any:
        found = vars(self)["results"]
        if callable(found):
            found = vars(self)["results"] = found()
        return found

    def keep(self: Any, found: Any) -> None:
        vars(self)["results"] = found

    state.load_result_state = lambda path: functools.partial(load, path)
    state.PreviousState.results = property(results, keep)


def _name_callers_without_their_source() -> None:
    """A behaviour flag is told the module that asks; dbt reads 90 source files for it.

    Source: ``BehaviorFlagRendered._default_source`` in dbt_common/behavior_flags.py.
    """
    try:
        from dbt_common import behavior_flags
    except ImportError:
        return
    rendered: Any = getattr(behavior_flags, "BehaviorFlagRendered", None)
    if not callable(getattr(rendered, "_default_source", None)):
        return

    def caller() -> str:
        frame: Any = sys._getframe(1)
        while frame is not None:
            name = frame.f_globals.get("__name__")
            # Of code that was made, such as a dataclass's, no module is known.
            made = frame.f_code.co_filename.startswith("<")
            if name and not made and name != behavior_flags.__name__:
                return str(name)
            frame = frame.f_back
        return "Unknown"

    rendered._default_source = staticmethod(caller)


def _name_each_schema_once() -> None:
    """To know which schemas there are, the adapter makes a relation of each node.

    One node of each schema is enough. Where an adapter makes relations in a way of its own, that is
    left to it. Source: ``BaseAdapter._get_cache_schemas`` in dbt/adapters/base/impl.py.
    """
    from dbt.adapters.base.impl import BaseAdapter
    from dbt.adapters.base.relation import BaseRelation

    makers = ("create_from", "create", "without_identifier")
    whole = getattr(BaseAdapter, "_get_cache_schemas", None)
    known = [inspect.getattr_static(BaseRelation, name, None) for name in makers]
    if whole is None or None in known:
        return

    def schemas(self: Any, relation_configs: Any) -> Any:
        nodes = list(relation_configs)
        if [inspect.getattr_static(self.Relation, name, None) for name in makers] != known:
            return whole(self, nodes)
        first: dict[Any, Any] = {}
        for node in nodes:
            catalog = getattr(node, "catalog_name", None) or node.config.get("catalog")
            quoting = tuple(sorted(node.quoting_dict.items()))
            first.setdefault((node.database, node.schema, quoting, repr(catalog)), node)
        return whole(self, first.values())

    BaseAdapter._get_cache_schemas = schemas


def _select_modified_once() -> None:
    """A build selects three times: with unit tests, without, and for its queue (1 s each).

    What the ``state`` method finds among the same nodes is remembered. Sources:
    ``BuildTask.get_graph_queue`` in dbt/task/build.py, ``StateSelectorMethod.search`` in
    dbt/graph/selector_methods.py.
    """
    from dbt.graph.selector_methods import StateSelectorMethod

    search = getattr(StateSelectorMethod, "search", None)
    if search is None:
        return
    found: dict[Any, Any] = {}

    def remembered(self: Any, included_nodes: Any, selector: str) -> Any:
        # The objects are kept with the answer, so that no other one gets their ids.
        key = (id(self.manifest), id(self.previous_state), selector, frozenset(included_nodes))
        if key not in found:
            answer = list(search(self, included_nodes, selector))
            found[key] = (answer, self.manifest, self.previous_state)
        return iter(found[key][0])

    StateSelectorMethod.search = remembered


def _know_the_fields_of_a_config() -> None:
    """Which fields a configuration has, and which of them count when it is compared.

    dbt asks it of the class for each node, each time (0.8 s). Sources:
    ``AdditionalPropertiesMixin`` in dbt_common/contracts/config/properties.py and
    ``CompareBehavior`` in dbt_common/contracts/config/metadata.py.
    """
    try:
        from dbt_common.contracts.config.base import CompareBehavior
        from dbt_common.dataclass_schema import dbtClassMixin
    except ImportError:
        return
    names = getattr(dbtClassMixin.__dict__.get("_get_field_names"), "__func__", None)
    include = getattr(CompareBehavior.__dict__.get("should_include"), "__func__", None)
    if names is None or include is None:
        return

    def field_names(cls: Any) -> Any:
        found = names(cls)
        # A list that is searched as a set, once for each key of each configuration.
        return type("Names", (list,), {"__contains__": frozenset(found).__contains__})(found)

    cached: Any = functools.lru_cache(maxsize=None)
    dbtClassMixin._get_field_names = classmethod(cached(field_names))
    CompareBehavior.should_include = classmethod(cached(include))


def _merge_quoting_once() -> None:
    """How each node's relation is quoted is worked out anew, copy by copy, twice (0.3 s).

    What was merged of the same plain values is remembered. Source: ``BaseRelation.create_from`` in
    dbt/adapters/base/relation.py.
    """
    from dbt.adapters.base import relation

    merge = getattr(relation, "deep_merge", None)
    if merge is None:
        return
    known: dict[Any, Any] = {}

    def deep_merge(*policies: Any) -> Any:
        try:
            key = tuple([(*p, *p.values(), *map(type, p.values())) for p in policies])
            return dict(known[key])
        except (AttributeError, KeyError, TypeError):
            merged = merge(*policies)
        if policies and all(map(_is_plain, policies)):
            known[key] = dict(merged)
        return merged

    relation.deep_merge = deep_merge


def _is_plain(policy: Any) -> bool:
    return type(policy) is dict and {*map(type, policy.values())} <= {bool, type(None)}


def _collect_while_nodes_run() -> None:
    """The collector is off while dbt prepares; a build of hours must not grow without bounds.

    What is there by then stays and is looked at no more (``gc.freeze``).
    """
    from dbt.task.runnable import GraphRunnableTask

    execute = getattr(GraphRunnableTask, "execute_nodes", None)
    if execute is None:
        gc.enable()
        return

    def execute_nodes(self: Any, *args: Any, **kwargs: Any) -> Any:
        gc.freeze()
        gc.enable()
        return execute(self, *args, **kwargs)

    GraphRunnableTask.execute_nodes = execute_nodes

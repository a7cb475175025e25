"""Runs in the interpreter of a dbt: what of ours gives the same as dbt's own, without a warehouse.

Usage: ``python dbt_driver.py IN_DBT KEPT``; prints a JSON object of what was found.
"""

# Python 3.8, and dbt is imported where it is needed.
# ruff: noqa: PLC0415, PTH103, PTH118, PTH123

from __future__ import annotations

import importlib
import json
import os
import random
import sys
from types import SimpleNamespace
from typing import Any

SEEDS = 150


def graph_of(seed: int) -> Any:
    """A graph as dbt links one, with tests of one node and of several, and its manifest."""
    networkx = importlib.import_module("networkx")
    chance = random.Random(seed)
    sources = [f"source.p.s{n}" for n in range(chance.randint(0, 3))]
    names: list[str] = []
    nodes: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for kind in ["model"] * chance.randint(3, 9) + ["test"] * chance.randint(1, 5):
        is_function = kind == "model" and chance.random() < 0.1
        name = f"{'function' if is_function else kind}.p.n{len(nodes) + len(others)}"
        most = 3 if kind == "test" else 2
        count = min(chance.randint(kind == "test", most), len(names + sources))
        needs = chance.sample(names + sources, count)
        node = SimpleNamespace(resource_type=name.partition(".")[0], depends_on_nodes=needs)
        (others if is_function else nodes)[name] = node
        if kind != "test":
            names.append(name)
    graph = networkx.DiGraph()
    graph.add_nodes_from(sources)
    children: dict[str, list[str]] = {name: [] for name in sources}
    for name, node in {**others, **nodes}.items():
        graph.add_node(name)
        children.setdefault(name, [])
        for need in node.depends_on_nodes:
            graph.add_edge(need, name)
            children.setdefault(need, []).append(name)
    return graph, SimpleNamespace(nodes=nodes, child_map=children)


def edges_differ() -> list[int]:
    """Seeds of graphs in which something waits for other tests than dbt's own edges make it."""
    edges: Any = importlib.import_module("edges")
    from dbt.compilation import Linker

    closure = importlib.import_module("networkx").transitive_closure
    slow = getattr(Linker, "add_test_edges_1", None) or Linker.add_test_edges
    found = []
    for seed in range(SEEDS):
        graph, manifest = graph_of(seed)
        theirs = Linker()
        theirs.graph = graph.copy()
        slow(theirs, manifest)
        ours = graph.copy()
        ours.add_edges_from(edges.missing(graph, manifest.nodes))
        if set(closure(theirs.graph).edges) != set(closure(ours).edges):
            found.append(seed)
    return found


def edges_by_flag() -> dict[str, int]:
    """How many edges are added where the caller has asked for dbt's quick way and where not."""
    edges: Any = importlib.import_module("edges")
    from dbt import compilation, flags

    count: dict[str, int] = {}
    theirs: list[Any] = []
    for name, value in (("asked", True), ("not asked", False)):
        compilation.Linker.add_test_edges = lambda _self, manifest: theirs.append(manifest)
        flags.get_flags = lambda value=value: SimpleNamespace(USE_FAST_TEST_EDGES=value)
        edges.install()
        linker = compilation.Linker()
        for seed in range(20):
            linker.graph, manifest = graph_of(seed)
            before = linker.graph.number_of_edges()
            theirs.clear()
            linker.add_test_edges(manifest)
            added = linker.graph.number_of_edges() - before
            count[name] = count.get(name, 0) + added
            count[f"{name}, by dbt"] = len(theirs)
    return count


def schemas_differ(kept: str) -> dict[str, Any]:
    """Which of the kept schemas are not what dbt derives, and how many are kept."""
    with open(os.path.join(kept, "json_schemas.json"), encoding="utf-8") as file:
        found = json.load(file)
    differing, known = [], 0
    for name, schema in found.items():
        made: Any = None
        parts = name.split(".")
        for place in range(len(parts) - 1, 0, -1):
            try:
                made = importlib.import_module(".".join(parts[:place]))
            except ImportError:
                continue
            for each in parts[place:]:
                made = getattr(made, each)
            break
        known += 1
        if json.loads(json.dumps(made.json_schema())) != schema:
            differing.append(name)
    local = [name for name in found if "<locals>" in name]
    foreign = [name for name in found if not name.startswith(("dbt.", "dbt_common."))]
    return {"differing": differing, "known": known, "local": local, "foreign": foreign}


def schemas_used(folder: str) -> dict[str, Any]:
    """What becomes of kept files that are damaged, foreign, or cannot be written."""
    from dataclasses import dataclass

    schemas: Any = importlib.import_module("schemas")
    from dbt.artifacts.resources import Owner
    from dbt_common.dataclass_schema import dbtClassMixin

    name = f"{Owner.__module__}.{Owner.__qualname__}"
    derive = dbtClassMixin.__dict__["json_schema"]
    theirs = Owner.json_schema()
    found: dict[str, Any] = {}
    for kind, content in (
        ("damaged", b'{"' + name.encode() + b'": {"type"'),
        ("binary", b"\xff\xfe\x00"),
        ("a list", b"[1]"),
        ("foreign", json.dumps({name: "no schema", "a": 1}).encode()),
        ("another's", json.dumps({name: {"title": "kept"}}).encode()),
    ):
        dbtClassMixin.json_schema = derive
        schemas._known.clear()
        schemas._new.clear()
        path = os.path.join(folder, kind)
        os.makedirs(path)
        with open(os.path.join(path, schemas.FILE), "wb") as out:
            out.write(content)
        schemas.use(path)
        found[kind] = "as dbt's" if Owner.json_schema() == theirs else Owner.json_schema()

    @dataclass
    class Local(dbtClassMixin):  # type: ignore[misc]
        """One that is defined in a function."""

        a: int

    Local.json_schema()
    found["local"] = [each for each in schemas._new if "Local" in each]
    # A file stands where the folder would be: root may write anywhere else.
    blocked = os.path.join(folder, "blocked")
    with open(blocked, "wb"):
        pass
    schemas.use(os.path.join(blocked, "kept"))
    schemas._new.append("something")
    schemas.write_new()
    found["unwritable"] = "ended"
    dbtClassMixin.json_schema = derive
    return found


def summaries_differ() -> list[int]:
    """Seeds of graphs whose summary is not the one that dbt makes."""
    from dbt.compilation import Linker
    from dbt.node_types import NodeType

    theirs = Linker.get_graph_summary
    importlib.import_module("faster")._summarise_the_graph_from_names()
    found = []
    for seed in range(20):
        linker = Linker()
        linker.graph, _ = graph_of(seed)

        def expect(name: str) -> Any:
            # dbt 1.8 has no functions.
            kind = NodeType(name.partition(".")[0].replace("function", "exposure"))
            return SimpleNamespace(
                resource_type=kind, to_dict=lambda **_: {"resource_type": kind.value}
            )

        manifest = SimpleNamespace(expect=expect)
        both = (theirs(linker, manifest), linker.get_graph_summary(manifest))
        if json.dumps(both[0]) != json.dumps(both[1]):
            found.append(seed)
    return found


def cycles_differ() -> list[int]:
    """Seeds of graphs, some with cycles, of which dbt tells another cycle or none."""
    from dbt.compilation import Linker

    theirs = Linker.find_cycles
    importlib.import_module("faster")._look_for_cycles_in_order()
    found, told = [], set()
    for seed in range(60):
        linker = Linker()
        linker.graph, _ = graph_of(seed)
        names = list(linker.graph)
        chance = random.Random(seed)
        for _ in range(seed % 3):
            linker.graph.add_edge(chance.choice(names), chance.choice(names))
        both = (theirs(linker), linker.find_cycles())
        told.add(both[0] is None)
        if both[0] != both[1]:
            found.append(seed)
    assert told == {True, False}
    return found


class Counted:
    """An adapter's configuration, asked for its quoting once for each relation that is made."""

    asked = 0

    @property
    def quoting(self) -> dict[str, bool]:
        self.asked += 1
        return {}


def schemas_of_adapters() -> dict[str, Any]:
    """Which schemas an adapter finds in nodes, as dbt does it and as we do, and in how many."""
    from dbt.adapters.base.impl import BaseAdapter
    from dbt.adapters.base.relation import BaseRelation
    from dbt.adapters.postgres.relation import PostgresRelation

    class Another(BaseRelation):  # type: ignore[misc]
        """One that makes its relations by itself."""

        @classmethod
        def create_from(cls, *args: Any, **kwargs: Any) -> Any:
            return super().create_from(*args, **kwargs)

    theirs = BaseAdapter._get_cache_schemas
    importlib.import_module("faster")._name_each_schema_once()
    chance = random.Random(1)
    nodes = [
        SimpleNamespace(
            database="d",
            schema=chance.choice(["a", "b", "A"]),
            identifier=f"m{number}",
            quoting_dict=chance.choice([{}, {"schema": True}, {"schema": False, "column": True}]),
            config=chance.choice([{}, {"catalog": "c"}]),
        )
        for number in range(100)
    ]
    found: dict[str, Any] = {}
    for relation in (PostgresRelation, Another):
        adapter = SimpleNamespace(Relation=relation, config=SimpleNamespace(quoting={}))
        whole = theirs(adapter, iter(nodes))
        counted = SimpleNamespace(Relation=relation, config=Counted())
        ours = BaseAdapter._get_cache_schemas(counted, iter(nodes))
        made = counted.config.asked
        found[relation.__name__] = [ours == whole, len(whole), made]
    return found


def callers() -> dict[str, list[str]]:
    """Which module dbt thinks that a behaviour flag comes from, and which we do."""
    from dbt_common import behavior_flags

    rendered: Any = behavior_flags.BehaviorFlagRendered
    theirs = rendered._default_source
    importlib.import_module("faster")._name_callers_without_their_source()
    made: dict[str, Any] = {"__name__": "made"}
    exec("def call(function): return function()", made)
    return {
        name: [source(), made["call"](source)]
        for name, source in (("theirs", theirs), ("ours", rendered._default_source))
    }


def results_late(folder: str) -> dict[str, Any]:
    """What is read of state's results before they are asked for and then."""
    from dbt.artifacts.schemas.run import RunResultsArtifact
    from dbt.contracts import state

    importlib.import_module("faster")._read_results_when_asked()
    read: list[str] = []
    check = RunResultsArtifact.read_and_check_versions

    def noted(path: str) -> Any:
        read.append(path)
        return check(path)

    RunResultsArtifact.read_and_check_versions = noted
    where: Any = {"state_path": state.Path("state"), "project_root": state.Path(folder)}
    if "target_path" in state.PreviousState.__init__.__annotations__:
        where["target_path"] = state.Path("target")
    os.makedirs(os.path.join(folder, "state"))
    found: dict[str, Any] = {"none": state.PreviousState(**where).results}
    file = os.path.join(folder, "state", "run_results.json")
    for kind, version in (("known", "v5"), ("unknown", "v99")):
        schema = f"https://schemas.getdbt.com/dbt/run-results/{version}.json"
        content = {"metadata": {"dbt_schema_version": schema}, "results": [], "elapsed_time": 1.0}
        with open(file, "w", encoding="utf-8") as out:
            json.dump({**content, "args": {}}, out)
        there = state.PreviousState(**where)
        before = len(read)
        try:
            found[kind] = [len(there.results), there.results is there.results]
        except Exception as error:
            found[kind] = type(error).__name__
        found[f"{kind}, read"] = [before, len(read)]
        read.clear()
    return found


def late(held: list[str]) -> dict[str, Any]:
    """What was not imported with dbt, and whether dbt makes the real thing when it calls it."""
    not_there = [name for name in held if name not in sys.modules]
    osi = sys.modules.get("dbt.parser.osi")
    real = "metricflow.converters.osi_to_msi"
    made = osi and type(osi.OSIToMSIConverter()).__module__ == real
    return {"held": held, "not there": not_there, "made": made, "sqlglot": "sqlglot" in sys.modules}


def quotings_differ() -> list[str]:
    """Policies of which another is merged than dbt's own, or one that is not the caller's alone."""
    from dbt.adapters.base import relation

    theirs = relation.deep_merge
    importlib.import_module("faster")._merge_quoting_once()
    chance = random.Random(2)
    names = ["database", "schema", "identifier"]
    found = []
    for _ in range(300):
        policies: list[Any] = [
            {name: chance.choice([True, False, None]) for name in names[: chance.randint(0, 3)]}
            for _ in range(chance.randint(1, 4))
        ]
        if chance.random() < 0.2:
            policies[-1] = {"deep": {"deeper": [1]}, "other": 1}
        ours = relation.deep_merge(*policies)
        if ours != theirs(*policies) or list(ours) != list(theirs(*policies)):
            found.append(repr(policies))
        ours["changed"] = True
    return found


def fields_differ() -> list[str]:
    """Configurations whose fields, or those that count when it is compared, are other ones."""
    from dbt_common.contracts.config.base import BaseConfig, CompareBehavior

    def of(cls: Any) -> list[Any]:
        count = [CompareBehavior.should_include(field) for field, _ in cls._get_fields()]
        return [cls._get_field_names(), count]

    left, configs = [BaseConfig], []
    while left:
        left.extend(left[0].__subclasses__())
        configs.append(left.pop(0))
    theirs = [of(cls) for cls in configs]
    importlib.import_module("faster")._know_the_fields_of_a_config()
    assert any(False in count for _, count in theirs)
    return [cls.__name__ for n, cls in enumerate(configs) if [of(cls), of(cls)] != [theirs[n]] * 2]


def templates_differ(kept: str) -> dict[str, Any]:
    """Of the kept macros how many there are, which differ from Jinja's, and when it compiles."""
    from dbt_common.clients import jinja

    templates: Any = importlib.import_module("kept_templates")
    environment: Any = jinja.MacroFuzzEnvironment
    compile_anew = environment.compile
    templates.use(kept, ["postgres"])
    found = dict(templates.kept.known)
    differing = [
        text for text, code in found.items() if compile_anew(jinja.get_environment(), text) != code
    ]
    generated: list[str] = []
    generate = environment._generate

    def noted(self: Any, *args: Any, **options: Any) -> Any:
        generated.append("once")
        return generate(self, *args, **options)

    environment._generate = noted
    text = next(iter(found))

    def compiled(package: str, debugging: bool = False) -> int:
        generated.clear()
        jinja.template_cache.clear()
        jinja.MACRO_DEBUGGING = debugging
        node = SimpleNamespace(macro_sql=text, package_name=package)
        jinja.template_cache.get_node_template(node)
        return len(generated)

    return {
        "kept": len(found),
        "differing": differing,
        "compiled": {
            "dbt's": compiled("dbt"),
            "the project's": compiled("shop"),
            "debugged": compiled("dbt", debugging=True),
        },
        "new": len(templates.kept.new),
    }


def main(in_dbt: str, kept: str, folder: str) -> None:
    sys.path.insert(0, in_dbt)
    late_imports = importlib.import_module("late_imports")
    held = late_imports.hold_back()
    import dbt.cli.main  # noqa: F401  all classes

    late_imports.let_go(held)
    answer = {
        "late imports": late(held),
        "templates": templates_differ(kept),
        "quotings": quotings_differ(),
        "fields": fields_differ(),
        "schemas": schemas_differ(kept),
        "schemas used": schemas_used(folder),
        "edges": edges_differ(),
        "edges by flag": edges_by_flag(),
        "summaries": summaries_differ(),
        "cycles": cycles_differ(),
        "schemas of adapters": schemas_of_adapters(),
        "callers": callers(),
        "results": results_late(folder),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Which node waits for which test: in one pass over the graph what dbt does in one pass a node.

``Linker.add_test_edges_1`` in dbt/compilation.py (1.8: ``add_test_edges``) lets a node wait for a
test if it hangs on all that is tested; it looks at everything above each node, and adds an edge to
each node below (8 s of CPU at 5,000 models and 15,000 tests). Fewer edges order the same, for what
hangs on a node that waits, waits. Dbt's own quicker way, ``use_fast_test_edges``, does not: it
forgets tests of several nodes where the models begin with a source, so that what hangs on them
is built though the test failed (1.11.16, 1.12.6). A caller who has set it gets it.
"""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Mapping, Set, Tuple


def install() -> None:
    """Add the edges this way where dbt is as it is known."""
    from dbt.compilation import Linker
    from dbt.flags import get_flags

    added = getattr(Linker, "add_test_edges", None)
    if added is None:
        return

    def add_test_edges(self: Any, manifest: Any) -> None:
        if getattr(get_flags(), "USE_FAST_TEST_EDGES", False):
            added(self, manifest)
        else:
            edges = missing(self.graph, manifest.nodes)
            self.graph.add_edges_from(edges, edge_type="parent_test")

    Linker.add_test_edges = add_test_edges


def missing(graph: Any, nodes: Mapping[str, Any]) -> List[Tuple[str, str]]:
    """The edges from tests to what must wait for them.

    Args:
        graph: dbt's, a ``networkx.DiGraph`` of unique ids.
        nodes: of the manifest, all that can be run.
    """
    from networkx import topological_sort

    needs: Dict[str, FrozenSet[str]] = {
        name: frozenset(node.depends_on_nodes) for name, node in nodes.items() if _is_test(node)
    }
    tests: Dict[str, List[str]] = {}
    for name, tested in needs.items():
        for each in tested:
            tests.setdefault(each, []).append(name)
    # A set of tested nodes is a number with a bit for each: 5,000 of them are united at once.
    bits = {name: 1 << place for place, name in enumerate(tests)}
    masks = {name: sum(bits[each] for each in tested) for name, tested in needs.items()}

    found: List[Tuple[str, str]] = []
    above: Dict[str, int] = {}
    waiting: Dict[str, Set[str]] = {}
    unseen = dict(graph.out_degree())
    for name in topological_sort(graph):
        ancestors, open_tests = 0, set()
        for parent in graph.predecessors(name):
            ancestors |= above[parent] | bits.get(parent, 0)
            open_tests |= waiting[parent]
            open_tests.update(tests.get(parent, ()))
            unseen[parent] -= 1
            if not unseen[parent]:
                # Or each node would hold what all those above it brought.
                del above[parent], waiting[parent]
        if name in nodes and not _is_test(nodes[name]):
            met = {test for test in open_tests if not masks[test] & ~ancestors}
            found += [(test, name) for test in sorted(met)]
            open_tests -= met
        if unseen[name]:
            above[name], waiting[name] = ancestors, open_tests
    return found


def _is_test(node: Any) -> bool:
    return bool(node.resource_type == "test")

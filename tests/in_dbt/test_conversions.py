"""Nodes made from resources and back in the short way are what dbt makes of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROFILE = """
shop:
  target: prod
  outputs:
    prod:
      {type: postgres, host: h, port: 5432, user: u, password: p, dbname: d, schema: s, threads: 1}
"""

DRIVER = """
import json, sys
sys.path.insert(0, sys.argv[1])
import dbt.cli.main
import conversions
import state_nodes
from dbt.artifacts.resources import Seed
from dbt.artifacts.schemas.manifest import WritableManifest
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import BaseNode

KINDS = ("nodes", "sources", "macros", "docs", "exposures", "metrics", "groups", "unit_tests",
         "semantic_models", "saved_queries", "functions", "disabled")


def flat(manifest):
    for kind in KINDS:
        for unique_id, found in getattr(manifest, kind, {}).items():
            for number, node in enumerate(found if isinstance(found, list) else [found]):
                yield f"{kind} {unique_id} {number}", node


def whole():
    read = Manifest.from_writable_manifest(WritableManifest.read_and_check_versions(sys.argv[2]))
    nodes = {
        key: [type(node).__name__, repr({k: v for k, v in vars(node).items() if k != "_lock"})]
        for key, node in flat(read)
    }
    resources = {
        key: node.to_resource().to_dict(omit_none=False, context={"artifact": True})
        for key, node in flat(read)
    }
    return nodes, json.dumps(resources, default=str)


def refused():
    broken = json.load(open(sys.argv[2]))
    next(n for n in broken["nodes"].values() if n["resource_type"] == "seed").pop("name")
    unknown = json.load(open(sys.argv[2]))
    next(iter(unknown["nodes"].values()))["resource_type"] = "other"
    for data in (broken, unknown, {}):
        try:
            yield repr(WritableManifest.upgrade_schema_version(data))
        except Exception as error:
            yield type(error).__name__ + str(error)[:1000]


def tried():
    count = []
    whole = Seed.from_dict
    Seed.from_dict = lambda d: (count.append(1), whole(d))[1]
    read = WritableManifest.read_and_check_versions(sys.argv[2])
    Seed.from_dict = whole
    return len(count), sum(node.resource_type == "seed" for node in read.nodes.values())


dbt_way, refusals = whole(), list(refused())
conversions.install()
state_nodes.install()
short_way = whole()
assert list(refused()) == refusals
made, seeds = tried()
assert made == seeds > 0, "each node is read as its own kind only"
shortly = [c.__name__ for c, shared in conversions._plans.items() if shared]
different = [key for key in dbt_way[0] if dbt_way[0][key] != short_way[0].get(key)]
same = dbt_way[1] == short_way[1]
print(json.dumps([len(dbt_way[0]), len(short_way[0]), different, same, shortly]))
"""


def test_the_short_way_gives_what_dbts_gives(any_dbt_command: Path, tmp_path: Path) -> None:
    project = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "shop", project)
    (project / "profiles.yml").write_text(PROFILE)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for command in ("deps", "parse"):
        subprocess.run(
            [any_dbt_command, command, "--profiles-dir", "."],
            cwd=project,
            env=environment,
            check=True,
            capture_output=True,
        )
    told = subprocess.run(
        [
            any_dbt_command.parent / "python",
            "-c",
            DRIVER,
            str(ROOT / "scripts" / "in_dbt"),
            str(project / "target" / "manifest.json"),
        ],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    before, after, different, same_text, shortly = json.loads(told)
    assert before == after > 300
    assert different == []
    assert same_text
    assert {"ModelNode", "SourceDefinition", "Macro", "SeedNode"} <= set(shortly)

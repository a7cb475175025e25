"""GitHub's published OpenAPI description -> the operations we use, as a small file of our own.

Run by hand, when GitHub's description moves on:

    npm pack @octokit/openapi && tar xzf octokit-openapi-*.tgz
    python tests/standins/github/slim_openapi.py package

What is kept: the operations below, all that they refer to, and the examples that the stand-in makes
its answers from. What goes: text for people and the examples of everything else.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parents[2] / "fixtures" / "github-openapi.json"

OPERATIONS = {
    "actions/download-artifact",
    "actions/list-workflow-run-artifacts",
    "git/get-ref",
    "git/get-tag",
    "issues/add-labels",
    "issues/create-comment",
    "issues/delete-comment",
    "issues/get-comment",
    "issues/list-comments",
    "issues/list-labels-on-issue",
    "issues/remove-label",
    "issues/update-comment",
    "pulls/get",
    "pulls/list",
    "repos/compare-commits",
    "repos/create-deployment-status",
    "repos/create-release",
    "repos/delete-release",
    "repos/delete-release-asset",
    "repos/get",
    "repos/list-deployment-statuses",
    "repos/list-deployments",
    "repos/list-release-assets",
    "repos/list-releases",
    "repos/update-release",
    "repos/upload-release-asset",
    "users/get-authenticated",
}
EXAMPLES = {
    "artifact-paginated": "artifacts",
    "commit-comparison": "comparison",
    "deployment-items": "deployments",
    "deployment-status": "deployment_status",
    "full-repository-default-response": "repository",
    "git-ref": "ref",
    "git-tag": "tag",
    "issue-comment": "comment",
    "label-items": "labels",
    "public-user-default-response": "user",
    "pull-request": "pull",
    "pull-request-simple-items": "pulls",
    "release": "release",
    "release-asset-response-for-successful-upload": "asset",
}
FOR_PEOPLE = {"description", "summary", "externalDocs", "example", "examples", "tags", "x-github"}
NAMES = {"properties", "responses"}
METHODS = {"get", "post", "put", "patch", "delete"}


def slim(full: dict[str, Any], version: str, license_text: str) -> dict[str, Any]:
    """Cut the description down.

    Args:
        full: ``api.github.com.json``, in which ``$ref`` stands for what is shared.
        version: of the npm package it came in.
        license_text: that package's, which wants to be kept with every copy.
    """
    paths = {
        path: {method: _bare(what) for method, what in item.items() if _used(method, what)}
        for path, item in full["paths"].items()
    }
    paths = {path: item for path, item in paths.items() if item}
    description = {
        "openapi": full["openapi"],
        "info": {"title": "GitHub REST API, in part", "version": full["info"]["version"]},
        "x-origin": {
            "package": f"npm @octokit/openapi {version}, generated/api.github.com.json",
            "source": "https://github.com/octokit/openapi",
            "license": license_text.strip(),
            "made-by": "tests/standins/github/slim_openapi.py",
        },
        "servers": full["servers"],
        "paths": paths,
        "components": _referenced(full, paths),
        "x-examples": {
            ours: full["components"]["examples"][theirs]["value"]
            for theirs, ours in EXAMPLES.items()
        },
    }
    _describe(description)
    return description


def _used(method: str, operation: Any) -> bool:
    return method in METHODS and operation.get("operationId") in OPERATIONS


def _referenced(full: dict[str, Any], start: object) -> dict[str, Any]:
    """The components that ``start`` refers to, and those that these refer to, and so on."""
    components: dict[str, Any] = {}
    waiting = _references(start)
    while waiting:
        kind, name = waiting.pop()
        if name in components.setdefault(kind, {}):
            continue
        found = _bare(full["components"][kind][name])
        components[kind][name] = found
        waiting += _references(found)
    return {kind: dict(sorted(named.items())) for kind, named in sorted(components.items())}


def _references(node: object) -> list[tuple[str, str]]:
    if isinstance(node, list):
        return [found for item in node for found in _references(item)]
    if not isinstance(node, dict):
        return []
    found = [found for item in node.values() for found in _references(item)]
    for reference in (node.get("$ref"), *node.get("discriminator", {}).get("mapping", {}).values()):
        if isinstance(reference, str):
            _, _, kind, name = reference.split("/")
            found.append((kind, name))
    return found


def _bare(node: Any, *, names: bool = False) -> Any:
    """Without what is for people. With ``names``, keys are names, not keywords of OpenAPI."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _bare(value, names=not names and key in NAMES)
        for key, value in node.items()
        if names or key not in FOR_PEOPLE
    }


def _describe(description: dict[str, Any]) -> None:
    """A response must have a description, were it an empty one (OpenAPI 3.0, Response Object)."""
    groups = [description["components"].get("responses", {})]
    groups += [
        what["responses"] for item in description["paths"].values() for what in item.values()
    ]
    for response in (response for group in groups for response in group.values()):
        if "$ref" not in response:
            response["description"] = ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Slim GitHub's OpenAPI description.")
    parser.add_argument("package", type=Path, help="the unpacked npm package @octokit/openapi")
    package = parser.parse_args().package
    version = json.loads((package / "package.json").read_text())["version"]
    full = json.loads((package / "generated" / "api.github.com.json").read_text())
    description = slim(full, version, (package / "LICENSE").read_text())
    OUTPUT.write_text(json.dumps(description, indent=1, ensure_ascii=False) + "\n")
    print(f"{OUTPUT}: {OUTPUT.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()

"""What changed since production was built, though ``state:modified`` does not see it.

Together with ``checkout_digest.py`` this knows all that dbt reads: there one digest tells that
nothing changed, here each part that dbt does not compare tells what did, and who uses it. What did
not change itself is in production's manifest as it is here, so that this is known before dbt
parses.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.artifacts.artifacts import Checksum, Manifest, Node
from dbtdeploy.base import actions_runner, settings, yaml_codec
from dbtdeploy.base.text import plural
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.built_with import (
    BuiltWith,
    LargeSeed,
    UnseenChange,
    UnseenChanges,
    UnseenKind,
)
from dbtdeploy.context.project import read_yaml
from dbtdeploy.dbt import checkout_digest, installed_version

VAR = re.compile(r"\bvar\s*\(\s*(?:['\"]([^'\"]+)['\"]|([^'\"\s]))")
ENV_VAR = re.compile(r"\benv_var\s*\(\s*['\"]([^'\"]+)['\"]")
NEVER_READ = "DBT_ENV_SECRET"
"""dbt lets no node read these."""

ANY = ""
"""The name of a variable that is computed."""

WORDS: Mapping[UnseenKind, str] = {
    "seed": "the file of the seed",
    "variable": "the variable",
    "environment": "the environment variable",
    "python": "the Python package",
}

ROUNDS = 100_000
KEPT = 4
"""Bytes of a value's digest: enough to see a change, too few to find the value again."""


def taken(run: work_files.Run, manifest: Manifest, variables: Mapping[str, str]) -> BuiltWith:
    """What this checkout is built with.

    Args:
        run: this run.
        manifest: as dbt parsed it.
        variables: the environment that dbt gets.
    """
    texts = (*map(_text, manifest.nodes.values()), *_macros(manifest))
    named = {name for text in texts for name in ENV_VAR.findall(text)}
    salt = secrets.token_hex(8)
    return BuiltWith(
        salt=salt,
        seeds=_large_seeds(run, manifest),
        variables=_of_project(run),
        command_line=_of_command_line(run, salt),
        environment={
            name: _of_environment(name, variables, salt)
            for name in sorted(named)
            if not name.startswith(NEVER_READ)
        },
        distributions=_distributions(run, variables),
    )


def kept(run: work_files.Run, manifest: Manifest, before: BuiltWith | None) -> BuiltWith | None:
    """What the version of this run is built with.

    A run that selects by itself may have left out what uses a change: the digests of the version
    before stay, so that the next run still finds it.

    Args:
        run: this run.
        manifest: as dbt parsed it.
        before: what the version before was built with.
    """
    chosen = run.selection
    selects = bool(chosen.select or chosen.selector) and not checkout_digest.compares_only(chosen)
    if selects or chosen.exclude:
        return before
    return taken(run, manifest, settings.DbtEnvironment.from_environ().variables)


def selected(run: work_files.Run, work: Path, state: work_files.State) -> work_files.Selection:
    """The selection of this run, with what uses a change that dbt does not see.

    Args:
        run: this run.
        work: the work folder; what is found is kept there for the report.
        state: what production was built from.
    """
    found = hand_over.read_if_there(work, UnseenChanges)
    if found is None:
        found = _found(run, work, state)
        hand_over.write(work, found)
    if not found.words:
        return run.selection
    select = " ".join(filter(None, (run.selection.select, *found.words)))
    return replace(run.selection, select=select)


def _found(run: work_files.Run, work: Path, state: work_files.State) -> UnseenChanges:
    if not state.found or not _compares(run.selection):
        return UnseenChanges()
    if state.built_with is None:
        actions_runner.say(
            "Production's version does not say with which variables, large seeds and Python "
            "packages it was built; dbt does not compare these."
        )
        return UnseenChanges(unknown=True)
    manifest = artifacts.read_manifest(work / work_files.STATE_FOLDER / "manifest.json")
    if manifest is None:
        return UnseenChanges(unknown=True)
    variables = settings.DbtEnvironment.from_environ().variables
    changes = find(run, state.built_with, manifest, variables)
    ids = sorted({unique_id for one in changes if one.added for unique_id in one.nodes})
    for one in changes:
        built = ", built because of that" if one.added else ""
        actions_runner.say(
            f"dbt does not compare {WORDS[one.what]} {one.name}, which is not as production was "
            f"built with. It is used by {plural(len(one.nodes), 'node')}{built}."
        )
    words = tuple(f"fqn:{'.'.join(manifest.nodes[unique_id].fqn)}+" for unique_id in ids)
    return UnseenChanges(changes=changes, words=words)


def _compares(chosen: work_files.Selection) -> bool:
    """Whether anything is left to what dbt finds modified."""
    words = " ".join(filter(None, (chosen.select, chosen.exclude)))
    return "state:" in words or bool(chosen.selector and chosen.selectors_need_state)


def find(
    run: work_files.Run, before: BuiltWith, state: Manifest, variables: Mapping[str, str]
) -> tuple[UnseenChange, ...]:
    """What changed since, with the nodes that use it.

    What a pull request's job has in its environment and in the input ``vars`` is not production's
    to begin with, so that only deploys and releases compare these.

    Args:
        run: this run.
        before: what production was built with.
        state: production's manifest.
        variables: the environment that dbt gets.
    """
    found = [_seed(unique_id, seed) for unique_id, seed in _changed_seeds(run, before, state)]
    changed = _differing(before.variables, _of_project(run))
    if run.command != "ci":
        changed |= _differing(before.command_line, _of_command_line(run, before.salt))
        now = {name: _of_environment(name, variables, before.salt) for name in before.environment}
        environment = sorted(_differing(before.environment, now))
        found += [_used("environment", name, state, ENV_VAR) for name in environment]
    found += [_used("variable", name, state, VAR) for name in sorted(changed)]
    found += _python(before, _distributions(run, variables), state)
    added = checkout_digest.compares_only(run.selection)
    return tuple(replace(one, added=added and bool(one.nodes)) for one in found)


def _changed_seeds(
    run: work_files.Run, before: BuiltWith, state: Manifest
) -> Iterator[tuple[str, LargeSeed]]:
    for unique_id, seed in sorted(before.seeds.items()):
        now = _sha256(_path(run, seed.package, seed.path))
        if now is not None and now != seed.sha256 and unique_id in state.nodes:
            yield unique_id, seed


def _seed(unique_id: str, seed: LargeSeed) -> UnseenChange:
    return UnseenChange(what="seed", name=seed.name, nodes=(unique_id,), added=False)


def _python(before: BuiltWith, now: tuple[str, ...], state: Manifest) -> Iterator[UnseenChange]:
    """Which packages beside dbt differ; what may run them is a model in Python."""
    if not before.distributions or not now:
        return
    models = tuple(
        sorted(i for i, n in state.nodes.items() if n.original_file_path.endswith(".py"))
    )
    for name in sorted(set(now) - set(before.distributions)):
        yield UnseenChange(what="python", name=name, nodes=models, added=False)


def _used(kind: UnseenKind, name: str, state: Manifest, pattern: re.Pattern[str]) -> UnseenChange:
    macros = {i: _named(macro.macro_sql, pattern) for i, macro in state.macros.items()}
    users = tuple(
        sorted(
            unique_id
            for unique_id, node in state.nodes.items()
            if _uses(name, node, state, macros, pattern)
        )
    )
    return UnseenChange(what=kind, name=name, nodes=users, added=False)


def _uses(
    name: str,
    node: Node,
    state: Manifest,
    macros: Mapping[str, frozenset[str]],
    pattern: re.Pattern[str],
) -> bool:
    if _named(_text(node), pattern) & {name, ANY}:
        return True
    seen: set[str] = set()
    waiting = [macro for macro in node.depends_on.macros if macro]
    while waiting:
        macro = waiting.pop()
        if macro in seen or macro not in state.macros:
            continue
        seen.add(macro)
        if macros[macro] & {name, ANY}:
            return True
        waiting += [below for below in state.macros[macro].depends_on.macros if below]
    return False


def _named(text: str, pattern: re.Pattern[str]) -> frozenset[str]:
    return frozenset(match[1] or ANY for match in pattern.finditer(text))


def _text(node: Node) -> str:
    return f"{node.raw_code}\n{bytes(node.unrendered_config).decode()}"


def _macros(manifest: Manifest) -> Iterator[str]:
    """Those of the project and its packages; dbt's own name no variable of a project's."""
    for unique_id, macro in manifest.macros.items():
        if unique_id.split(".")[1] != "dbt":
            yield macro.macro_sql


def _large_seeds(run: work_files.Run, manifest: Manifest) -> dict[str, LargeSeed]:
    found: dict[str, LargeSeed] = {}
    for unique_id, node in manifest.nodes.items():
        checksum = node.checksum
        if isinstance(checksum, Checksum) and checksum.name == "path":
            package, path = node.package_name, node.original_file_path
            digest = _sha256(_path(run, package, path))
            if digest is not None:
                found[unique_id] = LargeSeed(
                    name=node.name, package=package, path=path, sha256=digest
                )
    return found


def _path(run: work_files.Run, package: str, path: str) -> Path:
    own = package == run.dbt.name
    folder = Path(run.dbt.project_dir) if own else Path(run.dbt.packages_path) / package
    return folder / path


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _of_value(value: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", value.encode(), salt.encode(), ROUNDS)[:KEPT].hex()


def _of_environment(name: str, variables: Mapping[str, str], salt: str) -> str:
    return _of_value(variables[name], salt) if name in variables else ""


def _of_project(run: work_files.Run) -> dict[str, str]:
    """Digests of the variables that the project, and its local packages, set."""
    top = Path(run.dbt.project_dir)
    found: dict[str, list[Any]] = {}
    for folder in (".", *(run.dbt.reads or ())):
        path = top / folder / "dbt_project.yml"
        said = read_yaml(path).get("vars") if path.is_file() else None
        for name, value in said.items() if isinstance(said, dict) else ():
            found.setdefault(str(name), []).append([folder, value])
            # One level below the name of a package are that package's.
            for inner, its in value.items() if isinstance(value, dict) else ():
                found.setdefault(str(inner), []).append([folder, str(name), its])
    return {name: _json(values) for name, values in found.items()}


def _json(value: object) -> str:
    encoded = msgspec.json.encode(value, order="deterministic", enc_hook=str)
    return hashlib.sha256(encoded).hexdigest()[:16]


def _of_command_line(run: work_files.Run, salt: str) -> dict[str, str]:
    said = yaml_codec.load(run.dbt.vars) if run.dbt.vars else None
    if not isinstance(said, dict):
        return {}
    return {str(name): _of_value(_json([value]), salt) for name, value in said.items()}


def _distributions(run: work_files.Run, variables: Mapping[str, str]) -> tuple[str, ...]:
    return installed_version.distributions(
        run.dbt.command, folder=Path(run.dbt.project_dir), variables=variables
    )


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> set[str]:
    return {name for name in {*before, *now} if before.get(name) != now.get(name)}

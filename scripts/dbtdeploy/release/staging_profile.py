"""The caller's profiles.yml with another schema in it, for a build beside production.

Everything else stays as it is, so that macros see production's target name, and a password stays
the expression that dbt alone renders.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dbtdeploy.base import errors, yaml_codec
from dbtdeploy.context.work_files import DbtProject

NAME = "profiles.yml"
NOT_DONE = "Nothing was built, and nothing was written to the warehouse."


def found(project: DbtProject, variables: Mapping[str, str]) -> Path:
    """Where dbt finds the caller's profiles.yml.

    https://docs.getdbt.com/docs/core/connect-data-platform/connection-profiles

    Args:
        project: where dbt runs.
        variables: the environment that dbt runs in.
    """
    folder = Path(project.project_dir)
    named = project.profiles_dir or next(
        filter(None, (variables.get(f"{p}_PROFILES_DIR") for p in ("DBT_ENGINE", "DBT"))), None
    )
    if named:
        return folder / named / NAME
    if (folder / NAME).is_file():
        return folder / NAME
    return Path(variables.get("HOME") or Path.home()) / ".dbt" / NAME


def with_schema(
    text: str, *, profile: str, schema: str, source: Path, reader: str | None = None
) -> str:
    """The file with ``schema`` in every output of one profile.

    Args:
        text: of the caller's file.
        profile: the one that dbt uses.
        schema: of staging.
        source: for messages.
        reader: a target that it must have, the input ``smoke-target``.

    Raises:
        InvalidInput: it is not YAML, or has no such profile with outputs, or no such reader.
    """
    try:
        content = yaml_codec.load(text)
        outputs: dict[str, Any] = content[profile]["outputs"]
        for output in outputs.values():
            output["schema"] = schema
    except yaml_codec.NotYaml as cause:
        raise _refused(f"{source} is not YAML: {cause}") from None
    except (AttributeError, KeyError, TypeError):
        raise _refused(f"{source} has no profile `{profile}` with outputs.") from None
    if reader and reader not in outputs:
        raise errors.InvalidInput(
            f"The input `smoke-target` is {reader!r}, and the profile `{profile}` in {source} has "
            f"no such target. It has {', '.join(f'`{name}`' for name in outputs)}.",
            not_done=NOT_DONE,
            remedy="Name a target with a reader's role, or add one to the profile.",
        )
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def unreadable(source: Path, cause: Exception) -> errors.InvalidInput:
    """The failure of a file that cannot be read."""
    return _refused(f"{source} cannot be read: {cause}.")


def _refused(what: str) -> errors.InvalidInput:
    return errors.InvalidInput(
        what,
        not_done=NOT_DONE,
        remedy="Check the inputs `profiles-dir` and `profile`; `dbt debug` shows what dbt reads.",
    )

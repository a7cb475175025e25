"""The saved parse is applied to the very files of dbt that it was compared with, no others."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "scripts" / "in_dbt" / "saved_parse" / "known_files.py"

PRIVATE = {
    "dbt/parser/manifest.py": (
        *("ManifestLoader", "read_manifest_for_partial_parse", "extended_mashumuro_decoder"),
        *("safe_update_project_parser_files_partially", "write_manifest_for_partial_parse"),
        *("is_partial_parsable", "update_semantic_model"),
    ),
    "dbt/parser/base.py": ("ConfiguredParser", "RelationUpdate", "_update_node_relation_name"),
    "dbt/parser/read_files.py": ("load_file_contents", "FileHash"),
    "dbt/contracts/graph/manifest.py": ("state_check", "env_vars"),
    "dbt_common/clients/jinja.py": ("get_environment",),
}
"""What of dbt's is used that it does not call public, by where it is defined."""


def known_files() -> Any:
    spec = importlib.util.spec_from_file_location("known_files", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.fault(112)
def test_with_any_private_name_renamed_the_saved_parse_is_left_out(
    packages: Path, tmp_path: Path
) -> None:
    known = known_files()
    for name in known.COMPARED:
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((packages / name).read_bytes())
    assert known.differing(str(tmp_path)) == []
    for name, renamed in PRIVATE.items():
        text = (tmp_path / name).read_text()
        for one in renamed:
            assert one in text, f"{one} is not in {name}"
            (tmp_path / name).write_text(text.replace(one, f"{one}_renamed"))
            assert known.differing(str(tmp_path)) == [name]
        (tmp_path / name).write_text(text)
    (tmp_path / "dbt/parser/partial.py").unlink()
    assert known.differing(str(tmp_path)) == ["dbt/parser/partial.py"]

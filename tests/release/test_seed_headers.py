"""What the plan knows of a seed's file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbtdeploy.artifacts.artifacts import Manifest, Node
from dbtdeploy.base import json_codec
from dbtdeploy.release import seed_headers


@pytest.mark.parametrize(
    ("text", "config", "columns"),
    [
        ("id,name\n1,a\n", {}, ("id", "name")),
        ('\ufeffid;"a ""b"", c"\n', {"delimiter": ";"}, ("id", 'a "b", c')),
        ("", {}, None),
        (None, {}, None),
    ],
)
def test_the_columns_of_a_seeds_file(
    tmp_path: Path, text: str | None, config: dict[str, str], columns: tuple[str, ...] | None
) -> None:
    entry = {
        "name": "s",
        "resource_type": "seed",
        "root_path": str(tmp_path),
        "original_file_path": "seeds/s.csv",
        "config": config,
    }
    if text is not None:
        (tmp_path / "seeds").mkdir()
        (tmp_path / "seeds" / "s.csv").write_text(text, encoding="utf-8")
    node = json_codec.decode(json.dumps(entry), Node)
    manifest = Manifest(nodes={"seed.shop.s": node, "model.shop.m": Node(resource_type="model")})
    found = seed_headers.read(manifest, ("seed.shop.s", "model.shop.m", "seed.shop.gone"))
    assert found == ({"seed.shop.s": columns} if columns else {})

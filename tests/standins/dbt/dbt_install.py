"""A folder that looks like an environment with dbt in it, as pip and uv leave one."""

from __future__ import annotations

from pathlib import Path


def install(
    prefix: Path, *, core: str | None = "1.11.16", says: str = "", python: str = "python3.11"
) -> Path:
    """Lay out an environment; gives the path of its ``dbt``.

    Args:
        prefix: where; its parent exists.
        core: the version of dbt-core in the metadata; None for none, as with a shim.
        says: what ``dbt --version`` prints.
        python: the folder under ``lib``.
    """
    packages = prefix / "lib" / python / "site-packages"
    adapters = packages / "dbt" / "adapters"
    for folder in ("postgres", "base", "sql"):
        (adapters / folder).mkdir(parents=True)
    others = ("dbt_adapters-1.24.5", "dbt_common-1.39.0", "dbt_extractor-0.6.0")
    if core is not None:
        for name in (f"dbt_core-{core}", "dbt_postgres-1.11.0", *others):
            (packages / f"{name}.dist-info").mkdir()
    dbt = prefix / "bin" / "dbt"
    dbt.parent.mkdir()
    (prefix / "said.txt").write_text(says)
    dbt.write_text(f"#!/bin/sh\necho ran >> '{prefix}/ran.txt'\ncat '{prefix}/said.txt'\n")
    dbt.chmod(0o755)
    return dbt

"""The machine that was measured on, and what was installed there."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from benchmarks.overhead import prepared
from benchmarks.overhead.prepared import Bench
from demo.repository import ROOT

MEASURED = ("dbt-core", "dbt-postgres", "dbt-adapters")


def machine() -> dict[str, str | int | float]:
    """What it is, as far as Linux tells."""
    return {
        "cpu": _line("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(int(_line("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0) / 1024**2, 1),
        "os": _line("/etc/os-release", r'PRETTY_NAME="?([^"\n]+)') or platform.system(),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def versions(bench: Bench) -> dict[str, str]:
    """Versions of all that takes part; to be asked for once a deploy was there."""
    database = bench.servers.warehouse.database()
    pip = prepared.recipe_python(bench) / "pip"
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", bench.requirements, re.MULTILINE))
    uv = (ROOT / "scripts" / "uv-requirement.txt").read_text()
    found = re.search(r"^uv==([\w.]+)", uv, re.MULTILINE)
    return {
        "dbt-deploy": bench.action.commit[:12],
        "python": platform.python_version(),
        **{name: locked[name] for name in MEASURED if name in locked},
        "PostgreSQL": str(database.value("show server_version")),
        "uv": found[1] if found else "unknown",
        "pip": _run(str(pip), "--version").split()[1],
    }


def _line(path: str, pattern: str) -> str:
    try:
        found = re.search(pattern, Path(path).read_text(encoding="utf-8"))
    except OSError:
        return ""
    return found[1].strip() if found else ""


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

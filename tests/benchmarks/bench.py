"""Benchmarks, one after the other: ``make bench``. Ends with 1 when any passes its limit.

    .venv/bin/python tests/benchmarks/bench.py [NAME ...]

``overhead`` for bench_overhead.py; all without a name.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run what is asked for; 1 if one of them failed."""
    asked = [HERE / f"bench_{name}.py" for name in sys.argv[1:]]
    codes = [
        subprocess.run([sys.executable, str(script)], check=False).returncode
        for script in asked or sorted(HERE.glob("bench_*.py"))
    ]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    raise SystemExit(main())

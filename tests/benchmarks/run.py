"""All benchmarks, one after the other: ``make bench``. Ends with 1 when any passes its limit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run every bench_*.py; 1 if one of them failed."""
    codes = [
        subprocess.run([sys.executable, str(script)], check=False).returncode
        for script in sorted(HERE.glob("bench_*.py"))
    ]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    raise SystemExit(main())

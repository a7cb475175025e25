"""PostgreSQL and S3 in a process of their own, which outlives the benchmark where it is told to.

``python servers.py FOLDER`` serves until ``FOLDER/servers.json``, where it says how to reach them,
is removed, or half a day is over. What they use is thus never taken for a job's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (2, 1)]

from standins.store import s3  # noqa: E402  found by the line above
from standins.warehouse import postgres  # noqa: E402  found by the line above

LONGEST_SECONDS = 12 * 3600
PATIENCE_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Both servers, as another process reaches them."""

    warehouse: postgres.Server
    store: s3.Store


def start(folder: Path) -> Servers:
    """The servers of a folder, started if they do not run."""
    told = folder / "servers.json"
    if not told.is_file() or not _runs(json.loads(told.read_text())["pid"]):
        told.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "servers.log").open("w") as log:
            subprocess.Popen(
                [sys.executable, __file__, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _until(told.is_file)
    return _read(json.loads(told.read_text()))


def stop(folder: Path) -> None:
    """End them."""
    told = folder / "servers.json"
    if told.is_file():
        number = json.loads(told.read_text())["pid"]
        told.unlink()
        _until(lambda: not _runs(number))


def _runs(number: int) -> bool:
    state = Path(f"/proc/{number}/stat")
    if Path("/proc").is_dir():
        return state.is_file() and " Z " not in state.read_text()
    return (
        subprocess.run(["ps", "-p", str(number)], capture_output=True, check=False).returncode == 0
    )


def _until(condition: Any) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > ends:
            raise SystemExit("The servers did not start or end; see servers.log.")
        time.sleep(0.1)


def _read(told: dict[str, Any]) -> Servers:
    admin = s3.Keys(**told["store"].pop("admin"))
    warehouse = {**told["warehouse"], "folder": Path(told["warehouse"]["folder"])}
    return Servers(
        warehouse=postgres.Server(**warehouse), store=s3.Store(admin=admin, **told["store"])
    )


def main() -> None:
    """Serve."""
    told = Path(sys.argv[1]) / "servers.json"
    with postgres.serve() as warehouse, s3.serve(iam=True) as store:
        ways = {
            "pid": os.getpid(),
            "warehouse": {
                "port": warehouse.port,
                "folder": str(warehouse.folder),
                "socket_folder": warehouse.socket_folder,
                "password": warehouse.password,
            },
            "store": {
                "url": store.url,
                "region": store.region,
                "iam": store.iam,
                "admin": {
                    "access_key": store.admin.access_key,
                    "secret_key": store.admin.secret_key,
                },
            },
        }
        new = told.with_suffix(".new")
        new.write_text(json.dumps(ways))
        new.replace(told)
        ends = time.monotonic() + LONGEST_SECONDS
        while told.is_file() and time.monotonic() < ends:
            time.sleep(0.5)


if __name__ == "__main__":
    main()
